//! The schema registry: what it says of ids, subjects and versions, asked in the
//! background so that no worker waits for an answer. It owns the requests and what
//! is remembered of them; what a schema means is not its business.
//!
//! A fault of the registry is never an answer: the question stays open and is
//! asked again until there is one. Confluent's, Redpanda's, Apicurio's and
//! Karapace's servers speak this API
//! (<https://docs.confluent.io/platform/current/schema-registry/develop/api.html>).

mod answer;
mod asker;
mod client;
mod documents;
mod endpoint;
mod health;
mod references;
mod settings;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

use self::asker::Asker;
use self::client::Client;
use self::endpoint::Endpoint;
use self::settings::Pace;
pub use self::settings::{Auth, Settings};
use self::table::{Question, Table};
use crate::doorbell::Doorbell;

/// How long the thread's end waits for the system's resolver, which can't be
/// interrupted when it looks up a name.
const STOP: Duration = Duration::from_secs(1);

/// How long [`Registry::check`] waits for an answer.
const CHECK: Duration = Duration::from_secs(5);

/// What a schema is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Avro,
    Json,
    Protobuf,
}

/// Names a version of another subject that a schema is built on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reference {
    /// How the schema calls it: an Avro name, the path of a Protobuf import, the
    /// URI of a JSON Schema's `$ref`.
    pub name: String,
    pub subject: String,
    pub version: u32,
}

/// A schema that the registry is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSchema {
    pub kind: Kind,
    pub text: String,
    pub references: Vec<Reference>,
}

/// A schema that the registry has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    pub id: u32,
    pub kind: Kind,
    pub text: String,
    /// Also the references of references. Each one comes after those that it
    /// needs itself; one that is called by two names comes twice.
    pub references: Vec<Resolved>,
}

/// A reference and the schema that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    pub name: String,
    pub subject: String,
    pub version: u32,
    pub text: String,
}

impl Resolved {
    /// Without the text: how it is referred to.
    pub fn reference(&self) -> Reference {
        Reference {
            name: self.name.clone(),
            subject: self.subject.clone(),
            version: self.version,
        }
    }
}

/// What is known of a question now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    Ready(Arc<Registered>),
    /// The registry says that there is no such thing, or refuses what is to be
    /// registered. Asked again some seconds later, if somebody asks.
    Missing(Arc<str>),
    /// Asked, and the bells ring with the answer. With a reason, the registry is
    /// at fault, and is asked until it answers.
    Later(Option<Arc<str>>),
}

/// A client of one registry, shared by all workers.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    asker: Arc<Asker>,
    handle: Handle,
    /// Ends the thread when it is dropped.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Registry {
    /// Starts the thread that asks; it ends when the last clone is dropped. Nothing
    /// is asked yet.
    ///
    /// # Errors
    /// If a URL is none, or the file of `ca` is not readable or holds no
    /// certificate; the message names the key.
    pub fn start(settings: &Settings) -> Result<Registry, anyhow::Error> {
        Self::start_at(settings, Pace::default())
    }

    fn start_at(settings: &Settings, pace: Pace) -> Result<Registry, anyhow::Error> {
        let endpoints = Endpoint::all(&settings.urls, settings.auth.as_ref())?;
        let client = Client::new(endpoints, settings.ca.as_deref(), &pace)?;
        let table = Table::new(settings.refresh, pace.missing);
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the schema registry's client could not be started")?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("registry".to_owned())
            .spawn(move || work(runtime, stopped))
            .context("the schema registry's thread could not be started")?;
        Ok(Self(Arc::new(Inner {
            asker: Arc::new(Asker::new(client, table, pace)),
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })))
    }

    /// Rings `bell` with every answer, and with every question's first fault.
    pub fn rings(&self, bell: Doorbell) {
        self.0.asker.table().rings(bell);
    }

    /// The schema of an id, as a message carries it.
    pub fn by_id(&self, id: u32) -> Lookup {
        self.look_up(Question::Id(id))
    }

    /// One version of a subject.
    pub fn version(&self, subject: &str, version: u32) -> Lookup {
        self.look_up(Question::Version(subject.into(), version))
    }

    /// A subject's latest version. What was the latest one counts while it is
    /// looked at again.
    pub fn latest(&self, subject: &str) -> Lookup {
        self.look_up(Question::Latest(subject.into()))
    }

    /// Registers a schema under a subject, unless it is there already. Each pair is
    /// sent once.
    pub fn register(&self, subject: &str, schema: &NewSchema) -> Lookup {
        let schema = self.0.asker.table().schema(schema);
        self.look_up(Question::Register(subject.into(), schema))
    }

    /// The schema with the id that it has under a subject already.
    pub fn find(&self, subject: &str, schema: &NewSchema) -> Lookup {
        let schema = self.0.asker.table().schema(schema);
        self.look_up(Question::Find(subject.into(), schema))
    }

    fn look_up(&self, question: Question) -> Lookup {
        let (found, ask) = self.0.asker.table().look_up(question, Instant::now());
        if let Some(ask) = ask {
            let asker = Arc::clone(&self.0.asker);
            self.0.handle.spawn(async move { asker.answer(ask).await });
        }
        found
    }

    /// Asks each URL once, and waits some seconds for the first good answer. Not
    /// for a worker.
    ///
    /// # Errors
    /// If no URL answers as a registry does: each one, what it says, and what to do.
    pub fn check(&self) -> Result<(), anyhow::Error> {
        let urls = self.0.asker.client().endpoints().len();
        let (tell, told) = mpsc::channel();
        for url in 0..urls {
            let asker = Arc::clone(&self.0.asker);
            let tell = tell.clone();
            self.0.handle.spawn(async move {
                // Nobody listens any more once another URL has answered well.
                let _ = tell.send(asker.client().check(url).await);
            });
        }
        let until = Instant::now() + CHECK;
        let mut faults = Vec::new();
        while faults.len() < urls {
            match told.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(why)) => faults.push(why),
                Err(_) => {
                    faults.push(format!(
                        "no answer within {CHECK:?} from {}",
                        self.0.asker.client().urls()
                    ));
                    break;
                }
            }
        }
        bail!("schema_registry.url: {}", faults.join("; "))
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registry")
            .field(&self.0.asker.client().urls())
            .finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has no one to tell that it panicked.
            let _ = thread.join();
        }
    }
}

/// Drives what is asked until nobody can ask any more.
fn work(runtime: Runtime, stopped: oneshot::Receiver<()>) {
    // Nothing is ever sent: it ends when the other side is dropped.
    let _ = runtime.block_on(stopped);
    runtime.shutdown_timeout(STOP);
}

impl Kind {
    /// `schemaType` as the registry names it; absent, it is Avro.
    fn named(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("AVRO") => Some(Self::Avro),
            Some("JSON") => Some(Self::Json),
            Some("PROTOBUF") => Some(Self::Protobuf),
            Some(_) => None,
        }
    }

    /// What a request says of it. Avro goes without a name, as servers of before
    /// there were other kinds want it.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Avro => None,
            Self::Json => Some("JSON"),
            Self::Protobuf => Some("PROTOBUF"),
        }
    }
}
