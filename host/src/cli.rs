//! The command line: one file a command.

mod cache;
mod code;
mod componentize;
mod connection;
mod demo;
mod dlq;
mod inspect;
mod json;
mod logging;
mod new;
mod pipeline;
mod recovery;
mod run;
mod signals;
mod status;
mod table;
mod test;
mod text;

use std::io::Write as _;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::config::ConfigError;
use crate::plugin::compile;

/// Leads Kafka records through a WebAssembly component and back to Kafka.
#[derive(Parser)]
#[command(name = "host", version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a pipeline
    Run(Box<run::RunArguments>),
    /// Show a pipeline at work, with nothing installed
    Demo(demo::DemoArguments),
    /// Make a plugin project
    New(new::NewArguments),
    /// Try a plugin without a broker: records in as JSON lines, verdicts out as JSON lines
    Test(Box<test::TestArguments>),
    /// Say what a file is as a plugin, without compiling it
    Inspect(inspect::InspectArguments),
    /// Make a plugin of the core module that a C, Zig or Go compiler leaves
    Componentize(componentize::ComponentizeArguments),
    /// Look into a dead-letter topic
    Dlq(dlq::DlqArguments),
    /// Compile what comes from stdin, for a pipeline that runs
    #[command(hide = true)]
    Compile,
    /// Look into a recovery store, and move its positions
    Recovery(recovery::RecoveryArguments),
    /// Look into the cache of compiled plugins, and empty it
    Cache(cache::CacheArguments),
}

/// An error and the exit status that it gives.
pub struct Failed {
    pub error: anyhow::Error,
    /// 1: the pipeline or the command failed; 2: wrong usage or configuration.
    pub status: u8,
}

impl Failed {
    /// Before anything ran: the configuration, the plugin, the topics.
    fn before(error: impl Into<anyhow::Error>) -> Self {
        Self {
            error: error.into(),
            status: 2,
        }
    }

    /// While it ran.
    fn while_running(error: impl Into<anyhow::Error>) -> Self {
        Self {
            error: error.into(),
            status: 1,
        }
    }
}

impl From<ConfigError> for Failed {
    fn from(error: ConfigError) -> Self {
        Self::before(error)
    }
}

/// Runs the command that the arguments name.
pub fn run(arguments: Arguments) -> Result<(), Failed> {
    match arguments.command {
        Command::Run(arguments) => run::run(*arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::New(arguments) => new::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Componentize(arguments) => componentize::run(&arguments),
        Command::Dlq(arguments) => dlq::run(arguments),
        Command::Compile => compile::child().map_err(Failed::while_running),
        Command::Recovery(arguments) => recovery::run(&arguments),
        Command::Cache(arguments) => cache::run(&arguments),
    }
}

/// Prints an answer, whole or not at all.
fn answer(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .context("the answer could not be written")
}

/// Whether whoever read the answer has gone (`| head`).
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
