//! The store of positions that a consumer group is, and questions to the cluster
//! that are asked until they are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::context::{Consumer, Context};
use super::lineage::Lineage;
use super::queue::{Queue, metadata};
use crate::pipeline::ports::{Fatal, Interrupted, OffsetStore};
use crate::record::{NextOffset, TopicPartition};
use crate::stop::Stop;
use crate::telemetry;

/// The longest that one question to the cluster waits before it is asked again.
pub const ASK: Duration = Duration::from_secs(5);

/// How long a question that failed at once waits before it is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Questions to the cluster that are asked until they are answered or the run is
/// told to stop: an outage is waited out. A member that waits does not poll, and
/// one that does not for `max.poll.interval.ms` (300 s) is out of its group, which
/// it hears as soon as there is an answer.
#[derive(Clone)]
pub struct Ask {
    consumer: Arc<Consumer>,
    stop: Arc<Stop>,
}

impl Ask {
    pub fn new(consumer: &Arc<Consumer>, stop: &Arc<Stop>) -> Self {
        Self {
            consumer: Arc::clone(consumer),
            stop: Arc::clone(stop),
        }
    }

    pub fn until_answered<T>(
        &self,
        what: &str,
        question: impl Fn(&Consumer) -> Result<T, KafkaError>,
    ) -> Result<T, Fatal> {
        loop {
            match question(&self.consumer) {
                Ok(answer) => return Ok(answer),
                Err(_) if self.stop.requested() => return Err(Interrupted.into()),
                Err(error) => {
                    telemetry::waiting(what, &error.to_string());
                    self.stop.wait(ASK_AGAIN);
                }
            }
        }
    }
}

/// Positions in the consumer group.
pub struct GroupOffsets {
    /// A commit is sent that has no answer. librdkafka puts one off while it has no
    /// coordinator, or the group changes, and sends it behind later ones.
    open: Arc<AtomicBool>,
    /// The events' queue, where the source finds the answers to commits.
    answers: Queue,
    consumer: Arc<Consumer>,
    lineage: Lineage,
    pub ask: Ask,
}

impl GroupOffsets {
    /// Of a member, or of somebody who only looks at its group's positions.
    pub fn new(
        consumer: &Arc<Consumer>,
        lineage: Lineage,
        stop: &Arc<Stop>,
    ) -> Result<Self, Fatal> {
        Ok(Self {
            open: Arc::default(),
            lineage,
            answers: Queue::of_events(consumer)
                .context("librdkafka has no queue for a consumer's events")?,
            consumer: Arc::clone(consumer),
            ask: Ask::new(consumer, stop),
        })
    }

    /// Of which topics its positions are.
    pub(super) fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// To be cleared when a commit has its answer.
    pub(super) fn open(&self) -> &Arc<AtomicBool> {
        &self.open
    }

    /// The group's member.
    pub(super) fn consumer(&self) -> &Arc<Consumer> {
        &self.consumer
    }

    /// Those of a group for somebody who is no member of it.
    pub fn of(
        config: &ClientConfig,
        group: &str,
        lineage: Lineage,
        stop: &Arc<Stop>,
    ) -> Result<Self, Fatal> {
        let mut config = config.clone();
        config.set("group.id", group);
        let consumer = config
            .create_with_context(Context::default())
            .context("the consumer could not be made")?;
        Self::new(&Arc::new(consumer), lineage, stop)
    }
}

impl OffsetStore for GroupOffsets {
    fn stored(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<NextOffset>>, Fatal> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        self.lineage.inputs.look();
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&partition.topic, partition.partition);
        }
        let answer =
            self.ask
                .until_answered("the group's positions are asked for", |consumer| {
                    let answer = consumer.committed_offsets(list.clone(), ASK)?;
                    for element in answer.elements() {
                        element.error()?;
                    }
                    Ok(answer)
                })?;
        partitions
            .iter()
            .map(|partition| {
                let element = answer
                    .find_partition(&partition.topic, partition.partition)
                    .with_context(|| format!("the group's answer leaves out {partition}"))?;
                let Offset::Offset(next) = element.offset() else {
                    self.lineage.forget(partition);
                    return Ok(None);
                };
                self.lineage.read(partition, &metadata(&answer, partition));
                Ok(Some(NextOffset(next)))
            })
            .collect()
    }

    fn is_ready(&self) -> bool {
        !self.open.load(Ordering::Relaxed)
    }

    fn commit(&mut self, positions: &[(TopicPartition, NextOffset)]) -> Result<(), Fatal> {
        self.open.store(true, Ordering::Relaxed);
        self.answers
            .request_commit(&self.lineage.signed(positions)?)
            .map_err(|why| anyhow!("a commit could not be sent: {why}"))
    }

    fn commit_now(
        &mut self,
        positions: &[(TopicPartition, NextOffset)],
        deadline: Instant,
    ) -> Result<(), Fatal> {
        let timeout = deadline.saturating_duration_since(Instant::now());
        Queue::commit(&self.consumer, &self.lineage.signed(positions)?, timeout).map_err(Fatal::msg)
    }
}
