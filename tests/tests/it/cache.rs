//! Compiled code is kept on disk, and used only where it is whole and ours.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use millrace_tests::{Host, guest, plugin};
use tempfile::TempDir;

use crate::pipeline::{Pipeline, expect_exit, log};

/// A cache of one test's own, and a pipeline whose plugin is in it or not.
struct Cache {
    base: TempDir,
    pipeline: Pipeline,
}

/// Where a start had its code from, and the warnings that it gave.
type Start = (String, Vec<String>);

impl Cache {
    fn new() -> Cache {
        Cache {
            base: TempDir::new().expect("a folder can be made"),
            pipeline: Pipeline::new("cache", 1),
        }
    }

    fn start(&self, plugin: &Path) -> Start {
        self.start_with(plugin, self.base.path())
    }

    fn start_with(&self, plugin: &Path, base: &Path) -> Start {
        let mut command = Host::command();
        command
            .args(self.pipeline.arguments(plugin))
            .arg("--check")
            .env("XDG_CACHE_HOME", base);
        let mut host = Host::spawn(command);
        expect_exit(&mut host, 0);
        let text = |line: &serde_json::Value, field: &str| {
            line[field].as_str().unwrap_or_default().to_owned()
        };
        let lines = log(&host);
        let loaded = lines.iter().find(|line| line["message"] == "plugin loaded");
        let warned = lines.iter().filter(|line| line["level"] == "WARN");
        (
            text(loaded.expect("it says so"), "how"),
            warned.map(|line| text(line, "message")).collect(),
        )
    }

    fn folder(&self) -> PathBuf {
        self.base.path().join("millrace")
    }

    /// The cached files.
    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder()).expect("it is there");
        entries.map(|e| e.expect("it can be read").path()).collect()
    }
}

#[test]
fn the_second_start_takes_the_plugin_from_the_cache() {
    let cache = Cache::new();
    let passthrough = plugin("passthrough");
    assert_eq!(cache.start(&passthrough), ("compiled".into(), vec![]));
    for _ in 0..2 {
        assert_eq!(cache.start(&passthrough), ("from the cache".into(), vec![]));
    }
    // Another plugin is another file, and the first one stays.
    assert_eq!(cache.start(&plugin("orders")).0, "compiled");
    assert_eq!(cache.start(&passthrough).0, "from the cache");
    assert_eq!(cache.files().len(), 2);
}

#[test]
fn the_same_code_under_another_name_is_cached_already() {
    let cache = Cache::new();
    cache.start(&plugin("passthrough"));
    let copy = cache.base.path().join("other-name.wasm");
    fs::copy(plugin("passthrough"), &copy).expect("it can be copied");
    assert_eq!(cache.start(&copy).0, "from the cache");
}

#[test]
fn a_damaged_file_is_noticed_and_made_again() {
    let cache = Cache::new();
    let passthrough = plugin("passthrough");
    cache.start(&passthrough);
    let file = cache.files().remove(0);
    let whole = fs::read(&file).expect("it can be read");
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let damaged = [
        Vec::new(),
        whole[..1].to_vec(),
        whole[..whole.len() / 2].to_vec(),
        whole[..whole.len() - 1].to_vec(),
        [&whole[..], b"x"].concat(),
        vec![0; whole.len()],
        flipped(0),
        flipped(20),
        flipped(whole.len() / 2),
        flipped(whole.len() - 1),
    ];
    for (case, bytes) in damaged.iter().enumerate() {
        fs::write(&file, bytes).expect("it can be written");
        let (how, warnings) = cache.start(&passthrough);
        assert_eq!(how, "compiled", "case {case}");
        assert!(
            warnings.iter().any(|w| w.contains("damaged")),
            "case {case}: {warnings:?}"
        );
        assert_eq!(cache.start(&passthrough), ("from the cache".into(), vec![]));
    }
}

#[test]
fn the_code_of_another_plugin_is_not_taken_for_this_ones() {
    let cache = Cache::new();
    cache.start(&plugin("passthrough"));
    let passthrough = cache.files().remove(0);
    let (orders, _) = (cache.start(&plugin("orders")), ());
    assert_eq!(orders.0, "compiled");
    let orders = cache
        .files()
        .into_iter()
        .find(|file| *file != passthrough)
        .expect("both are cached");

    fs::copy(&orders, &passthrough).expect("it can be copied");

    assert_eq!(cache.start(&plugin("passthrough")).0, "compiled");
}

#[test]
fn a_folder_that_others_can_write_is_not_used() {
    let cache = Cache::new();
    let passthrough = plugin("passthrough");
    cache.start(&passthrough);
    let mode = |mode| {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(cache.folder(), permissions).expect("it is ours");
    };
    for open in [0o777, 0o720, 0o702] {
        mode(open);
        let (how, warnings) = cache.start(&passthrough);
        assert_eq!(how, "compiled");
        assert!(
            warnings.iter().any(|w| w.contains("not cached")),
            "{warnings:?}"
        );
    }
    mode(0o700);
    assert_eq!(cache.start(&passthrough).0, "from the cache");
}

#[test]
fn without_a_cache_everything_works() {
    let cache = Cache::new();
    let file = cache.base.path().join("a-file");
    fs::write(&file, "in the way").expect("it can be written");
    let (how, warnings) = cache.start_with(&guest("puppet"), &file);
    assert_eq!(how, "compiled");
    assert!(
        warnings.iter().any(|w| w.contains("not cached")),
        "{warnings:?}"
    );
}
