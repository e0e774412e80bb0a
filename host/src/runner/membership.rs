//! What every worker's consumer joins and reads, and where that begins and ends.

use std::sync::Arc;

use super::{Feed, Prepared, recovery};
use crate::config::{OnGap, Pipeline, Start, Until};
use crate::kafka::cluster::Cluster;
use crate::kafka::group::Membership;
use crate::kafka::keeper::Keeper;
use crate::kafka::lineage::{Inputs, Lineage};
use crate::kafka::starts::Beginnings;
use crate::kafka::{ends, properties, reset};
use crate::pipeline::ports::Fatal;
use crate::stop::Stop;

/// What stands behind the group's name of a pipeline in the name of the group
/// that remembers which of its dead letters were replayed. A group of its own,
/// because a replay must not take part in the pipeline's.
const REPLAY_GROUP: &str = "-replay";

/// The group that remembers what of a pipeline was replayed. Its name holds the
/// pipeline's, whose letters alone are replayed: two pipelines may share a group.
pub(super) fn replay_group(pipeline: &Pipeline) -> String {
    let (group, name) = (&pipeline.input.group, &pipeline.name);
    match group.ends_with(name.as_str()) {
        true => format!("{group}{REPLAY_GROUP}"),
        false => format!("{group}-{name}{REPLAY_GROUP}"),
    }
}

impl Prepared {
    /// Moves the stored positions to where `input.start` says.
    pub fn reset(&mut self, stop: &Arc<Stop>) -> Result<(), Fatal> {
        let config = properties::consumer(&self.pipeline, 0, 1);
        let Some(store) = &mut self.store else {
            return reset::reset(&config, &self.membership, stop);
        };
        let lineage = Lineage::new(Arc::clone(&self.membership.inputs));
        let partitions = store.contents().places.keys().cloned().collect();
        let group = recovery::never_joined(&self.pipeline);
        let membership = &self.membership;
        let starts = reset::starts(&config, &group, membership, &lineage, partitions, stop)?;
        Ok(recovery::reset(store, &starts, &lineage)?)
    }
}

/// What the workers of this pipeline join and read, and up to where. Asks the
/// cluster for the topics' ids and, where the run has an end, for their ends.
pub(super) fn membership(
    pipeline: &Pipeline,
    feed: &Feed,
    cluster: &Arc<Cluster>,
    topics: &[(String, i32)],
) -> Result<Membership, Fatal> {
    let input = &pipeline.input;
    let (group, starts, on_gap, until) = match feed {
        Feed::Inputs => (
            input.group.clone(),
            input.starts.clone(),
            input.on_gap,
            input.until,
        ),
        Feed::Letters(replay) => {
            let group = replay_group(pipeline);
            // A dry run must not take partitions from a replay.
            let group = match replay.dry_run {
                true => format!("{group}-dry-run-{}", std::process::id()),
                false => group,
            };
            // What retention took of them can't be replayed any more.
            (group, Start::Earliest.into(), OnGap::Earliest, Until::End)
        }
    };
    let (instance_id, keeper) = match (feed, &pipeline.recovery) {
        (Feed::Inputs, Some(dir)) => (None, Keeper::Store(dir.clone())),
        (Feed::Inputs, None) => (input.instance_id.clone(), Keeper::Group(group.clone())),
        (Feed::Letters(_), _) => (None, Keeper::Group(group.clone())),
    };
    let names: Vec<String> = topics.iter().map(|(topic, _)| topic.clone()).collect();
    Ok(Membership {
        group,
        instance_id,
        patience: properties::patience(pipeline),
        inputs: Arc::new(Inputs::new(Arc::clone(cluster), names.clone())),
        topics: names,
        beginnings: Beginnings {
            starts,
            known: topics.to_vec(),
            on_gap,
            keeper,
        },
        until: ends::resolve(cluster, topics, until)?,
    })
}
