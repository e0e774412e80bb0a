//! Whether a topic is still the one that it was. An offset says nothing in a topic
//! of the same name that was made later, even where it lies within it, and a
//! consumer alone does not notice (librdkafka 2.12, `rdkafka_topic.c`: "an offset
//! reset must be triggered").

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::{Offset, TopicPartitionList};

use super::cluster::Cluster;
use super::topic_ids::Meaning;
use crate::pipeline::ports::Fatal;
use crate::record::{NextOffset, TopicId, TopicPartition};
use crate::recovery::Origins;
use crate::stop::Stop;
use crate::telemetry;

/// The longest that one look waits for the cluster's answer.
const LOOK: Duration = Duration::from_secs(2);

/// How soon somebody's wish for a look is heard.
const TICK: Duration = Duration::from_millis(500);

/// What stands before a topic's id in the metadata of a committed offset.
const SIGNATURE: &str = "topic-id:";

/// The input topics of a run, as they are now.
pub struct Inputs {
    cluster: Arc<Cluster>,
    names: Vec<String>,
    known: Mutex<BTreeMap<String, Known>>,
    /// Grows with every topic that is made again.
    changes: AtomicU64,
    wanted: AtomicBool,
}

#[derive(Default)]
struct Known {
    id: Option<TopicId>,
    /// Was made again since the run began, and had so many partitions when that was
    /// noticed.
    remade: Option<i32>,
    gone: bool,
}

impl Inputs {
    /// Knows these topics from now on, if the cluster tells their ids.
    pub fn new(cluster: Arc<Cluster>, names: Vec<String>) -> Self {
        let this = Self {
            cluster,
            names,
            known: Mutex::default(),
            changes: AtomicU64::new(0),
            wanted: AtomicBool::new(false),
        };
        this.look();
        this
    }

    /// Looks at the topics every `interval`, and sooner where somebody wants it,
    /// on a thread of its own until the order to stop.
    pub fn watch(self: &Arc<Self>, interval: Duration, stop: &Arc<Stop>) -> std::io::Result<()> {
        let (this, stop) = (Arc::clone(self), Arc::clone(stop));
        let watch = move || {
            let mut looked = Instant::now();
            while !stop.requested() {
                stop.wait(TICK.min(interval));
                if this.wanted.swap(false, Ordering::Relaxed) || looked.elapsed() >= interval {
                    this.look();
                    looked = Instant::now();
                }
            }
        };
        thread::Builder::new()
            .name("inputs".to_owned())
            .spawn(watch)?;
        Ok(())
    }

