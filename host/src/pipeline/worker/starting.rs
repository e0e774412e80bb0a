//! Where lanes begin: nothing is read from one before the store has its position,
//! so that no crash skips what comes meanwhile. And where they go on behind a gap.

use std::time::Duration;

use super::Worker;
use crate::pipeline::lane::Lane;
use crate::pipeline::ports::{Failure, Gap, Judge, LaneId, OffsetStore, Sink, Source};
use crate::record::{NextOffset, TopicPartition};
use crate::telemetry;

/// The longest that the other lanes and the membership wait for one try: a store
/// that works answers within it.
const TO_STORE: Duration = Duration::from_secs(1);

impl<S, K, O, J> Worker<S, K, O, J>
where
    S: Source,
    K: Sink<S::Record>,
    O: OffsetStore,
    J: Judge,
{
    /// Stores where lanes begin that have no stored position. What can't be stored
    /// is tried again after a rest, and by the last commit of a stop or a revoke.
    pub(super) fn store_starts(&mut self) {
        let now = self.source.now();
        if self.lanes.iter().all(|lane| lane.begun) || self.starts_rest.lasts(now) {
            return;
        }
        if self.transacting.is_some() {
            return self.store_starts_together();
        }
        let unbegun = self.lanes.iter_mut().filter(|lane| !lane.begun);
        let positions: Vec<(TopicPartition, NextOffset)> = unbegun
            .filter_map(|lane| Some((lane.partition.clone(), lane.progress.unstored()?)))
            .collect();
        if !positions.is_empty()
            && let Err(error) = self.offsets.commit_now(&positions, now + TO_STORE)
        {
            let long = self.starts_rest.begin(now);
            telemetry::start_not_stored(&positions, &error, long);
            return;
        }
        self.starts_rest = Default::default();
        for lane in self.lanes.iter_mut().filter(|lane| !lane.begun) {
            let position = lane.progress.done();
            lane.progress.stored(position);
            lane.begun = true;
            telemetry::assigned(&lane.partition, position, false);
        }
    }

    /// The same where positions are stored by transactions, and by nothing else: what
    /// came beside one, and late, would go over what the next ones stored.
    fn store_starts_together(&mut self) {
        for lane in self.lanes.iter_mut().filter(|lane| !lane.begun) {
            if let Some(position) = lane.progress.store_has() {
                lane.begun = true;
                telemetry::assigned(&lane.partition, position, false);
            }
        }
        if self.lanes.iter().any(|lane| !lane.begun) {
            self.close_transaction();
        }
    }

    /// What a lane was to read next is gone.
    pub(super) fn on_gap(&mut self, lane: LaneId, gap: Gap) {
        if let Some(lane) = self.lanes.iter_mut().find(|known| known.id == lane) {
            lane.gap = Some(gap);
        }
    }

    /// Goes on behind a gap, once nothing from before it is in hand or on its way:
    /// what was begun there is the last of it, and offsets may begin anew.
    pub(super) fn jump_when_done(&mut self, index: usize) -> Result<(), Failure> {
        let lane = &self.lanes[index];
        let Some(gap) = lane.gap.filter(|_| !lane.is_busy()) else {
            return Ok(());
        };
        if !self.is_clean() || self.expects() {
            // What was sent before the gap must count, or be taken back, first.
            self.close_transaction();
            return Ok(());
        }
        let lane = &mut self.lanes[index];
        let from = lane.progress.done();
        self.counters.jumped(&lane.partition, from, &gap);
        *lane = Lane::new(lane.id, lane.partition.clone(), gap.to, false);
        Ok(self.source.jump(lane.id, gap.to)?)
    }
}
