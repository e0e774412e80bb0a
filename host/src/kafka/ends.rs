//! Where a run ends: a number for each partition, looked up once.

use anyhow::Context as _;

use super::cluster::{Cluster, REACH};
use super::places::{at_time, held};
use crate::config::Until;
use crate::pipeline::ports::Fatal;
use crate::record::TopicPartition;

/// The offset before which the reading of each partition of these topics ends;
/// `None`: it does not.
pub fn resolve(
    cluster: &Cluster,
    topics: &[(String, i32)],
    until: Until,
) -> Result<Option<Vec<(TopicPartition, i64)>>, Fatal> {
    if until == Until::Forever {
        return Ok(None);
    }
    let partitions = topics.iter().flat_map(|(topic, count)| {
        (0..*count).map(move |number| TopicPartition::new(topic.as_str(), number))
    });
    let end_of = |partition: TopicPartition| {
        let asked = || format!("where {partition} ends can't be asked");
        let end = |partition| held(cluster.consumer(), partition, REACH).map(|held| held.next);
        let offset = match until {
            Until::Forever | Until::End => end(&partition).with_context(asked)?,
            Until::Offset(offset) => offset,
            Until::Timestamp(time) => {
                match at_time(cluster.consumer(), &partition, time, REACH).with_context(asked)? {
                    Some(offset) => offset,
                    None => end(&partition).with_context(asked)?,
                }
            }
        };
        Ok((partition, offset))
    };
    partitions
        .map(end_of)
        .collect::<Result<_, Fatal>>()
        .map(Some)
}
