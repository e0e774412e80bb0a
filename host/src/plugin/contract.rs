//! What a file must be to be a plugin, found out from its bytes before anything
//! is compiled: a component, of this contract's version, that exports the
//! interface that is wanted of it and imports only what the host gives.

use semver::Version;
use wasmparser::{Encoding, Parser, Payload};

use super::kind::Kind;

/// The contract that this host serves: `wit/`.
pub const CONTRACT: &str = "millrace:plugin@0.1.0";
pub(super) const PACKAGE: &str = "millrace:plugin";

/// What the host gives to every plugin. WASI is virtual where it would let the
/// outside in (see `wasi`), so that ordinary guests load.
const GIVEN: &[&str] = &[
    "millrace:plugin/log",
    "millrace:plugin/types",
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:io/",
    "wasi:random/",
];

/// Why a file is no plugin.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    #[error("it is empty")]
    Empty,
    #[error(
        "it is no WebAssembly at all (a component begins with the bytes 00 61 73 6d, and this with {0})"
    )]
    NotWasm(String),
    #[error(
        "it is a core module, not a component: build it for wasm32-wasip2, or make one of it \
         with `host componentize`"
    )]
    CoreModule,
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error(
        "it is built against contract {PACKAGE}@{found}, and this host serves {CONTRACT}: build it \
         with an SDK of version {}, or take a host of its version",
        served()
    )]
    OtherContract { found: String },
    #[error("{}", lacks(*wanted, exports))]
    Lacks { wanted: Kind, exports: Vec<String> },
    #[error("{}", not_granted(.0))]
    NotGranted(Vec<String>),
}

pub(super) fn served() -> &'static str {
    CONTRACT.rsplit('@').next().unwrap_or(CONTRACT)
}

fn lacks(wanted: Kind, exports: &[String]) -> String {
    let exports = match exports {
        [] => "nothing".to_owned(),
        some => some.join(", "),
    };
    format!(
        "it exports {exports} and no {wanted}: {} a plugin that exports {PACKAGE}/{wanted}",
        wanted.keys()
    )
}

fn not_granted(imports: &[String]) -> String {
    format!(
        "it imports {}, which a plugin is not given, and no --allow grants: plugins have no \
         network, no HTTP and no other host functions (--allow can put the real clock, random and \
         env:NAME behind the virtual ones)",
        imports.join(", ")
    )
}

/// The kinds that a component's exports are of.
pub(super) fn kinds(exports: &[String]) -> Vec<Kind> {
    let is = |kind: &Kind| {
        let interface = format!("{PACKAGE}/{kind}");
        exports
            .iter()
            .any(|name| name.split('@').next() == Some(&interface))
    };
    Kind::ALL.into_iter().filter(is).collect()
}

/// Checks the bytes of a file that is to be run as this kind.
pub fn check(bytes: &[u8], wanted: Kind) -> Result<(), Refused> {
    if bytes.is_empty() {
        return Err(Refused::Empty);
    }
    if !bytes.starts_with(b"\0asm") {
        let first: Vec<String> = bytes.iter().take(4).map(|b| format!("{b:02x}")).collect();
        return Err(Refused::NotWasm(first.join(" ")));
    }
    let (exports, imports) = names(bytes)?;
    for name in exports.iter().chain(&imports) {
        let (interface, version) = name.split_once('@').unwrap_or((name, "(no version)"));
        if interface.starts_with(&format!("{PACKAGE}/")) && !compatible(version) {
            return Err(Refused::OtherContract {
                found: version.to_owned(),
            });
        }
    }
    if !kinds(&exports).contains(&wanted) {
        return Err(Refused::Lacks { wanted, exports });
    }
    let refused: Vec<String> = imports
        .into_iter()
        .filter(|import| !given(import))
        .collect();
    if refused.is_empty() {
        Ok(())
    } else {
        Err(Refused::NotGranted(refused))
    }
}

/// Whether a plugin is given this import: an interface by its name, or any of a
/// package.
pub(super) fn given(import: &str) -> bool {
    let interface = import.split('@').next().unwrap_or(import);
    GIVEN.iter().any(|given| match given.ends_with('/') {
        true => interface.starts_with(given),
        false => interface == *given,
    })
}

/// Versions that differ in their last part only, before 1.0, are compatible
/// (semantic versioning, as the component model applies it to packages), as
/// long as the plugin does not need more than this host knows.
fn compatible(version: &str) -> bool {
    match (Version::parse(version), Version::parse(served())) {
        (Ok(theirs), Ok(ours)) => {
            theirs.major == ours.major
                && (theirs.major > 0 || theirs.minor == ours.minor)
                && theirs.pre.is_empty()
                && theirs <= ours
        }
        _ => false,
    }
}

/// The names of a component's own exports and imports.
pub(super) fn names(bytes: &[u8]) -> Result<(Vec<String>, Vec<String>), Refused> {
    let damaged = |error: wasmparser::BinaryReaderError| Refused::Damaged(error.to_string());
    let (mut exports, mut imports) = (Vec::new(), Vec::new());
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(damaged)? {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if depth == 0 => {
                return Err(Refused::CoreModule);
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    exports.push(export.map_err(damaged)?.name.name.to_owned());
                }
            }
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    imports.push(import.map_err(damaged)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok((exports, imports))
}

#[cfg(test)]
mod tests;
