//! The worker loop: control flow only. It moves records from the source through
//! the plugin to the sink and commits what is done; every rule that it follows
//! stands in a room of its own (batch, progress, isolate), and every effect
//! behind a port.
//!
//! One worker is one thread, one group member, one plugin instance. It never
//! waits for one partition: a lane that can't go on keeps what it has in hand
//! and is asked again at the next step.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::pipeline::batch;
use crate::pipeline::isolate;
use crate::pipeline::lane::{Lane, Open, Work};
use crate::pipeline::late::LateRejection;
use crate::pipeline::ports::{
    Ack, Admission, Failure, Fatal, Interrupted, LaneId, OffsetStore, Outgoing, Refusal, Sent,
    Sink, Source, SourceEvent, Tap, Ticket, Transform,
};
use crate::record::{NextOffset, Output, Record, Rejected, Stage, TopicPartition, Verdict};
use crate::telemetry::{self, Counters};

/// What a worker is told about its pipeline.
#[derive(Debug, Clone)]
pub struct Settings {
    pub batch: batch::Limits,
    pub commit_interval: Duration,
    /// The longest that a revoke waits for acknowledgements.
    pub drain: Duration,
    pub default_topic: Option<Arc<str>>,
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

/// The end of a drain's time that is kept for its commit: a coordinator that
/// works answers within it.
const FOR_THE_COMMIT: Duration = Duration::from_secs(2);

/// What leaving the group has at the least, when the drain's time is used up.
const TO_LEAVE: Duration = Duration::from_secs(1);

/// How long a refused last commit waits before it is made again.
const COMMIT_AGAIN: Duration = Duration::from_millis(100);

/// How long a worker is without a partition before it says that it is idle:
/// a new member first gets none, until others have given theirs up.
const IDLE_SAID_AFTER: Duration = Duration::from_secs(10);

/// How often a drain looks at its deadline.
const DRAIN_TICK: Duration = Duration::from_millis(10);

pub struct Worker<S: Source, K, O, T> {
    source: S,
    sink: K,
    offsets: O,
    transform: T,
    settings: Settings,
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
    rejected: LateRejection,
    governor: batch::Governor,
    /// Why outputs can't be written at all.
    broken: Option<Fatal>,
    /// Whether the sink took nothing more in this round: then nothing new is
    /// judged, which would only lie in memory.
    full: bool,
    /// What this worker last added to the common lag.
    lag: i64,
}

impl<S, K, O, T> Worker<S, K, O, T>
where
    S: Source,
    K: Sink<S::Record>,
    O: OffsetStore,
    T: Transform,
{
    pub fn new(
        (source, sink, offsets, transform): (S, K, O, T),
        settings: Settings,
        counters: Arc<Counters>,
        tap: Option<Tap>,
    ) -> Self {
        let next_commit = Instant::now() + settings.commit_interval;
        Self {
            source,
            sink,
            offsets,
            transform,
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
            rejected: LateRejection::default(),
            governor: batch::Governor::default(),
            broken: None,
            full: false,
            lag: 0,
        }
    }

    /// Works until `stopping` says so or something fails, then drains, commits
    /// and leaves, within `settings.drain` and at most a second more.
    pub fn run(&mut self, stopping: impl Fn() -> bool) -> Result<(), Failure> {
        let mut outcome = Ok(());
        while !stopping() {
            match self.step() {
                Ok(Pace::Busy) => {}
                Ok(Pace::Idle) => self.source.wait(self.idle_for()),
                Err(Failure::Fatal(error)) if error.is::<Interrupted>() => break,
                Err(failure) => {
                    outcome = Err(failure);
                    break;
                }
            }
        }
        let deadline = Instant::now() + self.settings.drain;
        let finished = self.finish(deadline);
        self.source.close(deadline.max(Instant::now() + TO_LEAVE));
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
        if let Some(error) = self.broken.take() {
            return Err(Failure::Fatal(error));
        }
        if let Some(rejected) = self.rejected.take() {
            return Err(Failure::Rejected(rejected));
        }
        self.full = false;
        self.turn = self.turn.wrapping_add(1);
        for i in 0..self.lanes.len() {
            let index = (self.turn.wrapping_add(i)) % self.lanes.len();
            if self.serve(index)? == Pace::Busy {
                pace = Pace::Busy;
            }
            // A call may have taken long, and events keep the membership. They
            // change the lanes, so the round ends with one.
            if let Some(event) = self.source.poll()? {
                self.on_event(event)?;
                return Ok(Pace::Busy);
            }
        }
        if Instant::now() >= self.next_commit {
            self.next_commit = Instant::now() + self.settings.commit_interval;
            self.count_lag();
            if self
                .idle_since
                .is_some_and(|since| since.elapsed() >= IDLE_SAID_AFTER)
                && !std::mem::replace(&mut self.idle_said, true)
            {
                telemetry::idle();
            }
            let positions = take_committable(self.lanes.iter_mut());
            if !positions.is_empty() {
                self.offsets.commit(&positions)?;
            }
        }
        Ok(pace)
    }

    fn idle_for(&self) -> Duration {
        self.next_commit
            .saturating_duration_since(Instant::now())
            .min(IDLE)
    }

    fn on_event(&mut self, event: SourceEvent) -> Result<(), Failure> {
        match event {
            SourceEvent::Assigned(partitions) => self.on_assigned(partitions),
            SourceEvent::Revoked(partitions) => self.on_revoked(&partitions),
            SourceEvent::Lost(partitions) => {
                telemetry::lost(&partitions);
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
        }
    }

    /// A stored position always wins; where there is none, the start is resolved
    /// to an offset and stored at once, so that a crash never skips what comes
    /// meanwhile.
    fn on_assigned(&mut self, partitions: Vec<TopicPartition>) -> Result<(), Failure> {
        if partitions.is_empty() && self.lanes.is_empty() {
            self.idle_since.get_or_insert_with(Instant::now);
        } else {
            self.idle_since = None;
        }
        let stored = self
            .offsets
            .stored(&partitions)
            .context("the stored positions could not be read")?;
        let mut starts = Vec::with_capacity(partitions.len());
        let mut resolved = Vec::new();
        for (partition, stored) in partitions.into_iter().zip(stored) {
            let start = match stored {
                Some(position) => position,
                None => {
                    let position = self.source.resolve(&partition)?;
                    resolved.push((partition.clone(), position));
                    position
                }
            };
            telemetry::assigned(&partition, start, stored.is_some());
            let id = LaneId(self.next_lane);
            self.next_lane = self.next_lane.wrapping_add(1) & Ticket::LANE_MASK;
            starts.push((id, partition.clone(), start));
            self.lanes
                .push(Lane::new(id, partition, start, stored.is_some()));
        }
        if !resolved.is_empty() {
            match self
                .offsets
                .commit_now(&resolved, Instant::now() + self.settings.drain)
            {
                Ok(()) => {
                    for lane in &mut self.lanes {
                        if let Some((_, position)) =
                            resolved.iter().find(|(p, _)| *p == lane.partition)
                        {
                            lane.progress.stored(*position);
                        }
                    }
                }
                // The lanes still offer it, so the next commit tries again.
                Err(error) => telemetry::first_commit_failed(&error),
            }
        }
        Ok(self.source.start(&starts)?)
    }

    /// Drained before it is given away: what is in flight is acknowledged and
    /// committed, what is not sent is left to the next owner.
    fn on_revoked(&mut self, partitions: &[TopicPartition]) -> Result<(), Failure> {
        let deadline = Instant::now() + self.settings.drain;
        self.drain(self.last_ack(deadline), |lane| {
            partitions.contains(&lane.partition)
        })?;
        let mut lanes = self.take_lanes(partitions);
        let undone: usize = lanes.iter().map(|l| l.progress.outstanding()).sum();
        telemetry::revoked(partitions, undone);
        let positions = take_unstored(lanes.iter_mut());
        // The coordinator may refuse for a moment while the group changes.
        let enough = deadline.min(Instant::now() + FOR_THE_COMMIT);
        while !positions.is_empty()
            && let Err(error) = self.offsets.commit_now(&positions, deadline)
        {
            if Instant::now() + COMMIT_AGAIN >= enough {
                // Their next owner reads these records again.
                telemetry::commit_failed(partitions, &format!("{error:#}"));
                break;
            }
            self.source.wait(COMMIT_AGAIN);
        }
        Ok(self.source.release(partitions)?)
    }

    /// Acknowledgements to progress. Says whether there were any.
    fn collect_acks(&mut self) -> Result<bool, Failure> {
        let mut acks = std::mem::take(&mut self.acks);
        self.sink.acks(&mut acks)?;
        let any = !acks.is_empty();
        let mut acknowledged = 0;
        // Acknowledgements come in runs of one lane.
        let mut index = 0;
        for Ack { ticket, result } in acks.drain(..) {
            if self.lanes.get(index).is_none_or(|l| l.id != ticket.lane) {
                match self.lanes.iter().position(|l| l.id == ticket.lane) {
                    Some(found) => index = found,
                    // Of an assignment that is over.
                    None => continue,
                }
            }
            let lane = &mut self.lanes[index];
            match (result, lane.progress.offset(ticket.sequence)) {
                (Ok(()), _) => {
                    lane.progress.acknowledged(ticket.sequence);
                    acknowledged += 1;
                }
                (Err(refusal), Some(offset)) => {
                    lane.progress.refused();
                    let position = lane.partition.at(offset);
                    match refusal {
                        Refusal::Itself(why) => self.rejected.note(position, false, why),
                        Refusal::Neighbour(why) => self.rejected.note(position, true, why),
                        Refusal::Surroundings(why) => {
                            self.broken.get_or_insert(anyhow::anyhow!(
                                "what came of the record at {position} could not be written, for \
                                 no fault of its own: {why}; it is not committed and will be read \
                                 again"
                            ));
                        }
                    }
                }
                // Its record is closed, so it was answered before.
                (Err(_), None) => {}
            }
        }
        self.counters.acknowledged(acknowledged);
        self.acks = acks;
        Ok(any)
    }

    /// Moves one lane on by at most one call of the plugin.
    fn serve(&mut self, index: usize) -> Result<Pace, Failure> {
        let lane = &mut self.lanes[index];
        let judged = lane
            .work
            .as_ref()
            .is_some_and(|work| !work.verdicts.is_empty());
        if self.full && !judged {
            return Ok(Pace::Idle);
        }
        if lane.work.is_none() {
            match self.source.fetch(lane.id, self.settings.batch.records)? {
                Some(records) => lane.work = Some(Work::new(records)),
                None => return Ok(Pace::Idle),
            }
        }
        let Some(work) = &mut lane.work else {
            return Ok(Pace::Idle);
        };
        if work.verdicts.is_empty() {
            let waiting = &work.records.as_ref()[work.next..];
            let limits = batch::Limits {
                records: self.settings.batch.records.min(self.governor.most()),
                ..self.settings.batch
            };
            let batch = &waiting[..limits.cut(waiting)];
            let begun = Instant::now();
            let verdicts = isolate::judge(&mut self.transform, &lane.partition, batch)?;
            self.governor.took(batch.len(), begun.elapsed());
            // Fewer than the batch has, if one of them broke the plugin.
            let judged = &batch[..verdicts.len()];
            self.counters
                .consumed(judged.len(), judged.iter().map(Record::size).sum());
            work.verdicts = verdicts.into();
        }
        self.send(index)
    }

    /// Sends what is judged, in order, as far as the sink takes it.
    fn send(&mut self, index: usize) -> Result<Pace, Failure> {
        let lane = &mut self.lanes[index];
        let Some(work) = &mut lane.work else {
            return Ok(Pace::Idle);
        };
        let mut pace = Pace::Idle;
        while let Some(verdict) = work.verdicts.front() {
            let record = &work.records.as_ref()[work.next];
            let rejected = |stage, reason| {
                Failure::Rejected(Rejected {
                    stage,
                    position: lane.partition.at(record.offset()),
                    reason,
                })
            };
            let outputs = match verdict {
                Verdict::Fail(reason) => return Err(rejected(Stage::Transform, reason.clone())),
                verdict => verdict.outputs().unwrap_or_default(),
            };
            let default_topic = self.settings.default_topic.as_deref();
            let mut open = match work.open {
                Some(open) => open,
                // Nothing of a record is sent unless all of it can be.
                None => {
                    for output in outputs {
                        let admission = match resolve(output, record, default_topic) {
                            Ok(outgoing) => self.sink.admit(&outgoing, record)?,
                            Err(reason) => Admission::Refused(reason),
                        };
                        match admission {
                            Admission::Admitted => {}
                            Admission::Later => return Ok(pace),
                            Admission::Refused(why) => return Err(rejected(Stage::Produce, why)),
                        }
                    }
                    Open {
                        sequence: lane.progress.begin(record.offset()),
                        sent: 0,
                    }
                }
            };
            for output in &outputs[open.sent..] {
                let outgoing = resolve(output, record, default_topic)
                    .map_err(|reason| rejected(Stage::Produce, reason))?;
                let ticket = Ticket {
                    lane: lane.id,
                    sequence: open.sequence,
                };
                match self.sink.send(&outgoing, record, ticket)? {
                    Sent::Queued => {
                        lane.progress.sent(open.sequence);
                        open.sent += 1;
                        work.open = Some(open);
                    }
                    Sent::Full => {
                        self.full = true;
                        work.open = Some(open);
                        return Ok(pace);
                    }
                    Sent::Refused(reason) => return Err(rejected(Stage::Produce, reason)),
                }
            }
            lane.progress.settle(open.sequence);
            self.counters.sent(outputs.len() as u64);
            // Before the tap, which may end the run: what is sent is not half sent.
            work.open = None;
            if let Some(tap) = &mut self.tap {
                match tap(&lane.partition, record, verdict) {
                    Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => {
                        self.tap = None;
                        return Err(Failure::TapClosed);
                    }
                    result => result.context("--inspect could not write to stdout")?,
                }
            }
            work.next += 1;
            work.verdicts.pop_front();
            pace = Pace::Busy;
        }
        if work.next == work.records.as_ref().len() {
            lane.work = None;
        }
        Ok(pace)
    }

    /// The end of the run: what is half sent is sent, everything sent is
    /// acknowledged, everything acknowledged is committed.
    fn finish(&mut self, deadline: Instant) -> Result<(), Failure> {
        let drained = self.drain(self.last_ack(deadline), |_| true);
        let committed = self.commit_last(deadline);
        self.counters.lag_changed(-self.lag);
        self.lag = 0;
        drained?;
        committed?;
        if let Some(error) = self.broken.take() {
            return Err(Failure::Fatal(error));
        }
        if let Some(rejected) = self.rejected.take() {
            return Err(Failure::Rejected(rejected));
        }
        match self.lanes.iter().map(|l| l.progress.outstanding()).sum() {
            0usize => Ok(()),
            outstanding => Err(Failure::Fatal(anyhow::anyhow!(
                "{outstanding} outputs were not acknowledged within shutdown.drain; their records \
                 are not committed and will be read again"
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
            let positions = take_unstored(self.lanes.iter_mut());
            if positions.is_empty() {
                return Ok(());
            }
            match self.offsets.commit_now(&positions, deadline) {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() + COMMIT_AGAIN >= deadline => {
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
    fn last_ack(&self, deadline: Instant) -> Instant {
        let kept = FOR_THE_COMMIT.min(self.settings.drain / 4);
        deadline.checked_sub(kept).unwrap_or(deadline)
    }

    /// Forgets what these lanes have in hand, but for a record that is half
    /// sent, and waits until everything sent is answered, or for the deadline.
    fn drain(
        &mut self,
        deadline: Instant,
        of: impl Fn(&Lane<S::Batch>) -> bool,
    ) -> Result<(), Failure> {
        let mut outcome = Ok(());
        loop {
            let mut waiting = false;
            for index in 0..self.lanes.len() {
                let lane = &mut self.lanes[index];
                if !of(lane) {
                    continue;
                }
                if lane.work.as_mut().is_some_and(Work::cut_to_open) {
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
            if !waiting || Instant::now() >= deadline {
                return outcome;
            }
            if !self.collect_acks()? {
                self.source.wait(DRAIN_TICK);
            }
        }
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
        let (taken, kept) = std::mem::take(&mut self.lanes)
            .into_iter()
            .partition(|lane| partitions.contains(&lane.partition));
        self.lanes = kept;
        taken
    }
}

/// The output with everything that it leaves to the pipeline or its source
/// filled in; an error where no topic is named at all.
fn resolve<'a, R: Record>(
    output: &'a Output,
    source: &'a R,
    default_topic: Option<&'a str>,
) -> Result<Outgoing<'a>, String> {
    let topic =
        output.topic.as_deref().or(default_topic).ok_or(
            "the output names no topic, and the pipeline has no default one (output.topic)",
        )?;
    Ok(Outgoing {
        topic,
        partition: output.partition,
        timestamp: output.timestamp.or_else(|| source.timestamp().millis()),
        key: output.key.resolve(source.key()),
        value: output.value.resolve(source.value()),
        headers: &output.headers,
    })
}

/// The positions that the store is not known to have, noted as told to it. An
/// asynchronous commit may have failed unseen.
fn take_unstored<'a, B: 'a>(
    lanes: impl Iterator<Item = &'a mut Lane<B>>,
) -> Vec<(TopicPartition, NextOffset)> {
    lanes
        .filter_map(|lane| {
            let position = lane.progress.unstored()?;
            lane.progress.committed(position);
            Some((lane.partition.clone(), position))
        })
        .collect()
}

/// The positions that are due, noted as told to the store.
fn take_committable<'a, B: 'a>(
    lanes: impl Iterator<Item = &'a mut Lane<B>>,
) -> Vec<(TopicPartition, NextOffset)> {
    lanes
        .filter_map(|lane| {
            let position = lane.progress.committable()?;
            lane.progress.committed(position);
            Some((lane.partition.clone(), position))
        })
        .collect()
}

#[cfg(test)]
mod tests;
