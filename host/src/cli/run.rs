//! `host run`: a pipeline from flags and a file, until it is told to stop.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;

use super::logging::LogFormat;
use super::pipeline::PipelineArguments;
use super::status::StatusLine;
use super::{Failed, json, logging, signals};
use crate::config::{ConfigError, Pipeline};
use crate::pipeline::ports::Interrupted;
use crate::runner::{Feed, Prepared, Purpose};
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
    /// How log lines look [default: text on a terminal, else json]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Check everything, the plugin and the broker's topics included, and exit
    #[arg(long)]
    check: bool,
}

pub fn run(arguments: RunArguments) -> Result<(), Failed> {
    let pipeline = Pipeline::from_settings(&arguments.pipeline.settings()?)?;
    if arguments.reset && pipeline.input.starts.may_be_stored() {
        return Err(ConfigError::new(
            "--reset: input.start is \"stored\", which is no place that a position can be moved to",
        )
        .into());
    }
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
    prepared.hangup = hangup;
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
