//! Settings as they were written: one flat map from a key's path to its value
//! and to the place that it comes from. Later layers win: the file, the
//! environment, `--set`, the flags.

mod plugins;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use toml_edit::{Document, Item, Table, Value};

pub use self::plugins::section;
use super::ConfigError;

/// Every key of a pipeline file. Those of `plugin` are each plugin's.
const KEYS: &[&str] = &[
    "name",
    "workers",
    "plugin.path",
    "plugin.config",
    "plugin.allow",
    "plugin.memory",
    "plugin.time",
    "plugin.call",
    "plugin.watch",
    "plugin.canary",
    "plugin.canary_tolerance",
    "plugin.canary_for",
    "plugin.shadow",
    "kafka.brokers",
    "input.topics",
    "input.group",
    "input.start",
    "input.on_gap",
    "input.until",
    "input.discover",
    "input.partitions",
    "input.instance_id",
    "decode.key",
    "decode.key_schema",
    "decode.key_reader",
    "decode.key_config",
    "decode.value",
    "decode.value_schema",
    "decode.value_reader",
    "decode.value_config",
    "encode.key",
    "encode.key_schema",
    "encode.key_config",
    "encode.value",
    "encode.value_schema",
    "encode.value_config",
    "encode.subject",
    "encode.register",
    "encode.refresh",
    "schema_registry.url",
    "schema_registry.username",
    "schema_registry.password",
    "schema_registry.token",
    "schema_registry.ca",
    "output.topic",
    "output.create",
    "output.allow",
    "delivery.guarantee",
    "delivery.commit_interval",
    "errors.policy",
    "errors.dead_letter",
    "errors.breaker",
    "batch.max_records",
    "batch.max_bytes",
    "batch.linger",
    "recovery.dir",
    "admin.listen",
    "admin.upload",
    "shutdown.drain",
    "stall_timeout",
];

/// Sections whose keys are others' names: librdkafka's properties, topics and
/// their partitions. Such a name may have dots of its own.
const NAMED: &[&str] = &[
    "kafka.properties.",
    "kafka.consumer.",
    "kafka.producer.",
    START_OF,
];

