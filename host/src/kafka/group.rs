//! A member of a consumer group: the source of records.

use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::consumer::{Consumer as _, RebalanceProtocol};
use rdkafka::{ClientConfig, ClientContext as _};
use rdkafka::{Offset, TopicPartitionList};

use super::context::{Consumer, Context};
use super::lanes::Lanes;
use super::positions::{ASK, Ask, GroupOffsets};
use super::queue::{EventKind, Queue, assignment_lost};
use super::record::{Fetched, Message};
use crate::config::{Start, Starts};
use crate::doorbell::Doorbell;
use crate::pipeline::ports::{Fatal, LaneId, Source, SourceEvent};
use crate::record::{NextOffset, TopicPartition};
use crate::stop::Stop;
use crate::telemetry;
use crate::throttle::Throttle;

/// What a member needs to know besides librdkafka's properties.
#[derive(Debug, Clone)]
pub struct Membership {
    pub group: String,
    pub topics: Vec<String>,
    pub starts: Starts,
    /// How many partitions each topic had when the run began: one that appears
    /// later is read from its beginning, whatever `start` says.
    pub partitions: Vec<(String, i32)>,
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
    let offsets = GroupOffsets::new(&consumer, &stop)?;
    let ask = offsets.ask.clone();
    let source = GroupSource {
        trouble: Throttle::new(1, TROUBLE_EVERY),
        lanes: Lanes::new(
            &consumer,
            bell.clone(),
            format!("group {}", membership.group),
        ),
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
                EventKind::Deliveries | EventKind::Other => {}
            }
        }
        Ok(None)
    }

    fn resolve(&mut self, partition: &TopicPartition) -> Result<NextOffset, Fatal> {
        let known = self
            .membership
            .partitions
            .iter()
            .find(|(topic, _)| **topic == *partition.topic)
            .map_or(i32::MAX, |(_, count)| *count);
        let start = if partition.partition < known {
            self.membership.starts.of(partition)
        } else {
            Start::Earliest
        };
        if start == Start::Stored {
            bail!(
                "group {} has no stored position for topic {}, partition {}, and input.start is \
                 \"stored\": start it once with --start earliest or --start latest",
                self.membership.group,
                partition.topic,
                partition.partition,
            );
        }
        let what = format!("the first and last offset of {partition} are asked for");
        let (low, high) = self.ask.until_answered(&what, |consumer| {
            consumer.fetch_watermarks(&partition.topic, partition.partition, ASK)
        })?;
        Ok(NextOffset(if start == Start::Latest { high } else { low }))
    }

    fn start(&mut self, lanes: &[(LaneId, TopicPartition, NextOffset)]) -> Result<(), Fatal> {
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

    fn is_finished(&self) -> bool {
        self.lanes.are_finished()
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
