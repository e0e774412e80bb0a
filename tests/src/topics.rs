//! Making and removing topics, and names that no other test has.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_executor::block_on;
use rdkafka::admin::{
    AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication, TopicResult,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use crate::client::{Client, PATIENCE};
use crate::wait::eventually_ok;

/// A name for a topic or a group that is this test's alone: tests share one
/// broker and run side by side.
pub fn unique(stem: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("{stem}-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

impl Client {
    /// Creates a topic and returns once it can be written and read.
    #[track_caller]
    pub fn create_topic(&self, name: &str, partitions: i32) {
        self.create_topic_with(name, partitions, &[]);
    }

    /// Creates a topic with settings of its own, such as `cleanup.policy`.
    #[track_caller]
    pub fn create_topic_with(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        self.change(
            "the topic to be made",
            RDKafkaErrorCode::TopicAlreadyExists,
            || block_on(self.admin().create_topics([&topic], &AdminOptions::new())),
        );
        self.wait_for_partitions(name, partitions);
    }

    /// Adds partitions to a topic.
    #[track_caller]
    pub fn grow_topic(&self, name: &str, partitions: i32) {
        let count = usize::try_from(partitions).expect("a count is not negative");
        let grown = NewPartitions::new(name, count);
        self.change(
            "the topic to grow",
            RDKafkaErrorCode::InvalidPartitions,
            || {
                block_on(
                    self.admin()
                        .create_partitions([&grown], &AdminOptions::new()),
                )
            },
        );
        self.wait_for_partitions(name, partitions);
    }

    /// Deletes a topic and returns once the broker no longer names it.
    #[track_caller]
    pub fn delete_topic(&self, name: &str) {
        self.change(
            "the topic's end",
            RDKafkaErrorCode::UnknownTopicOrPartition,
            || block_on(self.admin().delete_topics(&[name], &AdminOptions::new())),
        );
        eventually_ok(PATIENCE, "the topic to be gone", || {
            match self.partitions(name) {
                Err(_) => Ok(()),
                Ok(count) => Err(format!("{name} has {count} partitions")),
            }
        });
    }

    /// Deletes the records of a partition before this offset, as retention does.
    #[track_caller]
    pub fn truncate(&self, name: &str, partition: i32, before: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(name, partition, Offset::Offset(before))
            .expect("valid");
        let answer = block_on(self.admin().delete_records(&list, &AdminOptions::new()));
        for deleted in answer.expect("the broker answers").elements() {
            deleted
                .error()
                .unwrap_or_else(|error| panic!("cannot truncate {name}: {error}"));
        }
    }

    /// Created is answered before the partition's leader serves it.
    #[track_caller]
    fn wait_for_partitions(&self, name: &str, wanted: i32) {
        eventually_ok(PATIENCE, "the topic's partitions", || {
            match self.partitions(name)? {
                count if count == wanted => self.watermarks(name).map(drop),
                count => Err(format!("{name} has {count} of {wanted} partitions")),
            }
        });
    }

    /// Asks until it is done: a broker that is fenced for a moment refuses it, and one that
    /// did it may have been too slow to say so, which shows by the `done` of the next try.
    #[track_caller]
    fn change(
        &self,
        what: &str,
        done: RDKafkaErrorCode,
        ask: impl Fn() -> KafkaResult<Vec<TopicResult>>,
    ) {
        let mut first = true;
        eventually_ok(PATIENCE, what, || {
            let again = !std::mem::take(&mut first);
            match ask().map_err(|error| error.to_string())?.remove(0) {
                Ok(_) => Ok(()),
                Err((_, code)) if again && code == done => Ok(()),
                Err((topic, code)) => Err(format!("{topic}: {code}")),
            }
        });
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().expect("the configuration is valid")
    }
}
