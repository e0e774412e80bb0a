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
    /// How the user moves a position.
    pub fn how_to_move(&self, partition: &TopicPartition) -> String {
        match self {
            Self::Group(_) => "move the group's offset to where it shall go on \
                               (kafka-consumer-groups --reset-offsets), or use another --group"
                .to_owned(),
            Self::Store(dir) => format!(
                "move it to where it shall go on: host recovery reset {} {partition} OFFSET",
                dir.display()
            ),
        }
    }
}
