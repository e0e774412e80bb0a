//! Exactly once: a worker's outputs and positions in Kafka transactions, by the
//! group's metadata (KIP-98, KIP-447). It knows how one begins and ends, and when
//! its producer has to give way to a new one; what goes into it is the sink's.
//!
//! librdkafka 2.12 has no KIP-890: a request that was on a connection when it
//! broke may reach the broker later, and end, or store older positions in, the
//! *next* transaction. So once a connection of the producer was closed, a new
//! producer takes its place before the next transaction: its epoch is higher, and
//! the broker refuses what is late (docs/decisions/a-new-producer-after-a-disconnect.md).

use std::ffi::CStr;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use rdkafka::bindings as sys;
use rdkafka::consumer::Consumer as _;
use rdkafka::types::RDKafkaErrorCode;

use super::context::Consumer;
use super::lineage::Lineage;
use super::positions::GroupOffsets;
use super::producer::Producer;
use crate::pipeline::ports::{Commit, Fatal};
use crate::record::{NextOffset, TopicPartition};
use crate::telemetry;
use crate::throttle::Throttle;

/// The longest that one call waits for the coordinator before the worker looks
/// after its other duties.
const PATIENCE_MS: i32 = 200;

/// The same for an abort, which first waits until the worker has heard what became
/// of each output.
const ABORT_PATIENCE_MS: i32 = 20;

/// The same for positions. librdkafka does not keep to it: its requests end with
/// `socket.timeout.ms`, which is set short for that.
const POSITIONS_MS: i32 = 5_000;

/// How long a producer that can't begin waits before a new one tries.
const REST: Duration = Duration::from_secs(1);

/// So many producers in a row, within so long, that others fenced off: two
/// processes fight for one transactional id.
const FENCES: usize = 4;
const FENCED_WITHIN: Duration = Duration::from_secs(60);

/// How often it is said that a producer can't begin.
const SAY: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// `rd_kafka_init_transactions` has not succeeded yet.
    New,
    /// No transaction is under way.
    Idle,
    /// One has begun.
    Begun,
    /// The positions are in it.
    WithPositions,
    /// It was told to commit, and has not answered. librdkafka takes no other call
    /// now, an abort neither.
    Committing,
    /// This producer can do nothing more.
    Broken,
}

/// The transactions of one worker's producer.
pub struct Transactions {
    id: String,
    /// The group's member, whose generation keeps zombies out.
    member: Arc<Consumer>,
    lineage: Lineage,
    timeout: Duration,
    state: State,
    /// When the last transaction began.
    begun: Instant,
    /// Something went wrong in the transaction that has begun.
    doomed: bool,
    /// Whether a producer was ever taken.
    has_worked: bool,
    /// The producer's closed connections when it began to work.
    closed: u64,
    /// When a new producer is tried.
    rest: Option<Instant>,
    fenced: Vec<Instant>,
    /// Why the transactional id is left to another process, once it is: one more
    /// producer would fence that one off.
    given_up: Option<String>,
    trouble: Throttle,
}

impl Transactions {
    /// Of the producer with this transactional id, for this member of the group. The
    /// broker aborts one that is open for `timeout`.
    pub fn new(id: String, member: &GroupOffsets, timeout: Duration) -> Self {
        Self {
            id,
            timeout,
            begun: Instant::now(),
            member: Arc::clone(member.consumer()),
            lineage: member.lineage().clone(),
            state: State::New,
            doomed: false,
            has_worked: false,
            closed: 0,
            rest: None,
            fenced: Vec::new(),
            given_up: None,
            trouble: Throttle::new(1, SAY),
        }
    }

    /// The producer's transactional id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether a transaction is under way that can go on; `None`: none is.
    pub fn goes_on(&self, producer: &Producer) -> Option<bool> {
        match self.state {
            State::New | State::Idle | State::Broken => None,
            State::Begun | State::WithPositions | State::Committing => {
                Some(!self.doomed && producer.fatal_error().is_none())
            }
        }
    }

    /// Whether a new producer must take this one's place before the next
    /// transaction.
    pub fn needs_producer(&self, producer: &Producer) -> bool {
        match self.state {
            State::Broken if self.given_up.is_some() => false,
            State::Broken => self.rest.is_none_or(|until| until <= Instant::now()),
            State::Idle => producer.connections_closed() > self.closed,
            State::New | State::Begun | State::WithPositions | State::Committing => false,
        }
    }

    /// A new producer is there.
    pub fn producer_is_new(&mut self) {
        self.state = State::New;
        self.doomed = false;
    }

