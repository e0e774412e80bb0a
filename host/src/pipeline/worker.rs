//! The worker loop: control flow only. It moves records from the source through
//! the plugin to the sink and commits what is done; every rule that it follows
//! stands in a room of its own (batch, progress, isolate, policy), and every
//! effect behind a port.
//!
//! One worker is one thread, one group member, one plugin instance. It never
//! waits for one partition: a lane that can't go on keeps what it has in hand
//! and is asked again at the next step.

mod assignment;
mod delivery;
mod ending;
mod judging;
mod looks;
mod reaching;
mod renewing;
mod starting;
mod transaction;

use std::sync::Arc;
use std::time::{Duration, Instant};

use self::transaction::{Blame, Transacting};
use crate::pipeline::batch;
use crate::pipeline::lane::{Lane, Rest, Work};
use crate::pipeline::policy::{Breaker, Errors, Policy};
use crate::pipeline::ports::{
    Ack, Failure, Fatal, Interrupted, Judge, LaneId, OffsetStore, Sink, Source, SourceEvent, Tap,
};
use crate::pipeline::progress::Progress;
use crate::pipeline::pulse::Pulse;
use crate::record::{NextOffset, TopicPartition};
use crate::telemetry::{self, Counters};

/// What a worker is told about its pipeline.
#[derive(Debug, Clone)]
pub struct Settings {
    pub batch: batch::Limits,
    pub commit_interval: Duration,
    /// The longest that a revoke waits for acknowledgements.
    pub drain: Duration,
    pub default_topic: Option<Arc<str>>,
    /// Where every output goes, whatever topic and partition it names.
    pub redirect: Option<Arc<str>>,
    pub policy: Policy,
    pub breaker: Option<Breaker>,
}

/// Whether a step found anything to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    Busy,
    Idle,
}

/// The longest that an idle worker waits before it looks again by itself. Every
/// queue rings when something arrives, so this only bounds what a lost ring costs.
const IDLE: Duration = Duration::from_millis(100);

/// What leaving the group has at the least, when the drain's time is used up.
const TO_LEAVE: Duration = Duration::from_secs(1);

/// How long a worker is without a partition before it says that it is idle:
/// a new member first gets none, until others have given theirs up.
const IDLE_SAID_AFTER: Duration = Duration::from_secs(10);

/// How many records of a lane may wait for an acknowledgement behind one that
/// has none: what is dropped meanwhile is remembered, too, and must not fill the
/// memory in an outage.
const MOST_OPEN: usize = 1 << 18;

pub struct Worker<S: Source, K, O, J> {
    source: S,
    sink: K,
    offsets: O,
    judge: J,
    settings: Settings,
    errors: Errors,
    counters: Arc<Counters>,
    tap: Option<Tap>,
    /// In the order of their ids.
    lanes: Vec<Lane<S::Batch>>,
    next_lane: u32,
    /// The lane that the next step begins with, so that none is always last.
    turn: usize,
    next_commit: Instant,
    acks: Vec<Ack>,
    idle_said: bool,
    /// Since when the group has given it nothing.
    idle_since: Option<Instant>,
    governor: batch::Governor,
    /// Whether the plugin's instance has not been called since the last fault.
    fresh: bool,
    /// Why the run can't go on, as an acknowledgement told it.
    broken: Option<Fatal>,
    /// Whether the sink took nothing more in this round: then nothing new is
    /// judged, which would only lie in memory.
    full: bool,
    /// The lane that alone may send, because a record of it has to be tried alone.
    alone: Option<LaneId>,
    /// Since when it is chosen, and has sent nothing.
    alone_since: Instant,
    /// Set where outputs and positions count together or not at all.
    transacting: Option<Transacting>,
    /// Outputs without an answer whose assignments are over.
    strays: usize,
    /// What this worker last added to the common lag.
    lag: i64,
    pulse: Arc<Pulse>,
    next_look: Instant,
    /// How long starts that could not be stored wait before they are tried again.
    starts_rest: Rest,
}

