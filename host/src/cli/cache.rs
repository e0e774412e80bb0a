//! `host cache`: the compiled plugins that this user keeps on disk. Answers go to stdout.

use std::time::UNIX_EPOCH;

use anyhow::Context as _;
use bytesize::ByteSize;
use clap::{Args, Subcommand};
use console::Term;
use serde_json::json;

use super::table::table;
use super::text::counted;
use super::{Failed, answer, is_broken_pipe, logging};
use crate::plugin::Engine;
use crate::plugin::cache::{Cache, Kept, MOST_BYTES};

#[derive(Args)]
pub struct CacheArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say what is kept, the last used first
    Show(ShowArguments),
    /// Remove all of it: the next start of each plugin compiles it anew
    Clear,
}

#[derive(Args)]
struct ShowArguments {
    /// One JSON value
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &CacheArguments) -> Result<(), Failed> {
    logging::quiet();
    let outcome = match &arguments.command {
        Command::Show(arguments) => show(arguments),
        Command::Clear => clear(),
    };
    match outcome {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        outcome => outcome.map_err(Failed::while_running),
    }
}

fn cache() -> anyhow::Result<Cache> {
    Cache::of_this_user().context(
        "there is no place for a cache: neither XDG_CACHE_HOME nor HOME names an absolute path",
    )
}

fn show(arguments: &ShowArguments) -> anyhow::Result<()> {
    let cache = cache()?;
    let folder = cache.folder().display();
    let kept = cache
        .kept()
        .with_context(|| format!("{folder} can't be read"))?;
    let engine = Engine::new()?;
    if arguments.json {
        let files = kept.iter().map(|kept| {
            json!({
                "digest": kept.digest,
                "bytes": kept.bytes,
                "used": millis(kept),
                "for_this_host": kept.is_for(&engine),
            })
        });
        let value = json!({
            "folder": folder.to_string(),
            "bytes": bytes(&kept),
            "most_bytes": MOST_BYTES,
            "files": files.collect::<Vec<_>>(),
        });
        return answer(&format!("{value}\n"));
    }
    let mut text = format!(
        "{folder}: {}, {} of at most {}\n",
        counted(kept.len(), "compiled plugin"),
        ByteSize(bytes(&kept)),
        ByteSize(MOST_BYTES),
    );
    if !kept.is_empty() {
        let rows: Vec<[String; 4]> = kept
            .iter()
            .map(|kept| {
                [
                    ByteSize(kept.bytes).to_string(),
                    humantime::format_rfc3339_seconds(kept.used).to_string(),
                    match kept.is_for(&engine) {
                        true => "this one".to_owned(),
                        false => "another".to_owned(),
                    },
                    kept.digest.clone(),
                ]
            })
            .collect();
        let width = Term::stdout().size_checked().map(|(_, width)| width.into());
        text += &table(["SIZE", "LAST USED", "HOST", "DIGEST"], &rows, width);
    }
    answer(&text)
}

fn clear() -> anyhow::Result<()> {
    let cache = cache()?;
    let folder = cache.folder().display();
    let removed = cache
        .clear()
        .with_context(|| format!("{folder} can't be emptied"))?;
    answer(&format!(
        "removed {} from {folder}: {}\n",
        counted(removed.len(), "compiled plugin"),
        ByteSize(bytes(&removed)),
    ))
}

fn bytes(kept: &[Kept]) -> u64 {
    kept.iter().map(|kept| kept.bytes).sum()
}

/// Milliseconds since the epoch.
fn millis(kept: &Kept) -> u64 {
    let since = kept.used.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
