//! A source without a group: partitions that are assigned by hand, whose
//! positions are kept elsewhere. Nothing is subscribed to, joined or committed
//! at the broker.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::consumer::Consumer as _;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::context::{Consumer, Context};
use super::events::{Events, Kind};
use super::group::Membership;
use super::lanes::{Lanes, Reading};
use super::lineage::Lineage;
use super::positions::Ask;
use super::record::{Fetched, Message};
use crate::doorbell::Doorbell;
use crate::pipeline::ports::{Fatal, LaneId, Source, SourceEvent};
use crate::record::{NextOffset, TopicPartition};
use crate::stop::Stop;

/// Makes the source. Its partitions, and the answers to commits, come as
/// `events` from elsewhere, and of which topics its positions are, as `lineage`.
pub fn open(
    config: &ClientConfig,
    reading: Membership,
    lineage: Lineage,
    events: Receiver<SourceEvent>,
    bell: Doorbell,
    stop: &Arc<Stop>,
) -> Result<AssignedSource, Fatal> {
    let mut config = config.clone();
    // librdkafka assigns nothing without one. Nobody joins it.
    config.set("group.id", &reading.group);
    if reading.until.is_some() {
        // As a member's.
        config.set("enable.partition.eof", "true");
    }
    let consumer: Arc<Consumer> = Arc::new(
        config
            .create_with_context(Context::default())
            .context("the consumer could not be made")?,
    );
    Ok(AssignedSource {
        events,
        native: Events::new(&consumer, &bell)?,
        lanes: Lanes::new(
            &consumer,
            bell.clone(),
            Reading {
                keeper: reading.beginnings.keeper.clone(),
                on_gap: reading.beginnings.on_gap,
                lineage: lineage.clone(),
            },
        ),
        is_assigned: false,
        ask: Ask::new(&consumer, stop),
        consumer,
        reading,
        lineage,
        bell,
    })
}

pub struct AssignedSource {
    events: Receiver<SourceEvent>,
    native: Events,
    lanes: Lanes,
    ask: Ask,
    consumer: Arc<Consumer>,
    reading: Membership,
    lineage: Lineage,
    /// Whether it was told which partitions are its own, were it none.
    is_assigned: bool,
    bell: Doorbell,
}

impl Source for AssignedSource {
    type Record = Message;
    type Batch = Fetched;

    fn poll(&mut self) -> Result<Option<SourceEvent>, Fatal> {
        // librdkafka has only errors and log lines to tell.
        while let Some((kind, _)) = self.native.next()? {
            if let Kind::Error { code, text } = kind {
                if self.consumer.client().fatal_error().is_some() {
                    bail!("the consumer can't go on: {text} ({code:?})");
                }
                if code == RDKafkaErrorCode::UnknownTopicOrPartition {
                    self.reading.inputs.want_a_look();
                }
                self.native.trouble(code, &text);
            }
        }
        if let Some(gap) = self.lanes.next_gap()? {
            return Ok(Some(gap));
        }
        let event = self.events.try_recv().ok();
        self.is_assigned |= matches!(event, Some(SourceEvent::Assigned(_)));
        Ok(event)
    }

    fn resolve(&mut self, partition: &TopicPartition) -> Result<NextOffset, Fatal> {
        let remade = self.reading.inputs.remade(&partition.topic);
        let beginnings = &self.reading.beginnings;
        // What is stored of an empty partition is stored once.
        self.lineage.adopt(partition);
        beginnings.resolve(&self.ask, partition, remade)
    }

    fn start(&mut self, lanes: &[(LaneId, TopicPartition, NextOffset)]) -> Result<(), Fatal> {
        let mut list = TopicPartitionList::with_capacity(lanes.len());
        for (id, partition, position) in lanes {
            let end = self.reading.end_of(partition);
            self.lanes.open(*id, partition, *position, end)?;
            list.add_partition_offset(
                &partition.topic,
                partition.partition,
                Offset::Offset(position.0),
            )?;
        }
        self.consumer
            .incremental_assign(&list)
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

    fn starves(&self, lane: LaneId) -> bool {
        self.lanes.starves(lane)
    }

    fn jump(&mut self, lane: LaneId, position: NextOffset) -> Result<(), Fatal> {
        self.lanes.jump(lane, position)
    }

    fn passed(&self, lane: LaneId) -> Option<NextOffset> {
        self.lanes.passed(lane)
    }

    fn has_ends(&self) -> bool {
        self.reading.until.is_some()
    }

    /// Nobody else reads its partitions.
    fn is_finished(&mut self) -> Result<bool, Fatal> {
        Ok(self.has_ends() && self.is_assigned && self.lanes.are_finished())
    }

    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), Fatal> {
        self.lanes.close(partitions);
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&partition.topic, partition.partition);
        }
        self.consumer
            .incremental_unassign(&list)
            .context("the partitions could not be given up")
    }

    fn wait(&mut self, timeout: Duration) {
        self.bell.wait(timeout);
    }

    fn close(&mut self, deadline: Instant) {
        self.lanes.clear();
        self.native.close(None, deadline);
    }
}
