//! What a store holds, which pipeline it fits, and how it changes. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::error::Misfit;
use crate::config::Share;
use crate::record::{NextOffset, TopicId, TopicPartition};

/// Everything that a store holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Whose it is; `None`: the next pipeline's that opens it.
    pub pipeline: Option<String>,
    /// Which partitions of each topic are its; `None`: as the next run says.
    pub share: Option<Share>,
    /// The input topics, and how many partitions of each it has seen: 0 where
    /// none of them was begun.
    pub topics: BTreeMap<String, i32>,
    /// Where each partition of its share goes on that it has seen.
    pub places: BTreeMap<TopicPartition, Place>,
    /// Of which topic each position is, where that is known: a name can mean
    /// another one later.
    pub ids: BTreeMap<TopicPartition, TopicId>,
}

/// Where a partition goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    At(NextOffset),
    /// It was never begun, or its position was forgotten: `input.start` says.
    Start,
    /// It was never begun, and appeared after its topic was first seen: with its
    /// first record, whatever `input.start` says.
    Beginning,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(position) => position.fmt(f),
            Self::Start => f.write_str("input.start"),
            Self::Beginning => f.write_str("its beginning"),
        }
    }
}

/// The pipeline that wants to use a store.
#[derive(Debug, Clone)]
pub struct Claim {
    pub pipeline: String,
    pub share: Share,
    /// Its input topics, and how many partitions each has now.
    pub topics: Vec<(String, i32)>,
}

impl Contents {
    /// What the store holds once this pipeline has it, every partition of its
    /// share included.
    pub fn claimed_by(&self, claim: &Claim) -> Result<Self, Misfit> {
        self.fits(claim)?;
        let mut next = self.clone();
        next.pipeline = Some(claim.pipeline.clone());
        next.share = Some(claim.share.clone());
        for (topic, partitions) in &claim.topics {
            next.grow(topic, *partitions);
        }
        Ok(next)
    }

    fn fits(&self, claim: &Claim) -> Result<(), Misfit> {
        if let Some(owner) = &self.pipeline
            && *owner != claim.pipeline
        {
            return Err(Misfit::OtherPipeline {
                owner: owner.clone(),
                asked: claim.pipeline.clone(),
            });
        }
        let asked: BTreeSet<_> = claim.topics.iter().map(|(topic, _)| topic).collect();
        if !self.topics.is_empty() && !self.topics.keys().eq(asked) {
            return Err(Misfit::OtherTopics {
                known: self.topics.keys().cloned().collect(),
                asked: claim
                    .topics
                    .iter()
                    .map(|(topic, _)| topic.clone())
                    .collect(),
            });
        }
        if let Some(share) = &self.share
            && *share != claim.share
        {
            return Err(Misfit::OtherShare {
                known: share.clone(),
                asked: claim.share.clone(),
            });
        }
        for (topic, now) in &claim.topics {
            let known = self.known(topic);
            if *now < known {
                return Err(Misfit::FewerPartitions {
                    topic: topic.clone(),
                    known,
                    now: *now,
                });
            }
            let own = own(topic, 0..known, &claim.share);
            if let Some(missing) = own.into_iter().find(|p| !self.places.contains_key(p)) {
                return Err(Misfit::PartitionMissing {
                    partition: missing,
                    known,
                });
            }
        }
        Ok(())
    }

    /// The topic has so many partitions now. Returns those that are new and of
    /// the share.
    pub fn grow(&mut self, topic: &str, partitions: i32) -> Vec<TopicPartition> {
        let known = self.known(topic);
        if partitions <= known {
            self.topics.entry(topic.to_owned()).or_insert(0);
            return Vec::new();
        }
        let place = match known {
            0 => Place::Start,
            _ => Place::Beginning,
        };
        self.topics.insert(topic.to_owned(), partitions);
        let share = self.share.clone().unwrap_or(Share::ALL);
        let new = own(topic, known..partitions, &share);
        let places = new.iter().map(|partition| (partition.clone(), place));
        self.places.extend(places);
        new
    }

    /// Puts a partition's position where it is in the topic that has this id now,
    /// if that is known.
    pub fn put(&mut self, partition: TopicPartition, position: NextOffset, id: Option<TopicId>) {
        match id {
            Some(id) => drop(self.ids.insert(partition.clone(), id)),
            None => drop(self.ids.remove(&partition)),
        }
        self.places.insert(partition, Place::At(position));
    }

    /// Puts a partition's position somewhere else in whichever topic is there, and
    /// returns where it was.
    pub fn move_to(&mut self, partition: &TopicPartition, place: Place) -> Result<Place, Misfit> {
        match self.places.get_mut(partition) {
            Some(known) => {
                self.ids.remove(partition);
                Ok(std::mem::replace(known, place))
            }
            None => Err(Misfit::UnknownPartition(partition.clone())),
        }
    }

    /// Forgets every position of a topic, and how many partitions it had.
    pub fn forget_topic(&mut self, topic: &str) -> Result<(), Misfit> {
        match self.topics.get_mut(topic) {
            Some(known) => *known = 0,
            None => {
                return Err(Misfit::UnknownTopic {
                    topic: topic.to_owned(),
                    known: self.topics.keys().cloned().collect(),
                });
            }
        }
        self.places
            .retain(|partition, _| *partition.topic != *topic);
        self.forget_ids();
        Ok(())
    }

    /// Forgets every position.
    pub fn forget_all(&mut self) {
        self.topics.values_mut().for_each(|known| *known = 0);
        self.places.clear();
        self.ids.clear();
    }

    /// Makes it of these topics: the positions of others are forgotten, and new
    /// ones begin at `input.start`.
    pub fn set_topics(&mut self, topics: &[String]) {
        self.topics.retain(|known, _| topics.contains(known));
        self.places
            .retain(|partition, _| topics.iter().any(|topic| **topic == *partition.topic));
        self.forget_ids();
        for topic in topics {
            self.topics.entry(topic.clone()).or_insert(0);
        }
    }

    /// Makes it of this share: the positions of others are forgotten, and those
    /// that it did not have begin at `input.start`.
    pub fn set_share(&mut self, share: Share) {
        self.places
            .retain(|partition, _| share.holds(partition.partition));
        self.forget_ids();
        for (topic, known) in &self.topics {
            for partition in own(topic, 0..*known, &share) {
                self.places.entry(partition).or_insert(Place::Start);
            }
        }
        self.share = Some(share);
    }

    /// Forgets the ids of positions that were forgotten.
    fn forget_ids(&mut self) {
        let places = &self.places;
        self.ids
            .retain(|partition, _| places.contains_key(partition));
    }

    fn known(&self, topic: &str) -> i32 {
        self.topics.get(topic).copied().unwrap_or(0)
    }
}

/// The partitions of a topic that are of the share.
fn own(topic: &str, numbers: std::ops::Range<i32>, share: &Share) -> Vec<TopicPartition> {
    let numbers = numbers.filter(|number| share.holds(*number));
    numbers
        .map(|number| TopicPartition::new(topic, number))
        .collect()
}

#[cfg(test)]
mod tests;
