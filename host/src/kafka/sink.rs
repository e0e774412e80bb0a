//! A worker's producers, polled on its own thread: one for nearly all topics, more
//! for those that take only smaller batches. Idempotent, so that order is kept, and
//! without a time-out of their own, so that an outage is waited out. Where outputs
//! and positions are one transaction there is one producer alone, with the smallest
//! batches that a topic asks for.

use std::collections::{BTreeSet, HashMap};
use std::ffi::CString;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use rdkafka::ClientConfig;
use rdkafka::bindings as sys;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaTopic};

use super::cluster::{Limits, Topic};
use super::output_topic::OutputTopic;
use super::producer::Producer;
use super::rules::Rules;

use super::topics::Topics;
use super::transactions::Transactions;
use crate::doorbell::Doorbell;
use crate::pipeline::ports::{
    Ack, Admission, Commit, Fatal, Outgoing, Sent, Sink, Ticket, Transaction, Unwritable,
};
use crate::record::{NextOffset, Record, TopicPartition};

/// How old what is known of a topic may be when an output is refused for it.
const OLD: Duration = Duration::from_secs(5);

/// What librdkafka counts for a record's framing at the most, and for each
/// header's (`RD_KAFKAP_MESSAGE_V2_MAX_OVERHEAD`, and two varints).
const MOST_FRAMING: usize = 36;
const MOST_HEADER_FRAMING: usize = 10;

/// librdkafka's default for `batch.size`, in bytes.
const DEFAULT_BATCH: usize = 1_000_000;

/// librdkafka's default for `message.max.bytes`.
const DEFAULT_LARGEST: usize = 1_000_000;

pub struct ProducerSink {
    // Before the producers, which must outlive their topics.
    known: Vec<OutputTopic>,
    by_name: HashMap<String, usize>,
    /// The topic that the last output went to, which is mostly the next one's too.
    last: usize,
    /// The first one for nearly all topics; others for those that take only
    /// smaller batches, because librdkafka's `batch.size` is a producer's.
    producers: Vec<Producer>,
    config: ClientConfig,
    topics: Topics,
    rules: Arc<Rules>,
    largest: usize,
    /// What makes outputs and positions one, where the guarantee asks for it.
    transactions: Option<Transactions>,
    /// The size of the batches that the next transaction's producer has.
    next_batch: usize,
    /// The clock's last reading: milliseconds since the epoch.
    now: i64,
    /// Whether a batch's size on the broker is that of its records.
    plain: bool,
    bell: Doorbell,
}

impl ProducerSink {
    pub fn new(
        config: &ClientConfig,
        topics: Topics,
        rules: Arc<Rules>,
        transactions: Option<Transactions>,
        bell: Doorbell,
    ) -> Result<Self, Fatal> {
        let number = |property: &str, default| {
            config
                .get(property)
                .map_or(Some(default), |value| value.parse().ok())
                .with_context(|| format!("{property} is no number"))
        };
        let batch = number("batch.size", DEFAULT_BATCH)?;
        let mut this = Self {
            transactions,
            next_batch: batch,
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
            rules,
            bell,
        };
        this.producer_of(batch)?;
        Ok(this)
    }

    /// The index of the producer whose batches have at most this size.
    fn producer_of(&mut self, batch: usize) -> Result<usize, Fatal> {
        if let Some(found) = self.producers.iter().position(|p| p.batch == batch) {
            return Ok(found);
        }
        self.producers
            .push(Producer::new(&self.config, batch, &self.bell)?);
        Ok(self.producers.len() - 1)
    }

    fn find(&mut self, name: &str) -> Option<&OutputTopic> {
        self.find_mut(name).map(|topic| &*topic)
    }

    fn find_mut(&mut self, name: &str) -> Option<&mut OutputTopic> {
        if self
            .known
            .get(self.last)
            .is_none_or(|topic| topic.name != name)
        {
            self.last = *self.by_name.get(name)?;
        }
        self.known.get_mut(self.last)
    }

    /// Looks a topic up that no output has gone to yet.
    fn meet(&mut self, name: &str) -> Result<Admission, Fatal> {
        if let Some(why) = self.rules.forbid(name, self.known.len()) {
            return Ok(Admission::Refused(Unwritable::new(why)));
        }
        let look_up = match self.rules.is_own(name) {
            true => Topics::wait_for,
            false => Topics::look_up,
        };
        match look_up(&self.topics, name, &self.bell) {
            Topic::Asked => Ok(Admission::Later),
            Topic::Missing { nearest } => Ok(Admission::Refused(Unwritable::new(match nearest {
                Some(nearest) => {
                    format!("topic {name} does not exist (the nearest name is {nearest})")
                }
                None => format!("topic {name} does not exist"),
            }))),
            // One that takes less waits for the next transaction's producer.
            Topic::Exists(limits) if self.shrinks_for(limits) => Ok(Admission::Later),
            Topic::Exists(limits) => {
                self.know(name, limits)?;
                Ok(Admission::Admitted)
            }
        }
    }

