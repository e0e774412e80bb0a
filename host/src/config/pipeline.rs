//! The checked form of the settings: what the rest of the host reads.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use globset::{Glob, GlobSet, GlobSetBuilder};

use super::errors::Errors;
use super::input::Input;
use super::serialization::Serialization;
use super::settings::section;
use super::{ConfigError, Settings, connection, defaults};
use crate::kafka::properties;
use crate::names::illegal_name;

/// One pipeline, complete and free of contradictions.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Names it in logs, groups and client ids.
    pub name: String,
    /// In the order that records pass them; there is at least one.
    pub plugins: Vec<Plugin>,
    /// `host:port`, comma-separated.
    pub brokers: String,
    pub properties: Properties,
    pub input: Input,
    pub serialization: Serialization,
    pub output: Output,
    pub errors: Errors,
    pub guarantee: Guarantee,
    /// Where positions are kept; `None`: in the consumer group.
    pub recovery: Option<PathBuf>,
    pub commit_interval: Duration,
    pub max_records: usize,
    /// Of keys and values.
    pub max_bytes: usize,
    pub linger: Duration,
    pub workers: usize,
    pub drain: Duration,
    /// How long records may wait while nothing moves before it is said.
    pub stall_timeout: Duration,
    /// Where the run is asked, and told, things over HTTP.
    pub admin: Option<Admin>,
}

/// The admin address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// `HOST:PORT`.
    pub listen: String,
    /// Whether it takes plugin files.
    pub upload: bool,
}

/// How often each record counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarantee {
    /// Whatever happens, no record is lost; after a crash some come twice.
    AtLeastOnce,
    /// Outputs, dead letters and positions are one Kafka transaction.
    ExactlyOnce,
}

impl FromStr for Guarantee {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "at-least-once" => Ok(Self::AtLeastOnce),
            "exactly-once" => Ok(Self::ExactlyOnce),
            _ => Err(format!(
                "{text:?} is no guarantee: there are at-least-once and exactly-once"
            )),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Plugin {
    pub path: PathBuf,
    /// Handed to `init`.
    pub config: String,
    pub allow: Vec<Capability>,
    /// Bytes, all memories of an instance together.
    pub memory: usize,
    /// For one record.
    pub time: Duration,
    /// For one call.
    pub call: Duration,
    /// Take another version when the file changes.
    pub watch: bool,
    /// How another version is tried first; `None`: it takes over at once.
    pub canary: Option<Canary>,
    /// A file that runs beside it on the same records, and of which nothing is sent.
    pub shadow: Option<PathBuf>,
}

/// A trial of another version on a share of the batches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Canary {
    /// Between 0 and 1.
    pub share: f64,
    /// How much worse it may do: of its failure rate in points, of its time a record
    /// in parts of the old one's. 0.1 is 10 %.
    pub tolerance: f64,
    pub long: Duration,
}

/// The real thing behind a virtual capability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capability {
    Clock,
    Random,
    Env(String),
}

impl FromStr for Capability {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("env:")) {
            ("clock", _) => Ok(Self::Clock),
            ("random", _) => Ok(Self::Random),
            (_, Some(name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            _ => Err(format!(
                "{text:?} is no capability: there are clock, random and env:NAME"
            )),
        }
    }
}

