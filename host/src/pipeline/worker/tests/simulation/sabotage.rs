//! Workers that are broken in one way each, to see that the checker finds it: a
//! layer between the worker and its ports, which does one thing wrong.

mod transactions;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::checker::Rule;
use super::plan::Input;
use super::ports::Port;
use crate::pipeline::dead_letter::header;
use crate::pipeline::ports::{
    Ack, Admission, Fatal, Halt, Judge, LaneId, OffsetStore, Outgoing, Sent, Sink, Source,
    SourceEvent, Ticket, Transaction,
};
use crate::record::{Judged, NextOffset, OutputHeaders, Record, Stage, TopicPartition, Verdict};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    CommitsTooFar,
    CommitsBack,
    NeverCommits,
    CommitsWhatIsLost,
    GivesUpUndrained,
    StartsTooFar,
    StoresNoStart,
    SkipsRecords,
    StopsReading,
    GoesBackForNothing,
    SendsTwice,
    SwapsOutputs,
    LosesOutputs,
    LosesLetters,
    AcknowledgesItself,
    BlamesTheInnocent,
    LetsTheGuiltyGo,
    ChangesReasons,
    LeavesValuesOut,
    // Of transactions.
    LeavesPositionsOut,
    CommitsWithoutAnAnswer,
    RemembersPositions,
    ForgetsToGoBack,
    AbortsNothing,
    BeginsTooEarly,
}

impl Sabotage {
    /// Those that a worker with transactions may have, and the rules that they break.
    pub const OF_TRANSACTIONS: [(Self, Rule); 16] = [
        (Self::CommitsTooFar, Rule::Atomic),
        (Self::CommitsBack, Rule::Forward),
        (Self::NeverCommits, Rule::Drained),
        (Self::LeavesPositionsOut, Rule::Atomic),
        (Self::CommitsWithoutAnAnswer, Rule::Atomic),
        (Self::RemembersPositions, Rule::GoesBack),
        (Self::ForgetsToGoBack, Rule::Order),
        (Self::AbortsNothing, Rule::Atomic),
        (Self::BeginsTooEarly, Rule::Own),
        (Self::AcknowledgesItself, Rule::Acknowledged),
        (Self::SkipsRecords, Rule::Atomic),
        (Self::SendsTwice, Rule::Order),
        (Self::LosesOutputs, Rule::Atomic),
        (Self::LosesLetters, Rule::Atomic),
        (Self::StopsReading, Rule::Whole),
        (Self::LetsTheGuiltyGo, Rule::Atomic),
    ];

    /// Each one, and the rule that it breaks.
    pub const ALL: [(Self, Rule); 19] = [
        (Self::CommitsTooFar, Rule::Acknowledged),
        (Self::CommitsBack, Rule::Forward),
        (Self::NeverCommits, Rule::Committed),
        (Self::CommitsWhatIsLost, Rule::Own),
        (Self::GivesUpUndrained, Rule::Drained),
        (Self::StartsTooFar, Rule::Order),
        (Self::StoresNoStart, Rule::Begun),
        (Self::SkipsRecords, Rule::Acknowledged),
        (Self::StopsReading, Rule::Whole),
        (Self::GoesBackForNothing, Rule::GoesBack),
        (Self::SendsTwice, Rule::Order),
        (Self::SwapsOutputs, Rule::Order),
        (Self::LosesOutputs, Rule::Acknowledged),
        (Self::LosesLetters, Rule::Acknowledged),
        (Self::AcknowledgesItself, Rule::Acknowledged),
        (Self::BlamesTheInnocent, Rule::Fate),
        (Self::LetsTheGuiltyGo, Rule::Acknowledged),
        (Self::ChangesReasons, Rule::Fate),
        (Self::LeavesValuesOut, Rule::Fate),
    ];
}

/// A port, with what is wrong with it.
pub struct Sabotaged {
    port: Port,
    sabotage: Option<Sabotage>,
    /// By how much its clock is fast, once it hurries.
    fast: Cell<Option<Duration>>,
    /// An output that waits for the next one.
    held: Option<Held>,
    acks: Vec<Ack>,
    memory: Memory,
}

/// What all faces of a worker know of the positions that it committed.
pub type Memory = Rc<RefCell<BTreeMap<TopicPartition, NextOffset>>>;

struct Held {
    topic: String,
    value: Option<Vec<u8>>,
    headers: OutputHeaders,
    source: Input,
    ticket: Ticket,
}

