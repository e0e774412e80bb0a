//! Exactly once: outputs and positions end together, one transaction a commit
//! interval. While one ends, no record begins its way; plugins go on working.
//!
//! ```text
//! Preparing → Open → Closing → Committing → Preparing
//!               └───────┴───────────┴→ Aborting ─┘
//! ```
//!
//! Nothing is sent ahead of a decision: a record that is half sent is finished
//! before its transaction ends, one that has to go alone has a transaction of its
//! own, and after an abort everything is read again from what the store has.

use std::time::{Duration, Instant};

use anyhow::anyhow;

use super::ending::DRAIN_TICK;
use super::{Pace, Worker, in_flight, take_positions};
use crate::pipeline::lane::Rest;
use crate::pipeline::ports::{
    Commit, Failure, Fatal, Judge, OffsetStore, Sink, Source, Transaction,
};
use crate::pipeline::progress::Progress;
use crate::record::{NextOffset, TopicPartition};
use crate::telemetry;

/// How much longer than its time the end of a transaction may take to be aborted.
const TO_ABORT: Duration = Duration::from_secs(1);

/// Where the worker is with its transaction.
#[derive(Debug)]
enum Phase {
    /// The next one may not begin yet.
    Preparing,
    /// Records begin their way.
    Open,
    /// What was sent is awaited.
    Closing,
    /// These positions and what was sent are about to count.
    Committing(Vec<(TopicPartition, NextOffset)>),
    /// Nothing of it will count.
    Aborting,
}

/// A worker's transaction.
#[derive(Debug)]
pub(super) struct Transacting {
    phase: Phase,
    /// Something was sent since the last one ended, or was to be.
    used: bool,
    /// After an abort that no record is to blame for.
    rest: Rest,
    /// Partitions that are ours, and are read as soon as the store can say from where.
    coming: Vec<TopicPartition>,
    /// The run ends with this one, so that nothing is read again.
    is_last: bool,
}

impl Default for Transacting {
    fn default() -> Self {
        Self {
            phase: Phase::Preparing,
            used: false,
            rest: Rest::default(),
            coming: Vec::new(),
            is_last: false,
        }
    }
}

/// Who is to blame for an abort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// A record: it is known by now, and goes alone.
    Record,
    /// What is around: the next try waits a while.
    Surroundings,
}

impl Transacting {
    /// Whether a record may begin its way.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Whether nothing is in it.
    pub fn is_clean(&self) -> bool {
        !self.used && matches!(self.phase, Phase::Preparing | Phase::Open)
    }

    fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Preparing | Phase::Open)
    }

    fn is_committing(&self) -> bool {
        matches!(self.phase, Phase::Committing(_))
    }

    pub fn is_aborting(&self) -> bool {
        matches!(self.phase, Phase::Aborting)
    }

    /// Whether it waits for the coordinator, and for nothing else.
    pub fn is_ending(&self) -> bool {
        !matches!(self.phase, Phase::Open | Phase::Closing)
    }

    /// Something is sent.
    pub fn is_used(&mut self) {
        self.used = true;
    }

    /// No record begins its way any more.
    pub fn close(&mut self) {
        if self.is_open() {
            self.phase = Phase::Closing;
        }
    }

    /// The run ends with this one.
    pub fn is_last(&mut self) {
        self.is_last = true;
        self.coming.clear();
    }

    /// Nothing of it may count. One that is committing may all the same, which the
    /// store knows afterwards.
    pub fn doom(&mut self, why: &str, blame: Blame, now: Instant) {
        if self.is_aborting() {
            return;
        }
        telemetry::transaction_aborted(why);
        self.phase = Phase::Aborting;
        if blame == Blame::Surroundings {
            self.rest.begin(now);
        }
    }
}

