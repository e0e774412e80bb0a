//! `host recovery`: the local store of positions, made, printed and changed.
//! Answers go to stdout.

mod reset;
mod show;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Failed, answer, is_broken_pipe, logging};
use crate::config::ConfigError;
use crate::recovery::Store;

#[derive(Args)]
pub struct RecoveryArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make an empty store, which becomes the first pipeline's that uses it
    Init(InitArguments),
    /// Print what a store holds, also while a pipeline uses it
    Show(show::ShowArguments),
    /// Move or forget positions, or make a store another pipeline's
    Reset(reset::ResetArguments),
}

#[derive(Args)]
struct InitArguments {
    /// The store's folder, made where it is missing
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub fn run(arguments: &RecoveryArguments) -> Result<(), Failed> {
    if let Command::Reset(arguments) = &arguments.command {
        reset::check(arguments).map_err(|why| Failed::before(ConfigError::new(why)))?;
    }
    logging::quiet();
    let outcome = match &arguments.command {
        Command::Init(arguments) => init(arguments),
        Command::Show(arguments) => show::run(arguments),
        Command::Reset(arguments) => reset::run(arguments),
    };
    match outcome {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        outcome => outcome.map_err(Failed::while_running),
    }
}

fn init(arguments: &InitArguments) -> anyhow::Result<()> {
    let dir = &arguments.dir;
    Store::create(dir)?;
    answer(&format!(
        "an empty recovery store was made in {}\n",
        dir.display()
    ))
}
