//! Compiled WebAssembly that `make` leaves in the target folder: plugins as
//! users get them, and guests that misbehave on command.

use std::path::PathBuf;

use crate::target::{must_exist, target_dir};

/// What makes both kinds.
const HOW: &str = "run make plugins guests";

/// A guest of `tests/guests`, by the name of its example.
pub fn guest(name: &str) -> PathBuf {
    must_exist(
        target_dir().join("guests").join(format!("{name}.wasm")),
        HOW,
    )
}

/// A plugin of `plugins` or `examples`, by the name of its folder.
pub fn plugin(name: &str) -> PathBuf {
    must_exist(
        target_dir().join("plugins").join(format!("{name}.wasm")),
        HOW,
    )
}

/// A guest of the conformance suite, by its language and interface.
pub fn conformance(language: &str, kind: &str) -> PathBuf {
    if language == "rust" {
        return guest(&format!("conformance_rust_{kind}"));
    }
    let name = format!("conformance-{language}-{kind}.wasm");
    must_exist(target_dir().join("conformance").join(name), "run make test")
}
