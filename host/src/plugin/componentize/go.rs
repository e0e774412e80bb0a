//! What a module that Go's compiler left needs: an adapter of its own (go.wat says why),
//! and the adapter's `cabi_realloc` among its exports.

use anyhow::Context as _;
use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as ADAPTER;
use wasm_encoder::reencode::{Reencode as _, RoundtripReencoder};
use wasm_encoder::{ExportKind, ExportSection, Module, RawSection};
use wasmparser::{Parser, Payload, TypeRef};
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const REALLOC: &str = "cabi_realloc";

/// The adapter, with the types of what it imports.
pub fn adapter() -> anyhow::Result<Vec<u8>> {
    let mut adapter = wat::parse_str(include_str!("go.wat"))?;
    let mut resolve = Resolve::default();
    let package = resolve.push_str("go.wit", include_str!("go.wit"))?;
    let world = resolve.select_world(&[package], None)?;
    embed_component_metadata(&mut adapter, &resolve, world, StringEncoding::UTF8)?;
    Ok(adapter)
}

/// The module with one more export, which it imports from the adapter: Go can't export an
/// import.
pub fn with_realloc(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut imported = 0;
    let mut realloc = None;
    let mut made = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if let Payload::ImportSection(imports) = &payload {
            for import in imports.clone().into_imports() {
                let import = import?;
                if let TypeRef::Func(_) = import.ty {
                    if (import.module, import.name) == (ADAPTER, REALLOC) {
                        realloc = Some(imported);
                    }
                    imported += 1;
                }
            }
        }
        if let Payload::ExportSection(exports) = payload {
            let mut section = ExportSection::new();
            RoundtripReencoder.parse_export_section(&mut section, exports)?;
            let realloc = realloc
                .context("it does not import cabi_realloc, as Millrace's SDK for Go does")?;
            section.export(REALLOC, ExportKind::Func, realloc);
            made.section(&section);
        } else if let Some((id, range)) = payload.as_section() {
            let data = module
                .get(range)
                .context("a section ends behind the module")?;
            made.section(&RawSection { id, data });
        }
    }
    Ok(made.finish())
}
