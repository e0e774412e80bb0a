//! The worker's ports in tests: one [`World`] of plain data behind four of its
//! faces. A test writes what will happen, lets the worker work, and looks at
//! what became of it.

pub mod transactions;

use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use self::transactions::Transactions;

use crate::pipeline::ports::{
    Ack, Admission, Fatal, Fault, Gap, LaneId, OffsetStore, Outgoing, Refusal, Sent, Sink, Source,
    SourceEvent, Ticket, Transaction, Transform, Unwritable, Versioned,
};
use crate::record::{
    Header, NextOffset, Output, OutputHeaders, Payload, Record, Timestamp, TopicPartition, Verdict,
};

/// The one input topic.
pub const INPUT: &str = "in";

/// A partition of the input topic.
pub fn partition(number: i32) -> TopicPartition {
    TopicPartition::new(INPUT, number)
}

/// A consumed record, which also knows its partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeRecord {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub timestamp: Timestamp,
}

impl FakeRecord {
    pub fn new(partition: i32, offset: i64) -> Self {
        Self {
            partition,
            offset,
            key: Some(b"key".to_vec()),
            value: Some(format!("value {offset}").into_bytes()),
            headers: Vec::new(),
            timestamp: Timestamp::Create(1_000 + offset),
        }
    }

    /// With a value of so many bytes and no key.
    pub fn sized(offset: i64, bytes: usize) -> Self {
        Self {
            key: None,
            value: Some(vec![b'x'; bytes]),
            ..Self::new(0, offset)
        }
    }
}

impl Record for FakeRecord {
    fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    fn value(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }

    fn headers(&self) -> Vec<Header<'_>> {
        self.headers
            .iter()
            .map(|(name, value)| Header {
                name,
                value: value.as_deref(),
            })
            .collect()
    }

    fn offset(&self) -> i64 {
        self.offset
    }

    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }
}

/// An output with this text as its value, and the rest from its source.
pub fn output(value: &str) -> Output {
    Output {
        value: Payload::Bytes(value.as_bytes().to_vec()),
        ..Output::FORWARD
    }
}

/// What the sink was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentRecord {
    pub ticket: Ticket,
    /// The source's partition and offset.
    pub source: (i32, i64),
    pub topic: String,
    pub partition: Option<i32>,
    pub timestamp: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    /// `None`: the source's, byte for byte.
    pub headers: OutputHeaders,
}

impl SentRecord {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or(b"null")).into_owned()
    }
}

/// What happened, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    Started(i32, i64),
    /// A lane reads once more from here.
    Rewound(i32, i64),
    /// A lane reads on from here, behind a gap.
    Jumped(i32, i64),
    /// A call of the plugin with the records at these offsets.
    Judged(i32, Vec<i64>),
    /// An output of the record at this offset.
    Sent(i32, i64),
    Acknowledged(i32, i64),
    /// The store has this position now.
    Committed(i32, i64),
    /// A transaction counts, with these positions.
    Ended(Vec<(i32, i64)>),
    /// Nothing of a transaction counts.
    Aborted,
    Released(Vec<i32>),
    Closed,
}

type Action = Box<dyn FnOnce(&mut State)>;

/// Everything outside of the worker.
#[derive(Default)]
pub struct State {
    /// What the input holds, by partition.
    pub input: BTreeMap<i32, Vec<FakeRecord>>,
    pub events: VecDeque<SourceEvent>,
    /// The assigned lanes and the offset that each reads next.
    pub lanes: Vec<(LaneId, i32, i64)>,
    /// Where partitions begin that have no stored position.
    pub starts: HashMap<i32, i64>,
    /// The offsets before which the reading of partitions ends.
    pub ends: HashMap<i32, i64>,
    /// The offsets before which nothing but records and transactions' markers stands.
    pub markers: HashMap<i32, i64>,
    /// Whether others have done what they have to read.
    pub others_are_done: bool,
    /// What happens during the next waits, one action a wait.
    pub during_waits: VecDeque<Action>,

    /// Whether acknowledgements wait for the test to give them.
    pub corked: bool,
    /// How many outputs the sink takes before it is full; `None`: any number.
    pub room: Option<usize>,
    /// How many admissions are put off.
    pub later: usize,
    /// Topics that the sink has to look up, for as long as they stand here.
    pub unknown: HashSet<String>,
    /// Topics whose outputs are refused before anything is sent.
    pub forbidden: HashSet<String>,
    /// Topics whose outputs are refused when they are sent.
    pub unsendable: HashSet<String>,
    /// Topics that nothing can be sent to for now.
    pub gone: HashSet<String>,
    /// The largest value that each of these topics takes.
    pub largest: HashMap<String, usize>,
    pub sent: Vec<SentRecord>,
    /// Indices into `sent`.
    pub unacknowledged: Vec<usize>,
    pub acks: Vec<Ack>,
    /// Set where outputs and positions count together or not at all.
    pub transactions: Option<Transactions>,

