//! What projects are made of, held in this program: the contract, and for each
//! language its SDK and its template (`host/templates/LANGUAGE`).

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
            bytes: include_bytes!(concat!("../../../../", $folder, "/", $path)),
        }),+]
    };
}

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
pub const TEMPLATES: &[Template] = &[RUST];

const RUST: Template = Template {
    language: "rust",
    // The language's keywords, its own crates, and what a project depends on.
    reserved: &[
        "abstract",
        "alloc",
        "as",
        "async",
        "await",
        "become",
        "box",
        "break",
        "const",
        "continue",
        "core",
        "crate",
        "do",
        "dyn",
        "else",
        "enum",
        "extern",
        "false",
        "final",
        "fn",
        "for",
        "gen",
        "if",
        "impl",
        "in",
        "let",
        "loop",
        "macro",
        "match",
        "millrace_sdk",
        "mod",
        "move",
        "mut",
        "override",
        "priv",
        "proc_macro",
        "pub",
        "ref",
        "return",
        "self",
        "serde_json",
        "static",
        "std",
        "struct",
        "super",
        "test",
        "trait",
        "true",
        "try",
        "type",
        "typeof",
        "unsafe",
        "unsized",
        "use",
        "virtual",
        "where",
        "while",
        "yield",
    ],
    sdk: files![
        ".",
        "guest-sdk/rust/Cargo.toml",
        "guest-sdk/rust/README.md",
        "guest-sdk/rust/src/bindings.rs",
        "guest-sdk/rust/src/codec.rs",
        "guest-sdk/rust/src/lib.rs",
        "guest-sdk/rust/src/log.rs",
        "guest-sdk/rust/src/message.rs",
        "guest-sdk/rust/src/output.rs",
        "guest-sdk/rust/src/runtime.rs",
    ],
    shared: files![
        "host/templates/rust",
        ".gitignore",
        "Cargo.toml",
        "Makefile",
        "README.md",
    ],
    transform: files![
        "host/templates/rust/transform",
        "src/lib.rs",
        "tests/expected.jsonl",
        "tests/in.jsonl",
    ],
    deserializer: files![
        "host/templates/rust/deserializer",
        "src/lib.rs",
        "tests/expected.jsonl",
        "tests/in.jsonl",
    ],
    serializer: files![
        "host/templates/rust/serializer",
        "src/lib.rs",
        "tests/expected.jsonl",
        "tests/in.jsonl",
    ],
};
