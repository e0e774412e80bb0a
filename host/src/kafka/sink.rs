//! A worker's producers, polled on its own thread: one for nearly all topics, more
//! for those that take only smaller batches. Idempotent, so that order is kept, and
//! without a time-out of their own, so that an outage is waited out.

use std::collections::HashMap;
use std::ffi::CString;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use rdkafka::ClientConfig;
use rdkafka::bindings as sys;
use rdkafka::types::RDKafkaErrorCode;

use super::cluster::{Limits, Topic};
use super::output_topic::OutputTopic;
use super::record::Message;
use super::sized_producer::SizedProducer;
use super::topics::Topics;
use crate::doorbell::Doorbell;
use crate::names::illegal_name;
use crate::pipeline::ports::{Ack, Admission, Fatal, Outgoing, Sent, Sink, Ticket};
use crate::record::{OutputHeaders, Record as _};

/// The most different topics that one run may write to: a topic name made from
/// data by mistake must not fill the cluster.
pub const MOST_TOPICS: usize = 1000;

/// librdkafka's default for `batch.size`, in bytes.
const DEFAULT_BATCH: usize = 1_000_000;

/// librdkafka's default for `message.max.bytes`.
const DEFAULT_LARGEST: usize = 1_000_000;

/// librdkafka's `RD_KAFKA_PARTITION_UA`: the partitioner chooses.
const PARTITION_UA: i32 = -1;

pub struct ProducerSink {
    // Before the producers, which must outlive their topics.
    known: Vec<OutputTopic>,
    by_name: HashMap<String, usize>,
    /// The topic that the last output went to, which is mostly the next one's too.
    last: usize,
    /// The first one for nearly all topics; others for those that take only
    /// smaller batches, because librdkafka's `batch.size` is a producer's.
    producers: Vec<SizedProducer>,
    config: ClientConfig,
    topics: Topics,
    forbidden: Arc<[String]>,
    largest: usize,
    /// The clock's last reading: milliseconds since the epoch.
    now: i64,
    /// Whether a batch's size on the broker is that of its records.
    plain: bool,
    bell: Doorbell,
}

impl ProducerSink {
    /// `forbidden` are topics that no output may go to: the pipeline's inputs.
    pub fn new(
        config: &ClientConfig,
        topics: Topics,
        forbidden: Arc<[String]>,
        bell: Doorbell,
    ) -> Result<Self, Fatal> {
        let number = |property: &str, default| {
            config
                .get(property)
                .map_or(Some(default), |value| value.parse().ok())
                .with_context(|| format!("{property} is no number"))
        };
        let mut this = Self {
            known: Vec::new(),
            by_name: HashMap::new(),
            last: 0,
            producers: Vec::new(),
            largest: number("message.max.bytes", DEFAULT_LARGEST)?,
            plain: ["compression.type", "compression.codec"]
                .iter()
                .all(|property| config.get(property).is_none_or(|codec| codec == "none")),
            now: millis_since_epoch(),
            config: config.clone(),
            topics,
            forbidden,
            bell,
        };
        let batch = number("batch.size", DEFAULT_BATCH)?;
        this.producer_of(batch)?;
        Ok(this)
    }

    /// The index of the producer whose batches have at most this size.
    fn producer_of(&mut self, batch: usize) -> Result<usize, Fatal> {
        if let Some(found) = self.producers.iter().position(|p| p.batch == batch) {
            return Ok(found);
        }
        self.producers
            .push(SizedProducer::new(&self.config, batch, &self.bell)?);
        Ok(self.producers.len() - 1)
    }

    fn find(&mut self, name: &str) -> Option<&OutputTopic> {
        if self
            .known
            .get(self.last)
            .is_none_or(|topic| topic.name != name)
        {
            self.last = *self.by_name.get(name)?;
        }
        self.known.get(self.last)
    }