    /// The positions that the store holds.
    pub stored: HashMap<i32, i64>,
    /// Whether a commit is under way that has no answer.
    pub commit_is_open: bool,
    /// So many asynchronous commits fail.
    pub failing_commits: usize,
    /// So many synchronous ones fail.
    pub failing_commits_now: usize,

    /// By partition and offset; the others are forwarded.
    pub verdicts: HashMap<(i32, i64), Verdict>,
    /// The records that break any instance.
    pub poison: HashSet<(i32, i64)>,
    /// The records that any instance takes too long for.
    pub slow: HashSet<(i32, i64)>,
    /// The faults of the next calls, whatever their records are.
    pub faults: VecDeque<Fault>,
    /// The fault of the next call, unless it is the first one of its instance.
    pub hiccup: Option<Fault>,
    /// How often the instance was called.
    pub calls: usize,
    /// Another version is handed over, which gives these verdicts.
    pub next_version: Option<HashMap<(i32, i64), Verdict>>,
    /// The verdicts of the version before, as long as it can be gone back to.
    pub version_before: Option<HashMap<(i32, i64), Verdict>>,
    /// What each partition went on with at the last change of versions.
    pub changed_at: Vec<(TopicPartition, NextOffset)>,
    /// How long a call takes.
    pub call_takes: Duration,

    pub history: Vec<Happened>,
    /// How much time has passed. It passes where the worker waits and the plugin
    /// works, and nowhere else.
    pub passed: Duration,
}

/// See [`State`]. Clones are the same world.
#[derive(Clone)]
pub struct World {
    state: Rc<RefCell<State>>,
    begun: Instant,
}

impl Default for World {
    fn default() -> Self {
        Self {
            state: Rc::default(),
            begun: Instant::now(),
        }
    }
}

impl World {
    pub fn state(&self) -> RefMut<'_, State> {
        self.state.borrow_mut()
    }

    /// The worker's ports.
    pub fn ports(&self) -> (FakeSource, FakeSink, FakeStore, FakePlugin) {
        (
            FakeSource(self.clone()),
            FakeSink(self.clone()),
            FakeStore(self.clone()),
            FakePlugin(self.clone()),
        )
    }

    /// Writes records at these offsets to a partition of the input.
    pub fn write(&self, number: i32, offsets: impl IntoIterator<Item = i64>) {
        for offset in offsets {
            self.write_record(FakeRecord::new(number, offset));
        }
    }

    pub fn write_record(&self, record: FakeRecord) {
        self.state()
            .input
            .entry(record.partition)
            .or_default()
            .push(record);
    }

    pub fn says(&self, number: i32, offset: i64, verdict: Verdict) {
        self.state().verdicts.insert((number, offset), verdict);
    }

    pub fn assign(&self, numbers: &[i32]) {
        let event = SourceEvent::Assigned(list(numbers));
        self.state().events.push_back(event);
    }

    pub fn revoke(&self, numbers: &[i32]) {
        let event = SourceEvent::Revoked(list(numbers));
        self.state().events.push_back(event);
    }

    pub fn lose(&self, numbers: &[i32]) {
        let event = SourceEvent::Lost(list(numbers));
        self.state().events.push_back(event);
    }

    /// What this partition's lane is to read next is gone.
    pub fn gap(&self, number: i32, gap: Gap) {
        let mut state = self.state();
        let lane = state.lanes.iter().find(|(_, of, _)| *of == number);
        let (id, ..) = *lane.expect("it is assigned");
        state.events.push_back(SourceEvent::Gap(id, gap));
    }

    /// Does this in the next wait that no other action has.
    pub fn during_a_wait(&self, action: impl FnOnce(&mut State) + 'static) {
        self.state().during_waits.push_back(Box::new(action));
    }

    /// The values that were sent, in order, as text.
    pub fn values(&self) -> Vec<String> {
        self.state().sent.iter().map(SentRecord::text).collect()
    }

    /// The offsets of one partition's records whose outputs were sent, in order.
    pub fn sent_offsets(&self, number: i32) -> Vec<i64> {
        self.state()
            .sent
            .iter()
            .filter(|sent| sent.source.0 == number)
            .map(|sent| sent.source.1)
            .collect()
    }

    pub fn stored(&self, number: i32) -> Option<i64> {
        self.state().stored.get(&number).copied()
    }

    /// The offsets of each call of the plugin.
    pub fn calls(&self) -> Vec<Vec<i64>> {
        self.state()
            .history
            .iter()
            .filter_map(|happened| match happened {
                Happened::Judged(_, offsets) => Some(offsets.clone()),
                _ => None,
            })
            .collect()
    }

    /// Where in the history this stands first.
    pub fn when(&self, happened: &Happened) -> usize {
        let state = self.state();
        state
            .history
            .iter()
            .position(|h| h == happened)
            .unwrap_or_else(|| panic!("{happened:?} did not happen: {:?}", state.history))
    }
}