impl Sabotaged {
    pub fn new(port: Port, sabotage: Option<Sabotage>, memory: Memory) -> Self {
        Self {
            port,
            sabotage,
            fast: Cell::new(None),
            held: None,
            acks: Vec::new(),
            memory,
        }
    }

    fn does(&self, sabotage: Sabotage) -> bool {
        self.sabotage == Some(sabotage)
    }

    fn acknowledge(&mut self, ticket: Ticket) -> Sent {
        let result = Ok(());
        self.acks.push(Ack { ticket, result });
        Sent::Queued
    }

    /// The positions that it commits in place of these.
    fn positions(
        &self,
        positions: &[(TopicPartition, NextOffset)],
    ) -> Vec<(TopicPartition, NextOffset)> {
        let mut positions = positions.to_vec();
        for (_, position) in &mut positions {
            match self.sabotage {
                Some(Sabotage::CommitsTooFar) => position.0 += 1,
                Some(Sabotage::CommitsBack) => position.0 = 0,
                _ => {}
            }
        }
        positions
    }
}

impl Source for Sabotaged {
    type Record = Input;
    type Batch = Vec<Input>;

    fn poll(&mut self) -> Result<Option<SourceEvent>, Fatal> {
        let event = self.port.poll()?;
        match &event {
            Some(SourceEvent::Lost(lost)) if self.does(Sabotage::CommitsWhatIsLost) => {
                let positions: Vec<_> = lost.iter().map(|p| (p.clone(), NextOffset(0))).collect();
                OffsetStore::commit(&mut self.port, &positions)?;
            }
            Some(SourceEvent::Revoked(_)) if self.does(Sabotage::GivesUpUndrained) => {
                self.fast.set(Some(Duration::ZERO));
            }
            _ => {}
        }
        Ok(event)
    }

    fn resolve(&mut self, partition: &TopicPartition) -> Result<NextOffset, Fatal> {
        self.port.resolve(partition)
    }

    fn start(&mut self, lanes: &[(LaneId, TopicPartition, NextOffset)]) -> Result<(), Fatal> {
        let further = i64::from(self.does(Sabotage::StartsTooFar));
        let lanes: Vec<_> = lanes
            .iter()
            .map(|(id, partition, at)| (*id, partition.clone(), NextOffset(at.0 + further)))
            .collect();
        self.port.start(&lanes)
    }

    fn fetch(&mut self, lane: LaneId, max: usize) -> Result<Option<Vec<Input>>, Fatal> {
        if self.does(Sabotage::StopsReading) {
            return Ok(None);
        }
        let mut batch = self.port.fetch(lane, max)?;
        if let Some(records) = &mut batch {
            if self.does(Sabotage::SkipsRecords) && records.len() > 1 {
                records.remove(0);
            }
            if self.does(Sabotage::GoesBackForNothing)
                && let (Some(first), Some(last)) = (records.first(), records.last())
            {
                self.port.rewind(lane, NextOffset(first.offset))?;
                self.port.rewind(lane, NextOffset::after(last.offset))?;
            }
        }
        Ok(batch)
    }

    fn rewind(&mut self, lane: LaneId, position: NextOffset) -> Result<(), Fatal> {
        match self.does(Sabotage::ForgetsToGoBack) {
            true => Ok(()),
            false => self.port.rewind(lane, position),
        }
    }

    fn jump(&mut self, lane: LaneId, position: NextOffset) -> Result<(), Fatal> {
        self.port.jump(lane, position)
    }

    fn end(&self, lane: LaneId) -> Option<i64> {
        self.port.end(lane)
    }

    fn passed(&self, lane: LaneId) -> Option<NextOffset> {
        self.port.passed(lane)
    }

    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), Fatal> {
        self.fast.set(None);
        self.memory
            .borrow_mut()
            .retain(|partition, _| !partitions.contains(partition));
        self.port.release(partitions)
    }

    fn now(&self) -> Instant {
        let Some(fast) = self.fast.get() else {
            return self.port.now();
        };
        self.fast.set(Some(fast + Duration::from_secs(3600)));
        self.port.now() + fast
    }

    fn wait(&mut self, timeout: Duration) {
        self.port.wait(timeout);
    }

    fn close(&mut self, deadline: Instant) {
        self.port.close(deadline);
    }
}

impl Sink<Input> for Sabotaged {
    fn admit(&mut self, outgoing: &Outgoing<'_>, source: &Input) -> Result<Admission, Fatal> {
        self.port.admit(outgoing, source)
    }

