//! What the worker shows of itself to whoever watches it ([`Pulse`]).

use std::time::{Duration, Instant};

use super::Worker;
use super::transaction::Transacting;
use crate::pipeline::lane::Lane;
use crate::pipeline::ports::{Failure, Judge, OffsetStore, Sink, Source};
use crate::pipeline::pulse::{Spot, Standing};

/// Often enough for a watch that says what stands still for a second or more.
const EVERY: Duration = Duration::from_millis(250);

impl<S, K, O, J> Worker<S, K, O, J>
where
    S: Source,
    K: Sink<S::Record>,
    O: OffsetStore,
    J: Judge,
{
    /// Shows how each lane stands, unless that was just done. What came during a
    /// long call counts already.
    pub(super) fn look_when_due(&mut self) -> Result<(), Failure> {
        if self.source.now() >= self.next_look {
            self.collect_acks()?;
            self.look();
        }
        Ok(())
    }

    pub(super) fn look(&mut self) {
        let now = self.source.now();
        self.next_look = now + EVERY;
        // Nothing begins its way while a transaction is being ended or awaited.
        let ends = self
            .transacting
            .as_ref()
            .is_some_and(Transacting::is_ending);
        let standings = self.lanes.iter().map(|lane| Standing {
            lane: lane.id,
            partition: lane.partition.clone(),
            done: lane.progress.done(),
            at: spot(lane, now, self.source.starves(lane.id)).map(|spot| match ends {
                true => Spot::Commit,
                false => spot,
            }),
            stored: lane.progress.store_has(),
            is_unstored: lane.progress.is_unconfirmed(),
        });
        self.pulse.looks(self.source.has_place(), standings);
    }
}

/// Where what comes next in a lane waits; `starves`: records wait at the broker.
fn spot<B>(lane: &Lane<B>, now: Instant, starves: bool) -> Option<Spot> {
    let in_flight = lane.progress.outstanding() > 0;
    match &lane.work {
        Some(work) if work.verdicts.is_empty() && work.hunt.is_on(work.next) => Some(Spot::Plugin),
        Some(work) if work.verdicts.is_empty() && lane.later.is_begun() => Some(Spot::Registry),
        Some(_) => Some(Spot::Producer),
        None if in_flight || lane.goes_back || lane.rest.lasts(now) => Some(Spot::Producer),
        None => starves.then_some(Spot::Consumer),
    }
}
