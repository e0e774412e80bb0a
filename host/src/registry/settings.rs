//! What a client is told: by the pipeline, and by itself.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::endpoint;

/// What a pipeline says of its registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// Base URLs, with a path where the registry has one: tried in order, and the
    /// one that answers is kept. One may carry `user:password@`.
    pub urls: Vec<String>,
    pub auth: Option<Auth>,
    /// A PEM file of roots that are trusted beside the system's.
    pub ca: Option<PathBuf>,
    /// How long a subject's latest version counts before it is looked at again.
    pub refresh: Duration,
}

#[derive(Clone, PartialEq, Eq)]
pub enum Auth {
    Basic { username: String, password: String },
    Bearer(String),
}

// By hand: neither a log nor an error may hold what is secret here.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<String> = self.urls.iter().map(|url| endpoint::shown(url)).collect();
        f.debug_struct("Settings")
            .field("urls", &urls)
            .field("auth", &self.auth)
            .field("ca", &self.ca)
            .field("refresh", &self.refresh)
            .finish()
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Auth::Basic { .. } => "Basic(…)",
            Auth::Bearer(_) => "Bearer(…)",
        })
    }
}

/// The times of a client, apart so that a test need not wait for them.
#[derive(Debug, Clone)]
pub struct Pace {
    /// How long a connection may take.
    pub connect: Duration,
    /// How long a request may take, with its connection and its answer.
    pub request: Duration,
    /// The first pause after a fault; each further one is twice as long.
    pub retry: Duration,
    /// The longest pause between two tries: so long after its recovery the
    /// registry is heard at the latest.
    pub retry_at_most: Duration,
    /// How long something that was not there is first given to arrive. A registry
    /// of several servers tells what is new to some of them a little later, and the
    /// record that needs it is here already.
    pub confirm: Duration,
    /// How long what is missing counts as missing without being asked for again:
    /// short enough for somebody who registers it now, and long enough to spare the
    /// registry a question for every bad record.
    pub missing: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(10),
            retry: Duration::from_millis(100),
            retry_at_most: Duration::from_secs(10),
            confirm: Duration::from_millis(250),
            missing: Duration::from_secs(5),
        }
    }
}
