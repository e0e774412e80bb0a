//! Schemas, each parsed once for all workers: those of the registry by their ids,
//! and those of files.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;

use super::{Lack, avro};
use crate::config::SchemaSource;
use crate::doorbell::Doorbell;
use crate::pipeline::ports::Fatal;
use crate::registry::{self, Kind, Lookup, NewSchema, Registered, Registry};

/// A schema that data can be read or written with.
pub struct Schema {
    /// No other schema of this process has it.
    pub serial: u64,
    /// The registry's.
    pub id: Option<u32>,
    pub kind: Kind,
    text: String,
    references: Vec<registry::Resolved>,
    body: Result<Body, String>,
}

enum Body {
    Avro(AvroSchema),
    Json(JsonSchema),
    Other,
}

/// An Avro schema, and what reads data that was written with it.
pub struct AvroSchema {
    pub schema: avro::Schema,
    pub decoder: avro::Decoder,
}

pub struct JsonSchema {
    validator: jsonschema::Validator,
    title: Option<String>,
}

impl Schema {
    fn new(id: Option<u32>, kind: Kind, text: String, references: Vec<registry::Resolved>) -> Self {
        let body = match kind {
            Kind::Avro => AvroSchema::parse(&text, &references).map(Body::Avro),
            Kind::Json => JsonSchema::parse(&text, &references).map(Body::Json),
            Kind::Protobuf => Ok(Body::Other),
        };
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        Self {
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            id,
            kind,
            text,
            references,
            body,
        }
    }

    /// Reads a file; `kind` says what it is to hold.
    fn read(path: &Path, kind: Kind) -> Result<Self, Fatal> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("the schema file {} can't be read", path.display()))?;
        let schema = Self::new(None, kind, text, Vec::new());
        match &schema.body {
            Ok(_) => Ok(schema),
            Err(why) => Err(anyhow!("{} is no schema: {why}", path.display())),
        }
    }

    pub fn avro(&self) -> Result<&AvroSchema, String> {
        match &self.body {
            Ok(Body::Avro(schema)) => Ok(schema),
            Ok(_) => Err(self.is_other("an Avro schema")),
            Err(why) => Err(self.is_bad(why)),
        }
    }

    pub fn json(&self) -> Result<&JsonSchema, String> {
        match &self.body {
            Ok(Body::Json(schema)) => Ok(schema),
            Ok(_) => Err(self.is_other("a JSON Schema")),
            Err(why) => Err(self.is_bad(why)),
        }
    }

    /// What the record is called that it describes.
    pub fn record_name(&self) -> Result<&str, String> {
        let name = match &self.body {
            Ok(Body::Avro(schema)) => schema.schema.name(),
            Ok(Body::Json(schema)) => schema.title.as_deref(),
            Ok(Body::Other) => None,
            Err(why) => return Err(self.is_bad(why)),
        };
        name.ok_or_else(|| format!("{} has no name for its record", self.called()))
    }

    /// As it would be registered.
    pub fn to_register(&self) -> NewSchema {
        NewSchema {
            kind: self.kind,
            text: self.text.clone(),
            references: self
                .references
                .iter()
                .map(registry::Resolved::reference)
                .collect(),
        }
    }

    fn called(&self) -> String {
        match self.id {
            Some(id) => format!("schema {id}"),
            None => "the schema".to_owned(),
        }
    }

    fn is_other(&self, wanted: &str) -> String {
        let is = match self.kind {
            Kind::Avro => "an Avro schema",
            Kind::Json => "a JSON Schema",
            Kind::Protobuf => "a Protobuf schema",
        };
        format!("{} is {is}, and not {wanted}", self.called())
    }

    fn is_bad(&self, why: &str) -> String {
        format!("{} can't be used: {why}", self.called())
    }
}

impl AvroSchema {
    fn parse(text: &str, references: &[registry::Resolved]) -> Result<Self, String> {
        // One that two others name comes twice.
        let mut seen = HashSet::new();
        let texts: Vec<String> = references
            .iter()
            .filter(|other| seen.insert((&other.subject, other.version)))
            .map(|other| other.text.clone())
            .collect();
        let schema = avro::Schema::parse(text, &texts)?;
        let decoder = avro::Decoder::new(&schema, None)?;
        Ok(Self { schema, decoder })
    }
}

impl JsonSchema {
    /// Whether bytes are JSON that fits it.
    pub fn check(&self, bytes: &[u8]) -> Result<(), String> {
        let value: Value =
            serde_json::from_slice(bytes).map_err(|error| format!("it is no JSON: {error}"))?;
        self.validator.validate(&value).map_err(|error| {
            let path = error.instance_path().to_string();
            match path.is_empty() {
                true => error.to_string(),
                false => format!("{path}: {error}"),
            }
        })
    }

    fn parse(text: &str, references: &[registry::Resolved]) -> Result<Self, String> {
        let read = |text: &str| {
            serde_json::from_str::<Value>(text).map_err(|error| format!("it is no JSON: {error}"))
        };
        let schema = read(text)?;
        let mut others = HashMap::new();
        for other in references {
            let text = read(&other.text).map_err(|why| format!("its {}: {why}", other.name))?;
            others.insert(other.name.clone(), text);
        }
        let validator = jsonschema::options()
            .with_retriever(Others(others))
            .build(&schema)
            .map_err(|error| error.to_string())?;
        let title = schema
            .get("title")
            .and_then(Value::as_str)
            .map(str::to_owned);
        Ok(Self { validator, title })
    }
}

/// The schemas that one names, by their names there. Nothing is fetched from
/// elsewhere.
struct Others(HashMap<String, Value>);

impl jsonschema::Retrieve for Others {
    fn retrieve(
        &self,
        uri: &jsonschema::Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        // A relative name stands behind the library's own base.
        let uri = uri.as_str();
        let name = uri.strip_prefix("json-schema:///").unwrap_or(uri);
        let other = self.0.get(name).or_else(|| self.0.get(uri));
        Ok(other
            .ok_or_else(|| format!("it names {name}, which is none of its references"))?
            .clone())
    }
}

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
