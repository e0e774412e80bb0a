//! A component of a core module, as compilers of C, Zig and Go leave it: what
//! `wasm-tools component embed` and `component new` do, for this contract alone.

use anyhow::{Context as _, bail};
use wasi_preview1_component_adapter_provider as wasi;
use wasmparser::{ExternalKind, Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

use super::contract::{CONTRACT, PACKAGE, served};
use super::kind::Kind;

/// The contract itself. `worlds` names the package, and so comes first.
const WIT: &str = concat!(
    include_str!("../../../wit/worlds.wit"),
    include_str!("../../../wit/types.wit"),
    include_str!("../../../wit/log.wit"),
    include_str!("../../../wit/transform.wit"),
    include_str!("../../../wit/codec.wit"),
);

/// What stands between Go's runtime and the host (see there).
const GO: &str = include_str!("componentize/go.wat");

/// What of a core module decides about its component.
#[derive(Debug, Default)]
struct Core {
    kinds: Vec<Kind>,
    /// wit-bindgen has left there what world it is of.
    says_its_world: bool,
    is_go: bool,
}

/// The component. Which of the contract's interfaces it exports is told by the
/// functions that the module exports, which are called as in the canonical ABI:
/// `millrace:plugin/transform@0.1.0#process`.
///
/// # Errors
/// It is no core module, exports nothing of the contract, or not all of an
/// interface, or imports what is neither of the contract nor of WASI 0.1.
pub fn componentize(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    if Parser::is_component(module) {
        bail!("it is a component already");
    }
    if !Parser::is_core_wasm(module) {
        bail!("it is no WebAssembly module");
    }
    let core = Core::of(module).context("it is damaged")?;
    let mut module = module.to_owned();
    if !core.says_its_world {
        if core.kinds.is_empty() {
            bail!(
                "it exports nothing of {CONTRACT}: a transform exports the functions \
                 {PACKAGE}/transform@{0}#init and {PACKAGE}/transform@{0}#process (is the SDK \
                 compiled in, and is it a reactor: -mexec-model=reactor, -buildmode=c-shared?)",
                served()
            );
        }
        let (resolve, world) = world(&core.kinds)?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    }
    let adapter = match core.is_go {
        true => wat::parse_str(GO)?,
        false => wasi::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER.to_owned(),
    };
    ComponentEncoder::default()
        .module(&module)?
        .adapter(wasi::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, &adapter)?
        .validate(true)
        .encode()
}

impl Core {
    fn of(module: &[u8]) -> anyhow::Result<Self> {
        let mut core = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let export = export?;
                        if export.kind == ExternalKind::Func {
                            core.kinds.extend(kind(export.name));
                        }
                    }
                }
                Payload::CustomSection(section) => {
                    core.says_its_world |= section.name().starts_with("component-type");
                    core.is_go |= section.name() == "go:buildid";
                }
                _ => {}
            }
        }
        core.kinds.dedup();
        Ok(core)
    }
}

/// The interface that has an exported function of this name.
fn kind(export: &str) -> Option<Kind> {
    let (interface, _) = export.split_once('#')?;
    let has = |kind: &Kind| interface == format!("{PACKAGE}/{kind}@{}", served());
    Kind::ALL.into_iter().find(has)
}

/// A world that exports these interfaces.
fn world(kinds: &[Kind]) -> anyhow::Result<(Resolve, WorldId)> {
    let version = served();
    let mut text =
        format!("package millrace:made;\nworld made {{\n    import {PACKAGE}/log@{version};\n");
    for kind in Kind::ALL.iter().filter(|kind| kinds.contains(kind)) {
        text += &format!("    export {PACKAGE}/{kind}@{version};\n");
    }
    text += "}\n";
    let mut resolve = Resolve::default();
    resolve.push_str("wit", WIT)?;
    let made = resolve.push_str("made", &text)?;
    let world = resolve.select_world(&[made], None)?;
    Ok((resolve, world))
}

#[cfg(test)]
mod tests;
