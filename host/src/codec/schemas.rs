//! Schemas, each parsed once for all workers: those of the registry by their ids,
//! and those of files.

use std::collections::HashMap;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::bail;

use super::schema::Schema;
use super::{Lack, avro};
use crate::config::SchemaSource;
use crate::doorbell::Doorbell;
use crate::pipeline::ports::Fatal;
use crate::registry::{Kind, Lookup, Registered, Registry};

/// A schema, or why there is none.
pub type Found = Result<Arc<Schema>, Lack>;

/// Where a schema comes from, once files are read.
#[derive(Clone)]
pub enum Source {
    Fixed(Arc<Schema>),
    Subject { name: String, version: Option<u32> },
}

/// How often somebody who waits looks whether an answer is there.
const LOOK: Duration = Duration::from_millis(20);

/// See the module's words.
pub struct Schemas {
    registry: Option<Registry>,
    /// Whether a schema that should be registered only counts as if it were.
    pretends: bool,
    files: Mutex<HashMap<(PathBuf, Kind), Arc<Schema>>>,
    /// Each is parsed outside of the lock, by whoever needs it first.
    parsed: Mutex<HashMap<u32, Once<Schema>>>,
    /// By the serials of the writer's and the reader's.
    resolved: Mutex<HashMap<(u64, u64), Once<Resolved>>>,
}

type Once<T> = Arc<OnceLock<Arc<T>>>;

/// How many are kept. Beyond that they are parsed anew.
const KEPT: usize = 10_000;

fn once<K: Eq + Hash, T>(
    map: &Mutex<HashMap<K, Once<T>>>,
    key: K,
    make: impl FnOnce() -> T,
) -> Arc<T> {
    let once = {
        let mut map = lock(map);
        if map.len() >= KEPT && !map.contains_key(&key) {
            map.clear();
        }
        Arc::clone(map.entry(key).or_default())
    };
    Arc::clone(once.get_or_init(|| Arc::new(make())))
}

/// How data of a writer's schema becomes a reader's.
pub type Resolved = Result<avro::Decoder, String>;

impl Schemas {
    pub fn new(registry: Option<Registry>) -> Self {
        Self {
            registry,
            pretends: false,
            files: Mutex::default(),
            parsed: Mutex::default(),
            resolved: Mutex::default(),
        }
    }

    /// Nothing is registered: what is encoded goes nowhere.
    pub fn pretending(self) -> Self {
        Self {
            pretends: true,
            ..self
        }
    }

    /// Rings `bell` when something that was looked up is there.
    pub fn rings(&self, bell: Doorbell) {
        if let Some(registry) = &self.registry {
            registry.rings(bell);
        }
    }

    /// Reads what stands in a file.
    pub fn source(&self, source: &SchemaSource, kind: Kind) -> Result<Source, Fatal> {
        Ok(match source {
            SchemaSource::File(path) => Source::Fixed(self.file(path, kind)?),
            SchemaSource::Subject { name, version } => Source::Subject {
                name: name.clone(),
                version: *version,
            },
        })
    }

    fn file(&self, path: &Path, kind: Kind) -> Result<Arc<Schema>, Fatal> {
        let key = (path.to_owned(), kind);
        if let Some(schema) = lock(&self.files).get(&key) {
            return Ok(Arc::clone(schema));
        }
        let schema = Arc::new(Schema::read(path, kind)?);
        lock(&self.files).insert(key, Arc::clone(&schema));
        Ok(schema)
    }

    /// The schema that a frame names.
    pub fn by_id(&self, id: u32) -> Found {
        let known = lock(&self.parsed).get(&id).map(Arc::clone);
        if let Some(schema) = known.as_ref().and_then(|known| known.get()) {
            return Ok(Arc::clone(schema));
        }
        self.ask(|registry| registry.by_id(id))
    }

    pub fn at(&self, source: &Source) -> Found {
        match source {
            Source::Fixed(schema) => Ok(Arc::clone(schema)),
            Source::Subject {
                name,
                version: Some(version),
            } => self.ask(|registry| registry.version(name, *version)),
            Source::Subject {
                name,
                version: None,
            } => self.latest(name),
        }
    }

    /// The same, for whoever may wait.
    pub fn wait_for(&self, source: &Source, until: Instant) -> Result<Arc<Schema>, Fatal> {
        loop {
            match self.at(source) {
                Ok(schema) => return Ok(schema),
                Err(Lack::Bad(why)) => bail!("{why}"),
                Err(Lack::Later(why)) if Instant::now() >= until => {
                    bail!(
                        "{}",
                        why.as_deref().unwrap_or("the registry has not answered")
                    )
                }
                Err(Lack::Later(_)) => std::thread::sleep(LOOK),
            }
        }
    }

    pub fn latest(&self, subject: &str) -> Found {
        self.ask(|registry| registry.latest(subject))
    }

    /// The same schema with the id that it has, or gets, under a subject.
    pub fn under(&self, subject: &str, schema: &Arc<Schema>, register: bool) -> Found {
        if self.pretends && register {
            return Ok(Arc::clone(schema));
        }
        self.ask(|registry| match register {
            true => registry.register(subject, &schema.to_register()),
            false => registry.find(subject, &schema.to_register()),
        })
    }

    /// How `writer`'s data is read by `reader`.
    pub fn resolved(&self, writer: &Schema, reader: &Schema) -> Arc<Resolved> {
        let resolve = || -> Resolved {
            avro::Decoder::new(&writer.avro()?.schema, Some(&reader.avro()?.schema)).map_err(
                |why| {
                    format!(
                        "{} does not resolve to the reader's schema: {why}",
                        writer.called()
                    )
                },
            )
        };
        once(&self.resolved, (writer.serial, reader.serial), resolve)
    }

    fn ask(&self, question: impl FnOnce(&Registry) -> Lookup) -> Found {
        let Some(registry) = &self.registry else {
            return Err("no schema registry is named".to_owned().into());
        };
        match question(registry) {
            Lookup::Ready(registered) => Ok(self.parse(&registered)),
            Lookup::Missing(why) => Err(Lack::Bad(why.to_string())),
            Lookup::Later(why) => Err(Lack::Later(why)),
        }
    }

    fn parse(&self, registered: &Registered) -> Arc<Schema> {
        once(&self.parsed, registered.id, || {
            Schema::new(
                Some(registered.id),
                registered.kind,
                registered.text.clone(),
                registered.references.clone(),
            )
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind it is whole after any panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