    /// Asks for a look soon: something says that a topic is gone.
    pub fn want_a_look(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// Looks now. Without an answer nothing changes: the next look has one.
    pub fn look(&self) {
        let meanings = match self.cluster.meanings(&self.names, LOOK) {
            Ok(meanings) => meanings,
            Err(why) => {
                tracing::debug!(why, "the input topics' ids are not known");
                return;
            }
        };
        let mut known = self.known();
        for (name, meaning) in self.names.iter().zip(meanings) {
            let topic = known.entry(name.clone()).or_default();
            match meaning {
                Meaning::Unknown => {}
                Meaning::Nothing if topic.gone => {}
                Meaning::Nothing => {
                    topic.gone = true;
                    telemetry::input_gone(name);
                }
                Meaning::Topic(id, partitions) => {
                    topic.gone = false;
                    let before = topic.id.replace(id.clone());
                    if before.is_some_and(|before| before != id) {
                        topic.remade = Some(partitions);
                        telemetry::input_remade(name);
                        self.changes.fetch_add(1, Ordering::Release);
                    }
                }
            }
        }
    }

    /// How many times a topic was made again.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// A topic that was made again since the run began, if one was.
    pub fn a_remade_one(&self) -> Option<String> {
        let known = self.known();
        let (name, _) = known.iter().find(|(_, topic)| topic.remade.is_some())?;
        Some(name.clone())
    }

    /// How many partitions a topic had when it was noticed that it was made again;
    /// `None`: it was not since the run began.
    pub fn remade(&self, name: &str) -> Option<i32> {
        self.known().get(name)?.remade
    }

    fn id(&self, name: &str) -> Option<TopicId> {
        self.known().get(name)?.id.clone()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of which topics one worker's positions are. Its source and its store share it.
#[derive(Clone)]
pub struct Lineage {
    pub inputs: Arc<Inputs>,
    of: Arc<Mutex<BTreeMap<TopicPartition, TopicId>>>,
}

impl Lineage {
    pub fn new(inputs: Arc<Inputs>) -> Self {
        Self {
            inputs,
            of: Arc::default(),
        }
    }

    /// The partition's positions are those of the topic that is there now.
    pub fn adopt(&self, partition: &TopicPartition) {
        match self.inputs.id(&partition.topic) {
            Some(id) => self.of().insert(partition.clone(), id),
            None => self.of().remove(partition),
        };
    }

    /// Like [`adopt`](Self::adopt), unless it is known of which topic they are.
    pub fn adopt_unsigned(&self, partition: &TopicPartition) {
        if !self.of().contains_key(partition) {
            self.adopt(partition);
        }
    }

    /// The partition is somebody else's.
    pub fn forget(&self, partition: &TopicPartition) {
        self.of().remove(partition);
    }

    /// Whether the partition's positions are of another topic than the one that is
    /// there now.
    pub fn is_broken(&self, partition: &TopicPartition) -> bool {
        let now = self.inputs.id(&partition.topic);
        let of = self.of();
        now.zip(of.get(partition))
            .is_some_and(|(now, of)| now != *of)
    }

    /// Positions as they are committed: each says of which topic it is.
    pub fn signed(
        &self,
        positions: &[(TopicPartition, NextOffset)],
    ) -> Result<TopicPartitionList, Fatal> {
        let mut list = TopicPartitionList::with_capacity(positions.len());
        for (partition, position) in positions {
            list.add_partition_offset(
                &partition.topic,
                partition.partition,
                Offset::Offset(position.0),
            )?;
        }
        let of = self.of();
        for mut element in list.elements() {
            let partition = TopicPartition::new(element.topic(), element.partition());
            if let Some(id) = of.get(&partition) {
                element.set_metadata(format!("{SIGNATURE}{id}"));
            }
        }
        drop(of);
        Ok(list)
    }

    /// Notes of which topic a committed position is, if it says so.
    pub fn read(&self, partition: &TopicPartition, metadata: &str) {
        self.note(partition, signature(metadata));
    }

    /// Whether a committed position says that it is of another topic than the one that is
    /// there now.
    pub fn is_of_another(&self, topic: &str, metadata: &str) -> bool {
        let now = self.inputs.id(topic);
        now.zip(signature(metadata))
            .is_some_and(|(now, of)| now != of)
    }

    fn note(&self, partition: &TopicPartition, id: Option<TopicId>) {
        match id {
            Some(id) => self.of().insert(partition.clone(), id),
            None => self.of().remove(partition),
        };
    }

    fn of(&self) -> MutexGuard<'_, BTreeMap<TopicPartition, TopicId>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of which topic a committed position says that it is.
fn signature(metadata: &str) -> Option<TopicId> {
    metadata.strip_prefix(SIGNATURE).and_then(TopicId::read)
}

/// What a recovery store asks and tells, as a group's positions do by `read` and
/// `signed`.
impl Origins for Lineage {
    fn look(&self) {
        self.inputs.look();
    }

    fn id_of(&self, partition: &TopicPartition) -> Option<TopicId> {
        self.of().get(partition).cloned()
    }

    fn note(&self, partition: &TopicPartition, id: Option<TopicId>) {
        Self::note(self, partition, id);
    }
}
