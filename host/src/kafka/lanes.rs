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
    /// Set while nothing can be read from it.
    broken: Option<Broken>,
}

impl Lane {
    fn is_finished(&self) -> bool {
        self.broken.is_none() && self.end.is_some_and(|end| self.next >= end)
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
                return Ok(None);
            }
            let arrived = || match lane.end {
                None => lane.queue.messages(max),
                Some(_) => lane.queue.messages_and_ends(max),
            };
            let Some(mut fetched) = lane.behind.take().or_else(arrived) else {
                return Ok(None);
            };
            if let Some(end) = lane.end {
                let messages = fetched.as_ref().iter();
                let within = messages.take_while(|m| m.error().is_some() || m.offset() < end);
                let count = within.count();
                if count < fetched.as_ref().len() {
                    drop(fetched.split_off(count));
                    lane.next = end;
                }
                if count == 0 {
                    return Ok(None);
                }
            }
            let messages = fetched.as_ref();
            let Some(at) = messages.iter().position(|m| m.error().is_some()) else {
                lane.next = lane.next.max(messages[messages.len() - 1].offset() + 1);
                return Ok(Some(fetched));
            };
            if at > 0 {
                lane.next = lane.next.max(messages[at - 1].offset() + 1);
                lane.behind = Some(fetched.split_off(at));
                return Ok(Some(fetched));
            }
            // The error comes first: judged now, and what is behind it next.
            let offset = messages[0].offset();
            let error = messages[0].error();
            let behind = fetched.split_off(1);
            lane.behind = (!behind.as_ref().is_empty()).then_some(behind);
            if let Some((RDKafkaErrorCode::PartitionEOF, _)) = error {
                // What seemed to be missing before the end were no records.
                lane.next = lane.next.max(offset);
                continue;
            }
            if let Some((RDKafkaErrorCode::AutoOffsetReset, _)) = error {
                lane.broken = Some(Broken::Gone(offset));
                self.suspicious = true;
                continue;
            }
            if let Some((code, text)) = error {
                let partition = lane.partition.clone();
                self.on_error(&partition, offset, code, &text)?;
            }
        }
    }

    /// What an error in a record's place means.
    fn on_error(
        &self,
        partition: &TopicPartition,
        offset: i64,
        code: RDKafkaErrorCode,
        text: &str,
    ) -> Result<(), Fatal> {
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
        lane.behind = None;
        lane.next = position.0;
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
        // What is no record, such as a transaction's marker, is passed unseen.
        let passed = position(&self.consumer, &lane.partition).unwrap_or(lane.next);
        let end = cached_end(&self.consumer, &lane.partition);
        end.is_some_and(|end| lane.next.max(passed) < end)
    }

    /// [`Source::reached`](crate::pipeline::ports::Source::reached).
    pub fn reached(&self, id: LaneId) -> Option<NextOffset> {
        let lane = self.lanes.iter().find(|lane| lane.id == id)?;
        lane.end.filter(|_| lane.is_finished()).map(NextOffset)
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