    /// Why the topic would not take this timestamp now, if it would not.
    fn refuses_timestamp(&mut self, topic: &str, timestamp: i64) -> Option<Unwritable> {
        let now = self.now;
        if self.find(topic)?.takes(timestamp, now) {
            return None;
        }
        // It may only be newer than the clock's last reading, which is too dear
        // to be taken for each output.
        self.now = millis_since_epoch();
        let now = self.now;
        if self.find(topic)?.takes(timestamp, now) {
            return None;
        }
        Some(Unwritable::new(format!(
            "the output's timestamp {timestamp} is negative, or further from now than topic \
             {topic} takes (message.timestamp.before.max.ms, message.timestamp.after.max.ms)"
        )))
    }

    /// Whether what is known of a topic should be asked again before an output
    /// is refused for it.
    fn is_old(&mut self, topic: &str) -> bool {
        self.find(topic)
            .is_some_and(|topic| topic.learnt.elapsed() >= OLD)
    }

    /// Asks what a known topic takes now, and whether it is still there. Until
    /// the answer comes, outputs to it wait.
    fn look_up_again(&mut self, name: &str) {
        let bell = self.bell.clone();
        let topics = self.topics.clone();
        if let Some(topic) = self.find_mut(name)
            && !std::mem::replace(&mut topic.is_asked_for, true)
        {
            topics.look_up_again(name, &bell);
        }
    }

    /// Takes the answer to [`look_up_again`](Self::look_up_again), if it is there.
    /// The topic keeps its producer, in which outputs may be on their way.
    fn learn(&mut self, name: &str) -> bool {
        let Topic::Exists(limits) = self.topics.look_up(name, &self.bell) else {
            return false;
        };
        let Some(topic) = self.find_mut(name) else {
            return false;
        };
        topic.is_asked_for = false;
        topic.learnt = Instant::now();
        topic.limits = match limits.are_known {
            true => limits,
            false => Limits {
                partitions: limits.partitions,
                ..topic.limits
            },
        };
        true
    }

    fn know(&mut self, name: &str, limits: Limits) -> Result<(), Fatal> {
        let producer = self.producer_for(limits)?;
        let native = native_topic(name, &self.producers[producer])?;
        self.by_name.insert(name.to_owned(), self.known.len());
        self.known.push(OutputTopic {
            name: name.to_owned(),
            native,
            producer,
            limits,
            learnt: Instant::now(),
            is_asked_for: false,
        });
        Ok(())
    }

    /// The index of the producer for a topic that takes no more than this.
    fn producer_for(&mut self, limits: Limits) -> Result<usize, Fatal> {
        match self.smaller_than_usual(limits) {
            Some(batch) if self.transactions.is_none() => self.producer_of(batch),
            _ => Ok(0),
        }
    }

    /// The size of the batches for a topic that does not take the usual ones.
    fn smaller_than_usual(&self, limits: Limits) -> Option<usize> {
        let batch = limits
            .batch
            .filter(|batch| *batch < self.producers[0].batch)?;
        // Powers of two, so that a thousand topics share a few producers.
        Some(1 << batch.max(1).ilog2())
    }

    /// Whether a transaction's one producer has to make smaller batches before it
    /// can write to such a topic.
    fn shrinks_for(&mut self, limits: Limits) -> bool {
        match self.smaller_than_usual(limits) {
            Some(batch) if self.transactions.is_some() => {
                self.next_batch = self.next_batch.min(batch);
                true
            }
            _ => false,
        }
    }

    /// Puts a new producer in the place of the one that transactions have.
    fn replace_producer(&mut self) -> Result<(), Fatal> {
        let new = Producer::new(&self.config, self.next_batch, &self.bell)?;
        let handles = self
            .known
            .iter()
            .map(|topic| native_topic(&topic.name, &new));
        let handles = handles.collect::<Result<Vec<_>, Fatal>>()?;
        let old = std::mem::replace(&mut self.producers[0], new);
        for (topic, native) in self.known.iter_mut().zip(handles) {
            topic.replace_native(native);
        }
        // Its threads end when they have closed their connections.
        thread::Builder::new()
            .name("retired producer".to_owned())
            .spawn(move || drop(old))
            .context("no thread could be started")?;
        Ok(())
    }
}

/// A topic's handle in a producer.
fn native_topic(name: &str, producer: &Producer) -> Result<NonNull<RDKafkaTopic>, Fatal> {
    let c_name = CString::new(name)?;
    // SAFETY: the producer and the name live; a null configuration is the
    // producer's default one; the answer is a new reference or null.
    let native =
        unsafe { sys::rd_kafka_topic_new(producer.native(), c_name.as_ptr(), ptr::null_mut()) };
    NonNull::new(native).with_context(|| format!("librdkafka has no handle for topic {name}"))
}

