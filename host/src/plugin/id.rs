//! The name that every message about a plugin carries.

use std::fmt;
use std::sync::Arc;

/// Which code: what every message about a plugin names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginId {
    /// The file's stem.
    pub name: Arc<str>,
    /// The SHA-256 of the file, in hexadecimal digits, as `sha256sum` prints it.
    pub digest: Arc<str>,
}

impl fmt::Display for PluginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, &self.digest[..8])
    }
}
