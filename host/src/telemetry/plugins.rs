//! What is known of the plugins that run, for people.

use std::sync::Arc;
use std::time::SystemTime;

use crate::plugin::PluginId;

/// One plugin file and the version of it that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginState {
    pub id: PluginId,
    pub since: SystemTime,
    /// How often another version took over.
    pub swaps: u64,
    /// Whether another version is tried on a share of the calls.
    pub is_trying: bool,
    /// The last version that was not taken.
    pub refused: Option<Refusal>,
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
