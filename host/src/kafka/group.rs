//! A member of a consumer group: the source of records.

use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::consumer::{Consumer as _, RebalanceProtocol};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, ClientContext as _};
use rdkafka::{Offset, TopicPartitionList};

use super::context::{Consumer, Context};
use super::identity::{Inputs, Lineage};
use super::lanes::{Lanes, Reading};
use super::others::Others;
use super::positions::{Ask, GroupOffsets};
use super::queue::{EventKind, Queue, assignment_lost};
use super::record::{Fetched, Message};
use super::starts::Beginnings;
use crate::doorbell::Doorbell;
use crate::pipeline::ports::{Fatal, LaneId, Source, SourceEvent};
use crate::record::{NextOffset, TopicPartition};
use crate::stop::Stop;
use crate::telemetry;
use crate::throttle::Throttle;

/// What a member needs to know besides librdkafka's properties.
#[derive(Clone)]
pub struct Membership {
    pub group: String,
    pub topics: Vec<String>,
    pub beginnings: Beginnings,
    pub inputs: Arc<Inputs>,
    /// The offset before which each partition's reading ends; one that is not
    /// named is not read at all. `None`: without end.
    pub until: Option<Vec<(TopicPartition, i64)>>,
}

impl Membership {
    fn end_of(&self, partition: &TopicPartition) -> Option<i64> {
        let ends = self.until.as_ref()?;
        let end = ends.iter().find(|(known, _)| known == partition);
        Some(end.map_or(0, |(_, end)| *end))
    }
}

/// Joins the group and hands out its two faces.
pub fn join(
    config: &ClientConfig,
    membership: Membership,
    bell: Doorbell,
    stop: Arc<Stop>,
) -> Result<(GroupSource, GroupOffsets), Fatal> {
    let mut config = config.clone();
    config.set("group.id", &membership.group);
    if membership.until.is_some() {
        // An end may be a transaction's marker, behind the last record.
        config.set("enable.partition.eof", "true");
    }
    let consumer: Arc<Consumer> = Arc::new(
        config
            .create_with_context(Context::default())
            .context("the consumer could not be made")?,
    );
    let mut events =
        Queue::of_events(&consumer).context("librdkafka has no queue for a consumer's events")?;
    events.ring(&bell);
    let topics: Vec<&str> = membership.topics.iter().map(String::as_str).collect();
    consumer
        .subscribe(&topics)
        .with_context(|| format!("the topics {} can't be subscribed to", topics.join(", ")))?;
    let lineage = Lineage::new(Arc::clone(&membership.inputs));
    let offsets = GroupOffsets::new(&consumer, lineage.clone(), &stop)?;
    let ask = offsets.ask.clone();
    let source = GroupSource {
        trouble: Throttle::new(1, TROUBLE_EVERY),
        lanes: Lanes::new(
            &consumer,
            bell.clone(),
            Reading {
                name: format!("group {}", membership.group),
                on_gap: membership.beginnings.on_gap,
                lineage,
            },
        ),
        others: Others::default(),
        is_member: false,
        events,
        consumer,
        membership,
        bell,
        ask,
    };
    Ok((source, offsets))
}

/// How often a consumer's errors are logged: an outage has several a second.
const TROUBLE_EVERY: Duration = Duration::from_secs(10);

pub struct GroupSource {
    trouble: Throttle,
    lanes: Lanes,
    events: Queue,
    consumer: Arc<Consumer>,
    membership: Membership,
    bell: Doorbell,
    ask: Ask,
    others: Others,
    /// Whether the group has given it something, or nothing.
    is_member: bool,
}

impl GroupSource {
    fn eager(&self) -> bool {
        matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Eager)
    }
}

impl Source for GroupSource {
    type Record = Message;
    type Batch = Fetched;

