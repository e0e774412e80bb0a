//! What can be said of a plugin file without compiling it: what it exports and
//! imports, what it would be given of that, and what it was made with (`producers`).

mod producers;

use std::path::Path;

use anyhow::Context as _;

use super::cache::Slot;
use super::component::id;
use super::contract::{self, PACKAGE, Refused};
use super::engine::Engine;
use super::id::PluginId;
use super::kind::Kind;
use crate::pipeline::ports::Fatal;

pub use self::producers::Tool;

/// See the module's words. Of a file that is no component, only what it is called, how
/// large it is and why it is refused.
#[derive(Debug)]
pub struct Description {
    pub id: PluginId,
    /// In bytes.
    pub size: u64,
    /// The contract's version that it was built against.
    pub contract: Option<String>,
    pub kinds: Vec<Kind>,
    /// All of its exports, with their versions.
    pub exports: Vec<String>,
    pub imports: Vec<Import>,
    /// What it was written in, where that is said.
    pub language: Option<String>,
    /// What it was made with.
    pub tools: Vec<Tool>,
    /// Whether its compiled code, for this host, is in the cache.
    pub cached: bool,
    /// Why it could not be run.
    pub refused: Option<Refused>,
}

/// An interface that a plugin imports.
#[derive(Debug, PartialEq, Eq)]
pub struct Import {
    /// With its version.
    pub name: String,
    pub access: Access,
}

/// What a plugin is given for an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// What it asks for.
    Given,
    /// Something in its place, and what `--allow` calls the real thing.
    Virtual(&'static str, Option<&'static str>),
    /// Nothing: the file is refused.
    Refused,
}

/// What stands in the place of WASI's interfaces (docs/plugins.md), by how their names
/// begin.
const VIRTUAL: &[(&str, &str, Option<&str>)] = &[
    ("wasi:cli/environment", "it is empty", Some("env:NAME")),
    ("wasi:cli/stdin", "it has ended", None),
    ("wasi:cli/stdout", "lines of the host's log", None),
    ("wasi:cli/stderr", "lines of the host's log", None),
    ("wasi:cli/terminal", "there is none", None),
    (
        "wasi:clocks/",
        "it stands at the records' time",
        Some("clock"),
    ),
    ("wasi:filesystem/", "there are no files", None),
    ("wasi:random/", "from a fixed seed", Some("random")),
];

impl Description {
    /// An error is that the file can't be read.
    pub fn of(path: &Path) -> Result<Self, Fatal> {
        let bytes = read(path)?;
        let id = id(path, &bytes);
        let (exports, imports) = contract::names(&bytes).unwrap_or_default();
        let kinds = contract::kinds(&exports);
        let wanted = kinds.first().copied().unwrap_or(Kind::Transform);
        let made = producers::of(&bytes);
        Ok(Self {
            size: bytes.len() as u64,
            contract: exports
                .iter()
                .chain(&imports)
                .find_map(|name| version(name)),
            refused: contract::check(&bytes, wanted).err(),
            cached: Slot::holds(&id.digest, &Engine::new()?),
            language: made.language(),
            tools: made.into_tools(),
            imports: imports.into_iter().map(import).collect(),
            id,
            kinds,
            exports,
        })
    }
}

/// The kinds that a file can be loaded as; none where it is no component.
pub fn kinds(path: &Path) -> Result<Vec<Kind>, Fatal> {
    let (exports, _) = contract::names(&read(path)?).unwrap_or_default();
    Ok(contract::kinds(&exports))
}

fn read(path: &Path) -> Result<Vec<u8>, Fatal> {
    std::fs::read(path).with_context(|| format!("plugin {} can't be read", path.display()))
}

/// The contract's version in the name of one of its interfaces.
fn version(name: &str) -> Option<String> {
    let interface = name.strip_prefix(PACKAGE)?.strip_prefix('/')?;
    let (_, version) = interface.split_once('@')?;
    Some(version.to_owned())
}

fn import(name: String) -> Import {
    let access = match contract::given(&name) {
        false => Access::Refused,
        true => VIRTUAL
            .iter()
            .find(|(begin, _, _)| name.starts_with(begin))
            .map_or(Access::Given, |(_, is, allow)| Access::Virtual(is, *allow)),
    };
    Import { name, access }
}

#[cfg(test)]
mod tests;
