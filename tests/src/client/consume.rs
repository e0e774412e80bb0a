//! Reading a whole topic, without a group.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::{Client, PATIENCE, REQUEST, Record};
use crate::wait::eventually_ok;

/// For reading one topic to its end.
const ALL: Duration = Duration::from_secs(60);

/// Which records of transactions are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Those of committed ones, up to the first open one.
    Committed,
    /// All, aborted ones too.
    Uncommitted,
}

impl Isolation {
    /// librdkafka's `isolation.level`.
    pub(super) fn level(self) -> &'static str {
        match self {
            Isolation::Committed => "read_committed",
            Isolation::Uncommitted => "read_uncommitted",
        }
    }
}

impl Client {
    /// All records of a topic up to its present end: by partition, then by
    /// offset. Of transactions only the committed ones.
    #[track_caller]
    pub fn read_all(&self, topic: &str) -> Vec<Record> {
        self.read_all_with(topic, Isolation::Committed)
    }

    /// Like [`Client::read_all`], where aborted records matter.
    #[track_caller]
    pub fn read_all_with(&self, topic: &str, isolation: Isolation) -> Vec<Record> {
        let count = eventually_ok(PATIENCE, "the topic's partitions", || {
            self.partitions(topic)
        });
        let consumer = self.reader(topic, count, isolation);
        let deadline = Instant::now() + ALL;
        let mut trouble = None;
        let mut ended = HashSet::new();
        let mut records = Vec::new();
        // The end of a partition is an event and not an offset: the last
        // offset may be a transaction's marker.
        while ended.len() < usize::try_from(count).expect("a count is not negative") {
            assert!(
                Instant::now() < deadline,
                "{topic}: not read to its end in {ALL:?}; at last: {trouble:?}"
            );
            match consumer.poll(Duration::from_millis(100)) {
                None => {}
                Some(Ok(message)) => records.push(Record::read(&message)),
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    ended.insert(partition);
                }
                // Such as a lost connection, which librdkafka makes again.
                Some(Err(error @ KafkaError::MessageConsumption(_))) => trouble = Some(error),
                Some(Err(error)) => panic!("{topic}: cannot read: {error}"),
            }
        }
        records.sort_by_key(|record| (record.partition, record.offset));
        records
    }

    fn reader(&self, topic: &str, partitions: i32, isolation: Isolation) -> BaseConsumer {
        let consumer: BaseConsumer = self
            .config()
            // librdkafka wants one to assign at all; it is never joined.
            .set("group.id", "millrace-tests-reader")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", isolation.level())
            .set("fetch.wait.max.ms", "10")
            .set("fetch.queue.backoff.ms", "5")
            .create()
            .expect("the configuration is valid");
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition_offset(topic, partition, Offset::Beginning)
                .expect("valid");
        }
        // With the topic known beforehand the first record comes half a second
        // earlier: librdkafka would look again only at its next tick.
        eventually_ok(PATIENCE, "the topic to read", || {
            consumer.fetch_metadata(Some(topic), REQUEST)
        });
        consumer.assign(&list).expect("a valid assignment");
        consumer
    }
}
