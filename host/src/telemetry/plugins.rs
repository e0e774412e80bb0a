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
    /// What it is used for: `transform`, `shadow`, or the key that names it, such as
    /// `decode.value`.
    pub uses: Vec<String>,
    pub since: SystemTime,
    /// What this version has done, in all uses and workers together.
    pub sum: Sum,
    /// How often another version took over.
    pub swaps: u64,
    /// The digest of the version before, where it can be gone back to.
    pub previous: Option<Arc<str>>,
    /// The version that is tried on a share of the calls.
    pub trial: Option<TrialState>,
    /// The last version that was not taken.
    pub refused: Option<Refusal>,
    pub workers: Vec<WorkerState>,
}

/// A version that is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialState {
    pub digest: Arc<str>,
    pub sum: Sum,
}

/// What one worker runs, in one use of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerState {
    /// From 0.
    pub worker: usize,
    pub of: String,
    /// Of the version that it runs.
    pub digest: Arc<str>,
    /// Since when it does; `None`: since the start.
    pub taken: Option<Taken>,
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
