//! What the worker loop needs from the outside: a source, a sink, a store of
//! offsets and a transform. The kafka and plugin rooms implement these for real,
//! the tests with fakes; nothing here knows a broker or Wasm.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::pipeline::progress::Sequence;
use crate::record::{
    Field, Header, Judged, NextOffset, OutputHeaders, Record, Rejected, Stage, TopicPartition,
    Verdict,
};

/// Something that ends the run: the surroundings, a bug, or a decision of the
/// user's, never a single record's fault (that is [`Rejected`]).
pub type Fatal = anyhow::Error;

/// The order to stop came while something was waited for. It ends the run in
/// good order, not as a failure.
#[derive(Debug, thiserror::Error)]
#[error("stopped while waiting")]
pub struct Interrupted;

/// Names an assignment of a partition to this worker. Never used twice by one
/// worker, so that a late acknowledgement of an earlier assignment finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub u32);

/// What comes back with an acknowledgement: which record of which lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    pub lane: LaneId,
    pub sequence: Sequence,
}

impl Ticket {
    /// Lane ids fit the bits that the sequence leaves.
    pub const LANE_MASK: u32 = (1 << (64 - Sequence::BITS)) - 1;

    /// Packs the ticket into the 64 bits of a delivery's opaque.
    pub fn to_bits(self) -> u64 {
        u64::from(self.lane.0) << Sequence::BITS | self.sequence.bits()
    }

    pub fn from_bits(bits: u64) -> Self {
        Self {
            lane: LaneId((bits >> Sequence::BITS) as u32),
            sequence: Sequence::from_bits(bits),
        }
    }
}

/// What happens to a source besides records.
#[derive(Debug)]
pub enum SourceEvent {
    /// These are ours now; nothing is read from them before [`Source::start`].
    Assigned(Vec<TopicPartition>),
    /// These will be somebody else's: they are drained and committed before
    /// [`Source::release`].
    Revoked(Vec<TopicPartition>),
    /// These are somebody else's already: nothing may be committed.
    Lost(Vec<TopicPartition>),
    /// An asynchronous commit succeeded.
    Committed(Vec<(TopicPartition, NextOffset)>),
    /// An asynchronous commit did not succeed.
    CommitFailed {
        partitions: Vec<TopicPartition>,
        reason: String,
    },
    /// The record that a lane is to read next is not there any more. Nothing is
    /// read from it before [`Source::jump`].
    Gap(LaneId, Gap),
}

/// Where the reading goes on behind what the broker no longer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub to: NextOffset,
    /// The first offset that the broker holds.
    pub first: i64,
    /// The topic is another one of the same name, so that offsets of the old one
    /// say nothing in it.
    pub remade: bool,
}

impl Gap {
    /// How many offsets between `from` and where the reading goes on are never
    /// read: at most so many records.
    pub fn skipped(&self, from: NextOffset) -> i64 {
        match self.remade || self.to < from {
            true => self.to.0 - self.first,
            false => self.to.0 - from.0,
        }
    }
}

/// Where records come from.
pub trait Source {
    type Record: Record;
    /// Consecutive records of one partition.
    type Batch: AsRef<[Self::Record]>;

    /// The next event, if one waits. Called often: it keeps the membership.
    fn poll(&mut self) -> Result<Option<SourceEvent>, Fatal>;
    /// Where a partition begins that has no stored position.
    fn resolve(&mut self, partition: &TopicPartition) -> Result<NextOffset, Fatal>;
    /// Reads these partitions from these positions on.
    fn start(&mut self, lanes: &[(LaneId, TopicPartition, NextOffset)]) -> Result<(), Fatal>;
    /// At most `max` records that have arrived for a lane; `None` if there are none.
    fn fetch(&mut self, lane: LaneId, max: usize) -> Result<Option<Self::Batch>, Fatal>;
    /// Reads a lane once more from `position` on, which it has passed.
    fn rewind(&mut self, lane: LaneId, position: NextOffset) -> Result<(), Fatal>;
    /// Goes on reading a lane at `position`, behind a [`SourceEvent::Gap`].
    fn jump(&mut self, lane: LaneId, position: NextOffset) -> Result<(), Fatal>;
    /// The end of a lane's partition, as far as it is known without asking.
    fn end(&self, lane: LaneId) -> Option<i64>;
    /// Whether records wait in a lane's partition of which none has come, as far
    /// as is known without asking.
    fn starves(&self, _lane: LaneId) -> bool {
        false
    }
    /// Whether it is known which partitions are its own, were it none.
    fn has_place(&self) -> bool {
        true
    }
    /// Behind everything of a lane that was fetched or is no record, as far as that is
    /// known.
    fn passed(&self, _lane: LaneId) -> Option<NextOffset> {
        None
    }
    /// Whether what is to be read has an end.
    fn has_ends(&self) -> bool {
        true
    }
    /// Whether everything that is to be read was fetched, here and by others.
    /// Asked while there is nothing else to do.
    fn is_finished(&mut self) -> Result<bool, Fatal> {
        Ok(false)
    }
    /// Gives up partitions, after they were drained or lost. Their lanes end.
    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), Fatal>;
    /// The time, which a simulation makes itself.
    fn now(&self) -> Instant {
        Instant::now()
    }
    /// Returns when there may be something to do, at `timeout` at the latest.
    fn wait(&mut self, timeout: Duration);
    /// Leaves for good, within `deadline`.
    fn close(&mut self, deadline: Instant);
}

