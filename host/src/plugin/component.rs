//! A plugin file, checked, compiled (or loaded from the cache) and linked: what
//! all workers' instances are made from.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use sha2::{Digest as _, Sha256};
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;

use super::bindings::millrace::plugin::log;
use super::cache::Slot;
use super::compile::Compiler;
use super::contract;
use super::engine::Engine;
use super::id::PluginId;
use super::kind::{Kind, Linked};
use super::state::State;
use super::tally::Tally;
use crate::config::Plugin;
use crate::pipeline::ports::Fatal;

/// Where the compiled code came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loaded {
    FromCache,
    Compiled,
}

/// A plugin file, read: nothing of it is checked yet.
pub struct File {
    pub id: PluginId,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl File {
    pub fn read(path: &Path) -> Result<Self, Fatal> {
        let bytes = std::fs::read(path)
            .with_context(|| format!("plugin {} can't be read", path.display()))?;
        Ok(Self::of(path, bytes))
    }

    /// What would be read from this path if it held these bytes.
    pub fn of(path: &Path, bytes: Vec<u8>) -> Self {
        Self {
            id: id(path, &bytes),
            path: path.to_path_buf(),
            bytes,
        }
    }

    /// Whether it can be run as this kind, as far as its bytes tell.
    pub fn check(&self, kind: Kind) -> Result<(), Fatal> {
        contract::check(&self.bytes, kind)
            .with_context(|| format!("{} is no {kind} plugin", self.path.display()))
    }

    /// Compiles it, or takes it from the cache. It was checked before.
    pub fn compile(self, engine: &Engine, compiler: Compiler<'_>) -> Result<Code, Fatal> {
        let slot = Slot::of(&self.id.digest, engine);
        self.compile_into(engine, compiler, slot.as_ref())
    }

    fn compile_into(
        self,
        engine: &Engine,
        compiler: Compiler<'_>,
        slot: Option<&Slot>,
    ) -> Result<Code, Fatal> {
        let begun = Instant::now();
        let (native, loaded) = match slot.and_then(|slot| self.cached(engine, slot)) {
            Some(native) => (native, Loaded::FromCache),
            None => {
                let native = compiler.compile(engine, &self.bytes);
                let native = native
                    .with_context(|| format!("plugin {} does not compile", self.path.display()))?;
                if let Some(slot) = slot {
                    match native.serialize() {
                        Ok(code) => slot.write(&code),
                        Err(error) => {
                            tracing::warn!(plugin = %self.id, %error, "a compiled plugin could not be cached");
                        }
                    }
                }
                (native, Loaded::Compiled)
            }
        };
        Ok(Code {
            id: self.id,
            path: self.path,
            loaded,
            took: begun.elapsed(),
            native,
        })
    }

    fn cached(&self, engine: &Engine, slot: &Slot) -> Option<wasmtime::component::Component> {
        let code = slot.read()?;
        // SAFETY: the file's checksum is right, and it lies in a folder that
        // only this user writes, so it is what this program put there.
        match unsafe { wasmtime::component::Component::deserialize(engine.native(), &code) } {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(plugin = %self.id, %error, "a cached plugin does not load; it is compiled anew");
                None
            }
        }
    }
}

/// A plugin file's compiled code, whatever it is to be run as.
pub struct Code {
    pub id: PluginId,
    path: PathBuf,
    pub loaded: Loaded,
    pub took: Duration,
    native: wasmtime::component::Component,
}

/// See the module's words.
pub struct Component {
    pub id: PluginId,
    pub loaded: Loaded,
    pub took: Duration,
    pub(super) settings: Plugin,
    pub(super) engine: Engine,
    pub(super) linked: Linked,
    /// Of all workers.
    pub tally: Tally,
}

impl Component {
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Reads, checks, compiles and links the file, to be run as this kind. Takes
    /// milliseconds from the cache, and up to seconds without.
    pub fn load(engine: &Engine, settings: &Plugin, kind: Kind) -> Result<Self, Fatal> {
        let file = File::read(&settings.path)?;
        file.check(kind)?;
        Self::link(
            engine,
            settings,
            kind,
            &file.compile(engine, Compiler::Here)?,
        )
    }

    /// Links compiled code, to be run as this kind.
    pub fn link(
        engine: &Engine,
        settings: &Plugin,
        kind: Kind,
        code: &Code,
    ) -> Result<Self, Fatal> {
        let linked = linker(engine)
            .and_then(|linker| linker.instantiate_pre(&code.native))
            .and_then(|pre| Linked::new(kind, pre))
            .map_err(|error| anyhow!("{error:#}"))
            .with_context(|| {
                format!(
                    "{} names {} but does not fit it",
                    code.path.display(),
                    contract::CONTRACT
                )
            })?;
        Ok(Self {
            id: code.id.clone(),
            loaded: code.loaded,
            took: code.took,
            settings: settings.clone(),
            engine: engine.clone(),
            linked,
            tally: Tally::default(),
        })
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

    /// From bytes that are no file, past the cache.
    #[cfg(test)]
    pub(super) fn of_bytes(engine: &Engine, settings: &Plugin, kind: Kind, bytes: &[u8]) -> Self {
        let file = File::of(&settings.path, bytes.to_vec());
        file.check(kind).expect("it is a plugin");
        let code = file.compile_into(engine, Compiler::Here, None);
        Self::link(engine, settings, kind, &code.expect("it compiles")).expect("it links")
    }
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