/// Where the partitions begin, each by its name; `input.start` itself says it of
/// all of them.
pub const START_OF: &str = "input.start.";

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    File { path: PathBuf, line: usize },
    Environment(&'static str),
    Set,
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Environment(name) => write!(f, "the environment's {name}"),
            Self::Set => f.write_str("--set"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

#[derive(Debug, Clone)]
struct Setting {
    value: Value,
    /// Typed on a command line, where everything is text.
    text_only: bool,
    origin: Origin,
}

/// See the module's words.
#[derive(Debug, Default)]
pub struct Settings {
    settings: BTreeMap<String, Setting>,
    /// How many plugins are given, where they are a list.
    plugins: usize,
    /// What relative paths of the file are relative to.
    base: Option<PathBuf>,
}

impl Settings {
    /// Reads the pipeline file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            ConfigError(format!(
                "the pipeline file {} can't be read: {error}",
                path.display()
            ))
        })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let document = Document::parse(text)
            .map_err(|error| ConfigError(format!("{}: {error}", path.display())))?;
        let mut this = Self {
            base: path.parent().map(Path::to_path_buf),
            ..Self::default()
        };
        let file = File { path, text };
        this.take_table("", document.as_table(), &file)?;
        Ok(this)
    }

    fn take_table(
        &mut self,
        prefix: &str,
        table: &Table,
        file: &File<'_>,
    ) -> Result<(), ConfigError> {
        for (key, item) in table.iter() {
            let span = table.key(key).and_then(toml_edit::Key::span);
            self.take(&format!("{prefix}{key}"), item, file.origin(span), file)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        key: &str,
        item: &Item,
        origin: Origin,
        file: &File<'_>,
    ) -> Result<(), ConfigError> {
        let section = format!("{key}.");
        match item {
            Item::None => Ok(()),
            Item::Table(table) => {
                check_section(&section, &origin)?;
                self.take_table(&section, table, file)
            }
            Item::Value(Value::InlineTable(table)) => {
                check_section(&section, &origin)?;
                self.take_table(&section, &table.clone().into_table(), file)
            }
            Item::ArrayOfTables(tables) if key == "plugin" => self.take_plugins(tables, file),
            Item::ArrayOfTables(_) => Err(ConfigError(format!(
                "{origin}: {key} can't be a list of sections: write [{key}]"
            ))),
            Item::Value(value) => {
                check_key(key, &origin)?;
                if let Some(earlier) = self.origin(key) {
                    return Err(ConfigError(format!(
                        "{origin}: {key} is given a second time (the first: {earlier})"
                    )));
                }
                let setting = Setting {
                    value: expand(value, &origin)?,
                    text_only: false,
                    origin,
                };
                self.settings.insert(key.to_owned(), setting);
                Ok(())
            }
        }
    }

    /// `--set a.b=c`.
    pub fn set(&mut self, assignment: &str) -> Result<(), ConfigError> {
        let (key, value) = assignment.split_once('=').ok_or_else(|| {
            ConfigError(format!(
                "--set {assignment}: write --set KEY=VALUE, such as --set output.topic=elsewhere"
            ))
        })?;
        let key = key.trim();
        check_key(key, &Origin::Set)?;
        self.put(key, value, Origin::Set);
        Ok(())
    }

    /// What a flag or the environment says. Text is read as the key wants it.
    pub fn put(&mut self, key: &str, value: impl Into<Value>, origin: Origin) {
        // What is said of all partitions is said of each.
        if format!("{key}.") == START_OF {
            self.settings
                .retain(|known, _| !known.starts_with(START_OF));
        }
        self.settings.insert(
            key.to_owned(),
            Setting {
                value: value.into(),
                text_only: true,
                origin,
            },
        );
    }

    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.settings.get(key).map(|setting| &setting.origin)
    }

    /// `KEY (ORIGIN)`, for an error about it.
    pub fn place(&self, key: &str) -> String {
        match self.origin(key) {
            Some(origin) => format!("{key} ({origin})"),
            None => key.to_owned(),
        }
    }

    pub fn text(&self, key: &str) -> Result<Option<String>, ConfigError> {
        self.get(key, "a text in quotes", |setting| {
            setting.value.as_str().map(str::to_owned)
        })
    }

    /// A text, or with `@FILE` what stands in that file.
    pub fn text_or_file(&self, key: &str) -> Result<Option<String>, ConfigError> {
        let text = self.text(key)?;
        let Some(file) = text.as_deref().and_then(|text| text.strip_prefix('@')) else {
            return Ok(text);
        };
        let file = self.resolve(key, file);
        let text = std::fs::read_to_string(&file).map_err(|error| {
            ConfigError(format!(
                "{}: {} can't be read: {error}",
                self.place(key),
                file.display()
            ))
        })?;
        Ok(Some(text))
    }

    /// A path. A relative one in the file is relative to the file.
    pub fn path(&self, key: &str) -> Result<Option<PathBuf>, ConfigError> {
        let text = self.text(key)?;
        Ok(text.map(|text| self.resolve(key, &text)))
    }

    /// A path that stands in a key's value.
    pub fn resolve(&self, key: &str, path: &str) -> PathBuf {
        match (self.origin(key), &self.base) {
            (Some(Origin::File { .. }), Some(base)) => base.join(path),
            _ => PathBuf::from(path),
        }
    }

    pub fn boolean(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        self.get(key, "true or false", |setting| {
            setting
                .value
                .as_bool()
                .or_else(|| setting.as_typed()?.parse().ok())
        })
    }

    /// A whole number of at least 1.
    pub fn count(&self, key: &str) -> Result<Option<u64>, ConfigError> {
        self.get(key, "a whole number of at least 1", |setting| {
            setting
                .value
                .as_integer()
                .or_else(|| setting.as_typed()?.parse().ok())
                .and_then(|n| u64::try_from(n).ok())
                .filter(|n| *n >= 1)
        })
    }

    pub fn duration(&self, key: &str) -> Result<Option<Duration>, ConfigError> {
        self.get(
            key,
            "a duration, such as \"5ms\", \"1s\" or \"2m\"",
            |setting| humantime::parse_duration(setting.value.as_str()?).ok(),
        )
    }

    /// A size in bytes.
    pub fn size(&self, key: &str) -> Result<Option<u64>, ConfigError> {
        self.get(key, "a size, such as \"64KiB\" or \"1MiB\"", |setting| {
            let size: ByteSize = setting.value.as_str()?.parse().ok()?;
            Some(size.as_u64()).filter(|bytes| *bytes > 0)
        })
    }

    /// A list of texts. On a command line a comma separates them.
    pub fn texts(&self, key: &str) -> Result<Option<Vec<String>>, ConfigError> {
        self.get(
            key,
            "a list of texts, such as [\"a\", \"b\"]",
            |setting| match &setting.value {
                Value::String(text) if setting.text_only => Some(
                    text.value()
                        .split(',')
                        .map(|part| part.trim().to_owned())
                        .filter(|part| !part.is_empty())
                        .collect(),
                ),
                Value::String(text) => Some(vec![text.value().clone()]),
                Value::Array(array) => array
                    .iter()
                    .map(|value| value.as_str().map(str::to_owned))
                    .collect(),
                _ => None,
            },
        )
    }

    /// The settings below a section of [`NAMED`], by name.
    pub fn named(&self, section: &str) -> Result<BTreeMap<String, String>, ConfigError> {
        self.settings
            .range(section.to_owned()..)
            .take_while(|(key, _)| key.starts_with(section))
            .map(|(key, setting)| {
                let name = key[section.len()..].to_owned();
                let value = match &setting.value {
                    Value::String(text) => text.value().clone(),
                    Value::Integer(number) => number.value().to_string(),
                    Value::Float(number) => number.value().to_string(),
                    Value::Boolean(truth) => truth.value().to_string(),
                    _ => {
                        return Err(ConfigError(format!(
                            "{}: it must be a text, a number, true or false",
                            self.place(key)
                        )));
                    }
                };
                Ok((name, value))
            })
            .collect()
    }

    fn get<T>(
        &self,
        key: &str,
        wanted: &str,
        read: impl FnOnce(&Setting) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(setting) = self.settings.get(key) else {
            return Ok(None);
        };
        read(setting).map(Some).ok_or_else(|| {
            ConfigError(format!(
                "{}: {} is not {wanted}",
                self.place(key),
                setting.value.to_string().trim()
            ))
        })
    }
}

