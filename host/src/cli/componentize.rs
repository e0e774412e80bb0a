//! `host componentize`: from a compiler's core module to a plugin.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::{Failed, logging};
use crate::plugin::componentize;

#[derive(Args)]
pub struct ComponentizeArguments {
    /// The core module: what `-mexec-model=reactor` or `-buildmode=c-shared` gives
    #[arg(value_name = "CORE")]
    core: PathBuf,
    /// The plugin. A file that is there is replaced at once: a host may be watching it
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub fn run(arguments: &ComponentizeArguments) -> Result<(), Failed> {
    logging::quiet();
    let core = &arguments.core;
    let made = fs::read(core)
        .context("it could not be read")
        .and_then(|module| componentize(&module))
        .with_context(|| format!("{}: no plugin can be made of it", core.display()))
        .map_err(Failed::while_running)?;
    replace(&arguments.output, &made).map_err(Failed::while_running)
}

/// Leaves an equal file alone, so that nobody takes it for a new version.
fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // What went wrong first is what is told.
        let _ = fs::remove_file(&beside);
    }
    written.with_context(|| format!("{} could not be written", path.display()))
}
