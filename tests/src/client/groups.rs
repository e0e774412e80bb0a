//! What the broker knows of a consumer group, seen from outside of it.

use std::collections::BTreeMap;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::groups::GroupList;
use rdkafka::{Offset, TopicPartitionList};

use super::{Client, PATIENCE, REQUEST};
use crate::wait::eventually_ok;

impl Client {
    /// The group's committed offset of every partition that has one.
    #[track_caller]
    pub fn committed(&self, group: &str, topic: &str) -> BTreeMap<i32, i64> {
        let count = eventually_ok(PATIENCE, "the topic's partitions", || {
            self.partitions(topic)
        });
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, count - 1);
        let outsider = self.outsider(group);
        // The first group of a broker makes it create its offsets topic; until
        // that is there, nobody is the group's coordinator.
        eventually_ok(PATIENCE, "the group's offsets", || {
            outsider.committed_offsets(list.clone(), REQUEST)
        })
        .elements()
        .iter()
        .filter_map(|found| match found.offset() {
            Offset::Offset(offset) => Some((found.partition(), offset)),
            _ => None,
        })
        .collect()
    }

    /// Sets the committed offset of a group that has no members.
    #[track_caller]
    pub fn commit(&self, group: &str, topic: &str, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset))
            .expect("valid");
        let outsider = self.outsider(group);
        eventually_ok(PATIENCE, "the group to take a commit", || {
            outsider.commit(&list, CommitMode::Sync)
        });
    }

    /// Like [`Client::commit`], with this text beside the offset.
    #[track_caller]
    pub fn commit_with(&self, group: &str, topic: &str, partition: i32, offset: i64, text: &str) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset))
            .expect("valid");
        for mut element in list.elements() {
            element.set_metadata(text);
        }
        let outsider = self.outsider(group);
        eventually_ok(PATIENCE, "the group to take a commit", || {
            outsider.commit(&list, CommitMode::Sync)
        });
    }

    /// The text beside the group's committed offset of a partition.
    #[track_caller]
    pub fn commit_metadata(&self, group: &str, topic: &str, partition: i32) -> String {
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, partition);
        let outsider = self.outsider(group);
        let answer = eventually_ok(PATIENCE, "the group's offsets", || {
            outsider.committed_offsets(list.clone(), REQUEST)
        });
        let found = answer.find_partition(topic, partition);
        found.expect("it is answered").metadata().to_owned()
    }

    /// The client ids of the group's members; none where it does not exist.
    #[track_caller]
    pub fn members(&self, group: &str) -> Vec<String> {
        let list = self.describe(group);
        let members = list.groups().iter().flat_map(|group| group.members());
        members
            .map(|member| member.client_id().to_owned())
            .collect()
    }

    /// The group's state as Kafka names it, such as `Stable`; empty where the
    /// group does not exist.
    #[track_caller]
    pub fn group_state(&self, group: &str) -> String {
        let list = self.describe(group);
        list.groups()
            .first()
            .map(|group| group.state().to_owned())
            .unwrap_or_default()
    }

    #[track_caller]
    fn describe(&self, group: &str) -> GroupList {
        let observer = self.observer();
        eventually_ok(PATIENCE, "the group's description", || {
            observer.fetch_group_list(Some(group), REQUEST)
        })
    }

    /// Knows the group's coordinator and does not join.
    fn outsider(&self, group: &str) -> BaseConsumer {
        self.config()
            .set("group.id", group)
            // What is committed now, also while a transaction holds more.
            .set("isolation.level", "read_uncommitted")
            .create()
            .expect("the configuration is valid")
    }
}
