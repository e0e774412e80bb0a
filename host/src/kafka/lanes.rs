//! Reading assigned partitions, each from a queue of its own. Who assigned them
//! is somebody else's: a group, or a list.

mod broken;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use rdkafka::Offset;
use rdkafka::consumer::Consumer as _;
use rdkafka::types::RDKafkaErrorCode;

use self::broken::Broken;
use super::context::Consumer;
use super::keeper::Keeper;
use super::lineage::Lineage;
use super::queue::{Queue, cached_end, position};
use super::record::Fetched;
use crate::config::OnGap;
use crate::doorbell::Doorbell;
use crate::pipeline::lane::Rest;
use crate::pipeline::ports::{Fatal, LaneId};
use crate::record::{NextOffset, Record as _, TopicPartition};
use crate::telemetry;

/// The partitions that a worker reads.
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    consumer: Arc<Consumer>,
    bell: Doorbell,
    reading: Reading,
    /// Whether a lane may have met a gap.
    suspicious: bool,
    /// Whether a lane was opened since the topics were looked at.
    opened: bool,
    /// How many times topics had been made again then.
    changes: u64,
    /// Whether a gap ended the run.
    ended: bool,
    /// When a question for what the broker holds is asked again.
    ask_again: Option<Instant>,
}

/// Who reads, and how.
pub(super) struct Reading {
    pub keeper: Keeper,
    pub on_gap: OnGap,
    pub lineage: Lineage,
}

struct Lane {
    id: LaneId,
    partition: TopicPartition,
    queue: Queue,
    /// An error and what came behind it, found while fetching.
    behind: Option<Fetched>,
    /// Where the reading ends, exclusive.
    end: Option<i64>,
    /// What was not handed out yet.
    next: i64,
    /// It is to be read from `next` on, and librdkafka may not have heard of it.
    is_sought: bool,
    /// After an error that is none of a record: until when it is not read.
    rest: Rest,
    /// Whether it is to be sought after that.
    is_off: bool,
    /// Set while nothing can be read from it.
    broken: Option<Broken>,
}

impl Lane {
    fn is_finished(&self) -> bool {
        self.broken.is_none() && self.end.is_some_and(|end| self.next >= end)
    }

    /// Everything is handed out again from this offset on.
    fn seek(&mut self, offset: i64) {
        self.behind = None;
        self.next = offset;
        self.is_sought = true;
        self.is_off = false;
    }

    /// Behind all that was handed out, and what is no record, such as a
    /// transaction's marker or what it aborts, which librdkafka passes unseen, as far as
    /// its position is this lane's.
    fn passed(&self, consumer: &Consumer) -> i64 {
        let is_known = !self.is_sought && self.behind.is_none() && self.broken.is_none();
        let position = position(consumer, &self.partition).filter(|_| is_known);
        let passed = position.map_or(self.next, |position| position.max(self.next));
        self.end.map_or(passed, |end| passed.min(end))
    }
}

impl Lanes {
    pub fn new(consumer: &Arc<Consumer>, bell: Doorbell, reading: Reading) -> Self {
        Self {
            lanes: Vec::new(),
            consumer: Arc::clone(consumer),
            bell,
            changes: 0,
            reading,
            suspicious: false,
            opened: false,
            ended: false,
            ask_again: None,
        }
    }

    /// Makes a lane's queue, from `position` up to before `end`. To be called
    /// before the partition is assigned, so that all of its records come there.
    pub fn open(
        &mut self,
        id: LaneId,
        partition: &TopicPartition,
        position: NextOffset,
        end: Option<i64>,
    ) -> Result<(), Fatal> {
        let mut queue = Queue::of_partition(&self.consumer, partition)
            .with_context(|| format!("librdkafka has no queue for {partition}"))?;
        queue.ring(&self.bell);
        self.reading.lineage.adopt_unsigned(partition);
        self.opened = true;
        // A run that ends before a position would not notice that it is gone.
        let behind_end = end.is_some_and(|end| position.0 > end);
        self.suspicious |= behind_end;
        self.lanes.push(Lane {
            broken: behind_end.then_some(Broken::Perhaps),
            id,
            partition: partition.clone(),
            queue,
            behind: None,
            end,
            next: position.0,
            is_sought: true,
            rest: Rest::default(),
            is_off: false,
        });
        Ok(())
    }

