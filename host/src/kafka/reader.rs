//! Reads a topic as it is, from its beginning to the ends that it has at the
//! start, or one record of it. It joins no group and stores nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use rdkafka::consumer::Consumer as _;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::cluster::{Cluster, REACH};
use super::context::{Consumer, Context};
use super::properties;
use super::queue::Queue;
use super::record::Message;
use crate::config::Connection;
use crate::doorbell::Doorbell;
use crate::names;
use crate::pipeline::ports::Fatal;
use crate::record::{Held, Record as _, TopicPartition};

/// How many records are taken from a partition before the next one's turn.
const TURN: usize = 1000;

/// The longest sleep: librdkafka's own words are heard after it.
const LOOK: Duration = Duration::from_millis(500);

/// Where a reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    Earliest,
    /// In each partition at its first record that has this timestamp or a later
    /// one, in milliseconds. Behind it may be earlier ones.
    Time(i64),
}

/// One topic, for one reading. Records of transactions are those of committed
/// ones, up to the first open one.
pub struct Reader {
    consumer: Arc<Consumer>,
    topic: Arc<str>,
    /// How many there are.
    partitions: i32,
    /// How long nothing may come before the reading fails.
    patience: Duration,
}

impl Reader {
    /// Connects, and looks for the topic.
    pub fn open(connection: &Connection, topic: &str) -> Result<Self, Fatal> {
        let topics = Cluster::new(&properties::connected(connection))?.topics(REACH)?;
        let partitions = match topics.get(topic) {
            // As the cluster says it of a topic that is on its way in or out.
            Some(0) => bail!("topic {topic} has no partitions yet"),
            Some(partitions) => *partitions,
            None => bail!(names::missing(topic, topics.keys().map(String::as_str))),
        };
        let consumer = properties::reader(connection, partitions)
            .create_with_context(Context::default())
            .context("the reader could not be made")?;
        Ok(Self {
            consumer: Arc::new(consumer),
            topic: topic.into(),
            partitions,
            patience: REACH,
        })
    }

    /// Hands every record to `each`: in order within a partition, while the
    /// partitions take turns.
    pub fn read(
        self,
        begin: Begin,
        each: impl FnMut(&TopicPartition, &Message) -> Result<(), Fatal>,
    ) -> Result<(), Fatal> {
        let all: Vec<i32> = (0..self.partitions).collect();
        let begins = self.ask(
            &all,
            match begin {
                Begin::Earliest => Offset::Beginning,
                Begin::Time(ms) => Offset::Offset(ms),
            },
        )?;
        let ends = self.ask(&all, Offset::End)?;
        // Where no record is late enough, there is no beginning.
        let spans = begins.into_iter().filter_map(|(partition, begin)| {
            let end = *ends.get(&partition)?;
            (0..end).contains(&begin).then_some((partition, begin, end))
        });
        self.run(spans.collect(), each)
    }

    /// The record at this place. One that is not there is an error.
    pub fn record(self, partition: i32, offset: i64) -> Result<Held, Fatal> {
        let topic = Arc::clone(&self.topic);
        if !(0..self.partitions).contains(&partition) {
            bail!(
                "topic {topic} has no partition {partition}: its last one is {}",
                self.partitions - 1
            );
        }
        let ask = |what| {
            let answer = self.ask(&[partition], what)?;
            let offset = answer.get(&partition).copied();
            offset.context("the cluster's answer leaves the partition out")
        };
        let (begin, end) = (ask(Offset::Beginning)?, ask(Offset::End)?);
        let held = match begin < end {
            true => format!("it begins at {begin} and ends before {end}"),
            false => format!("it is empty, and goes on at {end}"),
        };
        if !(begin..end).contains(&offset) {
            bail!("topic {topic}, partition {partition} does not hold offset {offset}: {held}");
        }
        let mut found = None;
        // The next one is only taken to see that this one is not there.
        self.run(vec![(partition, offset, offset + 1)], |_, record| {
            found = Some(Held::copy(record));
            Ok(())
        })?;
        found.with_context(|| {
            format!(
                "topic {topic}, partition {partition} has no record at offset {offset}: it was \
                 compacted away, is of an aborted transaction, or is a transaction's marker ({held})"
            )
        })
    }

