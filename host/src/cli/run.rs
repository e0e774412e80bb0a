//! `host run`: a pipeline from flags and a file, until it is told to stop.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;

use super::logging::LogFormat;
use super::pipeline::PipelineArguments;
use super::status::StatusLine;
use super::{Failed, json, logging, signals};
use crate::admin::Bound;
use crate::config::{ConfigError, Origin, Pipeline, Settings};
use crate::pipeline::ports::Interrupted;
use crate::runner::{Controls, Feed, Prepared, Purpose};
use crate::stop::Stop;
use crate::telemetry::Counters;

#[derive(Args)]
pub struct RunArguments {
    #[command(flatten)]
    pipeline: PipelineArguments,
    /// Move the stored positions to where --start says, before anything is read
    #[arg(long)]
    reset: bool,
    /// Print records as they pass, as JSON lines on stdout
    #[arg(long)]
    inspect: bool,
    /// Answer HTTP at this address: GET /plugins, POST /plugins/reload and more
    #[arg(long, value_name = "HOST:PORT")]
    admin: Option<String>,
    /// Run this plugin beside the other on the same records, send nothing of it, and say for
    /// which records it differs
    #[arg(long, value_name = "FILE")]
    shadow: Option<PathBuf>,
    /// How log lines look [default: text on a terminal, else json]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Check everything, the plugin and the broker's topics included, and exit
    #[arg(long)]
    check: bool,
}

impl RunArguments {
    fn settings(&self) -> Result<Settings, ConfigError> {
        let mut settings = self.pipeline.settings()?;
        if let Some(address) = &self.admin {
            settings.put("admin.listen", address.as_str(), Origin::Flag("--admin"));
        }
        if let Some(path) = &self.shadow {
            let path = path.to_string_lossy();
            settings.put("plugin.shadow", &*path, Origin::Flag("--shadow"));
        }
        Ok(settings)
    }
}

pub fn run(arguments: RunArguments) -> Result<(), Failed> {
    let pipeline = Pipeline::from_settings(&arguments.settings()?)?;
    if arguments.reset && pipeline.input.starts.may_be_stored() {
        return Err(ConfigError::new(
            "--reset: input.start is \"stored\", which is no place that a position can be moved to",
        )
        .into());
    }
    let admin = match (&pipeline.admin, arguments.check) {
        (Some(admin), false) => Some(Bound::new(admin).map_err(Failed::before)?),
        _ => None,
    };
    let area = logging::start(arguments.log_format);
    let stop = Arc::new(Stop::default());
    let hangup = Arc::default();
    signals::listen(&stop, Some(&hangup)).map_err(Failed::before)?;
    let purpose = match arguments.check {
        true => Purpose::Check,
        false => Purpose::Run,
    };
    let Some(mut prepared) =
        Prepared::unless_stopped(pipeline, Feed::Inputs, purpose, &stop).map_err(Failed::before)?
    else {
        return Ok(());
    };
    if arguments.check {
        return checked(&prepared).map_err(Failed::before);
    }
    if arguments.reset {
        match prepared.reset(&stop) {
            Err(error) if error.is::<Interrupted>() => return Ok(()),
            outcome => outcome.map_err(Failed::while_running)?,
        }
    }
    prepared.controls = Controls { hangup, admin };
    let counters = Arc::new(Counters::default());
    let status = StatusLine::start(&area, prepared.pipeline.name.clone(), &counters);
    let inspect = arguments.inspect;
    let outcome = prepared.run(&stop, &counters, || inspect.then(json::tap));
    drop(status);
    outcome.map_err(Failed::while_running)
}

fn checked(prepared: &Prepared) -> anyhow::Result<()> {
    let pipeline = &prepared.pipeline;
    writeln!(
        std::io::stdout(),
        "ok: pipeline {}, {} {}, from {} to {} on {}, {}",
        pipeline.name,
        match pipeline.plugins.len() {
            1 => "plugin",
            _ => "plugins",
        },
        prepared.plugins,
        pipeline.input.topics.join(", "),
        pipeline
            .output
            .topic
            .as_deref()
            .unwrap_or("the topics that the plugin names"),
        pipeline.brokers,
        prepared.keeper(),
    )
    .context("stdout is closed")
}