impl State {
    /// Acknowledges the oldest waiting output of this record.
    pub fn acknowledge(&mut self, number: i32, offset: i64) {
        let sent = &self.sent;
        let at = self
            .unacknowledged
            .iter()
            .position(|i| sent[*i].source == (number, offset))
            .expect("an output of this record waits");
        self.acknowledge_at(at);
    }

    /// Acknowledges the waiting output at this place among them.
    pub fn acknowledge_at(&mut self, at: usize) {
        let sent = &self.sent[self.unacknowledged.remove(at)];
        let (number, offset) = sent.source;
        self.acks.push(Ack {
            ticket: sent.ticket,
            result: Ok(()),
        });
        self.history.push(Happened::Acknowledged(number, offset));
    }

    pub fn acknowledge_all(&mut self) {
        while !self.unacknowledged.is_empty() {
            self.acknowledge_at(0);
        }
    }

    /// The broker refuses the oldest waiting output of this record for what it is.
    pub fn fail_delivery(&mut self, number: i32, offset: i64, reason: &str) {
        self.refuse(number, offset, Refusal::Itself(reason.to_owned()));
    }

    /// The broker refuses the oldest waiting output of this record.
    pub fn refuse(&mut self, number: i32, offset: i64, refusal: Refusal) {
        let sent = &self.sent;
        let at = self
            .unacknowledged
            .iter()
            .position(|i| sent[*i].source == (number, offset))
            .expect("an output of this record waits");
        let ticket = self.sent[self.unacknowledged.remove(at)].ticket;
        self.acks.push(Ack {
            ticket,
            result: Err(refusal),
        });
    }

    fn store(&mut self, positions: &[(TopicPartition, NextOffset)]) {
        for (partition, position) in positions {
            self.stored.insert(partition.partition, position.0);
            self.history
                .push(Happened::Committed(partition.partition, position.0));
        }
    }
}

fn list(numbers: &[i32]) -> Vec<TopicPartition> {
    numbers.iter().map(|number| partition(*number)).collect()
}

pub struct FakeSource(World);

impl Source for FakeSource {
    type Record = FakeRecord;
    type Batch = Vec<FakeRecord>;

    fn poll(&mut self) -> Result<Option<SourceEvent>, Fatal> {
        Ok(self.0.state().events.pop_front())
    }

    fn resolve(&mut self, partition: &TopicPartition) -> Result<NextOffset, Fatal> {
        let starts = &self.0.state().starts;
        Ok(NextOffset(
            starts.get(&partition.partition).copied().unwrap_or(0),
        ))
    }

    fn start(&mut self, lanes: &[(LaneId, TopicPartition, NextOffset)]) -> Result<(), Fatal> {
        let mut state = self.0.state();
        for (id, partition, position) in lanes {
            state
                .history
                .push(Happened::Started(partition.partition, position.0));
            state.lanes.push((*id, partition.partition, position.0));
        }
        Ok(())
    }

    fn fetch(&mut self, lane: LaneId, max: usize) -> Result<Option<Vec<FakeRecord>>, Fatal> {
        let mut state = self.0.state();
        let state = &mut *state;
        let (_, number, next) = state
            .lanes
            .iter_mut()
            .find(|(id, ..)| *id == lane)
            .ok_or_else(|| anyhow!("{lane:?} was fetched from and is not assigned"))?;
        let end = state.ends.get(number);
        let records: Vec<FakeRecord> = state
            .input
            .get(number)
            .into_iter()
            .flatten()
            .filter(|record| record.offset >= *next)
            .take_while(|record| end.is_none_or(|end| record.offset < *end))
            .take(max)
            .cloned()
            .collect();
        let Some(last) = records.last() else {
            let passed = [&state.ends, &state.markers].map(|of| of.get(number).copied());
            *next = passed.into_iter().flatten().fold(*next, i64::max);
            return Ok(None);
        };
        *next = last.offset + 1;
        Ok(Some(records))
    }

