//! A plugin file, checked, compiled (or loaded from the cache) and linked: what
//! all workers' instances are made from.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use sha2::{Digest as _, Sha256};
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;

use super::bindings::millrace::plugin::log;
use super::cache::Slot;
use super::contract;
use super::engine::Engine;
use super::id::PluginId;
use super::kind::{Kind, Linked};
use super::state::State;
use crate::config::Plugin;
use crate::pipeline::ports::Fatal;

/// Where the compiled code came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loaded {
    FromCache,
    Compiled,
}

/// See the module's words.
pub struct Component {
    pub id: PluginId,
    pub loaded: Loaded,
    pub took: Duration,
    pub(super) settings: Plugin,
    pub(super) engine: Engine,
    pub(super) linked: Linked,
    /// How many instances gave way to a fresh one, of all workers.
    pub(super) recycled: AtomicU64,
}

impl Component {
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Reads, checks, compiles and links the file, to be run as this kind. Takes
    /// milliseconds from the cache, and up to seconds without.
    pub fn load(engine: &Engine, settings: &Plugin, kind: Kind) -> Result<Self, Fatal> {
        let begun = Instant::now();
        let path = &settings.path;
        let bytes = std::fs::read(path)
            .with_context(|| format!("plugin {} can't be read", path.display()))?;
        contract::check(&bytes, kind)
            .with_context(|| format!("{} is no {kind} plugin", path.display()))?;
        let id = id(path, &bytes);
        let slot = Slot::of(&id.digest, engine);
        Self::link(engine, settings, kind, id, &bytes, slot.as_ref(), begun)
    }

    /// Refuses another face than the one that it was loaded for.
    pub(super) fn is_for(&self, kinds: &[Kind]) -> Result<(), Fatal> {
        let kind = self.linked.kind();
        ensure!(
            kinds.contains(&kind),
            "plugin {} was loaded as a {kind}",
            self.id
        );
        Ok(())
    }

    /// Compiles, or takes from its slot of the cache, and links.
    fn link(
        engine: &Engine,
        settings: &Plugin,
        kind: Kind,
        id: PluginId,
        bytes: &[u8],
        slot: Option<&Slot>,
        begun: Instant,
    ) -> Result<Self, Fatal> {
        let path = &settings.path;
        let (component, loaded) = compiled(engine, &id, bytes, slot)
            .with_context(|| format!("plugin {} does not compile", path.display()))?;
        let linked = linker(engine)
            .and_then(|linker| linker.instantiate_pre(&component))
            .and_then(|pre| Linked::new(kind, pre))
            .map_err(|error| anyhow!("{error:#}"))
            .with_context(|| {
                format!(
                    "{} names {} but does not fit it",
                    path.display(),
                    contract::CONTRACT
                )
            })?;
        Ok(Self {
            id,
            loaded,
            took: begun.elapsed(),
            settings: settings.clone(),
            engine: engine.clone(),
            linked,
            recycled: AtomicU64::new(0),
        })
    }

    /// From bytes that are no file, past the cache.
    #[cfg(test)]
    pub(super) fn of_bytes(engine: &Engine, settings: &Plugin, kind: Kind, bytes: &[u8]) -> Self {
        contract::check(bytes, kind).expect("it is a plugin");
        let id = id(&settings.path, bytes);
        Self::link(engine, settings, kind, id, bytes, None, Instant::now()).expect("it links")
    }
}

fn compiled(
    engine: &Engine,
    id: &PluginId,
    bytes: &[u8],
    slot: Option<&Slot>,
) -> Result<(wasmtime::component::Component, Loaded), Fatal> {
    if let Some(code) = slot.and_then(Slot::read) {
        // SAFETY: the file's checksum is right, and it lies in a folder that
        // only this user writes, so it is what this program put there.
        match unsafe { wasmtime::component::Component::deserialize(engine.native(), &code) } {
            Ok(component) => return Ok((component, Loaded::FromCache)),
            Err(error) => {
                tracing::warn!(plugin = %id, %error, "a cached plugin does not load; it is compiled anew");
            }
        }
    }
    let component = wasmtime::component::Component::new(engine.native(), bytes)
        .map_err(|error| anyhow!("{error:#}"))?;
    if let Some(slot) = slot {
        match component.serialize() {
            Ok(code) => slot.write(&code),
            Err(error) => {
                tracing::warn!(plugin = %id, %error, "a compiled plugin could not be cached")
            }
        }
    }
    Ok((component, Loaded::Compiled))
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine.native());
    // Sockets are linked too, but `contract::check` lets no component in that
    // imports them.
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    log::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    // Ours in the place of WASI's: sleeping has an end.
    linker.allow_shadowing(true);
    monotonic_clock::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

/// What a file with this content is called.
pub(super) fn id(path: &Path, bytes: &[u8]) -> PluginId {
    PluginId {
        name: stem(path),
        digest: hex(&Sha256::digest(bytes)).into(),
    }
}

fn stem(path: &Path) -> Arc<str> {
    path.file_stem().map_or_else(
        || "plugin".into(),
        |stem| stem.to_string_lossy().as_ref().into(),
    )
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