/// librdkafka's properties as the user set them: for both clients, and for one
/// of them.
#[derive(Debug, Clone, Default)]
pub struct Properties {
    pub common: BTreeMap<String, String>,
    pub consumer: BTreeMap<String, String>,
    pub producer: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
pub struct Output {
    /// The default topic.
    pub topic: Option<String>,
    /// Make it, and the dead-letter topic, if they do not exist.
    pub create: bool,
    /// The topics that the plugin may name; `None`: any.
    pub allow: Option<GlobSet>,
}

impl Pipeline {
    /// Checks everything that can be checked without a file, a broker or a plugin.
    pub fn from_settings(settings: &Settings) -> Result<Self, ConfigError> {
        let plugins = plugins(settings)?;
        let name = match settings.text("name")? {
            Some(name) => name,
            None => plugins
                .first()
                .and_then(|plugin| plugin.path.file_stem())
                .map(|stem| stem.to_string_lossy().into_owned())
                .unwrap_or_default(),
        };
        check_name(settings, &name)?;
        let input = Input::from_settings(settings, &name)?;
        let output = Output {
            topic: settings.text("output.topic")?,
            create: settings.boolean("output.create")?.unwrap_or(false),
            allow: allowed_topics(settings)?,
        };
        check_output(settings, &input, &output)?;
        let errors = Errors::from_settings(settings, &input.topics, output.topic.as_deref())?;
        if output.create && output.topic.is_none() && errors.topic().is_none() {
            return Err(ConfigError(format!(
                "{}: there is no output or dead-letter topic to create: name it with --output or \
                 --dead-letter",
                settings.place("output.create")
            )));
        }
        let guarantee = parsed(settings, "delivery.guarantee")?.unwrap_or(Guarantee::AtLeastOnce);
        let recovery = settings.path("recovery.dir")?;
        check_recovery(settings, guarantee, recovery.is_some())?;
        let pipeline = Self {
            name,
            plugins,
            brokers: connection::brokers(settings)?,
            properties: properties::read(settings)?,
            input,
            serialization: Serialization::from_settings(settings)?,
            output,
            errors,
            guarantee,
            recovery,
            commit_interval: positive(settings, "delivery.commit_interval")?.unwrap_or(
                match guarantee {
                    Guarantee::AtLeastOnce => defaults::COMMIT_INTERVAL,
                    Guarantee::ExactlyOnce => defaults::TRANSACTION,
                },
            ),
            max_records: count(
                settings,
                "batch.max_records",
                defaults::MAX_RECORDS,
                1_000_000,
            )?,
            max_bytes: bytes(settings, "batch.max_bytes", defaults::MAX_BYTES)?,
            linger: settings
                .duration("batch.linger")?
                .unwrap_or(defaults::LINGER),
            workers: count(settings, "workers", 1, 1024)?,
            drain: positive(settings, "shutdown.drain")?.unwrap_or(defaults::DRAIN),
            stall_timeout: positive(settings, "stall_timeout")?.unwrap_or(defaults::STALL),
            admin: admin(settings)?,
        };
        properties::check(&pipeline, settings)?;
        Ok(pipeline)
    }

    /// `plugin.call` of all plugins together: what one batch may take. A chain begins
    /// no further call after that.
    pub fn call(&self) -> Duration {
        let calls = self.plugins.iter().map(|plugin| plugin.call);
        calls.fold(Duration::ZERO, Duration::saturating_add)
    }

    /// The longest that a batch may take: in a chain, a call that begins just in time
    /// comes on top.
    pub fn longest_call(&self) -> Duration {
        match &self.plugins[..] {
            [one] => one.call,
            _ => self.call().saturating_add(self.longest_of_one()),
        }
    }

