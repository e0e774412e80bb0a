//! What a run is asked about its plugins while it runs, and what it answers.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use thiserror::Error;
use tokio::sync::oneshot;

/// What somebody asks for.
pub(super) enum Request {
    /// Reads every file again.
    Reload,
    /// Puts this in the place of the file of the plugin with this name.
    Upload { name: String, bytes: Vec<u8> },
    /// Takes the last version of this plugin back.
    RollBack { name: String },
}

pub(super) struct Asked {
    pub request: Request,
    pub reply: oneshot::Sender<Answer>,
}

type Answer = Result<Vec<Now>, Declined>;

/// One plugin, after what was asked was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Now {
    pub name: Arc<str>,
    /// The digest of the version that runs.
    pub runs: Arc<str>,
    /// Of the one that is tried.
    pub tried: Option<Arc<str>>,
    pub became: Became,
}

/// What became of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Became {
    /// The file holds what runs.
    Unchanged,
    /// Another version takes over.
    Swapped,
    /// Another version is tried beside it.
    Tried,
    /// The version that was tried is tried no more.
    Recalled,
    /// The file is not taken, and why.
    Refused(String),
}

/// Why what was asked for was not done.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Declined {
    #[error("{0}")]
    Unknown(String),
    #[error("{0}")]
    NothingBefore(String),
    /// What was given does not run. The old version goes on.
    #[error("{0}")]
    Refused(String),
    #[error("the run ends")]
    Ended,
}

/// Where a run is asked. Clones are the same.
#[derive(Clone)]
pub struct Handle {
    requests: Sender<Asked>,
}

impl Handle {
    pub(super) fn new(requests: Sender<Asked>) -> Self {
        Self { requests }
    }

    /// Reads every plugin file again, and says what became of each.
    pub async fn reload(&self) -> Answer {
        self.ask(Request::Reload).await
    }

    /// Takes `bytes` as the file of the plugin `name`, and keeps them there, so that the
    /// next start runs the same.
    pub async fn upload(&self, name: String, bytes: Vec<u8>) -> Answer {
        self.ask(Request::Upload { name, bytes }).await
    }

    /// Goes back to the version that ran before, or ends a trial.
    pub async fn roll_back(&self, name: String) -> Answer {
        self.ask(Request::RollBack { name }).await
    }

    async fn ask(&self, request: Request) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.requests
            .send(Asked { request, reply })
            .map_err(|_| Declined::Ended)?;
        answer.await.unwrap_or(Err(Declined::Ended))
    }
}