impl<S, K, O, J> Worker<S, K, O, J>
where
    S: Source,
    K: Sink<S::Record>,
    O: OffsetStore,
    J: Judge,
{
    pub fn new(
        (source, mut sink, offsets, judge): (S, K, O, J),
        settings: Settings,
        counters: Arc<Counters>,
        tap: Option<Tap>,
    ) -> Self {
        let next_commit = source.now() + settings.commit_interval;
        let transacting = sink.transaction().map(|_| Transacting::default());
        Self {
            source,
            sink,
            offsets,
            judge,
            errors: Errors::new(settings.policy.clone(), settings.breaker),
            settings,
            counters,
            tap,
            lanes: Vec::new(),
            next_lane: 0,
            turn: 0,
            next_commit,
            acks: Vec::new(),
            idle_said: false,
            idle_since: None,
            governor: batch::Governor::default(),
            fresh: true,
            broken: None,
            full: false,
            alone: None,
            alone_since: next_commit,
            transacting,
            strays: 0,
            lag: 0,
            pulse: Arc::default(),
            next_look: next_commit,
            starts_rest: Rest::default(),
        }
    }

    /// Shows itself from now on in `pulse`.
    pub fn seen_by(mut self, pulse: Arc<Pulse>) -> Self {
        self.pulse = pulse;
        self.look();
        self
    }

    /// Works until `stopping` says how long ago it was told to stop, the source is
    /// finished or something fails, then drains, commits and leaves, within
    /// `settings.drain` of that and at most a second more.
    pub fn run(&mut self, stopping: impl Fn() -> Option<Duration>) -> Result<(), Failure> {
        let mut outcome = Ok(());
        while stopping().is_none() {
            match self.step() {
                Ok(Pace::Busy) => {}
                Ok(Pace::Idle) => match self.is_finished() {
                    Ok(true) => break,
                    Ok(false) => self.source.wait(self.idle_for()),
                    Err(error) => {
                        outcome = Err(error.into());
                        break;
                    }
                },
                Err(Failure::Fatal(error)) if error.is::<Interrupted>() => break,
                Err(failure) => {
                    outcome = Err(failure);
                    break;
                }
            }
        }
        // It may have heard of it late, in the middle of a call.
        let late = stopping().unwrap_or_default();
        let deadline = self.source.now() + self.settings.drain.saturating_sub(late);
        let finished = self.finish(deadline);
        self.source
            .close(deadline.max(self.source.now() + TO_LEAVE));
        // What ended the run matters more than what its end met.
        match outcome {
            Ok(()) => finished,
            Err(failure) => {
                if let Err(second) = finished {
                    telemetry::drain_failed(&second);
                }
                Err(failure)
            }
        }
    }

    /// One round over everything that may have something to do.
    pub fn step(&mut self) -> Result<Pace, Failure> {
        let mut pace = Pace::Idle;
        while let Some(event) = self.source.poll()? {
            self.on_event(event)?;
            pace = Pace::Busy;
        }
        if self.collect_acks()? {
            pace = Pace::Busy;
        }
        self.look_when_due()?;
        if let Some(error) = self.broken.take() {
            return Err(Failure::Fatal(error));
        }
        self.store_starts();
        self.renew();
        self.full = false;
        self.choose_alone();
        self.turn = self.turn.wrapping_add(1);
        for i in 0..self.lanes.len() {
            let index = (self.turn.wrapping_add(i)) % self.lanes.len();
            if self.serve(index)? == Pace::Busy {
                pace = Pace::Busy;
            }
            self.look_when_due()?;
            // A call may have taken long, and events keep the membership. They
            // change the lanes, so the round ends with one.
            if let Some(event) = self.source.poll()? {
                self.on_event(event)?;
                return Ok(Pace::Busy);
            }
        }
        if self.source.now() >= self.next_commit {
            self.next_commit = self.source.now() + self.settings.commit_interval;
            self.pass();
            self.count_lag();
            self.say_if_idle();
            if self.transacting.is_some() {
                self.close_transaction();
            } else if self.offsets.is_ready() {
                let positions = take_positions(self.lanes.iter_mut(), Progress::committable);
                if !positions.is_empty() {
                    self.offsets.commit(&positions)?;
                }
            }
        }
        match self.turn_transaction()? {
            Pace::Busy => Ok(Pace::Busy),
            Pace::Idle => Ok(pace),
        }
    }

    fn idle_for(&self) -> Duration {
        self.next_commit
            .saturating_duration_since(self.source.now())
            .min(IDLE)
    }

    fn say_if_idle(&mut self) {
        let now = self.source.now();
        let long = |since: Instant| now.saturating_duration_since(since) >= IDLE_SAID_AFTER;
        if self.idle_since.is_some_and(long) && !std::mem::replace(&mut self.idle_said, true) {
            telemetry::idle();
        }
    }

    fn on_event(&mut self, event: SourceEvent) -> Result<(), Failure> {
        match event {
            SourceEvent::Assigned(partitions) => {
                self.on_assigned(partitions)?;
                self.look();
                Ok(())
            }
            SourceEvent::Revoked(partitions) => self.on_revoked(&partitions),
            SourceEvent::Lost(partitions) => {
                telemetry::lost(&partitions);
                // Their positions can't be stored any more.
                if !self.is_clean() {
                    self.doom("partitions were lost", Blame::Surroundings);
                }
                self.expect_no_more(&partitions);
                self.take_lanes(&partitions);
                Ok(self.source.release(&partitions)?)
            }
            SourceEvent::Committed(positions) => {
                for lane in &mut self.lanes {
                    if let Some((_, position)) =
                        positions.iter().find(|(p, _)| *p == lane.partition)
                    {
                        lane.progress.confirmed(*position);
                    }
                }
                Ok(())
            }
            SourceEvent::CommitFailed { partitions, reason } => {
                telemetry::commit_failed(&partitions, &reason);
                for lane in &mut self.lanes {
                    if partitions.contains(&lane.partition) {
                        lane.progress.commit_failed();
                    }
                }
                Ok(())
            }
            SourceEvent::Gap(lane, gap) => {
                self.on_gap(lane, gap);
                Ok(())
            }
        }
    }

    /// Moves one lane on by at most one call of the plugin.
    fn serve(&mut self, index: usize) -> Result<Pace, Failure> {
        let now = self.source.now();
        let lane = &mut self.lanes[index];
        // The transaction that the one that goes alone waits for ends with it.
        let holds_up = self.transacting.is_some() && lane.is_half_sent();
        if (lane.gives_way(self.alone) && !holds_up) || lane.rest.lasts(now) {
            return Ok(Pace::Idle);
        }
        if lane.goes_back && self.transacting.is_none() {
            if lane.progress.outstanding() > 0 {
                return Ok(Pace::Idle);
            }
            self.go_back(index)?;
        }
        self.jump_when_done(index)?;
        let mut pace = Pace::Idle;
        let lane = &mut self.lanes[index];
        if !lane.begun {
            return Ok(Pace::Idle);
        }
        if lane.work.as_ref().is_none_or(|w| w.verdicts.is_empty()) {
            let gap = lane.gap.is_some() && lane.work.is_none();
            if gap || self.full || lane.progress.open() >= MOST_OPEN {
                return Ok(Pace::Idle);
            }
            if lane.work.is_none() {
                match self.source.fetch(lane.id, self.settings.batch.records)? {
                    Some(records) => lane.work = Some(Work::new(records)),
                    None => return Ok(Pace::Idle),
                }
            }
            // A hunt takes its time, and the broker gives an open transaction only
            // so much.
            let hunts = |work: &Work<_>| work.hunt.is_on(work.next);
            if lane.work.as_ref().is_some_and(hunts) && !self.is_clean() {
                self.close_transaction();
                return Ok(Pace::Idle);
            }
            let lane = &self.lanes[index];
            if lane.work.as_ref().is_some_and(|w| w.judged.is_empty()) {
                pace = self.judge(index)?;
            }
            let lane = &self.lanes[index];
            if lane.work.as_ref().is_some_and(|w| !w.judged.is_empty()) {
                pace = self.encode(index)?;
            }
        }
        match self.send(index)? {
            Pace::Busy => Ok(Pace::Busy),
            Pace::Idle => Ok(pace),
        }
    }

    /// Reads a lane again from the first record that is not done, because an
    /// output was refused when it was on its way. What was acknowledged behind
    /// it goes out once more, so that its order holds.
    fn go_back(&mut self, index: usize) -> Result<(), Failure> {
        let lane = &mut self.lanes[index];
        lane.goes_back = false;
        lane.work = None;
        lane.letters.clear();
        let position = lane.progress.restart();
        self.counters.goes_back(&lane.partition, position);
        Ok(self.source.rewind(lane.id, position)?)
    }

    fn count_lag(&mut self) {
        let lag = self
            .lanes
            .iter()
            .filter_map(|lane| Some((self.source.end(lane.id)? - lane.progress.done().0).max(0)))
            .sum();
        self.counters.lag_changed(lag - self.lag);
        self.lag = lag;
    }

    fn take_lanes(&mut self, partitions: &[TopicPartition]) -> Vec<Lane<S::Batch>> {
        let (taken, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.lanes)
            .into_iter()
            .partition(|lane| partitions.contains(&lane.partition));
        self.lanes = kept;
        self.strays += in_flight(&taken);
        taken
    }
}

/// How many outputs of these lanes have no answer.
fn in_flight<B>(lanes: &[Lane<B>]) -> usize {
    lanes.iter().map(|lane| lane.progress.outstanding()).sum()
}

/// Of each lane the position that `which` picks, noted as told to the store.
fn take_positions<'a, B: 'a>(
    lanes: impl Iterator<Item = &'a mut Lane<B>>,
    which: fn(&Progress) -> Option<NextOffset>,
) -> Vec<(TopicPartition, NextOffset)> {
    lanes
        .filter_map(|lane| {
            let position = which(&lane.progress)?;
            lane.progress.committed(position);
            Some((lane.partition.clone(), position))
        })
        .collect()
}

#[cfg(test)]
mod tests;
