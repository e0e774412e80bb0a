//! Where cargo and make leave what the tests use. Everything is found from the
//! running test executable, so that `CARGO_TARGET_DIR` needs no second reading.

use std::env;
use std::path::{Path, PathBuf};

/// cargo's target folder.
pub fn target_dir() -> PathBuf {
    parent(&profile_dir()).to_owned()
}

/// The folder of the running executable's profile, such as `target/debug`: its
/// neighbours were built the same way.
pub fn profile_dir() -> PathBuf {
    let exe = env::current_exe().expect("the system knows which executable runs");
    let folder = parent(&exe);
    // Tests and benchmarks are one deeper than binaries.
    if folder.ends_with("deps") {
        parent(folder).to_owned()
    } else {
        folder.to_owned()
    }
}

/// `path`, if there is such a file or folder; else a panic that says how to
/// get it.
pub fn must_exist(path: PathBuf, how: &str) -> PathBuf {
    assert!(path.exists(), "{} is missing: {how}", path.display());
    path
}

/// A path beside the tests in the clone.
pub fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn parent(path: &Path) -> &Path {
    path.parent()
        .unwrap_or_else(|| panic!("{} is not where cargo puts it", path.display()))
}
