//! What every worker's consumer joins and reads, and where that begins and ends.

use std::sync::Arc;

use super::{Feed, Prepared, recovery};
use crate::config::{OnGap, Pipeline, Start, Until};
use crate::kafka::group::Membership;
use crate::kafka::identity::Inputs;
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
        if let Some(store) = &mut self.store {
            return Ok(recovery::reset(store)?);
        }
        let config = properties::consumer(&self.pipeline, 0, 1);
        reset::reset(&config, &self.membership()?, stop)
    }

    pub(super) fn membership(&self) -> Result<Membership, Fatal> {
        let input = &self.pipeline.input;
        let (group, starts, on_gap, until) = match &self.feed {
            Feed::Inputs => (
                input.group.clone(),
                input.starts.clone(),
                input.on_gap,
                input.until,
            ),
            Feed::Letters(replay) => {
                let group = replay_group(&self.pipeline);
                // A dry run must not take partitions from a replay.
                let group = match replay.dry_run {
                    true => format!("{group}-dry-run-{}", std::process::id()),
                    false => group,
                };
                (group, Start::Earliest.into(), OnGap::Stop, Until::End)
            }
        };
        let topics: Vec<String> = self.inputs.iter().map(|(topic, _)| topic.clone()).collect();
        let instance_id = match &self.feed {
            Feed::Inputs => input.instance_id.clone(),
            Feed::Letters(_) => None,
        };
        Ok(Membership {
            instance_id,
            patience: properties::patience(&self.pipeline),
            inputs: Arc::new(Inputs::new(Arc::clone(&self.cluster), topics.clone())),
            topics,
            beginnings: Beginnings {
                starts,
                known: self.inputs.clone(),
                on_gap,
                keeper: self.keeper(),
            },
            group,
            until: ends::resolve(&self.cluster, &self.inputs, until)?,
        })
    }
}
