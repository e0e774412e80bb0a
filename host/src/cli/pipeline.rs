//! The flags of a command that runs a pipeline.

use std::path::PathBuf;

use clap::Args;

use super::code::CodeArguments;
use super::connection::layers;
use crate::config::{ConfigError, Origin, Settings};

/// Each flag sets one key of the pipeline file. Flags beat `--set`, which beats
/// the environment, which beats the file, which beats the defaults.
#[derive(Args)]
pub struct PipelineArguments {
    /// The pipeline file; relative paths in it are relative to it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set any key of the file by its path, such as batch.linger=1ms
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Name the pipeline in logs, groups and client ids [default: the first plugin file's stem]
    #[arg(long)]
    name: Option<String>,
    /// The plugin: a component; several are a chain, in which each gets what the one before it
    /// sends
    #[arg(long, value_name = "FILE")]
    plugin: Vec<PathBuf>,
    #[command(flatten)]
    code: CodeArguments,
    /// Run the plugins as they are now, whatever becomes of their files
    #[arg(long)]
    no_watch: bool,
    /// Kafka's brokers, HOST:PORT[,HOST:PORT] [default: localhost:9092]
    #[arg(long)]
    brokers: Option<String>,
    /// The input topics
    #[arg(long, value_name = "TOPIC[,TOPIC]")]
    input: Vec<String>,
    /// The consumer group [default: millrace-NAME]
    #[arg(long)]
    group: Option<String>,
    /// Static membership: a name that this process keeps over restarts
    #[arg(long, value_name = "ID")]
    instance_id: Option<String>,
    /// Where to begin a partition without a stored position: earliest, latest, stored, offset:N,
    /// timestamp:T (RFC 3339, or milliseconds) [default: earliest]
    #[arg(long)]
    start: Option<String>,
    /// Where to end, exclusive: end (the partitions' ends at the start), offset:N, timestamp:T
    /// [default: forever]
    #[arg(long)]
    until: Option<String>,
    /// Keep positions in a local store instead of the group
    #[arg(long, value_name = "DIR")]
    recovery: Option<PathBuf>,
    /// The default output topic
    #[arg(long, value_name = "TOPIC")]
    output: Option<String>,
    /// Create the output and dead-letter topics if they are missing, with the input's number of
    /// partitions
    #[arg(long)]
    create_topics: bool,
    /// Threads; each is one member of the group [default: 1]
    #[arg(long, value_name = "N")]
    workers: Option<u64>,
    /// The most records of one call of the plugin [default: 1000]
    #[arg(long, value_name = "N")]
    batch_size: Option<u64>,
    /// The longest that a record waits for others on its way out [default: 5ms]
    #[arg(long, value_name = "DURATION")]
    linger: Option<String>,
    /// at-least-once, or exactly-once [default: at-least-once]
    #[arg(long)]
    guarantee: Option<String>,
    /// How often positions are committed [default: 1s; exactly-once: 100ms]
    #[arg(long, value_name = "DURATION")]
    commit_interval: Option<String>,
    /// What to do with a record that fails: stop, dead-letter or drop [default: dead-letter where
    /// there is a dead-letter topic, else stop]
    #[arg(long, value_name = "POLICY")]
    on_error: Option<String>,
    /// Where records go that fail
    #[arg(long, value_name = "TOPIC")]
    dead_letter: Option<String>,
}

impl PipelineArguments {
    /// What the flags say, over `--set`, the environment and the file.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        let brokers = std::env::var("MILLRACE_BROKERS").ok();
        let mut settings = layers(self.config.as_deref(), brokers, &self.set)?;
        self.put_flags(&mut settings)?;
        Ok(settings)
    }

    /// The same, for another run of a pipeline that exists: `--plugin` alone does
    /// not give it another name.
    pub fn settings_of_the_same_name(&self) -> Result<Settings, ConfigError> {
        let brokers = std::env::var("MILLRACE_BROKERS").ok();
        let mut settings = layers(self.config.as_deref(), brokers, &self.set)?;
        if settings.origin("name").is_none()
            && let Some(path) = settings.path("plugin.path")?
            && let Some(stem) = path.file_stem()
            && let Some(origin) = settings.origin("plugin.path").cloned()
        {
            settings.put("name", stem.to_string_lossy().into_owned(), origin);
        }
        self.put_flags(&mut settings)?;
        Ok(settings)
    }

    fn put_flags(&self, settings: &mut Settings) -> Result<(), ConfigError> {
        let number = |n: Option<u64>| n.map(|n| n.to_string());
        let list = |texts: &[String]| (!texts.is_empty()).then(|| texts.join(","));
        let plugins = self.plugin.iter();
        let plugins: Vec<_> = plugins
            .map(|path| path.to_string_lossy().into_owned())
            .collect();
        settings.put_plugins(&plugins)?;
        self.code.put(settings);
        if self.no_watch {
            settings.put_for_all_plugins("watch", "false", Origin::Flag("--no-watch"));
        }
        let recovery = self
            .recovery
            .as_ref()
            .map(|path| path.to_string_lossy().into_owned());
        let create = self.create_topics.then(|| "true".to_owned());
        for (flag, key, value) in [
            ("--name", "name", self.name.clone()),
            ("--brokers", "kafka.brokers", self.brokers.clone()),
            ("--input", "input.topics", list(&self.input)),
            ("--group", "input.group", self.group.clone()),
            (
                "--instance-id",
                "input.instance_id",
                self.instance_id.clone(),
            ),
            ("--start", "input.start", self.start.clone()),
            ("--until", "input.until", self.until.clone()),
            ("--recovery", "recovery.dir", recovery),
            ("--guarantee", "delivery.guarantee", self.guarantee.clone()),
            ("--output", "output.topic", self.output.clone()),
            ("--create-topics", "output.create", create),
            ("--workers", "workers", number(self.workers)),
            ("--batch-size", "batch.max_records", number(self.batch_size)),
            ("--linger", "batch.linger", self.linger.clone()),
            (
                "--commit-interval",
                "delivery.commit_interval",
                self.commit_interval.clone(),
            ),
            ("--on-error", "errors.policy", self.on_error.clone()),
            (
                "--dead-letter",
                "errors.dead_letter",
                self.dead_letter.clone(),
            ),
        ] {
            if let Some(value) = value {
                settings.put(key, value, Origin::Flag(flag));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
