//! Partitions that come and go.

use anyhow::Context as _;

use super::ending::{COMMIT_AGAIN, FOR_THE_COMMIT};
use super::transaction::Blame;
use super::{Worker, in_flight, take_positions};
use crate::pipeline::lane::Lane;
use crate::pipeline::ports::{Failure, Judge, LaneId, OffsetStore, Sink, Source, Ticket};
use crate::pipeline::progress::Progress;
use crate::pipeline::pulse::Spot;
use crate::record::TopicPartition;
use crate::telemetry;

impl<S, K, O, J> Worker<S, K, O, J>
where
    S: Source,
    K: Sink<S::Record>,
    O: OffsetStore,
    J: Judge,
{
    /// A stored position always wins; where there is none, the start is resolved
    /// to an offset, and nothing is read before that is stored.
    pub(super) fn on_assigned(&mut self, partitions: Vec<TopicPartition>) -> Result<(), Failure> {
        if partitions.is_empty() && self.lanes.is_empty() {
            self.idle_since.get_or_insert(self.source.now());
        } else {
            self.idle_since = None;
        }
        self.expect(partitions)
    }

    pub(super) fn begin_reading(&mut self, partitions: Vec<TopicPartition>) -> Result<(), Failure> {
        let asking = self.pulse.call(Spot::Consumer, None);
        let stored = self
            .offsets
            .stored(&partitions)
            .context("the stored positions could not be read")?;
        let mut starts = Vec::with_capacity(partitions.len());
        for (partition, stored) in partitions.into_iter().zip(stored) {
            let start = match stored {
                Some(position) => {
                    telemetry::assigned(&partition, position, true);
                    position
                }
                None => self.source.resolve(&partition)?,
            };
            let id = LaneId(self.next_lane);
            self.next_lane = self.next_lane.wrapping_add(1) & Ticket::LANE_MASK;
            starts.push((id, partition.clone(), start));
            self.lanes
                .push(Lane::new(id, partition, start, stored.is_some()));
        }
        drop(asking);
        Ok(self.source.start(&starts)?)
    }

    /// Drained before it is given away: what is in flight is acknowledged and
    /// committed, what is not sent is left to the next owner.
    pub(super) fn on_revoked(&mut self, partitions: &[TopicPartition]) -> Result<(), Failure> {
        let deadline = self.source.now() + self.settings.drain;
        if self.transacting.is_some() {
            self.expect_no_more(partitions);
            // What was sent of these counts together with all else, or not at all:
            // once they are somebody else's, a commit could go over what became of
            // them there.
            let ended = self.end_transaction(self.last_ack(deadline))?;
            if !ended && !self.is_clean() {
                self.doom("partitions were given up", Blame::Surroundings);
            }
            self.take_lanes(partitions);
            telemetry::revoked(partitions, ended);
            return Ok(self.source.release(partitions)?);
        }
        self.drain(self.last_ack(deadline), |lane| {
            partitions.contains(&lane.partition)
        })?;
        let mut lanes = self.take_lanes(partitions);
        telemetry::revoked(partitions, in_flight(&lanes) == 0);
        let positions = take_positions(lanes.iter_mut(), Progress::unstored);
        // The coordinator may refuse for a moment while the group changes.
        let enough = deadline.min(self.source.now() + FOR_THE_COMMIT);
        while !positions.is_empty()
            && let Err(error) = self.offsets.commit_now(&positions, deadline)
        {
            if self.source.now() + COMMIT_AGAIN >= enough {
                // Their next owner reads these records again.
                telemetry::commit_failed(partitions, &format!("{error:#}"));
                break;
            }
            self.source.wait(COMMIT_AGAIN);
        }
        Ok(self.source.release(partitions)?)
    }
}