/// Where positions are kept.
pub trait OffsetStore {
    /// The stored position of each partition, in their order.
    fn stored(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<NextOffset>>, Fatal>;
    /// Whether [`commit`](Self::commit) may be called: one that is still under way
    /// must not be overtaken, or it would put positions back.
    fn is_ready(&self) -> bool {
        true
    }
    /// Stores positions, perhaps later: a failure may come as
    /// [`SourceEvent::CommitFailed`].
    fn commit(&mut self, positions: &[(TopicPartition, NextOffset)]) -> Result<(), Fatal>;
    /// Stores positions before it returns, which it does by `deadline`.
    fn commit_now(
        &mut self,
        positions: &[(TopicPartition, NextOffset)],
        deadline: Instant,
    ) -> Result<(), Fatal>;
}

/// One record on its way to the sink.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    pub topic: &'a str,
    pub partition: Option<i32>,
    /// Milliseconds since the epoch; `None`: now.
    pub timestamp: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a OutputHeaders,
}

impl Outgoing<'_> {
    /// What the record weighs: key, value and headers, in bytes. Kafka adds at
    /// most about 70 bytes of framing (KIP-98's record format).
    pub fn size(&self, source: &[Header<'_>]) -> usize {
        let weight = |header: &Header<'_>| header.name.len() + header.value.map_or(0, <[u8]>::len);
        let kept: usize = match self.headers.keep_source() {
            true => source.iter().map(weight).sum(),
            false => 0,
        };
        let own: usize = self
            .headers
            .own()
            .iter()
            .map(|header| weight(&header.borrowed()))
            .sum();
        self.key.map_or(0, <[u8]>::len) + self.value.map_or(0, <[u8]>::len) + kept + own
    }
}

/// What a sink says of an output before anything of its record is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    Admitted,
    /// The sink has to look something up first, or waits for a topic that is
    /// gone; ask again.
    Later,
    Refused(Unwritable),
}

/// Why an output can never be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwritable {
    pub why: String,
    /// It would do with less of it.
    pub too_large: bool,
}

impl Unwritable {
    pub fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            too_large: false,
        }
    }

    pub fn too_large(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            too_large: true,
        }
    }
}

/// What became of a record that was handed to the sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// An [`Ack`] follows.
    Queued,
    /// There is no room now; nothing was sent.
    Full,
    /// Nothing was sent, for a reason that is not the record's and may pass.
    Waits(String),
    Refused(Unwritable),
}

/// The end of one sent output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    pub ticket: Ticket,
    pub result: Result<(), Refusal>,
}

/// Why the broker did not take an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// For what it is, or for what went out in one batch with it, which the
    /// broker does not always tell apart.
    Itself(String),
    /// For what certainly is another record's fault, or nobody's: the transaction
    /// that it was in was given up.
    Neighbour(String),
    /// For nothing of its own: the topic, the authorisation.
    Surroundings(String),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Itself(why) | Self::Neighbour(why) | Self::Surroundings(why) => f.write_str(why),
        }
    }
}