    /// A partition's first or next offset, or the first one of a time; -1 where
    /// there is none.
    fn ask(&self, partitions: &[i32], what: Offset) -> Result<BTreeMap<i32, i64>, Fatal> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            // librdkafka takes Kafka's own numbers for the first and the next one
            // in the place of a time (ListOffsets: -2 and -1).
            list.add_partition_offset(&self.topic, *partition, what)?;
        }
        let asked = || {
            format!(
                "where the partitions of topic {} begin and end was not answered within {:?}",
                self.topic, self.patience
            )
        };
        let answer = self
            .consumer
            .offsets_for_times(list, self.patience)
            .map_err(|error| anyhow!(self.why().unwrap_or_else(|| error.to_string())))
            .with_context(asked)?;
        answer
            .elements()
            .iter()
            .map(|element| {
                element.error().with_context(|| {
                    format!(
                        "topic {}, partition {} does not tell where it begins and ends",
                        self.topic,
                        element.partition()
                    )
                })?;
                let offset = match element.offset() {
                    Offset::Offset(offset) => offset,
                    _ => -1,
                };
                Ok((element.partition(), offset))
            })
            .collect()
    }

    /// Reads spans of partitions: the partition, its first offset, and the one
    /// before which it ends.
    fn run(
        &self,
        spans: Vec<(i32, i64, i64)>,
        mut each: impl FnMut(&TopicPartition, &Message) -> Result<(), Fatal>,
    ) -> Result<(), Fatal> {
        if spans.is_empty() {
            return Ok(());
        }
        let bell = Doorbell::for_this_thread();
        let mut lanes = self.start(spans, &bell)?;
        let mut heard = Instant::now();
        while !lanes.is_empty() {
            self.hear();
            let mut moved = false;
            for lane in &mut lanes {
                moved |= lane.turn(&mut each)?;
            }
            self.end(&mut lanes)?;
            if moved {
                heard = Instant::now();
                continue;
            }
            let left = self.patience.saturating_sub(heard.elapsed());
            if left.is_zero() && !lanes.is_empty() {
                return Err(self.stalled(&lanes));
            }
            bell.wait(left.min(LOOK));
        }
        Ok(())
    }

    fn start(&self, spans: Vec<(i32, i64, i64)>, bell: &Doorbell) -> Result<Vec<Lane>, Fatal> {
        let mut lanes = Vec::with_capacity(spans.len());
        let mut list = TopicPartitionList::with_capacity(spans.len());
        for (number, begin, end) in spans {
            let partition = TopicPartition::new(Arc::clone(&self.topic), number);
            let mut queue = Queue::of_partition(&self.consumer, &partition)
                .with_context(|| format!("librdkafka has no queue for {partition}"))?;
            queue.ring(bell);
            list.add_partition_offset(&self.topic, number, Offset::Offset(begin))?;
            lanes.push(Lane {
                partition,
                queue,
                next: begin,
                end,
            });
        }
        self.consumer
            .assign(&list)
            .context("the assignment was not taken")?;
        Ok(lanes)
    }

    /// Takes the lanes away that are at their end, and fetches no more for them.
    fn end(&self, lanes: &mut Vec<Lane>) -> Result<(), Fatal> {
        let mut ended = TopicPartitionList::new();
        lanes.retain(|lane| {
            let goes_on = lane.next < lane.end;
            if !goes_on {
                ended.add_partition(&self.topic, lane.partition.partition);
            }
            goes_on
        });
        if ended.count() > 0 {
            self.consumer
                .pause(&ended)
                .context("a partition that is read could not be left")?;
        }
        Ok(())
    }

    /// Serves librdkafka's log lines and errors, which go to the context.
    fn hear(&self) {
        while self.consumer.poll(Duration::ZERO).is_some() {}
    }

    /// What went wrong last, by librdkafka's own words.
    fn why(&self) -> Option<String> {
        self.hear();
        self.consumer.context().last_trouble()
    }

    fn stalled(&self, lanes: &[Lane]) -> Fatal {
        let Some(lane) = lanes.first() else {
            return anyhow!("nothing is left to read");
        };
        let others = match lanes.len() {
            1 => String::new(),
            n => format!(", and {} more partitions", n - 1),
        };
        let stalled = anyhow!(
            "nothing came of topic {}, partition {} (at offset {}, which ends before {}){others} for \
             {:?}",
            self.topic,
            lane.partition.partition,
            lane.next,
            lane.end,
            self.patience,
        );
        match self.why() {
            Some(why) => anyhow!(why).context(stalled),
            None => stalled,
        }
    }
}

/// One partition that is read.
struct Lane {
    partition: TopicPartition,
    queue: Queue,
    /// What was not seen yet.
    next: i64,
    /// Where the reading ends, exclusive.
    end: i64,
}

impl Lane {
    /// Takes what has come. Answers whether anything has.
    fn turn(
        &mut self,
        each: &mut impl FnMut(&TopicPartition, &Message) -> Result<(), Fatal>,
    ) -> Result<bool, Fatal> {
        let Some(fetched) = self.queue.messages(TURN) else {
            return Ok(false);
        };
        for message in fetched.as_ref() {
            if self.next >= self.end {
                break;
            }
            let offset = message.offset();
            match message.error() {
                None => {
                    if offset < self.end {
                        each(&self.partition, message)?;
                    }
                    self.next = offset + 1;
                }
                // The records that seemed to be missing are no records.
                Some((RDKafkaErrorCode::PartitionEOF, _)) => self.next = self.next.max(offset),
                Some((_, text)) => bail!(
                    "topic {}, partition {} can't be read at offset {}: {text}",
                    self.partition.topic,
                    self.partition.partition,
                    self.next,
                ),
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
