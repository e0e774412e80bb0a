//! What is judged goes to the sink, and what the broker says of it to progress.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, anyhow};

use super::transaction::Blame;
use super::{Pace, Worker, in_flight};
use crate::pipeline::dead_letter;
use crate::pipeline::lane::{Fallen, Later, Open};
use crate::pipeline::ports::{
    Ack, Admission, Failure, Fatal, Judge, OffsetStore, Outcome, Outgoing, Refusal, Sent, Sink,
    Source, Ticket, Unwritable,
};
use crate::pipeline::pulse::Spot;
use crate::record::{NextOffset, Output, Position, Record, Rejected, Seen, Stage, Verdict};

/// How long the others wait for a record that has to be tried alone, while it
/// gets no further.
const ALONE: Duration = Duration::from_secs(5);

/// How far the next record came.
enum Step {
    /// All that it leads to is sent.
    Sent,
    /// It failed at this step, for this reason.
    Failed(Stage, String),
    /// Something that it leads to can never be written.
    Unwritable(Unwritable),
    /// It goes on later.
    Waits,
}

impl<S, K, O, J> Worker<S, K, O, J>
where
    S: Source,
    K: Sink<S::Record>,
    O: OffsetStore,
    J: Judge,
{
    /// Acknowledgements to progress. Says whether there were any.
    pub(super) fn collect_acks(&mut self) -> Result<bool, Failure> {
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
                    None => {
                        self.strays = self.strays.saturating_sub(1);
                        continue;
                    }
                }
            }
            let lane = &mut self.lanes[index];
            match result {
                Ok(()) => {
                    acknowledged += 1;
                    lane.progress.acknowledged(ticket.sequence);
                    if !lane.goes_back {
                        lane.rest.went_well();
                    }
                }
                Err(refusal) => self.refused(index, ticket, refusal),
            }
        }
        self.counters.acknowledged(acknowledged);
        self.acks = acks;
        Ok(any)
    }

    /// While a record has to be tried alone, the other lanes send nothing.
    pub(super) fn choose_alone(&mut self) {
        let now = self.source.now();
        // Not only what is acknowledged is done: a suspect may have been dropped. An
        // abort takes back what is not stored.
        for lane in &mut self.lanes {
            let safe = match self.transacting {
                Some(_) => lane.progress.store_has(),
                None => Some(lane.progress.done()),
            };
            if let Some(position) = safe {
                lane.forget_before(position);
            }
        }
        // It waits for what the others have in flight, and an outage may keep that
        // from them: then they have their turn again.
        if let Some(alone) = self.alone
            && now.saturating_duration_since(self.alone_since) >= ALONE
            && let Some(lane) = self.lanes.iter_mut().find(|lane| lane.id == alone)
        {
            let long = lane.rest.begin(now);
            let position = lane.partition.at(lane.progress.done().0);
            let why = "the broker refused it, and it can't be tried alone yet";
            self.counters.waits(&position, why, long);
        }
        let before = self.alone;
        let mut lanes = self.lanes.iter();
        self.alone = lanes
            .find(|lane| !lane.suspects.is_empty() && !lane.rest.lasts(now))
            .map(|lane| lane.id);
        if self.alone != before {
            self.alone_since = now;
        }
    }

    /// The broker did not take an output that was on its way.
    fn refused(&mut self, index: usize, ticket: Ticket, refusal: Refusal) {
        let lane = &mut self.lanes[index];
        lane.progress.refused(ticket.sequence);
        let Some(offset) = lane.progress.offset(ticket.sequence) else {
            return;
        };
        let position = lane.partition.at(offset);
        let blame = match &refusal {
            Refusal::Itself(_) => Blame::Record,
            Refusal::Neighbour(_) | Refusal::Surroundings(_) => Blame::Surroundings,
        };
        let said = format!("the broker refused an output of the record at {position}: {refusal}");
        match refusal {
            Refusal::Itself(why) => {
                if !lane.suspect(offset, why.clone()) {
                    let error = unwritable_letter(self.errors.topic(), &position, &why);
                    self.broken.get_or_insert(error);
                }
            }
            Refusal::Neighbour(_) => lane.goes_back = true,
            Refusal::Surroundings(why) => {
                if !std::mem::replace(&mut lane.goes_back, true) && self.transacting.is_none() {
                    let long = lane.rest.begin(self.source.now());
                    self.counters.waits(&position, &why, long);
                }
            }
        }
        self.doom(&said, blame);
    }

    /// Sends what is judged, in order, as far as the sink takes it.
    pub(super) fn send(&mut self, index: usize) -> Result<Pace, Failure> {
        let mut pace = Pace::Idle;
        loop {
            match self.send_next(index)? {
                Step::Sent => self.sent(index)?,
                Step::Failed(stage, reason) => self.reject(index, stage, reason)?,
                Step::Unwritable(unwritable) => self.unwritable(index, unwritable)?,
                Step::Waits => return Ok(pace),
            }
            pace = Pace::Busy;
        }
    }

    /// Sends what the next judged record leads to.
    fn send_next(&mut self, index: usize) -> Result<Step, Failure> {
        let in_flight = match self.alone {
            Some(_) => in_flight(&self.lanes) + self.strays,
            None => self.lanes[index].progress.outstanding(),
        };
        let (may_begin, is_clean) = (self.may_begin(), self.is_clean());
        // All of it is read again, and what would be sent belonged to nothing.
        if self.is_aborting() {
            return Ok(Step::Waits);
        }
        let lane = &mut self.lanes[index];
        let may_begin = may_begin && !lane.gives_way(self.alone);
        let Some(work) = &mut lane.work else {
            return Ok(Step::Waits);
        };
        let Some(judged) = work.verdicts.front() else {
            return Ok(Step::Waits);
        };
        let record = &work.records.as_ref()[work.next];
        let outputs = match (&work.fallen, &judged.verdict) {
            (Some(fallen), _) => fallen.letter.as_slice(),
            (None, Verdict::Fail(reason)) => {
                return Ok(Step::Failed(judged.stage, reason.clone()));
            }
            (None, verdict) => verdict.outputs().unwrap_or_default(),
        };
        if work.fallen.is_none()
            && let Some(suspect) = lane.suspects.get(&record.offset())
            && let Some(why) = &suspect.guilty
        {
            return Ok(Step::Unwritable(Unwritable::new(why)));
        }
        let place = Place {
            default_topic: self.settings.default_topic.as_deref(),
            redirect: self.settings.redirect.as_deref(),
            dead_letters: self.errors.topic(),
            is_letter: work.fallen.is_some(),
        };
        let sent = work.open.map_or(0, |open| open.sent);
        // One that is suspect, or the first one after an outage, goes alone; what is
        // in front of a suspect need not.
        let first = lane.suspects.first_key_value();
        let suspected = first.is_none_or(|(suspect, _)| *suspect <= record.offset());
        let careful = (self.alone == Some(lane.id) && suspected) || lane.rest.is_probing();
        if sent == 0 && careful && in_flight > 0 {
            return Ok(Step::Waits);
        }
        if sent == 0 && !may_begin {
            return Ok(Step::Waits);
        }
        if sent == 0 && careful && !is_clean {
            self.close_transaction();
            return Ok(Step::Waits);
        }
        // Nothing of a record is sent unless all of it can be. What was put off in
        // the middle is looked at again, because its topic may have changed.
        if work
            .open
            .is_none_or(|open| open.sent == 0 || !open.admitted)
        {
            for output in &outputs[sent..] {
                match place.resolve(output, record) {
                    Err(why) => return Ok(Step::Unwritable(Unwritable::new(why))),
                    Ok(outgoing) => match self.sink.admit(&outgoing, record)? {
                        Admission::Admitted => {}
                        Admission::Later => {
                            let now = self.source.now();
                            if lane.later.is_long(now) {
                                let position = lane.partition.at(record.offset());
                                let why = format!("topic {} is waited for", outgoing.topic);
                                self.counters.waits(&position, &why, Later::LONG);
                            }
                            return Ok(Step::Waits);
                        }
                        Admission::Refused(why) => return Ok(Step::Unwritable(why)),
                    },
                }
            }
        }
        if let Some(suspect) = lane.suspects.get_mut(&record.offset()) {
            suspect.alone = true;
        }
        lane.later = Later::default();
        let open = work.open.get_or_insert_with(|| Open {
            sequence: lane.progress.begin(record.offset()),
            sent: 0,
            admitted: true,
        });
        open.admitted = true;
        for output in &outputs[open.sent..] {
            let outgoing = match place.resolve(output, record) {
                Ok(outgoing) => outgoing,
                Err(why) => return Ok(Step::Unwritable(Unwritable::new(why))),
            };
            let ticket = Ticket {
                lane: lane.id,
                sequence: open.sequence,
            };
            // Whether it is taken or not, the sink's transaction has begun.
            if let Some(transacting) = &mut self.transacting {
                transacting.is_used();
            }
            match self.sink.send(&outgoing, record, ticket)? {
                Sent::Queued => {
                    lane.progress.sent(open.sequence);
                    open.sent += 1;
                }
                Sent::Full => {
                    self.full = true;
                    return Ok(Step::Waits);
                }
                Sent::Waits(why) => {
                    open.admitted = false;
                    let long = lane.rest.begin(self.source.now());
                    let position = lane.partition.at(record.offset());
                    self.counters.waits(&position, &why, long);
                    return Ok(Step::Waits);
                }
                Sent::Refused(why) => return Ok(Step::Unwritable(why)),
            }
        }
        lane.progress.settle(open.sequence);
        Ok(Step::Sent)
    }

    /// Counts and shows the record that was just sent, and goes to the next one.
    fn sent(&mut self, index: usize) -> Result<(), Failure> {
        let lane = &mut self.lanes[index];
        let Some(work) = &mut lane.work else {
            return Ok(());
        };
        if self.alone.is_some() {
            self.alone_since = self.source.now();
        }
        // Before the tap, which may end the run: what is sent is not half sent.
        work.open = None;
        let fallen = work.fallen.take();
        let judged = work.verdicts.pop_front();
        let judged = judged.unwrap_or_else(|| Verdict::Drop.into());
        let verdict = &judged.verdict;
        let record = &work.records.as_ref()[work.next];
        work.next += 1;
        let outcome = match &fallen {
            None => {
                let next = NextOffset::after(record.offset());
                // What goes out again is no other record.
                if lane.passed < next {
                    lane.passed = next;
                    self.errors.passed();
                }
                let outputs = verdict.outputs().map_or(0, <[Output]>::len);
                self.counters.sent(outputs as u64);
                Outcome::Judged(judged.said.as_deref().unwrap_or(verdict))
            }
            Some(Fallen { rejected, letter }) => {
                if letter.is_some() {
                    lane.letters.insert(record.offset());
                }
                Outcome::Rejected(rejected)
            }
        };
        let shown = match &mut self.tap {
            None => Ok(()),
            Some(tap) => {
                let at = Some((lane.id, record.offset()));
                let _showing = self.pulse.call(Spot::Inspect, at);
                let seen = Seen {
                    record,
                    decoded: &judged.decoded,
                };
                tap(&lane.partition, &seen, outcome)
            }
        };
        if work.next == work.records.as_ref().len() {
            lane.work = None;
        }
        match shown {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => {
                self.tap = None;
                Err(Failure::TapClosed)
            }
            shown => Ok(shown.context("--inspect could not write to stdout")?),
        }
    }

    /// Something that the next record leads to can never be written: the record
    /// is rejected, or its dead letter made smaller.
    fn unwritable(&mut self, index: usize, unwritable: Unwritable) -> Result<(), Failure> {
        let lane = &mut self.lanes[index];
        let Some(work) = &mut lane.work else {
            return Ok(());
        };
        let Some(fallen) = &mut work.fallen else {
            // What was sent of it would count beside its dead letter.
            if self.transacting.is_some() && work.open.is_some_and(|open| open.sent > 0) {
                let offset = work.records.as_ref()[work.next].offset();
                let position = lane.partition.at(offset);
                lane.convict(offset, unwritable.why);
                self.doom(
                    &format!("an output of the record at {position} can't be written"),
                    Blame::Record,
                );
                return Ok(());
            }
            return self.reject(index, Stage::Produce, unwritable.why);
        };
        let record = &work.records.as_ref()[work.next];
        match &mut fallen.letter {
            Some(letter) if unwritable.too_large && !dead_letter::is_bare(letter, record) => {
                dead_letter::omit_value(letter, record);
                Ok(())
            }
            _ => Err(Failure::Fatal(unwritable_letter(
                self.errors.topic(),
                &lane.partition.at(record.offset()),
                &unwritable.why,
            ))),
        }
    }

    /// The next record goes to the policy.
    fn reject(&mut self, index: usize, stage: Stage, reason: String) -> Result<(), Failure> {
        let lane = &mut self.lanes[index];
        let Some(work) = &mut lane.work else {
            return Ok(());
        };
        let record = &work.records.as_ref()[work.next];
        let rejected = Rejected {
            stage,
            position: lane.partition.at(record.offset()),
            // A plugin may say anything, of any length.
            reason: dead_letter::cut(&reason).to_owned(),
        };
        let again = lane.rejected.contains(&record.offset());
        let fallen = self
            .errors
            .rejected(rejected, again, record, SystemTime::now());
        let mut fallen = match fallen {
            Ok(fallen) => fallen,
            Err(failure) => {
                // Else it is not the present version's doing.
                let said_now = stage != Stage::Produce && work.next >= work.judged_before;
                return match said_now && self.takes_plugin_back(&failure) {
                    true => Ok(()),
                    false => Err(failure),
                };
            }
        };
        lane.rejected.insert(record.offset());
        if !again {
            let letter = fallen.letter.is_some();
            self.counters.rejected(&fallen.rejected, letter);
        }
        let suspect = lane.suspects.get(&record.offset());
        if let Some(letter) = &mut fallen.letter
            && suspect.is_some_and(|suspect| suspect.bare)
            && !dead_letter::is_bare(letter, record)
        {
            dead_letter::omit_value(letter, record);
        }
        // What was sent of it before it was refused can't be taken back.
        if let Some(open) = &mut work.open {
            open.sent = 0;
        }
        work.fallen = Some(fallen);
        Ok(())
    }
}

