//! Who keeps a consumer's positions, in the words of errors.

use std::fmt;
use std::path::PathBuf;

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