impl Setting {
    /// The text, where it may stand for another type.
    fn as_typed(&self) -> Option<&str> {
        self.value.as_str().filter(|_| self.text_only)
    }
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn origin(&self, span: Option<std::ops::Range<usize>>) -> Origin {
        let until = span.map_or(0, |span| span.start);
        Origin::File {
            path: self.path.to_path_buf(),
            line: self.text[..until].matches('\n').count() + 1,
        }
    }
}

fn check_key(key: &str, origin: &Origin) -> Result<(), ConfigError> {
    let property = |section: &&&str| key.len() > section.len() && key.starts_with(**section);
    if KEYS.contains(&key) || NAMED.iter().any(|section| property(&section)) {
        return Ok(());
    }
    if is_section(&format!("{key}.")) {
        return Err(ConfigError(format!(
            "{origin}: {key} is a section and has no value of its own: write its keys below [{key}]"
        )));
    }
    Err(unknown("key", key, KEYS.iter().copied(), origin))
}

/// `section` ends with its dot.
fn check_section(section: &str, origin: &Origin) -> Result<(), ConfigError> {
    // A property's name has dots of its own, so sections seem to go on there.
    let property = NAMED.iter().any(|known| section.starts_with(known));
    if property || is_section(section) {
        return Ok(());
    }
    let name = section.trim_end_matches('.');
    if KEYS.contains(&name) {
        return Err(ConfigError(format!(
            "{origin}: {name} is a key and no section: write {name} = …"
        )));
    }
    let sections = KEYS
        .iter()
        .chain(NAMED)
        .filter_map(|key| key.split_once('.'));
    Err(unknown(
        "section",
        name,
        sections.map(|(section, _)| section),
        origin,
    ))
}

fn is_section(section: &str) -> bool {
    KEYS.iter()
        .chain(NAMED)
        .any(|known| known.starts_with(section))
}

fn unknown<'a>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'a str>,
    origin: &Origin,
) -> ConfigError {
    let nearest = known
        .map(|known| {
            // `group` is meant for input.group.
            let last = known.rsplit('.').next().unwrap_or(known);
            let likeness = strsim::jaro_winkler(name, known).max(strsim::jaro_winkler(name, last));
            (likeness, known)
        })
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    ConfigError(match nearest {
        Some((_, known)) => {
            format!("{origin}: unknown {what} {name} (the nearest known one is {known})")
        }
        None => format!("{origin}: unknown {what} {name}"),
    })
}

/// Replaces `${NAME}` in a file's strings by the environment's values.
fn expand(value: &Value, origin: &Origin) -> Result<Value, ConfigError> {
    match value {
        Value::String(text) => Ok(Value::from(expand_text(text.value(), origin)?)),
        Value::Array(array) => {
            let mut expanded = toml_edit::Array::new();
            for value in array {
                expanded.push(expand(value, origin)?);
            }
            Ok(Value::Array(expanded))
        }
        other => Ok(other.clone()),
    }
}

fn expand_text(text: &str, origin: &Origin) -> Result<String, ConfigError> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let Some(len) = rest[at..].find('}') else {
            return Err(ConfigError(format!("{origin}: a ${{ without its }}")));
        };
        let name = &rest[at + 2..at + len];
        let value = std::env::var(name).map_err(|_| {
            ConfigError(format!(
                "{origin}: the environment has no variable {name:?}, which ${{{name}}} asks for"
            ))
        })?;
        expanded.push_str(&rest[..at]);
        expanded.push_str(&value);
        rest = &rest[at + len + 1..];
    }
    expanded.push_str(rest);
    Ok(expanded)
}

#[cfg(test)]
mod tests;
