//! A consumer's events, and its end: errors are said, log lines handed on, and
//! what remains is the assignment's and the commits'.

use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::consumer::{Consumer as _, RebalanceProtocol};
use rdkafka::error::KafkaResult;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientContext as _, TopicPartitionList};

use super::context::Consumer;
use super::queue::{Event, EventKind, Queue, is_member};
use crate::doorbell::Doorbell;
use crate::pipeline::ports::Fatal;
use crate::telemetry;
use crate::throttle::Throttle;

/// How often a consumer's errors are logged: an outage has several a second.
const TROUBLE_EVERY: Duration = Duration::from_secs(10);

/// How often a consumer that closes looks at its deadline.
const CLOSE_LOOK: Duration = Duration::from_millis(100);

/// How often one that unsubscribes looks whether it has. Nothing rings when it has.
const UNSUBSCRIBE_LOOK: Duration = Duration::from_millis(10);

pub(super) struct Events {
    queue: Queue,
    consumer: Arc<Consumer>,
    trouble: Throttle,
}

/// What somebody has to act on.
pub(super) enum Kind {
    Assign,
    Revoke,
    OffsetCommit,
    Error {
        code: RDKafkaErrorCode,
        text: String,
    },
}

/// What librdkafka waits for, once it has handed out what the group gave or takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owed {
    /// That the assignment is taken.
    Assign,
    /// That the partitions are given up.
    Revoke,
}

impl Events {
    /// Those of this consumer. Rings when one comes.
    pub fn new(consumer: &Arc<Consumer>, bell: &Doorbell) -> Result<Self, Fatal> {
        let mut queue = Queue::of_events(consumer)
            .context("librdkafka has no queue for a consumer's events")?;
        queue.ring(bell);
        Ok(Self {
            queue,
            consumer: Arc::clone(consumer),
            trouble: Throttle::new(1, TROUBLE_EVERY),
        })
    }

    /// The next event that waits.
    pub fn next(&mut self) -> Result<Option<(Kind, Event)>, Fatal> {
        while let Some(event) = self.queue.event(Duration::ZERO) {
            match event.kind() {
                EventKind::Assign => return Ok(Some((Kind::Assign, event))),
                EventKind::Revoke => return Ok(Some((Kind::Revoke, event))),
                EventKind::OffsetCommit => return Ok(Some((Kind::OffsetCommit, event))),
                EventKind::Error { code, text } => {
                    return Ok(Some((Kind::Error { code, text }, event)));
                }
                EventKind::Message => {
                    bail!("librdkafka handed out a record outside of its partition's queue");
                }
                EventKind::Log {
                    level,
                    facility,
                    message,
                } => self.consumer.context().log(level, &facility, &message),
                EventKind::Deliveries | EventKind::Other => {}
            }
        }
        Ok(None)
    }

    /// Hands on what librdkafka has to say.
    fn say(&self, kind: EventKind) {
        if let EventKind::Log {
            level,
            facility,
            message,
        } = kind
        {
            self.consumer.context().log(level, &facility, &message);
        }
    }

    /// Says that something went wrong which librdkafka mends by itself.
    pub fn trouble(&mut self, code: RDKafkaErrorCode, text: &str) {
        if let Some(left_out) = self.trouble.pass(Instant::now()) {
            telemetry::consumer_trouble(&code.to_string(), text, left_out);
        }
    }

    /// Ends the subscription of a consumer without a partition, and waits until that
    /// counts. By the cooperative protocol librdkafka (2.12) tells the group of a
    /// member's end when its partitions are given up: one that has none would stay a
    /// member until its session is over, and hold up every rebalance until then. With
    /// its subscription it leaves, but not while a rebalance is under way, nor before
    /// what is `owed` is answered.
    pub fn unsubscribe(&mut self, owed: Option<Owed>, deadline: Instant) {
        let answered = match owed {
            Some(Owed::Assign) => self.take_nothing(),
            Some(Owed::Revoke) => self.give_nothing_up(),
            None => Ok(()),
        };
        if let Err(error) = answered {
            telemetry::close_failed(&error.to_string());
            return;
        }
        self.consumer.unsubscribe();
        while is_member(&self.consumer) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let Some(event) = self.queue.event(left.min(UNSUBSCRIBE_LOOK)) else {
                continue;
            };
            let answered = match event.kind() {
                EventKind::Assign => self.take_nothing(),
                EventKind::Revoke => self.give_nothing_up(),
                kind => {
                    self.say(kind);
                    Ok(())
                }
            };
            if let Err(error) = answered {
                telemetry::close_failed(&error.to_string());
                return;
            }
        }
    }

    /// Answers an assignment: nothing is taken any more.
    fn take_nothing(&self) -> KafkaResult<()> {
        let none = TopicPartitionList::new();
        match self.consumer.rebalance_protocol() {
            RebalanceProtocol::Eager => self.consumer.assign(&none),
            _ => self.consumer.incremental_assign(&none),
        }
    }

    /// Answers a revocation: there is nothing to be given up.
    fn give_nothing_up(&self) -> KafkaResult<()> {
        match self.consumer.rebalance_protocol() {
            RebalanceProtocol::Eager => self.consumer.unassign(),
            _ => self
                .consumer
                .incremental_unassign(&TopicPartitionList::new()),
        }
    }

    /// Closes the consumer, whose partitions are drained and committed; one that
    /// is a member leaves its group.
    ///
    /// librdkafka (2.12) waits for the answer that it is owed, once, and is asked nothing
    /// else: what is asked while it ends (`rd_kafka_cgrp_terminated`) is thrown away,
    /// and who asked waits for ever.
    pub fn close(&mut self, owed: Option<Owed>, deadline: Instant) {
        if let Err(error) = self.consumer.close_queue() {
            telemetry::close_failed(&error.to_string());
            return;
        }
        let mut is_answered = owed.is_some();
        if is_answered && let Err(error) = self.consumer.unassign() {
            telemetry::close_failed(&error.to_string());
        }
        while !self.consumer.closed() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                telemetry::close_failed("the group's coordinator did not answer in time");
                // Dropping an open consumer waits for its coordinator without
                // end, so this one is left to the end of the process.
                let _left = ManuallyDrop::new(Arc::clone(&self.consumer));
                return;
            }
            let Some(event) = self.queue.event(left.min(CLOSE_LOOK)) else {
                continue;
            };
            match event.kind() {
                EventKind::Assign | EventKind::Revoke if !is_answered => {
                    is_answered = true;
                    if let Err(error) = self.consumer.unassign() {
                        telemetry::close_failed(&error.to_string());
                    }
                }
                kind => self.say(kind),
            }
        }
    }
}