    /// Forgets the lanes of these partitions.
    pub fn close<'a>(&mut self, partitions: impl IntoIterator<Item = &'a TopicPartition>) {
        for partition in partitions {
            self.lanes.retain(|lane| lane.partition != *partition);
            self.reading.lineage.forget(partition);
        }
    }

    pub fn partitions(&self) -> Vec<TopicPartition> {
        self.lanes
            .iter()
            .map(|lane| lane.partition.clone())
            .collect()
    }

    pub fn clear(&mut self) {
        self.lanes.clear();
    }

    /// [`Source::fetch`](crate::pipeline::ports::Source::fetch).
    pub fn fetch(&mut self, id: LaneId, max: usize) -> Result<Option<Fetched>, Fatal> {
        loop {
            let Some(lane) = self.lanes.iter_mut().find(|lane| lane.id == id) else {
                return Ok(None);
            };
            if lane.is_finished() || lane.broken.is_some() {
                lane.behind = None;
                return Ok(None);
            }
            if lane.is_off {
                if lane.rest.lasts(Instant::now()) {
                    return Ok(None);
                }
                let next = NextOffset(lane.next);
                self.rewind(id, next)?;
                continue;
            }
            if lane.is_sought {
                // It forgets its position when it hears of it, and has none before
                // something is handed out.
                lane.is_sought = position(&self.consumer, &lane.partition).is_some();
            }
            let arrived = || match lane.end {
                None => lane.queue.messages(max),
                Some(_) => lane.queue.messages_and_ends(max),
            };
            let Some(mut fetched) = lane.behind.take().or_else(arrived) else {
                return Ok(None);
            };
            // An error comes in its turn, and so does what is behind it.
            let at = fetched.as_ref().iter().position(|m| m.error().is_some());
            if let Some(at) = at {
                let behind = fetched.split_off(at.max(1));
                lane.behind = (!behind.as_ref().is_empty()).then_some(behind);
            }
            let messages = fetched.as_ref();
            let (first, last) = (&messages[0], messages[messages.len() - 1].offset());
            if let Some((code, text)) = first.error() {
                self.on_error(id, last, code, &text)?;
                continue;
            }
            if let Some(end) = lane.end.filter(|end| last >= *end) {
                let within = messages.iter().take_while(|m| m.offset() < end);
                drop(fetched.split_off(within.count()));
                lane.behind = None;
                lane.next = end;
                return Ok((!fetched.as_ref().is_empty()).then_some(fetched));
            }
            lane.next = lane.next.max(last + 1);
            lane.is_sought = false;
            lane.rest.went_well();
            return Ok(Some(fetched));
        }
    }

    /// What an error in a record's place means.
    fn on_error(
        &mut self,
        id: LaneId,
        offset: i64,
        code: RDKafkaErrorCode,
        text: &str,
    ) -> Result<(), Fatal> {
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.id == id) else {
            return Ok(());
        };
        match code {
            // What seemed to be missing before the end were no records.
            RDKafkaErrorCode::PartitionEOF => {
                lane.next = lane.next.max(offset);
                return Ok(());
            }
            RDKafkaErrorCode::AutoOffsetReset => {
                lane.broken = Some(Broken::Gone(offset));
                self.suspicious = true;
                return Ok(());
            }
            _ => {}
        }
        let partition = lane.partition.clone();
        if lane.end.is_none() && offset >= 0 {
            // librdkafka's (2.12) batches take it for the record that is to come: that one is
            // sought, which ends the rest that librdkafka takes.
            lane.seek(lane.next);
            lane.is_off = true;
            lane.rest.begin(Instant::now());
        }
        match code {
            // Of the records.
            RDKafkaErrorCode::BadMessage
            | RDKafkaErrorCode::BadCompression
            | RDKafkaErrorCode::InvalidMessage
            | RDKafkaErrorCode::InvalidMessageSize
            | RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::NotImplemented
            | RDKafkaErrorCode::UnsupportedCompressionType
            | RDKafkaErrorCode::InvalidRecord => Err(anyhow!(
                "topic {}, partition {}, offset {offset} can't be read: {text} ({code:?})",
                partition.topic,
                partition.partition,
            )),
            // Of the surroundings: librdkafka asks again by itself.
            _ => {
                if code == RDKafkaErrorCode::UnknownTopicOrPartition {
                    self.reading.lineage.inputs.want_a_look();
                }
                telemetry::waiting(&format!("reading {partition}"), text);
                Ok(())
            }
        }
    }

    /// [`Source::rewind`](crate::pipeline::ports::Source::rewind).
    pub fn rewind(&mut self, id: LaneId, position: NextOffset) -> Result<(), Fatal> {
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.id == id) else {
            return Ok(());
        };
        lane.seek(position.0);
        if lane.broken.is_some() {
            // librdkafka has given the partition up, until a jump.
            return Ok(());
        }
        // What was prefetched is of an older version for librdkafka, which does
        // not hand it out any more. No time-out: nothing waits for the answer.
        self.consumer
            .seek(
                &lane.partition.topic,
                lane.partition.partition,
                Offset::Offset(position.0),
                Duration::ZERO,
            )
            .with_context(|| format!("{} can't be read again", lane.partition))
    }

    /// [`Source::end`](crate::pipeline::ports::Source::end).
    pub fn end(&self, id: LaneId) -> Option<i64> {
        let lane = self.lanes.iter().find(|lane| lane.id == id)?;
        cached_end(&self.consumer, &lane.partition)
    }

    /// [`Source::starves`](crate::pipeline::ports::Source::starves).
    pub fn starves(&self, id: LaneId) -> bool {
        let Some(lane) = self.lanes.iter().find(|lane| lane.id == id) else {
            return false;
        };
        if lane.behind.is_some() || !lane.queue.is_empty() || lane.is_finished() {
            return false;
        }
        // Of an empty partition, too, the first fetch tells the end.
        let end = cached_end(&self.consumer, &lane.partition);
        end.is_none_or(|end| lane.passed(&self.consumer) < end)
    }

    /// [`Source::passed`](crate::pipeline::ports::Source::passed).
    pub fn passed(&self, id: LaneId) -> Option<NextOffset> {
        let lane = self.lanes.iter().find(|lane| lane.id == id)?;
        Some(NextOffset(lane.passed(&self.consumer)))
    }

    /// Whether all of them were read to their ends.
    pub fn are_finished(&self) -> bool {
        self.lanes.iter().all(Lane::is_finished)
    }

    /// Whether there is a lane of this partition.
    pub fn have(&self, partition: &TopicPartition) -> bool {
        self.lanes.iter().any(|lane| lane.partition == *partition)
    }
}
