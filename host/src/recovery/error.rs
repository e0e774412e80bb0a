//! What can be wrong with a store: each with its place, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use crate::config::Share;
use crate::record::TopicPartition;

/// Why a store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "{} holds no recovery store: host recovery init DIR makes an empty one, and host run \
         --recovery DIR makes one where there is none",
        dir.display()
    )]
    Missing { dir: PathBuf },
    #[error(
        "{} holds a recovery store already: host recovery show DIR prints it, and host recovery reset DIR \
         --forget empties it",
        dir.display()
    )]
    Exists { dir: PathBuf },
    #[error(
        "the recovery store {} is used by another process{}: end that one, or give this one a store \
         of its own (several processes share the input by input.partitions)",
        dir.display(),
        pid.map_or(String::new(), |pid| format!(" (process {pid})"))
    )]
    InUse { dir: PathBuf, pid: Option<u32> },
    #[error(
        "the recovery store {} is damaged: {why}. Put a copy of {} back, or remove that file to \
         begin with a new store, where --start says where",
        dir.display(),
        file.display()
    )]
    Damaged {
        dir: PathBuf,
        file: PathBuf,
        why: String,
    },
    #[error(
        "the recovery store {} was written by a later version of Millrace: its format is {found}, \
         and this host reads up to {known}. Run that version, or use another folder",
        dir.display()
    )]
    LaterVersion {
        dir: PathBuf,
        found: u64,
        known: u64,
    },
    #[error(
        "the recovery store {} can't be read and written: {why}. It needs a folder that this user \
         may write to",
        dir.display()
    )]
    Inaccessible { dir: PathBuf, why: io::Error },
    #[error("the recovery store {}: {why}", dir.display())]
    Misfit { dir: PathBuf, why: Misfit },
}

impl StoreError {
    pub(super) fn inaccessible(dir: &Path) -> impl Fn(io::Error) -> Self {
        move |why| Self::Inaccessible {
            dir: dir.to_owned(),
            why,
        }
    }

    pub fn misfit(dir: &Path) -> impl Fn(Misfit) -> Self {
        move |why| Self::Misfit {
            dir: dir.to_owned(),
            why,
        }
    }
}

/// Why a store is not the right one for what is asked of it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    #[error(
        "it is pipeline {owner}'s, and this is pipeline {asked}. Use another folder, or, if the \
         pipeline was renamed, host recovery reset DIR --name {asked}"
    )]
    OtherPipeline { owner: String, asked: String },
    #[error(
        "it is for the topics {}, and the input is {}. Use another folder, or host recovery reset DIR \
         --input {}: topics that are left out are forgotten, and new ones begin at --start",
        list(known),
        list(asked),
        asked.join(",")
    )]
    OtherTopics {
        known: Vec<String>,
        asked: Vec<String>,
    },
    #[error(
        "it is for the partitions {known} of each topic, and input.partitions says {asked}. Use \
         another folder, or host recovery reset DIR --partitions {asked}: partitions that are left out \
         are forgotten, and new ones begin at --start, unless they are moved to where another \
         store had them"
    )]
    OtherShare { known: Share, asked: Share },
    #[error(
        "the position of topic {}, partition {} is missing, and it has seen {known} partitions of \
         that topic: it was changed by something else. Put a copy of it back, or begin the topic \
         at --start again with host recovery reset DIR {} --forget",
        partition.topic,
        partition.partition,
        partition.topic
    )]
    PartitionMissing {
        partition: TopicPartition,
        known: i32,
    },
    #[error(
        "it has seen {known} partitions of topic {topic}, which has {now} now: the topic was \
         deleted and made again, and these positions are the old one's. Begin it at --start with \
         host recovery reset DIR {topic} --forget"
    )]
    FewerPartitions { topic: String, known: i32, now: i32 },
    #[error("it knows no topic {topic}: there {}", known_topics(known))]
    UnknownTopic { topic: String, known: Vec<String> },
    #[error(
        "it does not know partition {} of topic {}: host recovery show DIR prints those that it knows. \
         One that it does not begins at --start, which can name an offset",
        .0.partition,
        .0.topic
    )]
    UnknownPartition(TopicPartition),
}

fn list(topics: &[String]) -> String {
    topics.join(", ")
}

fn known_topics(known: &[String]) -> String {
    match known {
        [] => "are none".to_owned(),
        [one] => format!("is {one}"),
        all => format!("are {}", list(all)),
    }
}