    /// `plugin.call` of the plugin that has the most.
    pub fn longest_of_one(&self) -> Duration {
        let calls = self.plugins.iter().map(|plugin| plugin.call);
        calls.max().unwrap_or_default()
    }
}

fn plugins(settings: &Settings) -> Result<Vec<Plugin>, ConfigError> {
    settings.check_plugins()?;
    (0..settings.plugins())
        .map(|number| plugin(settings, number))
        .collect()
}

/// One of them, counted from 0.
fn plugin(settings: &Settings, number: usize) -> Result<Plugin, ConfigError> {
    let section = section(number);
    let key = |name: &str| format!("{section}{name}");
    let path = settings.path(&key("path"))?.ok_or_else(|| {
        ConfigError(match settings.plugins() {
            1 => "no plugin is given: --plugin FILE, or [[plugin]] path in the file".to_owned(),
            _ => format!("{} is missing: each [[plugin]] needs its own", key("path")),
        })
    })?;
    let config = settings.text_or_file(&key("config"))?.unwrap_or_default();
    let allow = settings
        .texts(&key("allow"))?
        .unwrap_or_default()
        .iter()
        .map(|text| text.parse())
        .collect::<Result<_, String>>()
        .map_err(|why| ConfigError(format!("{}: {why}", settings.place(&key("allow")))))?;
    Ok(Plugin {
        path,
        config,
        allow,
        memory: bytes(settings, &key("memory"), defaults::PLUGIN_MEMORY)?,
        time: positive(settings, &key("time"))?.unwrap_or(defaults::PLUGIN_TIME),
        call: positive(settings, &key("call"))?
            .unwrap_or_else(|| defaults::plugin_call(settings.plugins())),
        watch: settings.boolean(&key("watch"))?.unwrap_or(true),
        canary: canary(settings, &key)?,
        shadow: shadow(settings, &key("shadow"))?,
    })
}

fn shadow(settings: &Settings, key: &str) -> Result<Option<PathBuf>, ConfigError> {
    let shadow = settings.path(key)?;
    if shadow.is_some() && settings.plugins() > 1 {
        return Err(ConfigError(format!(
            "{}: a shadow runs beside one plugin, and this pipeline is a chain",
            settings.place(key)
        )));
    }
    Ok(shadow)
}

fn admin(settings: &Settings) -> Result<Option<Admin>, ConfigError> {
    let (listen, upload) = ("admin.listen", "admin.upload");
    let takes = settings.boolean(upload)?;
    let Some(address) = settings.text(listen)? else {
        return match takes {
            Some(true) => Err(ConfigError(format!(
                "{}: nothing is taken without {listen}",
                settings.place(upload)
            ))),
            _ => Ok(None),
        };
    };
    let is_address = address
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if !is_address {
        return Err(ConfigError(format!(
            "{}: {address:?} is no HOST:PORT, such as 127.0.0.1:9090",
            settings.place(listen)
        )));
    }
    Ok(Some(Admin {
        listen: address,
        upload: takes.unwrap_or(false),
    }))
}

fn canary(
    settings: &Settings,
    key: &impl Fn(&str) -> String,
) -> Result<Option<Canary>, ConfigError> {
    let (share, tolerance, long) = (key("canary"), key("canary_tolerance"), key("canary_for"));
    let Some(part) = percent(settings, &share)? else {
        for key in [tolerance, long] {
            if settings.origin(&key).is_some() {
                return Err(ConfigError(format!(
                    "{}: nothing is tried without {share}",
                    settings.place(&key)
                )));
            }
        }
        return Ok(None);
    };
    if part <= 0.0 || part >= 1.0 {
        return Err(ConfigError(format!(
            "{}: it must be more than 0% and less than 100%",
            settings.place(&share)
        )));
    }
    Ok(Some(Canary {
        share: part,
        tolerance: percent(settings, &tolerance)?.unwrap_or(defaults::CANARY_TOLERANCE),
        long: positive(settings, &long)?.unwrap_or(defaults::CANARY_FOR),
    }))
}

/// A part of one, written as `10%`.
fn percent(settings: &Settings, key: &str) -> Result<Option<f64>, ConfigError> {
    let Some(text) = settings.text(key)? else {
        return Ok(None);
    };
    let number = text
        .trim()
        .strip_suffix('%')
        .and_then(|n| n.trim().parse::<f64>().ok());
    match number.filter(|n| n.is_finite() && *n >= 0.0) {
        Some(number) => Ok(Some(number / 100.0)),
        None => Err(ConfigError(format!(
            "{}: {text:?} is no percentage, such as \"10%\"",
            settings.place(key)
        ))),
    }
}

fn check_name(settings: &Settings, name: &str) -> Result<(), ConfigError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || !name.chars().all(legal) {
        return Err(ConfigError(format!(
            "{}: {name:?} is no legal name: it may hold ASCII letters, digits, '.', '_' and '-' \
             (--name gives one; without it the plugin file's stem is taken)",
            settings.place("name")
        )));
    }
    Ok(())
}

