//! Producing: every record acknowledged before the call returns.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use super::{Client, PATIENCE, REQUEST, Record};
use crate::headers::to_native;
use crate::wait::eventually_ok;

/// For the records of one call that are on their way.
pub(super) const ALL: Duration = Duration::from_secs(300);

impl Client {
    /// Produces in order and returns when all are acknowledged.
    #[track_caller]
    pub fn produce(&self, topic: &str, records: impl IntoIterator<Item = Record>) {
        self.produce_with(&[], topic, records);
    }

    /// Like [`Client::produce`], in one batch of the protocol a partition, as far as its size
    /// allows.
    #[track_caller]
    pub fn produce_at_once(&self, topic: &str, records: impl IntoIterator<Item = Record>) {
        let records = Vec::from_iter(records);
        let count = records.len().max(1).to_string();
        let together = [("linger.ms", "60000"), ("batch.num.messages", &*count)];
        self.produce_with(&together, topic, records);
    }

    /// Like [`Client::produce`], with librdkafka properties such as
    /// `compression.type`.
    #[track_caller]
    pub fn produce_with(
        &self,
        properties: &[(&str, &str)],
        topic: &str,
        records: impl IntoIterator<Item = Record>,
    ) {
        let mut config = self.config();
        // Idempotence keeps the order, and no duplicates, over retries.
        config
            .set("enable.idempotence", "true")
            .set("linger.ms", "1");
        for (name, value) in properties {
            config.set(*name, *value);
        }
        let producer: BaseProducer<Failures> = config
            .create_with_context(Failures::default())
            .unwrap_or_else(|error| panic!("cannot make a producer: {error}"));

        // Connected beforehand the first record goes out half a second earlier:
        // without a connection librdkafka asks for the producer's id at its next
        // tick only.
        eventually_ok(PATIENCE, "the topic to produce to", || {
            producer.client().fetch_metadata(Some(topic), REQUEST)
        });
        for record in records {
            send(&producer, topic, &record, Instant::now() + ALL);
        }
        producer
            .flush(ALL)
            .unwrap_or_else(|error| panic!("{topic}: not all acknowledged in {ALL:?}: {error}"));
        producer.context().assert_none(topic);
    }
}

/// Waits where librdkafka's queue is full.
#[track_caller]
pub(super) fn send(
    producer: &BaseProducer<Failures>,
    topic: &str,
    record: &Record,
    deadline: Instant,
) {
    loop {
        match producer.send(native(topic, record)) {
            Ok(()) => return,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _))
                if Instant::now() < deadline =>
            {
                producer.poll(Duration::from_millis(10));
            }
            Err((error, _)) => panic!("{topic}: cannot send {record:?}: {error}"),
        }
    }
}

fn native<'a>(topic: &'a str, record: &'a Record) -> BaseRecord<'a, [u8], [u8]> {
    let mut native = BaseRecord::to(topic);
    native.key = record.key.as_deref();
    native.payload = record.value.as_deref();
    native.partition = record.partition;
    native.timestamp = record.timestamp.to_millis();
    native.headers = (!record.headers.is_empty()).then(|| to_native(&record.headers));
    native
}

/// The deliveries that failed.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<Vec<String>>);

impl Failures {
    #[track_caller]
    pub(super) fn assert_none(&self, topic: &str) {
        let failures = self.0.lock().expect("nothing panics with it");
        assert!(failures.is_empty(), "{topic}: not delivered: {failures:?}");
    }
}

impl ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        if let Err((error, _)) = result {
            self.0
                .lock()
                .expect("nothing panics with it")
                .push(error.to_string());
        }
    }
}