fn unwritable_letter(topic: Option<&str>, position: &Position, why: &str) -> Fatal {
    anyhow!(
        "the dead letter of the record at {position} can't be written to topic {}: {why}. Nothing \
         from that record on is committed",
        topic.unwrap_or_default()
    )
}

/// Where the outputs of a record go.
struct Place<'a> {
    default_topic: Option<&'a str>,
    redirect: Option<&'a str>,
    dead_letters: Option<&'a str>,
    is_letter: bool,
}

impl Place<'_> {
    /// The output with everything that it leaves to the pipeline or its source
    /// filled in, or why it has no place.
    fn resolve<'a, R: Record>(
        &'a self,
        output: &'a Output,
        source: &'a R,
    ) -> Result<Outgoing<'a>, String> {
        let mut outgoing = Outgoing {
            topic: "",
            partition: output.partition,
            timestamp: output.timestamp,
            key: output.key.resolve(source.key()),
            value: output.value.resolve(source.value()),
            headers: &output.headers,
        };
        let named = output.topic.as_deref();
        if self.is_letter {
            // Its timestamp is the time of writing.
            outgoing.topic = named.unwrap_or_default();
            return Ok(outgoing);
        }
        outgoing.timestamp = output.timestamp.or_else(|| source.timestamp().millis());
        if let Some(topic) = self.redirect {
            outgoing.topic = topic;
            outgoing.partition = None;
            return Ok(outgoing);
        }
        if named.is_some() && named == self.dead_letters {
            return Err(format!(
                "topic {} is the pipeline's dead-letter topic, which no output may name",
                named.unwrap_or_default()
            ));
        }
        outgoing.topic = named.or(self.default_topic).ok_or(
            "the output names no topic, and the pipeline has no default one (output.topic)",
        )?;
        Ok(outgoing)
    }
}
