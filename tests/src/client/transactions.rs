//! Writing in transactions.

use std::time::Duration;

use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::{Client, Record};
use crate::topics::unique;

/// For one step of a transaction.
const STEP: Duration = Duration::from_secs(30);

/// A transaction whose records are written and not decided yet. Dropped, it stays
/// open until the broker aborts it (after a minute).
pub struct Transaction(BaseProducer);

impl Client {
    /// Writes these records in a transaction of its own.
    #[track_caller]
    pub fn begin(&self, topic: &str, records: impl IntoIterator<Item = Record>) -> Transaction {
        let producer: BaseProducer = self
            .config()
            .set("transactional.id", unique(topic))
            .create()
            .expect("the configuration is valid");
        producer
            .init_transactions(STEP)
            .expect("the broker answers");
        producer.begin_transaction().expect("it is initialised");
        for record in records {
            let mut native = BaseRecord::<[u8], [u8]>::to(topic);
            native.key = record.key.as_deref();
            native.payload = record.value.as_deref();
            native.partition = record.partition;
            native.timestamp = record.timestamp.to_millis();
            producer.send(native).expect("the queue has room");
        }
        producer.flush(STEP).expect("the broker answers");
        Transaction(producer)
    }
}

impl Transaction {
    #[track_caller]
    pub fn commit(self) {
        self.0.commit_transaction(STEP).expect("it is committed");
    }

    #[track_caller]
    pub fn abort(self) {
        self.0.abort_transaction(STEP).expect("it is aborted");
    }
}