    /// Looks a topic up that no output has gone to yet.
    fn meet(&mut self, name: &str) -> Result<Admission, Fatal> {
        if let Some(why) = illegal_name(name) {
            return Ok(Admission::Refused(why));
        }
        if self.forbidden.iter().any(|topic| topic == name) {
            return Ok(Admission::Refused(format!(
                "topic {name} is an input of this pipeline: what is written there would come back \
                 for ever"
            )));
        }
        if self.known.len() >= MOST_TOPICS {
            return Ok(Admission::Refused(format!(
                "topic {name} would be the output's topic number {}: a run writes to at most \
                 {MOST_TOPICS}",
                self.known.len() + 1
            )));
        }
        match self.topics.look_up(name, &self.bell) {
            Topic::Asked => Ok(Admission::Later),
            Topic::Missing { nearest } => Ok(Admission::Refused(match nearest {
                Some(nearest) => {
                    format!("topic {name} does not exist (the nearest name is {nearest})")
                }
                None => format!("topic {name} does not exist"),
            })),
            Topic::Exists(limits) => {
                self.know(name, limits)?;
                Ok(Admission::Admitted)
            }
        }
    }

    /// Reads the clock, which is too dear to be read for each output.
    fn judge_timestamp(&mut self, topic: &str, timestamp: i64) -> Admission {
        self.now = millis_since_epoch();
        let now = self.now;
        match self.find(topic) {
            Some(topic) if topic.takes(timestamp, now) => Admission::Admitted,
            _ => Admission::Refused(format!(
                "the output's timestamp {timestamp} is negative, or further from now than topic \
                 {topic} takes (message.timestamp.before.max.ms, message.timestamp.after.max.ms)"
            )),
        }
    }

    fn know(&mut self, name: &str, limits: Limits) -> Result<(), Fatal> {
        let usual = self.producers[0].batch;
        let producer = match limits.batch {
            // Powers of two, so that a thousand topics share a few producers.
            Some(batch) if batch < usual => self.producer_of(1 << batch.max(1).ilog2())?,
            _ => 0,
        };
        let c_name = CString::new(name)?;
        // SAFETY: the producer and the name live; a null configuration is the
        // producer's default one; the answer is a new reference or null.
        let native = unsafe {
            sys::rd_kafka_topic_new(
                self.producers[producer].native(),
                c_name.as_ptr(),
                ptr::null_mut(),
            )
        };
        let native = NonNull::new(native)
            .with_context(|| format!("librdkafka has no handle for topic {name}"))?;
        self.by_name.insert(name.to_owned(), self.known.len());
        self.known.push(OutputTopic {
            name: name.to_owned(),
            native,
            producer,
            limits,
        });
        Ok(())
    }
}

fn millis_since_epoch() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}

impl Sink<Message> for ProducerSink {
    fn admit(&mut self, outgoing: &Outgoing<'_>, source: &Message) -> Result<Admission, Fatal> {
        let (largest, plain, now) = (self.largest, self.plain, self.now);
        let Some(topic) = self.find(outgoing.topic) else {
            return match self.meet(outgoing.topic)? {
                // Once more, for what the topic takes.
                Admission::Admitted => self.admit(outgoing, source),
                other => Ok(other),
            };
        };
        let size = outgoing.size(&source.headers());
        if size > largest {
            return Ok(Admission::Refused(format!(
                "the output has {size} bytes with its headers, and the producer sends at most \
                 {largest} (message.max.bytes)"
            )));
        }
        if let Some(why) = topic.refuses(outgoing, size, plain) {
            return Ok(Admission::Refused(why));
        }
        match outgoing.timestamp.filter(|ms| !topic.takes(*ms, now)) {
            None => Ok(Admission::Admitted),
            // It may only be newer than the clock's last reading.
            Some(timestamp) => Ok(self.judge_timestamp(outgoing.topic, timestamp)),
        }
    }

