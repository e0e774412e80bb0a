//! What is known of the plugins that run, for people.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crate::plugin::PluginId;
use crate::plugin::desk::Taken;
use crate::plugin::tally::Sum;

/// One plugin file and the version of it that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginState {
    pub id: PluginId,
    pub path: PathBuf,
    /// `transform`, or the keys that name it, such as `decode.value`.
    pub roles: Vec<String>,
    pub since: SystemTime,
    /// What this version has done so far.
    pub sum: Sum,
    /// How often another version took over.
    pub swaps: u64,
    /// The digest of the version before, to which it can be rolled back.
    pub previous: Option<Arc<str>>,
    /// The digest of a version that is tried on a share of the batches.
    pub tried: Option<Arc<str>>,
    /// The last version that was not taken.
    pub refused: Option<Refusal>,
    pub workers: Vec<WorkerState>,
}

/// A version that was not taken, or was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Empty where the file could not be read.
    pub digest: Arc<str>,
    pub why: String,
    pub at: SystemTime,
}

impl Refusal {
    pub fn new(digest: &str, why: String) -> Self {
        Self {
            digest: digest.into(),
            why,
            at: SystemTime::now(),
        }
    }
}

/// What one worker runs in one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerState {
    /// From 0.
    pub worker: usize,
    pub role: String,
    /// What it took last, and from where on; `None`: it runs what it began with.
    pub taken: Option<Taken>,
}