    /// Whether the next transaction may begin, where none is under way. Registers a
    /// new producer, which ends what its predecessor left open.
    pub fn may_begin(&mut self, producer: &Producer) -> Result<bool, Fatal> {
        if let Some(why) = &self.given_up {
            bail!("{why}");
        }
        if self.state != State::New {
            return Ok(self.state == State::Idle);
        }
        // SAFETY: the client lives.
        let error = unsafe { sys::rd_kafka_init_transactions(producer.native(), PATIENCE_MS) };
        match TransactionError::of(error) {
            None => {
                self.closed = producer.connections_closed();
                self.state = State::Idle;
                self.has_worked = true;
            }
            Some(error) if error.retriable => {}
            Some(error) => {
                if let Some(what_to_do) = self.never_takes(error.code) {
                    bail!(
                        "the broker does not take the transactional id {}: {}; {what_to_do}",
                        self.id,
                        error.text
                    );
                }
                self.breaks("begin its work", &error)?;
            }
        }
        Ok(self.state == State::Idle)
    }

    /// Begins a transaction where none is under way. At once: the coordinator
    /// hears of it with its first partition.
    pub fn begin(&mut self, producer: &Producer) -> Result<(), Fatal> {
        if self.state != State::Idle {
            return Ok(());
        }
        // SAFETY: the client lives.
        let error = unsafe { sys::rd_kafka_begin_transaction(producer.native()) };
        match TransactionError::of(error) {
            None => {
                self.state = State::Begun;
                self.begun = Instant::now();
                self.doomed = false;
                Ok(())
            }
            Some(error) => {
                self.doomed = true;
                self.breaks("begin a transaction", &error)
            }
        }
    }

    /// The producer took no output, for a reason that only an abort ends.
    pub fn is_doomed(&mut self) {
        self.doomed = true;
    }

    /// [`Transaction::commit`](crate::pipeline::ports::Transaction::commit).
    pub fn commit(
        &mut self,
        producer: &Producer,
        positions: &[(TopicPartition, NextOffset)],
    ) -> Result<Commit, Fatal> {
        self.begin(producer)?;
        if self.state == State::Begun && !self.doomed {
            let Some(metadata) = Metadata::of(&self.member) else {
                return Ok(Commit::Refused(
                    "this worker is no member of its group now".to_owned(),
                ));
            };
            let list = self.lineage.signed(positions)?;
            // SAFETY: client, list and metadata live for the call, and are copied.
            let error = unsafe {
                sys::rd_kafka_send_offsets_to_transaction(
                    producer.native(),
                    list.ptr(),
                    metadata.0.as_ptr(),
                    POSITIONS_MS,
                )
            };
            match TransactionError::of(error) {
                None => self.state = State::WithPositions,
                Some(error) if error.retriable => return Ok(Commit::Later),
                Some(error) => return self.refused("store the positions", &error),
            }
        }
        if !matches!(self.state, State::WithPositions | State::Committing) || self.doomed {
            return Ok(Commit::Refused("the transaction can't go on".to_owned()));
        }
        // SAFETY: the client lives.
        let error = unsafe { sys::rd_kafka_commit_transaction(producer.native(), PATIENCE_MS) };
        match TransactionError::of(error) {
            None => {
                self.state = State::Idle;
                Ok(Commit::Done)
            }
            Some(error) if error.retriable => {
                self.state = State::Committing;
                Ok(Commit::Later)
            }
            Some(error) => self.refused("commit", &error),
        }
    }

    /// Ends what is under way so that nothing of it counts. Answers to what was
    /// purged have to be taken from the producer meanwhile. `false`: not yet.
    pub fn abort(&mut self, producer: &Producer) -> Result<bool, Fatal> {
        match self.state {
            State::Begun | State::WithPositions => {}
            // Only a successor learns what became of it, and refuses what is late.
            State::Committing => {
                self.state = State::Broken;
                self.rest = None;
                return Ok(true);
            }
            // A broken one's successor ends it when it registers.
            State::New | State::Idle | State::Broken => return Ok(true),
        }
        // SAFETY: the client lives.
        let error =
            unsafe { sys::rd_kafka_abort_transaction(producer.native(), ABORT_PATIENCE_MS) };
        match TransactionError::of(error) {
            None => {
                self.state = State::Idle;
                self.doomed = false;
                Ok(true)
            }
            Some(error) if error.retriable => Ok(false),
            Some(error) => {
                self.breaks("abort", &error)?;
                Ok(true)
            }
        }
    }