    fn send(
        &mut self,
        outgoing: &Outgoing<'_>,
        source: &Message,
        ticket: Ticket,
    ) -> Result<Sent, Fatal> {
        let Some(topic) = self.find(outgoing.topic) else {
            bail!(
                "an output went to topic {} without being admitted",
                outgoing.topic
            );
        };
        let (native, producer) = (topic.native, topic.producer);
        let producer = &self.producers[producer];
        let headers = native_headers(outgoing.headers, source)?;
        let raw = |bytes: Option<&[u8]>| {
            bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr(), bytes.len()))
        };
        let (value, value_len) = raw(outgoing.value);
        let (key, key_len) = raw(outgoing.key);
        use sys::rd_kafka_vtype_t as v;
        // SAFETY: every tag is followed by the types that librdkafka's
        // documentation of `rd_kafka_vtype_t` gives for it; all pointers live
        // for the call; with MSG_F_COPY key and value are copied; the headers
        // are librdkafka's if, and only if, the call succeeds.
        let error = unsafe {
            sys::rd_kafka_producev(
                producer.native(),
                v::RD_KAFKA_VTYPE_RKT,
                native.as_ptr(),
                v::RD_KAFKA_VTYPE_PARTITION,
                outgoing.partition.unwrap_or(PARTITION_UA),
                v::RD_KAFKA_VTYPE_MSGFLAGS,
                sys::RD_KAFKA_MSG_F_COPY,
                v::RD_KAFKA_VTYPE_VALUE,
                value,
                value_len,
                v::RD_KAFKA_VTYPE_KEY,
                key,
                key_len,
                v::RD_KAFKA_VTYPE_OPAQUE,
                ptr::without_provenance_mut::<std::ffi::c_void>(opaque(ticket)),
                v::RD_KAFKA_VTYPE_TIMESTAMP,
                // 0 is librdkafka's "now".
                outgoing.timestamp.unwrap_or(0),
                v::RD_KAFKA_VTYPE_HEADERS,
                headers,
                v::RD_KAFKA_VTYPE_END,
            )
        };
        let code = RDKafkaErrorCode::from(error);
        if code == RDKafkaErrorCode::NoError {
            return Ok(Sent::Queued);
        }
        if !headers.is_null() {
            // SAFETY: the call failed, so they are still ours.
            unsafe { sys::rd_kafka_headers_destroy(headers) };
        }
        match code {
            RDKafkaErrorCode::QueueFull => Ok(Sent::Full),
            RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::UnknownPartition => {
                Ok(Sent::Refused(code.to_string()))
            }
            code => bail!(
                "the producer can't go on: {code} ({code:?}){}",
                producer
                    .fatal_error()
                    .map_or(String::new(), |why| format!(": {why}"))
            ),
        }
    }

    fn acks(&mut self, into: &mut Vec<Ack>) -> Result<(), Fatal> {
        for producer in &self.producers {
            producer.acks(into);
        }
        Ok(())
    }
}

/// The ticket in a delivery's opaque, which `context` asserts to be wide enough.
fn opaque(ticket: Ticket) -> usize {
    usize::from_ne_bytes(ticket.to_bits().to_ne_bytes())
}

/// The headers to send, ours until librdkafka takes them; null for none.
fn native_headers(
    headers: &OutputHeaders,
    source: &Message,
) -> Result<*mut sys::rd_kafka_headers_t, Fatal> {
    let kept = match headers.keep_source() {
        true => source.native_headers(),
        false => ptr::null_mut(),
    };
    let own = headers.own();
    if kept.is_null() && own.is_empty() {
        return Ok(ptr::null_mut());
    }
    // SAFETY: the source's headers live for the call; the answer is ours.
    let native = unsafe {
        match kept.is_null() {
            true => sys::rd_kafka_headers_new(own.len()),
            false => sys::rd_kafka_headers_copy(kept),
        }
    };
    for header in own {
        let (value, len) = header
            .value
            .as_ref()
            .map_or((ptr::null(), -1), |v| (v.as_ptr(), v.len().cast_signed()));
        // SAFETY: name and value live for the call and are copied, by their lengths.
        let error = unsafe {
            sys::rd_kafka_header_add(
                native,
                header.name.as_ptr().cast(),
                header.name.len().cast_signed(),
                value.cast(),
                len,
            )
        };
        let code = RDKafkaErrorCode::from(error);
        if code != RDKafkaErrorCode::NoError {
            // SAFETY: ours, and not used after this.
            unsafe { sys::rd_kafka_headers_destroy(native) };
            bail!("librdkafka does not take header {:?}: {code}", header.name);
        }
    }
    Ok(native)
}
