//! A member of a consumer group: the source of records.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::consumer::{Consumer as _, RebalanceProtocol};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::context::{Consumer, Context};
use super::events::{Events, Kind, Owed};
use super::lanes::{Lanes, Reading};
use super::lineage::{Inputs, Lineage};
use super::membership::{Place, is_outage, never_takes};
use super::others::Others;
use super::positions::{ASK, Ask, GroupOffsets};
use super::properties::speaks_new_protocol;
use super::queue::assignment_lost;
use super::record::{Fetched, Message};
use super::starts::Beginnings;
use crate::doorbell::Doorbell;
use crate::pipeline::ports::{Fatal, LaneId, Source, SourceEvent};
use crate::record::{NextOffset, TopicPartition};
use crate::stop::Stop;

/// What a member needs to know besides librdkafka's properties.
#[derive(Clone)]
pub struct Membership {
    pub group: String,
    /// Of static membership (KIP-345); each worker adds its number. `None`: the
    /// group knows this member only while it is there.
    pub instance_id: Option<String>,
    /// How long the group may give nothing, while it answers, before the run ends.
    pub patience: Duration,
    pub topics: Vec<String>,
    pub beginnings: Beginnings,
    pub inputs: Arc<Inputs>,
    /// The offset before which each partition's reading ends; one that is not
    /// named is not read at all. `None`: without end.
    pub until: Option<Vec<(TopicPartition, i64)>>,
}

impl Membership {
    pub(super) fn end_of(&self, partition: &TopicPartition) -> Option<i64> {
        let ends = self.until.as_ref()?;
        let end = ends.iter().find(|(known, _)| known == partition);
        Some(end.map_or(0, |(_, end)| *end))
    }
}

/// Joins the group as its worker `number` and hands out its two faces.
pub fn join(
    config: &ClientConfig,
    number: usize,
    membership: Membership,
    bell: Doorbell,
    stop: Arc<Stop>,
) -> Result<(GroupSource, GroupOffsets), Fatal> {
    let mut config = config.clone();
    config.set("group.id", &membership.group);
    if let Some(id) = &membership.instance_id {
        config.set("group.instance.id", format!("{id}-{number}"));
    }
    if membership.until.is_some() {
        // An end may be a transaction's marker, behind the last record.
        config.set("enable.partition.eof", "true");
    }
    let consumer: Arc<Consumer> = Arc::new(
        config
            .create_with_context(Context::default())
            .context("the consumer could not be made")?,
    );
    let events = Events::new(&consumer, &bell)?;
    let topics: Vec<&str> = membership.topics.iter().map(String::as_str).collect();
    consumer
        .subscribe(&topics)
        .with_context(|| format!("the topics {} can't be subscribed to", topics.join(", ")))?;
    let lineage = Lineage::new(Arc::clone(&membership.inputs));
    let offsets = GroupOffsets::new(&consumer, lineage.clone(), &stop)?;
    let ask = offsets.ask.clone();
    let place = match speaks_new_protocol(&config) {
        true => Place::unwatched(),
        false => Place::awaited(membership.patience),
    };
    let source = GroupSource {
        lanes: Lanes::new(
            &consumer,
            bell.clone(),
            Reading {
                keeper: membership.beginnings.keeper.clone(),
                on_gap: membership.beginnings.on_gap,
                lineage: lineage.clone(),
            },
        ),
        lineage,
        commit_open: Arc::clone(offsets.open()),
        others: Others::default(),
        is_member: !place.is_watched(),
        owed: None,
        events,
        consumer,
        place,
        is_out: false,
        membership,
        bell,
        ask,
    };
    Ok((source, offsets))
}

pub struct GroupSource {
    lanes: Lanes,
    events: Events,
    consumer: Arc<Consumer>,
    membership: Membership,
    lineage: Lineage,
    place: Place,
    /// Whether librdkafka has given the membership up: it gives out no event for
    /// the partitions that were lost with it.
    is_out: bool,
    bell: Doorbell,
    ask: Ask,
    others: Others,
    /// Whether a commit of [`GroupOffsets`] has no answer yet.
    commit_open: Arc<AtomicBool>,
    /// Whether the group has given it something, or nothing, as far as it would say so.
    is_member: bool,
    /// What the group gave or takes, while that is not answered.
    owed: Option<Owed>,
}

