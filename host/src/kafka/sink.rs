//! The producer: one a worker, polled on the worker's own thread. Idempotent,
//! so that order is kept, and without a time-out of its own, so that an outage
//! is waited out.

use std::collections::HashMap;
use std::ffi::CString;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rdkafka::ClientConfig;
use rdkafka::bindings as sys;
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::types::{RDKafkaErrorCode, RDKafkaTopic};

use super::context::Context;
use super::doorbell::{Doorbell, ring_native};
use super::record::Message;
use super::topics::{Topic, Topics, illegal_name};
use crate::pipeline::ports::{Ack, Admission, Fatal, Outgoing, Sent, Sink, Ticket};
use crate::record::{OutputHeaders, Record as _};

/// The most different topics that one run may write to: a topic name made from
/// data by mistake must not fill the cluster.
pub const MOST_TOPICS: usize = 1000;

/// What Kafka's record format (v2) adds to key, value and headers at most: five
/// variable-length numbers and the batch's own header.
const FRAMING: usize = 128;

/// librdkafka's `RD_KAFKA_PARTITION_UA`: the partitioner chooses.
const PARTITION_UA: i32 = -1;

pub struct ProducerSink {
    // Before the producer, which must outlive its topics.
    known: Vec<NativeTopic>,
    by_name: HashMap<String, usize>,
    /// The topic that the last output went to, which is mostly the next one's too.
    last: usize,
    producer: BaseProducer<Context>,
    topics: Topics,
    forbidden: Arc<[String]>,
    largest: usize,
    bell: Doorbell,
}

/// A topic's handle inside its producer, and its number of partitions.
struct NativeTopic {
    name: String,
    native: NonNull<RDKafkaTopic>,
    partitions: i32,
}

// SAFETY: librdkafka's topic handles are thread-safe.
unsafe impl Send for NativeTopic {}

impl Drop for NativeTopic {
    fn drop(&mut self) {
        // SAFETY: ours, and dropped before its producer.
        unsafe { sys::rd_kafka_topic_destroy(self.native.as_ptr()) };
    }
}

impl ProducerSink {
    /// `forbidden` are topics that no output may go to: the pipeline's inputs.
    pub fn new(
        config: &ClientConfig,
        topics: Topics,
        forbidden: Arc<[String]>,
        bell: Doorbell,
    ) -> Result<Self, Fatal> {
        let producer: BaseProducer<Context> = config
            .create_with_context(Context::default())
            .context("the producer could not be made")?;
        let largest = config
            .get("message.max.bytes")
            .and_then(|bytes| bytes.parse().ok())
            .context("message.max.bytes is not set")?;
        ring_on_events(&producer, &bell);
        Ok(Self {
            known: Vec::new(),
            by_name: HashMap::new(),
            last: 0,
            producer,
            topics,
            forbidden,
            largest,
            bell,
        })
    }

    fn find(&mut self, name: &str) -> Option<&NativeTopic> {
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
            Topic::Exists(partitions) => {
                let native = self.native_topic(name)?;
                self.by_name.insert(name.to_owned(), self.known.len());
                self.known.push(NativeTopic {
                    name: name.to_owned(),
                    native,
                    partitions,
                });
                Ok(Admission::Admitted)
            }
        }
    }

    fn native_topic(&self, name: &str) -> Result<NonNull<RDKafkaTopic>, Fatal> {
        let c_name = CString::new(name)?;
        // SAFETY: the producer and the name live; a null configuration is the
        // producer's default one; the answer is a new reference or null.
        let topic = unsafe {
            sys::rd_kafka_topic_new(
                self.producer.client().native_ptr(),
                c_name.as_ptr(),
                ptr::null_mut(),
            )
        };
        NonNull::new(topic).with_context(|| format!("librdkafka has no handle for topic {name}"))
    }
}

/// Rings when acknowledgements wait. The producer outlives its worker's wait on
/// the bell, and the bell's thread outlives the producer.
fn ring_on_events(producer: &BaseProducer<Context>, bell: &Doorbell) {
    let opaque = bell.as_opaque();
    // The callback lives as long as the producer, whose end librdkafka decides,
    // so this one bell is never freed.
    let _kept = ManuallyDrop::new(bell.clone());
    // SAFETY: the client lives; the queue is a new reference, given back at
    // once, which leaves the client's own queue and its callback alone.
    unsafe {
        let queue = sys::rd_kafka_queue_get_main(producer.client().native_ptr());
        if !queue.is_null() {
            sys::rd_kafka_queue_cb_event_enable(queue, Some(ring_native), opaque);
            sys::rd_kafka_queue_destroy(queue);
        }
    }
}

impl Sink<Message> for ProducerSink {
    fn admit(&mut self, outgoing: &Outgoing<'_>, source: &Message) -> Result<Admission, Fatal> {
        let largest = self.largest;
        let Some(topic) = self.find(outgoing.topic) else {
            match self.meet(outgoing.topic)? {
                // Once more, for the partition and the size.
                Admission::Admitted => return self.admit(outgoing, source),
                other => return Ok(other),
            }
        };
        if let Some(partition) = outgoing.partition
            && !(0..topic.partitions).contains(&partition)
        {
            return Ok(Admission::Refused(format!(
                "topic {} has {} partitions (from 0), and the output names partition {partition}",
                outgoing.topic, topic.partitions
            )));
        }
        if outgoing.timestamp.is_some_and(|ms| ms < 0) {
            return Ok(Admission::Refused(format!(
                "the output's timestamp is negative ({})",
                outgoing.timestamp.unwrap_or_default()
            )));
        }
        let size = outgoing.size(&source.headers()) + FRAMING;
        if size > largest {
            return Ok(Admission::Refused(format!(
                "the output has {size} bytes with its headers and framing, and the producer sends \
                 at most {largest} (message.max.bytes)"
            )));
        }
        Ok(Admission::Admitted)
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
        let native = topic.native;
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
                self.producer.client().native_ptr(),
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
            RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::UnknownTopic => Ok(Sent::Refused(code.to_string())),
            code => bail!(
                "the producer can't go on: {code} ({code:?}){}",
                match self.producer.client().fatal_error() {
                    Some((_, why)) => format!(": {why}"),
                    None => String::new(),
                }
            ),
        }
    }

    fn acks(&mut self, into: &mut Vec<Ack>) -> Result<(), Fatal> {
        // One event holds the acknowledgements of one response; each poll serves
        // one event, so poll until one brings nothing.
        loop {
            let before = into.len();
            self.producer.poll(Duration::ZERO);
            self.producer.context().take_acks(into);
            if into.len() == before {
                return Ok(());
            }
        }
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
