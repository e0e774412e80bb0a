//! `--reset`: all stored positions are moved to where `input.start` says, whoever
//! keeps them. They are moved in one step, once all of these places are known.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, bail};
use rdkafka::ClientConfig;
use rdkafka::consumer::Consumer as _;

use super::context::{Consumer, Context};
use super::group::Membership;
use super::lineage::Lineage;
use super::positions::{ASK, Ask, GroupOffsets};
use crate::pipeline::ports::{Fatal, Interrupted, OffsetStore as _};
use crate::record::{NextOffset, TopicPartition};
use crate::stop::Stop;
use crate::telemetry;

/// Moves the positions of a group that has no members: Kafka takes them from
/// nobody else while it has some.
pub fn reset(
    config: &ClientConfig,
    membership: &Membership,
    stop: &Arc<Stop>,
) -> Result<(), Fatal> {
    let group = &membership.group;
    let consumer = consumer(config, group)?;
    let lineage = Lineage::new(Arc::clone(&membership.inputs));
    let mut offsets = GroupOffsets::new(&consumer, lineage.clone(), stop)?;
    let groups = offsets
        .ask
        .until_answered("the group's members are asked for", |consumer| {
            consumer.fetch_group_list(Some(group), ASK)
        })?;
    let members = groups.groups().iter().map(|g| g.members().len()).sum();
    if members > 0 {
        bail!(in_use(group, members));
    }
    let partitions: Vec<TopicPartition> = membership
        .beginnings
        .known
        .iter()
        .flat_map(|(topic, count)| (0..*count).map(|n| TopicPartition::new(topic.as_str(), n)))
        .collect();
    let before = offsets.stored(&partitions)?;
    let positions = resolve(membership, &lineage, &offsets.ask, partitions, stop)?;
    offsets
        .commit_now(&positions, Instant::now() + ASK)
        .with_context(|| {
            format!(
                "the positions of group {group} could not be moved; one that has members takes \
                 them from nobody else"
            )
        })?;
    for ((partition, position), before) in positions.iter().zip(before) {
        telemetry::reset(partition, before, *position);
    }
    Ok(())
}

/// Where these partitions begin, for somebody who keeps their positions without a
/// group. `lineage` then knows of which topics that is. Nobody joins `group`.
pub fn starts(
    config: &ClientConfig,
    group: &str,
    membership: &Membership,
    lineage: &Lineage,
    partitions: Vec<TopicPartition>,
    stop: &Arc<Stop>,
) -> Result<Vec<(TopicPartition, NextOffset)>, Fatal> {
    let ask = Ask::new(&consumer(config, group)?, stop);
    resolve(membership, lineage, &ask, partitions, stop)
}

fn resolve(
    membership: &Membership,
    lineage: &Lineage,
    ask: &Ask,
    partitions: Vec<TopicPartition>,
    stop: &Stop,
) -> Result<Vec<(TopicPartition, NextOffset)>, Fatal> {
    let mut positions = Vec::with_capacity(partitions.len());
    for partition in partitions {
        lineage.adopt(&partition);
        let start = membership.beginnings.resolve(ask, &partition, None)?;
        // Also where the question was answered after all.
        if stop.requested() {
            return Err(Interrupted.into());
        }
        positions.push((partition, start));
    }
    Ok(positions)
}

fn consumer(config: &ClientConfig, group: &str) -> Result<Arc<Consumer>, Fatal> {
    let mut config = config.clone();
    config.set("group.id", group);
    config
        .create_with_context(Context::default())
        .context("the consumer could not be made")
        .map(Arc::new)
}

fn in_use(group: &str, members: usize) -> String {
    format!(
        "--reset: group {group} has {members} members, and Kafka moves the positions of a group \
         only while it has none: stop its other processes first (one that was killed counts until \
         its session time-out)"
    )
}