impl GroupSource {
    fn eager(&self) -> bool {
        matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Eager)
    }

    /// An error of the consumer's: that it can't go on, or nothing but a log line.
    fn on_error(&mut self, code: RDKafkaErrorCode, text: &str) -> Result<(), Fatal> {
        let group = &self.membership.group;
        if let Some((code, _)) = self.consumer.client().fatal_error() {
            self.is_out = true;
            let what_to_do = never_takes(code).unwrap_or("start it again");
            bail!("group {group} has shut this member out: {code}; {what_to_do}");
        }
        if let Some(what_to_do) = never_takes(code) {
            bail!("group {group} does not take this member: {text}; {what_to_do}");
        }
        if code == RDKafkaErrorCode::UnknownTopicOrPartition {
            self.membership.inputs.want_a_look();
        }
        self.events.trouble(code, text);
        Ok(())
    }

    /// The group has given nothing for too long. While nobody answers for it, it
    /// is waited for.
    fn on_overdue(&mut self, long: Duration) -> Result<(), Fatal> {
        let group = &self.membership.group;
        let mut one = TopicPartitionList::new();
        if let Some(topic) = self.membership.topics.first() {
            one.add_partition(topic, 0);
        }
        let answer = self.consumer.committed_offsets(one, ASK);
        let code = answer.err().and_then(|error| error.rdkafka_error_code());
        if code.is_some_and(is_outage) {
            self.place.is_awaited(Instant::now());
            return Ok(());
        }
        bail!(
            "group {group} has given this member nothing for {long:.0?}, though its coordinator \
             answers{}: see with kafka-consumer-groups --describe --group {group} whether another \
             member holds its rebalance up, and start this one again",
            code.map_or(String::new(), |code| format!(" ({code})"))
        );
    }
}

impl Source for GroupSource {
    type Record = Message;
    type Batch = Fetched;

    fn poll(&mut self) -> Result<Option<SourceEvent>, Fatal> {
        if self.is_out {
            let lost = self.lanes.partitions();
            return Ok((!lost.is_empty()).then_some(SourceEvent::Lost(lost)));
        }
        if let Some(long) = self.place.is_overdue() {
            self.on_overdue(long)?;
        }
        if let Some(gap) = self.lanes.next_gap()? {
            return Ok(Some(gap));
        }
        while let Some((kind, event)) = self.events.next()? {
            return Ok(Some(match kind {
                Kind::Assign => {
                    self.place.is_given();
                    self.owed = Some(Owed::Assign);
                    SourceEvent::Assigned(event.partitions())
                }
                Kind::Revoke => {
                    self.place.is_awaited(Instant::now());
                    self.owed = Some(Owed::Revoke);
                    let partitions = event.partitions();
                    match assignment_lost(&self.consumer) {
                        true => SourceEvent::Lost(partitions),
                        false => SourceEvent::Revoked(partitions),
                    }
                }
                Kind::Error { code, text } => {
                    self.on_error(code, &text)?;
                    continue;
                }
                Kind::OffsetCommit => {
                    self.commit_open.store(false, Ordering::Relaxed);
                    match event.commit_result() {
                        Ok(()) => SourceEvent::Committed(event.positions()),
                        Err(reason) => SourceEvent::CommitFailed {
                            partitions: event.partitions(),
                            reason,
                        },
                    }
                }
            }));
        }
        Ok(None)
    }

    fn resolve(&mut self, partition: &TopicPartition) -> Result<NextOffset, Fatal> {
        let remade = self.membership.inputs.remade(&partition.topic);
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
        .context("the assignment was not taken")?;
        self.owed = None;
        Ok(())
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

    fn has_place(&self) -> bool {
        self.place.is_known()
    }

    fn jump(&mut self, lane: LaneId, position: NextOffset) -> Result<(), Fatal> {
        self.lanes.jump(lane, position)
    }

    fn passed(&self, lane: LaneId) -> Option<NextOffset> {
        self.lanes.passed(lane)
    }

    fn has_ends(&self) -> bool {
        self.membership.until.is_some()
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
        Ok(self
            .others
            .are_done(&self.consumer, &self.lineage, &of_others))
    }

    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), Fatal> {
        // What was assigned while the run ends was not taken, and librdkafka lets
        // nobody give up what he does not have.
        let had = self.lanes.partitions();
        let partitions: Vec<_> = partitions.iter().filter(|p| had.contains(p)).collect();
        self.lanes.close(partitions.iter().copied());
        if self.is_out {
            // librdkafka has given up all of them.
            return Ok(());
        }
        if self.eager() {
            self.consumer.unassign()
        } else {
            let mut list = TopicPartitionList::with_capacity(partitions.len());
            for partition in partitions {
                list.add_partition(&partition.topic, partition.partition);
            }
            self.consumer.incremental_unassign(&list)
        }
        .context("the partitions could not be given up")?;
        self.owed = None;
        Ok(())
    }

    fn wait(&mut self, timeout: Duration) {
        self.bell.wait(timeout);
    }

    /// Leaves the group: the coordinator gives the partitions to others at once.
    fn close(&mut self, deadline: Instant) {
        let is_empty_handed = self.lanes.partitions().is_empty();
        self.lanes.clear();
        // A static member stays in its group.
        if is_empty_handed && self.membership.instance_id.is_none() && !self.is_out {
            self.events.unsubscribe(self.owed.take(), deadline);
        }
        self.events.close(self.owed.take(), deadline);
    }
}
