//! What the other members of a group have done of a run that ends: their commits
//! tell.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::context::Consumer;
use super::lineage::Lineage;
use crate::record::TopicPartition;
use crate::telemetry;

/// How often the group is asked, and the longest that one question waits.
const AGAIN: Duration = Duration::from_millis(500);
const ASK: Duration = Duration::from_secs(1);

/// Asks now and then.
#[derive(Default)]
pub(super) struct Others {
    asked: Option<Instant>,
}

impl Others {
    /// Whether the group's positions have reached these ends. `false` also where
    /// it is not asked now.
    pub fn are_done(
        &mut self,
        consumer: &Consumer,
        lineage: &Lineage,
        ends: &[(&TopicPartition, i64)],
    ) -> bool {
        if ends.is_empty() {
            return true;
        }
        if self.asked.is_some_and(|asked| asked.elapsed() < AGAIN) {
            return false;
        }
        let answer = have_reached(consumer, lineage, ends);
        self.asked = Some(Instant::now());
        answer.unwrap_or_else(|error| {
            telemetry::waiting("what the group's others have done", &error.to_string());
            false
        })
    }
}

fn have_reached(
    consumer: &Consumer,
    lineage: &Lineage,
    ends: &[(&TopicPartition, i64)],
) -> Result<bool, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(ends.len());
    for (partition, _) in ends {
        list.add_partition(&partition.topic, partition.partition);
    }
    let answer = consumer.committed_offsets(list, ASK)?;
    let mut all = true;
    for (partition, end) in ends {
        let element = answer.find_partition(&partition.topic, partition.partition);
        all &= match element {
            None => false,
            Some(element) => {
                element.error()?;
                matches!(element.offset(), Offset::Offset(next) if next >= *end)
                    && !lineage.is_of_another(&partition.topic, element.metadata())
            }
        };
    }
    Ok(all)
}