fn millis_since_epoch() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}

impl<R: Record> Sink<R> for ProducerSink {
    fn admit(&mut self, outgoing: &Outgoing<'_>, source: &R) -> Result<Admission, Fatal> {
        let (largest, plain) = (self.largest, self.plain);
        let Some(topic) = self.find(outgoing.topic) else {
            return match self.meet(outgoing.topic)? {
                // Once more, for what the topic takes.
                Admission::Admitted => self.admit(outgoing, source),
                other => Ok(other),
            };
        };
        if topic.is_asked_for {
            return match self.learn(outgoing.topic) {
                true => self.admit(outgoing, source),
                false => Ok(Admission::Later),
            };
        }
        let headers = source.headers();
        let size = outgoing.size(&headers);
        let count = headers.len() + outgoing.headers.own().len();
        if size + MOST_FRAMING + count * MOST_HEADER_FRAMING > largest {
            return Ok(Admission::Refused(Unwritable::too_large(format!(
                "the output has {size} bytes with its headers, and the producer sends at most \
                 {largest} with its framing (message.max.bytes)"
            ))));
        }
        let refused = topic.refuses(outgoing, size, plain).or_else(|| {
            let timestamp = outgoing.timestamp?;
            self.refuses_timestamp(outgoing.topic, timestamp)
        });
        match refused {
            None => Ok(Admission::Admitted),
            // The topic may have been changed since it was asked about.
            Some(_) if self.is_old(outgoing.topic) => {
                self.look_up_again(outgoing.topic);
                Ok(Admission::Later)
            }
            Some(why) => Ok(Admission::Refused(why)),
        }
    }

    fn send(&mut self, outgoing: &Outgoing<'_>, source: &R, ticket: Ticket) -> Result<Sent, Fatal> {
        let Some(topic) = self.find(outgoing.topic) else {
            bail!(
                "an output went to topic {} without being admitted",
                outgoing.topic
            );
        };
        let (native, producer) = (topic.native, topic.producer);
        let producer = &self.producers[producer];
        if let Some(transactions) = &mut self.transactions {
            transactions.begin(producer)?;
        }
        match producer.send(native, outgoing, source, ticket)? {
            RDKafkaErrorCode::NoError => Ok(Sent::Queued),
            RDKafkaErrorCode::QueueFull => Ok(Sent::Full),
            code @ RDKafkaErrorCode::MessageSizeTooLarge => {
                Ok(Sent::Refused(Unwritable::too_large(code.to_string())))
            }
            code @ (RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::TopicAuthorizationFailed) => {
                self.look_up_again(outgoing.topic);
                Ok(Sent::Waits(format!("topic {}: {code}", outgoing.topic)))
            }
            // The transaction has failed: nothing of it counts, and it is aborted.
            _ if let Some(transactions) = &mut self.transactions => {
                transactions.is_doomed();
                Ok(Sent::Full)
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
        self.now = millis_since_epoch();
        let mut troubled = BTreeSet::new();
        for producer in &self.producers {
            producer.acks(into, &mut troubled);
        }
        for topic in troubled {
            self.look_up_again(&topic);
        }
        Ok(())
    }

    fn transaction(&mut self) -> Option<&mut dyn Transaction> {
        match self.transactions {
            Some(_) => Some(self),
            None => None,
        }
    }
}

impl ProducerSink {
    /// The transactions and their producer.
    fn transacting(&mut self) -> Result<(&mut Transactions, &Producer), Fatal> {
        let transactions = self.transactions.as_mut();
        let transactions = transactions.context("this sink knows no transactions")?;
        Ok((transactions, &self.producers[0]))
    }
}

impl Transaction for ProducerSink {
    fn is_ready(&mut self) -> Result<bool, Fatal> {
        let shrinks = self.next_batch < self.producers[0].batch;
        let (transactions, producer) = self.transacting()?;
        if let Some(goes_on) = transactions.goes_on(producer) {
            return Ok(goes_on);
        }
        if shrinks || transactions.needs_producer(producer) {
            transactions.producer_is_new();
            self.replace_producer()?;
        }
        let (transactions, producer) = self.transacting()?;
        transactions.may_begin(producer)
    }

    fn hurry(&mut self) {
        self.producers[0].flush(1);
    }

    fn commit(&mut self, positions: &[(TopicPartition, NextOffset)]) -> Result<Commit, Fatal> {
        let (transactions, producer) = self.transacting()?;
        transactions.commit(producer, positions)
    }

    fn abort(&mut self) -> Result<bool, Fatal> {
        let (transactions, producer) = self.transacting()?;
        producer.purge();
        // What is purged is answered, and librdkafka waits until that is heard.
        producer.acks(&mut Vec::new(), &mut BTreeSet::new());
        if !transactions.abort(producer)? {
            return Ok(false);
        }
        producer.acks(&mut Vec::new(), &mut BTreeSet::new());
        self.is_ready()
    }
}
