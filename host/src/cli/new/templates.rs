//! What projects are made of, held in this program: the contract, and for each
//! language its SDK and its template (`host/templates/LANGUAGE`).

mod c;
mod go;
mod python;
mod rust;
mod typescript;

use crate::plugin::Kind;

/// A file of Millrace's repository.
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// Below the folder that its list names.
    pub path: &'static str,
    pub bytes: &'static [u8],
}

/// One language's projects. A template is text in which `{{name}}` and its kin stand
/// for what differs (`project::fill`).
#[derive(Debug)]
pub struct Template {
    /// As `--lang` names it, and its folder in `host/templates`.
    pub language: &'static str,
    /// Where the plugin's code is.
    pub code: &'static str,
    /// What no plugin can be called, with `_` for `-`.
    pub reserved: &'static [&'static str],
    /// The SDK, as it lies in the repository.
    pub sdk: &'static [File],
    /// What projects of every kind have.
    pub shared: &'static [File],
    pub transform: &'static [File],
    pub deserializer: &'static [File],
    pub serializer: &'static [File],
}

impl Template {
    /// What projects of this kind have beside the shared files.
    pub fn own(&self, kind: Kind) -> &'static [File] {
        match kind {
            Kind::Transform => self.transform,
            Kind::Deserializer => self.deserializer,
            Kind::Serializer => self.serializer,
        }
    }
}

/// As `--kind` names them.
pub const KINDS: [Kind; 3] = [Kind::Transform, Kind::Deserializer, Kind::Serializer];

/// `files!["FOLDER", "PATH", …]`: these files of a folder of the repository. They are
/// listed, and not found, so that nothing else that lies there gets into a project.
macro_rules! files {
    ($folder:literal, $($path:literal),+ $(,)?) => {
        &[$(File {
            path: $path,
            bytes: include_bytes!(concat!(
                env!("CARGO_MANIFEST_DIR"), "/../", $folder, "/", $path
            )),
        }),+]
    };
}
use files;

/// What every project holds a copy of.
pub const CONTRACT: &[File] = files![
    ".",
    "LICENSE",
    "wit/codec.wit",
    "wit/log.wit",
    "wit/transform.wit",
    "wit/types.wit",
    "wit/worlds.wit",
];

/// Every language that a project can be made in.
pub const TEMPLATES: &[Template] = &[
    rust::RUST,
    typescript::TYPESCRIPT,
    typescript::JAVASCRIPT,
    python::PYTHON,
    c::C,
    go::GO,
];
