//! `host run`: a pipeline from flags and a file, until it is told to stop.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;

use super::logging::LogFormat;
use super::status::StatusLine;
use super::{Failed, json, logging, signals};
use crate::config::{ConfigError, Origin, Pipeline, Settings};
use crate::pipeline::ports::Tap;
use crate::runner::{Prepared, Purpose};
use crate::stop::Stop;
use crate::telemetry::Counters;

/// Each flag sets one key of the pipeline file. Flags beat `--set`, which beats
/// the environment, which beats the file, which beats the defaults.
#[derive(Args)]
pub struct RunArguments {
    /// The pipeline file; relative paths in it are relative to it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set any key of the file by its path, such as batch.linger=1ms
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Name the pipeline in logs, groups and client ids [default: the plugin file's stem]
    #[arg(long)]
    name: Option<String>,
    /// The plugin: a component
    #[arg(long, value_name = "FILE")]
    plugin: Option<PathBuf>,
    /// Text handed to the plugin's init, or @FILE
    #[arg(long, value_name = "TEXT")]
    plugin_config: Option<String>,
    /// Put the real thing behind a virtual capability: clock, random, env:NAME
    #[arg(long, value_name = "CAP")]
    allow: Vec<String>,
    /// Kafka's brokers, HOST:PORT[,HOST:PORT] [default: localhost:9092]
    #[arg(long)]
    brokers: Option<String>,
    /// The input topics
    #[arg(long, value_name = "TOPIC[,TOPIC]")]
    input: Vec<String>,
    /// The consumer group [default: millrace-NAME]
    #[arg(long)]
    group: Option<String>,
    /// Where to begin a partition without a stored position: earliest, latest, stored
    /// [default: earliest]
    #[arg(long)]
    start: Option<String>,
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
    /// How often positions are committed [default: 1s]
    #[arg(long, value_name = "DURATION")]
    commit_interval: Option<String>,
    /// What to do with a record that fails: stop, dead-letter or drop [default: dead-letter where
    /// there is a dead-letter topic, else stop]
    #[arg(long, value_name = "POLICY")]
    on_error: Option<String>,
    /// Where records go that fail
    #[arg(long, value_name = "TOPIC")]
    dead_letter: Option<String>,
    /// Print records as they pass, as JSON lines on stdout
    #[arg(long)]
    inspect: bool,
    /// How log lines look [default: text on a terminal, else json]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Check everything, the plugin and the broker's topics included, and exit
    #[arg(long)]
    check: bool,
}

impl RunArguments {
    fn settings(&self) -> Result<Settings, ConfigError> {
        let mut settings = match &self.config {
            Some(file) => Settings::read(file)?,
            None => Settings::default(),
        };
        if let Ok(brokers) = std::env::var("MILLRACE_BROKERS") {
            settings.put(
                "kafka.brokers",
                brokers,
                Origin::Environment("MILLRACE_BROKERS"),
            );
        }
        for assignment in &self.set {
            settings.set(assignment)?;
        }
        let number = |n: Option<u64>| n.map(|n| n.to_string());
        let list = |texts: &[String]| (!texts.is_empty()).then(|| texts.join(","));
        let plugin = self
            .plugin
            .as_ref()
            .map(|path| path.to_string_lossy().into_owned());
        let create = self.create_topics.then(|| "true".to_owned());
        for (flag, key, value) in [
            ("--name", "name", self.name.clone()),
            ("--plugin", "plugin.path", plugin),
            (
                "--plugin-config",
                "plugin.config",
                self.plugin_config.clone(),
            ),
            ("--allow", "plugin.allow", list(&self.allow)),
            ("--brokers", "kafka.brokers", self.brokers.clone()),
            ("--input", "input.topics", list(&self.input)),
            ("--group", "input.group", self.group.clone()),
            ("--start", "input.start", self.start.clone()),
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
        Ok(settings)
    }
}

pub fn run(arguments: RunArguments) -> Result<(), Failed> {
    let pipeline = Pipeline::from_settings(&arguments.settings()?)?;
    let area = logging::start(arguments.log_format);
    let stop = Arc::new(Stop::default());
    signals::listen(&stop).map_err(Failed::before)?;
    let purpose = match arguments.check {
        true => Purpose::Check,
        false => Purpose::Run,
    };
    let prepared = Prepared::new(pipeline, purpose).map_err(Failed::before)?;
    if arguments.check {
        return checked(&prepared).map_err(Failed::before);
    }
    let counters = Arc::new(Counters::default());
    let what = format!("{} ({})", prepared.pipeline.name, prepared.component.id);
    let status = StatusLine::start(&area, what, &counters);
    let inspect = arguments.inspect;
    let outcome = prepared.run(&stop, &counters, || inspect.then(tap));
    drop(status);
    outcome.map_err(Failed::while_running)
}

/// One JSON line a record.
fn tap() -> Tap {
    Box::new(|partition, record, outcome| {
        let mut line = serde_json::to_vec(&json::passed(partition, record, outcome))?;
        line.push(b'\n');
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&line)?;
        stdout.flush()
    })
}

fn checked(prepared: &Prepared) -> anyhow::Result<()> {
    let pipeline = &prepared.pipeline;
    writeln!(
        std::io::stdout(),
        "ok: pipeline {}, plugin {}, from {} to {} on {}, group {}",
        pipeline.name,
        prepared.component.id,
        pipeline.input.topics.join(", "),
        pipeline
            .output
            .topic
            .as_deref()
            .unwrap_or("the topics that the plugin names"),
        pipeline.brokers,
        pipeline.input.group,
    )
    .context("stdout is closed")
}

#[cfg(test)]
mod tests;