    fn refused(&mut self, what: &str, error: &TransactionError) -> Result<Commit, Fatal> {
        self.doomed = true;
        if error.fatal || !error.abortable {
            self.breaks(what, error)?;
        }
        Ok(Commit::Refused(format!(
            "it could not {what}: {}",
            error.text
        )))
    }

    /// What the user has to do about an answer to the registration that no later try
    /// changes. Rights that were there before may come back.
    fn never_takes(&self, code: RDKafkaErrorCode) -> Option<&'static str> {
        match code {
            RDKafkaErrorCode::InvalidTransactionTimeout => Some(
                "set transaction.timeout.ms in [kafka.producer] to at most the broker's \
                 transaction.max.timeout.ms",
            ),
            RDKafkaErrorCode::UnsupportedFeature => {
                Some("exactly-once needs brokers that know transactions (Kafka 2.5 or later)")
            }
            RDKafkaErrorCode::TransactionalIdAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
                if !self.has_worked =>
            {
                Some(
                    "give the pipeline Write and Describe on transactional ids with its group's name as their prefix",
                )
            }
            _ => None,
        }
    }

    /// Only a new producer goes on from here.
    fn breaks(&mut self, what: &str, error: &TransactionError) -> Result<(), Fatal> {
        let now = Instant::now();
        if let Some(left_out) = self.trouble.pass(now) {
            telemetry::producer_replaced(&self.id, what, &error.text, left_out);
        }
        self.state = State::Broken;
        self.rest = Some(now + REST);
        // The broker, too, fences off a producer whose transaction it aborted.
        if !error.fenced || now.duration_since(self.begun) >= self.timeout {
            return Ok(());
        }
        self.fenced
            .retain(|at| now.duration_since(*at) < FENCED_WITHIN);
        self.fenced.push(now);
        if self.fenced.len() >= FENCES {
            let why = format!(
                "the transactional id {} was taken by another producer {FENCES} times within \
                 {FENCED_WITHIN:?} ({}): two processes use the same one. Give each process of the \
                 pipeline its own --instance-id",
                self.id, error.text
            );
            self.given_up = Some(why.clone());
            bail!("{why}");
        }
        Ok(())
    }
}

/// The group's generation, as of now: each commit takes a fresh one.
struct Metadata(NonNull<sys::rd_kafka_consumer_group_metadata_t>);

impl Metadata {
    /// `None` while it is no member: the broker would take positions from somebody
    /// without a generation unseen, over those of whom the group gave the partitions.
    fn of(member: &Consumer) -> Option<Self> {
        // SAFETY: the client lives; the answer is ours, or null.
        let native = unsafe { sys::rd_kafka_consumer_group_metadata(member.client().native_ptr()) };
        let this = NonNull::new(native).map(Self)?;
        // SAFETY: it lives.
        let generation =
            unsafe { sys::rd_kafka_consumer_group_metadata_generation_id(this.0.as_ptr()) };
        (generation >= 0).then_some(this)
    }
}

impl Drop for Metadata {
    fn drop(&mut self) {
        // SAFETY: ours, and not used after this.
        unsafe { sys::rd_kafka_consumer_group_metadata_destroy(self.0.as_ptr()) };
    }
}

/// What librdkafka says of a call about transactions.
struct TransactionError {
    code: RDKafkaErrorCode,
    text: String,
    /// The same call, made again, goes on.
    retriable: bool,
    /// An abort mends it.
    abortable: bool,
    fatal: bool,
    /// Another producer has the same transactional id.
    fenced: bool,
}

impl TransactionError {
    /// Takes the error; `None`: it is none.
    fn of(native: *mut sys::rd_kafka_error_t) -> Option<Self> {
        let native = NonNull::new(native)?.as_ptr();
        // SAFETY: a live error, ours to destroy; its text is copied first.
        unsafe {
            let code = RDKafkaErrorCode::from(sys::rd_kafka_error_code(native));
            let text = CStr::from_ptr(sys::rd_kafka_error_string(native));
            let this = Self {
                code,
                text: format!("{} ({code:?})", text.to_string_lossy()),
                retriable: sys::rd_kafka_error_is_retriable(native) != 0,
                abortable: sys::rd_kafka_error_txn_requires_abort(native) != 0,
                fatal: sys::rd_kafka_error_is_fatal(native) != 0,
                fenced: matches!(
                    code,
                    RDKafkaErrorCode::Fenced
                        | RDKafkaErrorCode::ProducerFenced
                        | RDKafkaErrorCode::InvalidProducerEpoch
                ),
            };
            sys::rd_kafka_error_destroy(native);
            Some(this)
        }
    }
}
