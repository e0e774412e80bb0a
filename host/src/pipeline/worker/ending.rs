//! The end of a run and of an assignment: what is in flight is finished, what is
//! done is committed.

use std::time::{Duration, Instant};

use super::{Worker, in_flight, take_positions};
use crate::pipeline::lane::{Lane, Work};
use crate::pipeline::ports::{Failure, Judge, OffsetStore, Sink, Source, SourceEvent};
use crate::pipeline::progress::Progress;
use crate::telemetry;

/// The end of a drain's time that is kept for its commit: a coordinator that
/// works answers within it.
pub(super) const FOR_THE_COMMIT: Duration = Duration::from_secs(2);

/// How long a refused last commit waits before it is made again.
pub(super) const COMMIT_AGAIN: Duration = Duration::from_millis(100);

/// How often a drain looks at its deadline.
pub(super) const DRAIN_TICK: Duration = Duration::from_millis(10);

impl<S, K, O, J> Worker<S, K, O, J>
where
    S: Source,
    K: Sink<S::Record>,
    O: OffsetStore,
    J: Judge,
{
    /// The end of the run: what is half sent is sent, everything sent is
    /// acknowledged, everything acknowledged is committed.
    pub(super) fn finish(&mut self, deadline: Instant) -> Result<(), Failure> {
        if let Some(transacting) = &mut self.transacting {
            transacting.is_last();
            let ended = self.end_transaction(self.last_ack(deadline));
            self.counters.lag_changed(-self.lag);
            self.lag = 0;
            return self.ended(ended?);
        }
        let drained = self.drain(self.last_ack(deadline), |_| true);
        let committed = self.commit_last(deadline);
        self.counters.lag_changed(-self.lag);
        self.lag = 0;
        drained?;
        committed?;
        if let Some(error) = self.broken.take() {
            return Err(Failure::Fatal(error));
        }
        for lane in self.lanes.iter().filter(|lane| lane.goes_back) {
            telemetry::left_undone(&lane.partition, lane.progress.done());
        }
        match in_flight(&self.lanes) {
            0 => Ok(()),
            outstanding => Err(Failure::Fatal(anyhow::anyhow!(
                "{outstanding} outputs were not acknowledged within shutdown.drain; their records \
                 are not committed and will be read again"
            ))),
        }
    }

    /// The end of the run's last transaction.
    fn ended(&mut self, in_time: bool) -> Result<(), Failure> {
        if let Some(error) = self.broken.take() {
            return Err(Failure::Fatal(error));
        }
        match in_time {
            true => Ok(()),
            false => Err(Failure::Fatal(anyhow::anyhow!(
                "the last transaction could not be finished within shutdown.drain: what of it does \
                 not count will be read again"
            ))),
        }
    }

    /// Commits what the store does not have, again and again until `deadline`: a
    /// group that is just changing refuses commits for a moment.
    fn commit_last(&mut self, deadline: Instant) -> Result<(), Failure> {
        loop {
            // What is lost meanwhile must not be committed.
            while let Some(event) = self.source.poll()? {
                match event {
                    // Answered, and given up with the rest.
                    SourceEvent::Assigned(_) => self.source.start(&[])?,
                    event => self.on_event(event)?,
                }
            }
            // An asynchronous commit may have failed unseen.
            let positions = take_positions(self.lanes.iter_mut(), Progress::unstored);
            if positions.is_empty() {
                return Ok(());
            }
            match self.offsets.commit_now(&positions, deadline) {
                Ok(()) => return Ok(()),
                Err(error) if self.source.now() + COMMIT_AGAIN >= deadline => {
                    return Err(Failure::Fatal(error.context(
                        "the last positions could not be committed; the records behind them will \
                         be read again",
                    )));
                }
                Err(_) => self.source.wait(COMMIT_AGAIN),
            }
        }
    }

    /// Until when acknowledgements are awaited if everything, the commit
    /// included, is to be done by `deadline`.
    pub(super) fn last_ack(&self, deadline: Instant) -> Instant {
        let kept = FOR_THE_COMMIT.min(self.settings.drain / 4);
        deadline.checked_sub(kept).unwrap_or(deadline)
    }

    /// Forgets what these lanes have in hand, but for a record that is half
    /// sent, and waits until everything sent is answered, or for the deadline.
    pub(super) fn drain(
        &mut self,
        deadline: Instant,
        of: impl Fn(&Lane<S::Batch>) -> bool,
    ) -> Result<(), Failure> {
        let mut outcome = Ok(());
        loop {
            let now = self.source.now();
            let mut waiting = false;
            for index in 0..self.lanes.len() {
                let lane = &mut self.lanes[index];
                if !of(lane) {
                    continue;
                }
                let half_sent = lane.work.as_mut().is_some_and(Work::cut_to_open);
                let rests = lane.rest.lasts(now);
                if half_sent && rests {
                    // Asked again when its rest is over.
                } else if half_sent && !lane.goes_back {
                    // The others are finished all the same.
                    if let Err(failure) = self.send(index) {
                        self.lanes[index].work = None;
                        outcome = outcome.and(Err(failure));
                    }
                } else {
                    lane.work = None;
                }
                let lane = &self.lanes[index];
                let half_sent = lane.work.as_ref().is_some_and(|work| work.open.is_some());
                waiting |= half_sent || lane.progress.outstanding() > 0;
            }
            if !waiting || self.source.now() >= deadline {
                return outcome;
            }
            if !self.collect_acks()? {
                self.source.wait(DRAIN_TICK);
            }
        }
    }
}