    fn send(
        &mut self,
        outgoing: &Outgoing<'_>,
        source: &Input,
        ticket: Ticket,
    ) -> Result<Sent, Fatal> {
        let is_letter = outgoing.topic == "dead";
        let mut outgoing = *outgoing;
        let mut headers = outgoing.headers.clone();
        match self.sabotage {
            Some(Sabotage::LosesOutputs) if !is_letter => return Ok(self.acknowledge(ticket)),
            Some(Sabotage::LosesLetters) if is_letter => return Ok(self.acknowledge(ticket)),
            Some(Sabotage::LeavesValuesOut) if is_letter => outgoing.value = None,
            Some(Sabotage::ChangesReasons) if is_letter => {
                if let OutputHeaders::Append(own) = &mut headers {
                    let reason = own.iter_mut().find(|h| h.name == header::REASON.as_bytes());
                    reason.expect("it has a reason").value = Some(b"fate".to_vec());
                }
                outgoing.headers = &headers;
            }
            Some(Sabotage::SwapsOutputs) if self.held.is_none() => {
                self.held = Some(Held {
                    topic: outgoing.topic.to_owned(),
                    value: outgoing.value.map(<[u8]>::to_vec),
                    headers,
                    source: *source,
                    ticket,
                });
                return Ok(Sent::Queued);
            }
            _ => {}
        }
        let sent = self.port.send(&outgoing, source, ticket)?;
        if sent != Sent::Queued {
            return Ok(sent);
        }
        if self.does(Sabotage::SendsTwice) {
            self.port.send(&outgoing, source, ticket)?;
        }
        if self.does(Sabotage::AcknowledgesItself) {
            self.acknowledge(ticket);
        }
        if let Some(held) = self.held.take() {
            let outgoing = Outgoing {
                topic: &held.topic,
                value: held.value.as_deref(),
                headers: &held.headers,
                ..outgoing
            };
            self.port.send(&outgoing, &held.source, held.ticket)?;
        }
        Ok(sent)
    }

    fn acks(&mut self, into: &mut Vec<Ack>) -> Result<(), Fatal> {
        self.port.acks(into)?;
        if self.does(Sabotage::AcknowledgesItself) {
            into.clear();
        }
        into.append(&mut self.acks);
        Ok(())
    }

    fn transaction(&mut self) -> Option<&mut dyn Transaction> {
        match self.port.transaction() {
            Some(_) => Some(self),
            None => None,
        }
    }
}

impl OffsetStore for Sabotaged {
    fn stored(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<NextOffset>>, Fatal> {
        let stored = self.port.stored(partitions)?;
        match self.does(Sabotage::RemembersPositions) {
            true => Ok(self.remembered(partitions, stored)),
            false => Ok(stored),
        }
    }

    fn commit(&mut self, positions: &[(TopicPartition, NextOffset)]) -> Result<(), Fatal> {
        match self.does(Sabotage::NeverCommits) {
            true => Ok(()),
            false => {
                let positions = self.positions(positions);
                OffsetStore::commit(&mut self.port, &positions)
            }
        }
    }

    fn commit_now(
        &mut self,
        positions: &[(TopicPartition, NextOffset)],
        deadline: Instant,
    ) -> Result<(), Fatal> {
        let partitions: Vec<_> = positions.iter().map(|(p, _)| p.clone()).collect();
        let are_starts = self.port.stored(&partitions)?.contains(&None);
        if self.does(Sabotage::NeverCommits) || (self.does(Sabotage::StoresNoStart) && are_starts) {
            return Ok(());
        }
        self.port.commit_now(&self.positions(positions), deadline)
    }
}

impl crate::pipeline::ports::Versioned for Sabotaged {}

impl Judge for Sabotaged {
    fn judge<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Judged>, Halt> {
        match (self.sabotage, self.port.judge(partition, records)) {
            (Some(Sabotage::BlamesTheInnocent), Ok(mut verdicts)) => {
                verdicts[0] = Judged::failed(Stage::Transform, "by mistake");
                Ok(verdicts)
            }
            (Some(Sabotage::LetsTheGuiltyGo), Ok(mut verdicts)) => {
                for judged in &mut verdicts {
                    if matches!(judged.verdict, Verdict::Fail(_)) {
                        judged.verdict = Verdict::Drop;
                    }
                }
                Ok(verdicts)
            }
            (_, answer) => answer,
        }
    }

    fn encode<R: Record>(&mut self, records: &[R], judged: &mut [Judged]) -> Result<usize, Halt> {
        self.port.encode(records, judged)
    }

    fn discard(&mut self) {
        self.port.discard();
    }
}