/// A store of its own can't be part of a transaction, and only with one are
/// partitions given out by hand.
fn check_recovery(
    settings: &Settings,
    guarantee: Guarantee,
    has_store: bool,
) -> Result<(), ConfigError> {
    if has_store && guarantee == Guarantee::ExactlyOnce {
        return Err(ConfigError(format!(
            "{} and {}: positions in a local store can't be part of a Kafka transaction, so that a \
             crash between the two would lose or double records. Leave one of them out: the \
             consumer group keeps positions with the outputs",
            settings.place("delivery.guarantee"),
            settings.place("recovery.dir"),
        )));
    }
    let (key, why) = match has_store {
        false => (
            "input.partitions",
            "the consumer group gives out partitions by itself: only with a recovery store \
             (--recovery DIR) are they named",
        ),
        true => (
            "input.instance_id",
            "with a recovery store no consumer group is joined",
        ),
    };
    if settings.origin(key).is_some() {
        return Err(ConfigError(format!("{}: {why}", settings.place(key))));
    }
    Ok(())
}

fn check_output(settings: &Settings, input: &Input, output: &Output) -> Result<(), ConfigError> {
    let place = settings.place("output.topic");
    let Some(topic) = &output.topic else {
        return Ok(());
    };
    if let Some(why) = illegal_name(topic) {
        return Err(ConfigError(format!("{place}: {why}")));
    }
    if input.topics.contains(topic) {
        return Err(ConfigError(format!(
            "{place}: topic {topic} is also an input ({}): the pipeline would read its own output \
             for ever",
            settings.place("input.topics")
        )));
    }
    Ok(())
}

fn allowed_topics(settings: &Settings) -> Result<Option<GlobSet>, ConfigError> {
    let Some(texts) = settings.texts("output.allow")? else {
        return Ok(None);
    };
    let wrong =
        |why: globset::Error| ConfigError(format!("{}: {why}", settings.place("output.allow")));
    let mut globs = GlobSetBuilder::new();
    for text in &texts {
        globs.add(Glob::new(text).map_err(wrong)?);
    }
    Ok(Some(globs.build().map_err(wrong)?))
}

/// The longest time that makes sense anywhere here.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn positive(settings: &Settings, key: &str) -> Result<Option<Duration>, ConfigError> {
    match settings.duration(key)? {
        Some(Duration::ZERO) => Err(ConfigError(format!(
            "{}: it must be longer than nothing",
            settings.place(key)
        ))),
        Some(duration) if duration > LONGEST => Err(ConfigError(format!(
            "{}: it must be a day at most",
            settings.place(key)
        ))),
        duration => Ok(duration),
    }
}

/// A text that stands for one of several things.
pub(super) fn parsed<T: FromStr<Err = String>>(
    settings: &Settings,
    key: &str,
) -> Result<Option<T>, ConfigError> {
    let wrong = |why| ConfigError(format!("{}: {why}", settings.place(key)));
    settings
        .text(key)?
        .map(|text| text.parse().map_err(wrong))
        .transpose()
}

fn count(settings: &Settings, key: &str, default: u64, most: u64) -> Result<usize, ConfigError> {
    let n = settings.count(key)?.unwrap_or(default);
    if n > most {
        return Err(ConfigError(format!(
            "{}: {n} is too many: at most {most}",
            settings.place(key)
        )));
    }
    usize::try_from(n).map_err(|_| ConfigError(format!("{}: {n} is too many", settings.place(key))))
}

fn bytes(settings: &Settings, key: &str, default: u64) -> Result<usize, ConfigError> {
    let n = settings.size(key)?.unwrap_or(default);
    usize::try_from(n).map_err(|_| ConfigError(format!("{}: {n} is too much", settings.place(key))))
}

#[cfg(test)]
mod tests;
