//! What becomes of a position that the broker does not hold: `input.on_gap`. Never
//! a silent jump.

use anyhow::anyhow;

use super::keeper::Keeper;
use super::places::Held;
use crate::config::OnGap;
use crate::pipeline::ports::Fatal;
use crate::record::TopicPartition;

/// Where to go on instead, or the error that ends the run.
pub fn go_on(
    on_gap: OnGap,
    keeper: &Keeper,
    partition: &TopicPartition,
    offset: i64,
    held: Held,
) -> Result<i64, Fatal> {
    instead(on_gap, held).ok_or_else(|| {
        anyhow!(
            "the position of {keeper} in topic {}, partition {} is gone: offset {offset} was asked \
             for, and the broker holds {} to {} (its first and its next offset). Nothing was \
             skipped: {}",
            partition.topic,
            partition.partition,
            held.first,
            held.next,
            keeper.way_out(partition),
        )
    })
}

/// The same for a start that was asked for.
pub fn begin(
    on_gap: OnGap,
    partition: &TopicPartition,
    offset: i64,
    held: Held,
) -> Result<i64, Fatal> {
    instead(on_gap, held).ok_or_else(|| {
        anyhow!(
            "input.start: topic {}, partition {} can't begin at offset {offset}: the broker holds \
             {} to {} (its first and its next offset). Name one of these, or set input.on_gap to \
             earliest or latest to begin there",
            partition.topic,
            partition.partition,
            held.first,
            held.next,
        )
    })
}

/// Where a topic that was made again is read; an error where that ends the run.
pub fn remade(on_gap: OnGap, keeper: &Keeper, topic: &str) -> Result<OnGap, Fatal> {
    match on_gap {
        OnGap::Stop => Err(anyhow!(
            "topic {topic} was deleted and made again: positions in the old one say nothing in the \
             new one. Nothing was skipped: {}",
            keeper.way_out_of_topic(topic)
        )),
        go_on => Ok(go_on),
    }
}

fn instead(on_gap: OnGap, held: Held) -> Option<i64> {
    match on_gap {
        OnGap::Stop => None,
        OnGap::Earliest => Some(held.first),
        OnGap::Latest => Some(held.next),
    }
}