/// Where outputs go.
pub trait Sink<R: Record> {
    /// Whether this output can be written, as far as can be known before.
    fn admit(&mut self, outgoing: &Outgoing<'_>, source: &R) -> Result<Admission, Fatal>;
    /// Hands one output over. Never blocks.
    fn send(&mut self, outgoing: &Outgoing<'_>, source: &R, ticket: Ticket) -> Result<Sent, Fatal>;
    /// Adds what was acknowledged since the last call. Never blocks.
    fn acks(&mut self, into: &mut Vec<Ack>) -> Result<(), Fatal>;
    /// What ties outputs and positions together, where they count together or not
    /// at all.
    fn transaction(&mut self) -> Option<&mut dyn Transaction> {
        None
    }
}

/// Outputs, and the positions that they led to, as one (Kafka's transactions,
/// KIP-98 and KIP-447). It begins with its first output, or with its positions
/// where it has none. Every call returns soon, and is made again while it is not
/// done.
pub trait Transaction {
    /// Whether outputs may be sent: the last one is ended, and nothing of it can
    /// touch the next one. Where one has begun, `false` says that it can only be
    /// aborted.
    fn is_ready(&mut self) -> Result<bool, Fatal>;
    /// What waits for others on its way out goes out now.
    fn hurry(&mut self);
    /// Ends it, so that its outputs and these positions count from now on. Every
    /// output is acknowledged already. Asked again with the same positions.
    fn commit(&mut self, positions: &[(TopicPartition, NextOffset)]) -> Result<Commit, Fatal>;
    /// Ends it, so that nothing of it counts, unless its commit had no answer yet or
    /// a refusal: then the store knows. Answers to its outputs mean nothing any
    /// more. `false`: not yet.
    fn abort(&mut self) -> Result<bool, Fatal>;
}

/// What became of the end of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commit {
    Done,
    /// No answer yet.
    Later,
    /// It can only be aborted.
    Refused(String),
}

/// What another version can take the place of, while it runs.
pub trait Versioned {
    /// Whether somebody has handed one over.
    fn has_news(&self) -> bool {
        false
    }
    /// Takes what was handed over, between two calls; `from`: what each partition goes
    /// on with. Says whether another version works from now on.
    fn renew(&mut self, _from: &[(TopicPartition, NextOffset)]) -> bool {
        false
    }
    /// Goes back to the version before, where this one was asked and has answered well
    /// for no record so far. Says whether it did.
    fn take_back(&mut self, _why: &str, _from: &[(TopicPartition, NextOffset)]) -> bool {
        false
    }
    /// The digests of the plugins that give the verdicts now, comma-separated; `None`:
    /// they never change.
    fn digest(&self) -> Option<String> {
        None
    }
}

/// The user's code.
pub trait Transform: Versioned {
    /// One verdict a record, in order, or the fault that kept it from giving
    /// them. After a fault the next call finds a fresh instance.
    fn process<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Verdict>, Fault>;
    /// The next call finds a fresh instance.
    fn discard(&mut self) {}
}

/// The user's code for a format: bytes of one kind in, bytes of another out.
pub trait Convert: Versioned + Send {
    /// One result a payload, in order: an error is that payload's own. `latest`:
    /// the records' latest timestamp, in milliseconds.
    fn convert(
        &mut self,
        topic: &str,
        field: Field,
        payloads: &[&[u8]],
        latest: Option<i64>,
    ) -> Result<Vec<Result<Vec<u8>, String>>, Fault>;
    /// The next call finds a fresh instance.
    fn discard(&mut self);
}

/// The plugin broke (it did not answer "no").
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A trap, a wrong count, a limit: some record's doing, or the instance's state's.
    #[error("{0}")]
    Broke(String),
    /// The call took longer than it may.
    #[error("{0}")]
    TimedOut(String),
    /// No instance can be made any more.
    #[error("{0:#}")]
    Fatal(Fatal),
}

/// What stands around the user's code: records are decoded for it, and what it says
/// is encoded.
pub trait Judge: Versioned {
    /// Decodes and judges records, from the first on: one verdict a record, in
    /// order, for at least one of them.
    fn judge<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Judged>, Halt>;

    /// Encodes, in place, what the verdicts of these records send: of at least one,
    /// from the first on. Says of how many. Where it can't be encoded, the verdict
    /// becomes a failure. Afterwards [`Payload::Source`] means the record's own bytes.
    ///
    /// [`Payload::Source`]: crate::record::Payload::Source
    fn encode<R: Record>(&mut self, records: &[R], judged: &mut [Judged]) -> Result<usize, Halt>;

    /// The next call finds fresh instances.
    fn discard(&mut self);
}

/// Why nothing can be said of the first record now.
#[derive(Debug)]
pub enum Halt {
    /// A plugin broke at this step.
    Fault(Stage, Fault),
    /// Something has to be looked up first. With the reason, where that takes
    /// longer than it should for no fault of the record's.
    Later(Option<Arc<str>>),
}

/// Bytes in, bytes out.
impl<T: Transform> Judge for T {
    fn judge<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Judged>, Halt> {
        let verdicts = self
            .process(partition, records)
            .map_err(|fault| Halt::Fault(Stage::Transform, fault))?;
        Ok(verdicts.into_iter().map(Judged::from).collect())
    }

    fn encode<R: Record>(&mut self, _: &[R], judged: &mut [Judged]) -> Result<usize, Halt> {
        Ok(judged.len())
    }

    fn discard(&mut self) {
        Transform::discard(self);
    }
}

/// What became of a record.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// Its outputs were sent.
    Judged(&'a Verdict),
    /// It went to its dead letter, or was dropped.
    Rejected(&'a Rejected),
}

/// Sees every record once what came of it was sent (`--inspect`).
/// An error of kind `BrokenPipe` ends the run quietly, any other one fails it.
pub type Tap = Box<dyn FnMut(&TopicPartition, &dyn Record, Outcome<'_>) -> io::Result<()> + Send>;

/// Why a worker ended before it was told to.
#[derive(Debug)]
pub enum Failure {
    /// A record was rejected, and the policy is to stop.
    Rejected(Rejected),
    Fatal(Fatal),
    /// Whoever read `--inspect` closed the pipe.
    TapClosed,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rejected(rejected) => rejected.fmt(f),
            Self::Fatal(error) => write!(f, "{error:#}"),
            Self::TapClosed => f.write_str("whoever read --inspect has gone"),
        }
    }
}

impl From<Failure> for Fatal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Rejected(rejected) => Self::new(rejected),
            Failure::Fatal(error) => error,
            Failure::TapClosed => Self::msg(failure.to_string()),
        }
    }
}

impl From<Fatal> for Failure {
    fn from(error: Fatal) -> Self {
        Self::Fatal(error)
    }
}
