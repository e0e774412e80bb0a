//! Who keeps a consumer's positions, in the words of errors.

use std::fmt;
use std::path::PathBuf;

use crate::record::TopicPartition;

#[derive(Debug, Clone)]
pub enum Keeper {
    Group(String),
    /// The recovery store of this folder.
    Store(PathBuf),
}

impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(name) => write!(f, "group {name}"),
            Self::Store(dir) => write!(f, "the recovery store {}", dir.display()),
        }
    }
}

impl Keeper {
    /// How the user moves a position that is gone, behind "Nothing was skipped: ".
    pub fn way_out(&self, partition: &TopicPartition) -> String {
        let ways = "set input.on_gap to earliest or latest to go on there, or move the position \
                    with --reset to where --start says";
        match self {
            Self::Group(_) => ways.to_owned(),
            Self::Store(dir) => format!(
                "{ways}, or with host recovery reset {} {partition} OFFSET to an offset that is \
                 there",
                dir.display()
            ),
        }
    }

    /// The same for all positions in a topic that was made again.
    pub fn way_out_of_topic(&self, topic: &str) -> String {
        let ways = "set input.on_gap to earliest or latest to go on there, or move the positions \
                    with --reset to where --start says";
        match self {
            Self::Group(_) => ways.to_owned(),
            Self::Store(dir) => format!(
                "{ways} (those in this topic alone: host recovery reset {} {topic} --forget)",
                dir.display()
            ),
        }
    }
}
