//! Compiled plugins on disk: found again, and never trusted when they are not
//! what this user's `host` wrote.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use millrace_tests::{Host, Record, guest, plugin};
use serde_json::Value;
use tempfile::TempDir;

use crate::pipeline::{Pipeline, log, stop, texts};

/// A cache folder that is this test's alone.
struct Cache(TempDir);

impl Cache {
    fn new() -> Cache {
        Cache(tempfile::tempdir().expect("a folder can be made"))
    }

    /// Where `host` keeps its files.
    fn folder(&self) -> PathBuf {
        self.0.path().join("millrace")
    }

    /// The one compiled plugin.
    #[track_caller]
    fn file(&self) -> PathBuf {
        let mut files = self.files();
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    }

    fn files(&self) -> Vec<PathBuf> {
        fs::read_dir(self.folder())
            .expect("host made it")
            .map(|entry| entry.expect("it can be read").path())
            .collect()
    }

    /// Runs the plugin with this cache until a record came through. Returns how
    /// the plugin was loaded, and the warnings.
    #[track_caller]
    fn run(&self, plugin: &Path) -> (String, Vec<String>) {
        let pipeline = Pipeline::new("cache", 1);
        pipeline.feed([Record::value("flows")]);
        let mut command = Host::command();
        command
            .env("XDG_CACHE_HOME", self.0.path())
            .args(pipeline.arguments(plugin));
        let mut host = Host::spawn(command);
        let read = pipeline.wait_for_outputs(1);
        host.wait_for_log("plugin loaded", crate::pipeline::SOON);
        let lines = log(&host);
        stop(host);
        assert_eq!(texts(&read), ["flows"]);
        (loaded(&lines), warnings(&lines))
    }
}

#[track_caller]
fn loaded(lines: &[Value]) -> String {
    let line = lines.iter().find(|line| line["message"] == "plugin loaded");
    let how = &line.expect("it is logged")["how"];
    how.as_str().expect("it is a text").to_owned()
}

/// What the cache warned of, with the file or folder that it names.
fn warnings(lines: &[Value]) -> Vec<String> {
    lines
        .iter()
        .filter(|line| line["level"] == "WARN" && line["target"] != "librdkafka")
        .map(Value::to_string)
        .collect()
}

const COMPILED: &str = "compiled";
const FROM_THE_CACHE: &str = "from the cache";

/// Asserts that a start after `damage` notices it, compiles anew and mends the
/// file, so that the start after that has it from the cache.
#[track_caller]
fn is_rebuilt_after(damage: impl FnOnce(&Path)) {
    let cache = Cache::new();
    let plugin = plugin("passthrough");
    assert_eq!(cache.run(&plugin), (COMPILED.to_owned(), vec![]));
    let file = cache.file();
    let good = fs::read(&file).expect("it can be read");
    damage(&file);
    assert!(fs::read(&file).expect("it can be read") != good);

    let (how, warnings) = cache.run(&plugin);

    assert_eq!(how, COMPILED);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains(file.to_str().expect("it is UTF-8")) && warnings[0].contains("anew"),
        "{warnings:?}"
    );
    assert_eq!(cache.run(&plugin), (FROM_THE_CACHE.to_owned(), vec![]));
}

#[test]
fn the_second_start_takes_the_plugin_from_the_cache() {
    let cache = Cache::new();
    let plugin = plugin("passthrough");

    assert_eq!(cache.run(&plugin), (COMPILED.to_owned(), vec![]));
    assert_eq!(cache.run(&plugin), (FROM_THE_CACHE.to_owned(), vec![]));

    // The user's own, and nothing half written beside it.
    let mode = |path: &Path| {
        let metadata = fs::metadata(path).expect("it is there");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode(&cache.folder()), 0o700);
    assert_eq!(mode(&cache.file()), 0o600);
}

#[test]
fn another_plugin_at_the_same_path_is_not_taken_for_the_first() {
    let cache = Cache::new();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("clean.wasm");

    fs::copy(plugin("passthrough"), &path).expect("it can be copied");
    assert_eq!(cache.run(&path).0, COMPILED);
    fs::copy(guest("traps_on_poison"), &path).expect("it can be copied");
    assert_eq!(cache.run(&path).0, COMPILED);

    assert_eq!(cache.files().len(), 2);
}

#[test]
fn the_same_plugin_at_another_path_comes_from_the_cache() {
    let cache = Cache::new();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("other-name.wasm");
    fs::copy(plugin("passthrough"), &path).expect("it can be copied");

    assert_eq!(cache.run(&plugin("passthrough")).0, COMPILED);
    assert_eq!(cache.run(&path).0, FROM_THE_CACHE);
}

#[test]
fn a_truncated_file_is_noticed_and_rebuilt() {
    is_rebuilt_after(|file| {
        let bytes = fs::read(file).expect("it can be read");
        fs::write(file, &bytes[..bytes.len() / 2]).expect("it can be written");
    });
}

#[test]
fn an_empty_file_is_noticed_and_rebuilt() {
    is_rebuilt_after(|file| fs::write(file, b"").expect("it can be written"));
}

#[test]
fn a_flipped_bit_is_noticed_and_rebuilt() {
    is_rebuilt_after(|file| {
        let mut bytes = fs::read(file).expect("it can be read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(file, bytes).expect("it can be written");
    });
}

#[test]
fn a_foreign_file_is_noticed_and_rebuilt() {
    is_rebuilt_after(|file| fs::write(file, "not compiled code").expect("it can be written"));
}

#[test]
fn bare_compiled_code_without_its_checksum_is_noticed_and_rebuilt() {
    is_rebuilt_after(|file| {
        let bytes = fs::read(file).expect("it can be read");
        // 8 bytes of magic and 32 of checksum.
        fs::write(file, &bytes[40..]).expect("it can be written");
    });
}

#[test]
fn a_cache_folder_that_others_may_write_is_not_used_and_a_warning_says_so() {
    let cache = Cache::new();
    let plugin = plugin("passthrough");
    assert_eq!(cache.run(&plugin).0, COMPILED);
    fs::set_permissions(cache.folder(), Permissions::from_mode(0o777)).expect("it is ours");

    let (how, warnings) = cache.run(&plugin);

    assert_eq!(how, COMPILED);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let folder = cache.folder();
    for part in [folder.to_str().expect("it is UTF-8"), "not cached", "chmod"] {
        assert!(warnings[0].contains(part), "{part} is not in {warnings:?}");
    }
}

#[test]
fn a_cached_file_that_others_may_write_is_not_used_and_a_warning_says_so() {
    let cache = Cache::new();
    let plugin = plugin("passthrough");
    assert_eq!(cache.run(&plugin).0, COMPILED);
    let file = cache.file();
    fs::set_permissions(&file, Permissions::from_mode(0o666)).expect("it is ours");

    let (how, warnings) = cache.run(&plugin);

    assert_eq!(how, COMPILED);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains(file.to_str().expect("it is UTF-8")),
        "{warnings:?}"
    );
    // It was written anew, with rights as they should be.
    assert_eq!(cache.run(&plugin), (FROM_THE_CACHE.to_owned(), vec![]));
}

#[test]
fn a_cache_folder_that_can_not_be_made_costs_only_the_compiling() {
    let cache = Cache::new();
    fs::write(cache.folder(), "a file in its place").expect("it can be written");

    let (how, warnings) = cache.run(&plugin("passthrough"));

    assert_eq!(how, COMPILED);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("not cached"), "{warnings:?}");
}
