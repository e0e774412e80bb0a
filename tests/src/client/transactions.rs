//! Producing in transactions.

use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer};

use super::produce::{ALL, Failures, send};
use super::{Client, Record};
use crate::topics::unique;

/// For one step: librdkafka tries again for so long.
const STEP: Duration = Duration::from_secs(120);

/// A producer with a transactional id. What it leaves open when it is dropped,
/// the broker aborts after the producer's `transaction.timeout.ms` (its maximum, a quarter
/// of an hour).
pub struct Transactional(BaseProducer<Failures>);

impl Client {
    /// The one producer with this id from now on: the broker refuses whatever an
    /// earlier one still sends, and aborts what that has begun.
    #[track_caller]
    pub fn transactional(&self, id: &str) -> Transactional {
        let producer: BaseProducer<Failures> = self
            .config()
            .set("transactional.id", id)
            .set("transaction.timeout.ms", "900000")
            .set("linger.ms", "1")
            .create_with_context(Failures::default())
            .expect("the configuration is valid");
        producer
            .init_transactions(STEP)
            .unwrap_or_else(|error| panic!("{id}: cannot begin: {error}"));
        Transactional(producer)
    }
}

impl Transactional {
    #[track_caller]
    pub fn begin(&self) {
        self.0
            .begin_transaction()
            .unwrap_or_else(|error| panic!("no transaction can begin: {error}"));
    }

    /// Produces in order and returns when all are acknowledged.
    #[track_caller]
    pub fn produce(&self, topic: &str, records: impl IntoIterator<Item = Record>) {
        let deadline = Instant::now() + ALL;
        for record in records {
            send(&self.0, topic, &record, deadline);
        }
        self.0
            .flush(ALL)
            .unwrap_or_else(|error| panic!("{topic}: not all acknowledged in {ALL:?}: {error}"));
        self.0.context().assert_none(topic);
    }

    pub fn commit(&self) -> Result<(), KafkaError> {
        self.0.commit_transaction(STEP)
    }

    pub fn abort(&self) -> Result<(), KafkaError> {
        self.0.abort_transaction(STEP)
    }
}

/// A transaction whose records are written and not decided yet. Dropped, it stays
/// open until the broker aborts it.
pub struct Transaction(Transactional);

impl Client {
    /// Writes these records in a transaction of its own.
    #[track_caller]
    pub fn begin(&self, topic: &str, records: impl IntoIterator<Item = Record>) -> Transaction {
        let producer = self.transactional(&unique(topic));
        producer.begin();
        producer.produce(topic, records);
        Transaction(producer)
    }
}

impl Transaction {
    #[track_caller]
    pub fn commit(self) {
        self.0.commit().expect("it is committed");
    }

    #[track_caller]
    pub fn abort(self) {
        self.0.abort().expect("it is aborted");
    }
}