    fn rewind(&mut self, lane: LaneId, position: NextOffset) -> Result<(), Fatal> {
        let mut state = self.0.state();
        let state = &mut *state;
        let found = state.lanes.iter_mut().find(|(id, ..)| *id == lane);
        let (_, number, next) = found.ok_or_else(|| anyhow!("{lane:?} is not assigned"))?;
        *next = position.0;
        state.history.push(Happened::Rewound(*number, position.0));
        Ok(())
    }

    fn jump(&mut self, lane: LaneId, position: NextOffset) -> Result<(), Fatal> {
        self.rewind(lane, position)?;
        let mut state = self.0.state();
        if let Some(Happened::Rewound(number, position)) = state.history.pop() {
            state.history.push(Happened::Jumped(number, position));
        }
        Ok(())
    }

    fn passed(&self, lane: LaneId) -> Option<NextOffset> {
        let state = self.0.state();
        let (.., next) = state.lanes.iter().find(|(id, ..)| *id == lane)?;
        Some(NextOffset(*next))
    }

    fn is_finished(&mut self) -> Result<bool, Fatal> {
        let state = self.0.state();
        let at_its_end = |(_, number, next): &(LaneId, i32, i64)| {
            state.ends.get(number).is_some_and(|end| next >= end)
        };
        Ok(state.others_are_done && state.lanes.iter().all(at_its_end))
    }

    fn now(&self) -> Instant {
        self.0.begun + self.0.state().passed
    }

    fn end(&self, lane: LaneId) -> Option<i64> {
        let state = self.0.state();
        let (_, number, _) = state.lanes.iter().find(|(id, ..)| *id == lane)?;
        Some(state.input.get(number)?.last()?.offset + 1)
    }

    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), Fatal> {
        let numbers: Vec<i32> = partitions.iter().map(|p| p.partition).collect();
        let mut state = self.0.state();
        state
            .lanes
            .retain(|(_, number, _)| !numbers.contains(number));
        state.history.push(Happened::Released(numbers));
        Ok(())
    }

    /// Without an action time passes, so that deadlines come.
    fn wait(&mut self, timeout: Duration) {
        let action = self.0.state().during_waits.pop_front();
        match action {
            Some(action) => action(&mut self.0.state()),
            None => self.0.state().passed += timeout,
        }
    }

    fn close(&mut self, _deadline: Instant) {
        self.0.state().history.push(Happened::Closed);
    }
}

pub struct FakeSink(World);

impl Sink<FakeRecord> for FakeSink {
    fn admit(&mut self, outgoing: &Outgoing<'_>, _: &FakeRecord) -> Result<Admission, Fatal> {
        let mut state = self.0.state();
        if state.later > 0 {
            state.later -= 1;
            return Ok(Admission::Later);
        }
        if state.unknown.contains(outgoing.topic) {
            return Ok(Admission::Later);
        }
        if state.forbidden.contains(outgoing.topic) {
            let why = format!("topic {} is forbidden", outgoing.topic);
            return Ok(Admission::Refused(Unwritable::new(why)));
        }
        let size = outgoing.value.map_or(0, <[u8]>::len);
        let largest = state.largest.get(outgoing.topic);
        Ok(match largest.is_some_and(|largest| size > *largest) {
            true => Admission::Refused(Unwritable::too_large("it is too large")),
            false => Admission::Admitted,
        })
    }

    fn send(
        &mut self,
        outgoing: &Outgoing<'_>,
        source: &FakeRecord,
        ticket: Ticket,
    ) -> Result<Sent, Fatal> {
        let mut state = self.0.state();
        if state.unsendable.contains(outgoing.topic) {
            let why = format!("topic {} takes nothing", outgoing.topic);
            return Ok(Sent::Refused(Unwritable::new(why)));
        }
        if state.gone.contains(outgoing.topic) {
            return Ok(Sent::Waits(format!("topic {} is gone", outgoing.topic)));
        }
        match &mut state.room {
            Some(0) => return Ok(Sent::Full),
            Some(room) => *room -= 1,
            None => {}
        }
        state.sent.push(SentRecord {
            ticket,
            source: (source.partition, source.offset),
            topic: outgoing.topic.to_owned(),
            partition: outgoing.partition,
            timestamp: outgoing.timestamp,
            key: outgoing.key.map(<[u8]>::to_vec),
            value: outgoing.value.map(<[u8]>::to_vec),
            headers: outgoing.headers.clone(),
        });
        let last = state.sent.len() - 1;
        state.unacknowledged.push(last);
        if let Some(transactions) = &mut state.transactions {
            transactions.sent(last);
        }
        state
            .history
            .push(Happened::Sent(source.partition, source.offset));
        Ok(Sent::Queued)
    }

