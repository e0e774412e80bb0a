//! Questions to the cluster about offsets: what it holds of a partition, and what
//! was written when.

use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::context::Consumer;
use crate::record::TopicPartition;

/// What a broker holds of a partition: its first offset, and that of the next
/// record. For a reader of committed transactions the next one is the first that
/// is not decided yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub first: i64,
    pub next: i64,
}

impl Held {
    /// Whether it can be read from this offset on.
    pub fn has(self, offset: i64) -> bool {
        (self.first..=self.next).contains(&offset)
    }
}

/// What the broker holds of a partition now.
pub fn held(
    consumer: &Consumer,
    partition: &TopicPartition,
    timeout: Duration,
) -> Result<Held, KafkaError> {
    let (first, next) =
        consumer.fetch_watermarks(&partition.topic, partition.partition, timeout)?;
    Ok(Held { first, next })
}

/// The first offset of a partition whose record has this timestamp or a later one,
/// in milliseconds since the epoch; `None`: there is no such record.
pub fn at_time(
    consumer: &Consumer,
    partition: &TopicPartition,
    millis: i64,
    timeout: Duration,
) -> Result<Option<i64>, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(1);
    // librdkafka takes the time where the offset stands.
    list.add_partition_offset(
        &partition.topic,
        partition.partition,
        Offset::Offset(millis),
    )?;
    let answer = consumer.offsets_for_times(list, timeout)?;
    let mut found = None;
    for element in answer.elements() {
        element.error()?;
        if let Offset::Offset(offset) = element.offset() {
            found = Some(offset);
        }
    }
    Ok(found)
}