    fn poll(&mut self) -> Result<Option<SourceEvent>, Fatal> {
        if let Some(gap) = self.lanes.next_gap()? {
            return Ok(Some(gap));
        }
        while let Some(event) = self.events.event(Duration::ZERO) {
            match event.kind() {
                EventKind::Assign => return Ok(Some(SourceEvent::Assigned(event.partitions()))),
                EventKind::Revoke if assignment_lost(&self.consumer) => {
                    return Ok(Some(SourceEvent::Lost(event.partitions())));
                }
                EventKind::Revoke => return Ok(Some(SourceEvent::Revoked(event.partitions()))),
                EventKind::OffsetCommit => {
                    return Ok(Some(match event.commit_result() {
                        Ok(()) => SourceEvent::Committed(event.positions()),
                        Err(reason) => SourceEvent::CommitFailed {
                            partitions: event.partitions(),
                            reason,
                        },
                    }));
                }
                EventKind::Error {
                    fatal: true,
                    code,
                    text,
                } => {
                    bail!("the consumer can't go on: {text} ({code:?})");
                }
                EventKind::Error { code, text, .. } => {
                    if code == RDKafkaErrorCode::UnknownTopicOrPartition {
                        self.membership.inputs.want_a_look();
                    }
                    if let Some(left_out) = self.trouble.pass(Instant::now()) {
                        telemetry::consumer_trouble(&code.to_string(), &text, left_out);
                    }
                }
                EventKind::Message => {
                    bail!("librdkafka handed out a record outside of its partition's queue");
                }
                EventKind::Log {
                    level,
                    facility,
                    message,
                } => self.consumer.context().log(level, &facility, &message),
                EventKind::Other => {}
            }
        }
        Ok(None)
    }

    fn resolve(&mut self, partition: &TopicPartition) -> Result<NextOffset, Fatal> {
        let remade = self.membership.inputs.is_remade(&partition.topic);
        let beginnings = &self.membership.beginnings;
        beginnings.resolve(&self.ask, partition, remade)
    }

    fn start(&mut self, lanes: &[(LaneId, TopicPartition, NextOffset)]) -> Result<(), Fatal> {
        self.is_member = true;
        let mut list = TopicPartitionList::with_capacity(lanes.len());
        for (id, partition, position) in lanes {
            let end = self.membership.end_of(partition);
            self.lanes.open(*id, partition, *position, end)?;
            list.add_partition_offset(
                &partition.topic,
                partition.partition,
                Offset::Offset(position.0),
            )?;
        }
        if self.eager() {
            self.consumer.assign(&list)
        } else {
            self.consumer.incremental_assign(&list)
        }
        .context("the assignment was not taken")
    }

    fn fetch(&mut self, lane: LaneId, max: usize) -> Result<Option<Fetched>, Fatal> {
        self.lanes.fetch(lane, max)
    }

    fn rewind(&mut self, lane: LaneId, position: NextOffset) -> Result<(), Fatal> {
        self.lanes.rewind(lane, position)
    }

    fn end(&self, lane: LaneId) -> Option<i64> {
        self.lanes.end(lane)
    }

    fn jump(&mut self, lane: LaneId, position: NextOffset) -> Result<(), Fatal> {
        self.lanes.jump(lane, position)
    }

    fn reached(&self, lane: LaneId) -> Option<NextOffset> {
        self.lanes.reached(lane)
    }

    fn is_finished(&mut self) -> Result<bool, Fatal> {
        let Some(ends) = &self.membership.until else {
            return Ok(false);
        };
        if !self.is_member || !self.lanes.are_finished() {
            return Ok(false);
        }
        let of_others = ends
            .iter()
            .filter(|(partition, _)| !self.lanes.have(partition));
        let of_others: Vec<_> = of_others.map(|(p, end)| (p, *end)).collect();
        Ok(self.others.are_done(&self.consumer, &of_others))
    }

    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), Fatal> {
        self.lanes.close(partitions);
        if self.eager() {
            self.consumer.unassign()
        } else {
            let mut list = TopicPartitionList::with_capacity(partitions.len());
            for partition in partitions {
                list.add_partition(&partition.topic, partition.partition);
            }
            self.consumer.incremental_unassign(&list)
        }
        .context("the partitions could not be given up")
    }

    fn wait(&mut self, timeout: Duration) {
        self.bell.wait(timeout);
    }

    /// Leaves the group: the coordinator gives the partitions to others at once.
    fn close(&mut self, deadline: Instant) {
        self.lanes.clear();
        if let Err(error) = self.consumer.close_queue() {
            telemetry::close_failed(&error.to_string());
            return;
        }
        // Everything is drained and committed already. Also answers a rebalance
        // that was under way, which librdkafka would wait for.
        if let Err(error) = self.consumer.unassign() {
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
            if let Some(event) = self.events.event(left.min(Duration::from_millis(100)))
                && matches!(event.kind(), EventKind::Assign | EventKind::Revoke)
                && let Err(error) = self.consumer.unassign()
            {
                telemetry::close_failed(&error.to_string());
            }
        }
    }
}