    fn acks(&mut self, into: &mut Vec<Ack>) -> Result<(), Fatal> {
        let mut state = self.0.state();
        if !state.corked {
            state.acknowledge_all();
        }
        into.append(&mut state.acks);
        Ok(())
    }

    fn transaction(&mut self) -> Option<&mut dyn Transaction> {
        let has_some = self.0.state().transactions.is_some();
        has_some.then_some(self as &mut dyn Transaction)
    }
}

pub struct FakeStore(World);

impl OffsetStore for FakeStore {
    fn stored(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<NextOffset>>, Fatal> {
        let state = self.0.state();
        Ok(partitions
            .iter()
            .map(|p| state.stored.get(&p.partition).copied().map(NextOffset))
            .collect())
    }

    fn is_ready(&self) -> bool {
        !self.0.state().commit_is_open
    }

    fn commit(&mut self, positions: &[(TopicPartition, NextOffset)]) -> Result<(), Fatal> {
        let mut state = self.0.state();
        if state.failing_commits > 0 {
            state.failing_commits -= 1;
            let event = SourceEvent::CommitFailed {
                partitions: positions.iter().map(|(p, _)| p.clone()).collect(),
                reason: "the coordinator is away".to_owned(),
            };
            state.events.push_back(event);
        } else {
            state.store(positions);
        }
        Ok(())
    }

    /// As a real one: it has no answer when no time is left to wait for it.
    fn commit_now(
        &mut self,
        positions: &[(TopicPartition, NextOffset)],
        deadline: Instant,
    ) -> Result<(), Fatal> {
        let mut state = self.0.state();
        if state.failing_commits_now > 0 {
            state.failing_commits_now -= 1;
            return Err(anyhow!("the coordinator is away"));
        }
        if self.0.begun + state.passed >= deadline {
            return Err(anyhow!("no answer within 0ns"));
        }
        state.store(positions);
        Ok(())
    }
}

pub struct FakePlugin(World);

impl Transform for FakePlugin {
    fn process<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Verdict>, Fault> {
        let number = partition.partition;
        let mut state = self.0.state();
        let offsets = records.iter().map(Record::offset).collect();
        state.history.push(Happened::Judged(number, offsets));
        let long = state.call_takes;
        state.passed += long;
        let calls = std::mem::take(&mut state.calls);
        if let Some(fault) = state.faults.pop_front() {
            return Err(fault);
        }
        if let Some(fault) = state.hiccup.take().filter(|_| calls > 0) {
            return Err(fault);
        }
        let mut verdicts = Vec::with_capacity(records.len());
        for record in records {
            let at = (number, record.offset());
            if state.poison.contains(&at) {
                return Err(Fault::Broke(format!("offset {} is poison", at.1)));
            }
            if state.slow.contains(&at) {
                return Err(Fault::TimedOut(format!("offset {} is slow", at.1)));
            }
            verdicts.push(state.verdicts.get(&at).cloned().unwrap_or(Verdict::Forward));
        }
        state.calls = calls + 1;
        Ok(verdicts)
    }

    fn discard(&mut self) {
        self.0.state().calls = 0;
    }
}

impl Versioned for FakePlugin {
    fn has_news(&self) -> bool {
        self.0.state().next_version.is_some()
    }

    fn renew(&mut self, from: &[(TopicPartition, NextOffset)]) -> bool {
        let mut state = self.0.state();
        let Some(next) = state.next_version.take() else {
            return false;
        };
        state.version_before = Some(std::mem::replace(&mut state.verdicts, next));
        state.changed_at = from.to_vec();
        true
    }

    fn take_back(&mut self, _: &str, from: &[(TopicPartition, NextOffset)]) -> bool {
        let mut state = self.0.state();
        let Some(before) = state.version_before.take() else {
            return false;
        };
        state.verdicts = before;
        state.changed_at = from.to_vec();
        true
    }
}