impl<S, K, O, J> Worker<S, K, O, J>
where
    S: Source,
    K: Sink<S::Record>,
    O: OffsetStore,
    J: Judge,
{
    /// Whether a record may begin its way to the sink.
    pub(super) fn may_begin(&self) -> bool {
        self.transacting.as_ref().is_none_or(Transacting::is_open)
    }

    /// Whether what was sent is about to be read again.
    pub(super) fn is_aborting(&self) -> bool {
        let transacting = self.transacting.as_ref();
        transacting.is_some_and(Transacting::is_aborting)
    }

    /// Whether everything that was sent counts already, or is told so as it comes.
    pub(super) fn is_clean(&self) -> bool {
        self.transacting.as_ref().is_none_or(Transacting::is_clean)
    }

    /// Whether the store lacks a position of something that is done.
    pub(super) fn is_unstored(&self) -> bool {
        let mut lanes = self.lanes.iter();
        lanes.any(|lane| lane.progress.unstored().is_some())
    }

    /// Ends the transaction soon, where there is one with something in it.
    pub(super) fn close_transaction(&mut self) {
        let is_unstored = self.is_unstored();
        let Some(transacting) = &mut self.transacting else {
            return;
        };
        if transacting.used || is_unstored || !transacting.coming.is_empty() {
            transacting.close();
        }
    }

    /// Whether nothing that a transaction has to do is left. If something is, it is
    /// done soon.
    pub(super) fn is_settled(&mut self) -> bool {
        self.close_transaction();
        let Some(transacting) = &self.transacting else {
            return true;
        };
        transacting.is_clean() && transacting.coming.is_empty() && !self.is_unstored()
    }

    /// Takes partitions that are ours. They are read as soon as no transaction of
    /// ours, nor one that an earlier life of this worker left, may stand in the
    /// store, which gives no answer before: with a transaction that can't be ended
    /// now, asking it would wait for what only this worker does. The group waits for
    /// an answer to an assignment of nothing, too.
    pub(super) fn expect(&mut self, partitions: Vec<TopicPartition>) -> Result<(), Failure> {
        let Some(transacting) = &mut self.transacting else {
            return self.begin_reading(partitions);
        };
        let may_ask = transacting.is_open() && transacting.is_clean();
        if may_ask || partitions.is_empty() {
            return self.begin_reading(partitions);
        }
        transacting.coming.extend(partitions);
        self.close_transaction();
        Ok(())
    }

    /// Whether partitions are ours that are not read yet: the group waits for the answer.
    pub(super) fn expects(&self) -> bool {
        let transacting = self.transacting.as_ref();
        transacting.is_some_and(|transacting| !transacting.coming.is_empty())
    }

    /// These are not ours any more, if they were to be.
    pub(super) fn expect_no_more(&mut self, partitions: &[TopicPartition]) {
        if let Some(transacting) = &mut self.transacting {
            transacting.coming.retain(|p| !partitions.contains(p));
        }
    }

    /// Moves the transaction on, where there is one.
    pub(super) fn turn_transaction(&mut self) -> Result<Pace, Failure> {
        let Some(transacting) = &mut self.transacting else {
            return Ok(Pace::Idle);
        };
        let now = self.source.now();
        match &transacting.phase {
            Phase::Preparing => {
                if transacting.rest.lasts(now) || !transaction(&mut self.sink)?.is_ready()? {
                    return Ok(Pace::Idle);
                }
                transacting.phase = Phase::Open;
                let coming = std::mem::take(&mut transacting.coming);
                self.next_commit = now + self.settings.commit_interval;
                if !coming.is_empty() {
                    self.begin_reading(coming)?;
                }
                Ok(Pace::Busy)
            }
            Phase::Open => {
                if transaction(&mut self.sink)?.is_ready()? {
                    return Ok(Pace::Idle);
                }
                match transacting.used {
                    false => transacting.phase = Phase::Preparing,
                    true => transacting.doom("it can't go on", Blame::Surroundings, now),
                }
                Ok(Pace::Busy)
            }
            Phase::Closing => self.closing(),
            Phase::Committing(positions) => match transaction(&mut self.sink)?.commit(positions)? {
                Commit::Done => {
                    for (partition, position) in positions {
                        let mut lanes = self.lanes.iter_mut();
                        if let Some(lane) = lanes.find(|lane| lane.partition == *partition) {
                            lane.progress.stored(*position);
                        }
                    }
                    transacting.rest.went_well();
                    transacting.used = false;
                    transacting.phase = Phase::Preparing;
                    Ok(Pace::Busy)
                }
                Commit::Later => Ok(Pace::Idle),
                Commit::Refused(why) => {
                    transacting.doom(&why, Blame::Surroundings, now);
                    Ok(Pace::Busy)
                }
            },
            Phase::Aborting => {
                if !transaction(&mut self.sink)?.abort()? {
                    return Ok(Pace::Idle);
                }
                self.take_back()?;
                Ok(Pace::Busy)
            }
        }
    }

    fn closing(&mut self) -> Result<Pace, Failure> {
        let now = self.source.now();
        let Some(transacting) = &mut self.transacting else {
            return Ok(Pace::Idle);
        };
        let mut half_sent = self.lanes.iter().filter(|lane| lane.is_half_sent());
        // It would hold the transaction open for as long as it waits.
        if half_sent
            .clone()
            .any(|lane| lane.rest.lasts(now) || lane.later.is_begun())
        {
            let why = "a record that was half sent has to wait";
            transacting.doom(why, Blame::Surroundings, now);
            return Ok(Pace::Busy);
        }
        let sink = transaction(&mut self.sink)?;
        if !sink.is_ready()? {
            match transacting.used {
                // Its positions wait for the next one.
                false => transacting.phase = Phase::Preparing,
                true => transacting.doom("it can't go on", Blame::Surroundings, now),
            }
            return Ok(Pace::Busy);
        }
        if half_sent.next().is_some() || in_flight(&self.lanes) + self.strays > 0 {
            sink.hurry();
            return Ok(Pace::Idle);
        }
        let positions = take_positions(self.lanes.iter_mut(), Progress::unstored);
        transacting.phase = match positions.is_empty() && !transacting.used {
            // Which begins with what is coming.
            true => Phase::Preparing,
            false => Phase::Committing(positions),
        };
        Ok(Pace::Busy)
    }

    /// After an abort: reads everything again from where the store is, which alone
    /// knows what became of a commit without an answer. At the end of the run nothing
    /// is read or committed any more, and nobody has to be asked.
    fn take_back(&mut self) -> Result<(), Failure> {
        let is_last = self.transacting.as_ref().is_some_and(|t| t.is_last);
        let lanes = self.lanes.iter();
        let stored = match is_last {
            true => lanes.map(|lane| Some(lane.last_stored())).collect(),
            false => {
                let partitions: Vec<_> = lanes.map(|lane| lane.partition.clone()).collect();
                self.offsets.stored(&partitions)?
            }
        };
        self.sink.acks(&mut Vec::new())?;
        self.strays = 0;
        self.alone = None;
        for (lane, stored) in self.lanes.iter_mut().zip(stored) {
            let touched = lane.take_back(stored);
            let position = lane.progress.done();
            if touched && is_last {
                telemetry::left_undone(&lane.partition, position);
            } else if touched {
                self.counters.goes_back(&lane.partition, position);
                self.source.rewind(lane.id, position)?;
            }
        }
        if let Some(transacting) = &mut self.transacting {
            transacting.used = false;
            transacting.phase = Phase::Preparing;
        }
        Ok(())
    }

    /// Ends the transaction before something that must not be inside of one, so that
    /// what is sent counts. `false`: that could not be by `deadline`, and nothing of
    /// it counts.
    pub(super) fn end_transaction(&mut self, deadline: Instant) -> Result<bool, Failure> {
        let mut outcome = Ok(());
        let mut in_time = true;
        loop {
            self.close_transaction();
            let now = self.source.now();
            let is_unstored = self.is_unstored();
            let Some(transacting) = &mut self.transacting else {
                return outcome.map(|()| in_time);
            };
            // What is unstored where nothing was sent waits for the next one.
            if transacting.is_over() && (!is_unstored || now >= deadline) {
                return outcome.map(|()| in_time && !is_unstored);
            }
            if now >= deadline && !transacting.is_committing() {
                in_time = false;
                transacting.doom("it could not be finished in time", Blame::Surroundings, now);
            }
            if now >= deadline + TO_ABORT {
                return outcome.map(|()| false);
            }
            if !transacting.is_aborting() {
                for index in 0..self.lanes.len() {
                    if self.lanes[index].is_half_sent()
                        && let Err(failure) = self.send(index)
                    {
                        self.doom(&failure.to_string(), Blame::Record);
                        outcome = outcome.and(Err(failure));
                    }
                }
            }
            let heard = self.collect_acks()?;
            if self.turn_transaction()? == Pace::Idle && !heard {
                self.source.wait(DRAIN_TICK);
            }
        }
    }

    /// Nothing of the present transaction may count.
    pub(super) fn doom(&mut self, why: &str, blame: Blame) {
        let now = self.source.now();
        if let Some(transacting) = &mut self.transacting {
            transacting.doom(why, blame, now);
        }
    }
}

fn transaction<R: crate::record::Record>(
    sink: &mut impl Sink<R>,
) -> Result<&mut dyn Transaction, Fatal> {
    sink.transaction()
        .ok_or_else(|| anyhow!("the sink has lost its transactions"))
}
