//! Compiled code is kept on disk, and used only where it is whole and ours. `host cache`
//! shows and empties it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use millrace_tests::{Host, guest, plugin};
use serde_json::Value;
use tempfile::TempDir;

use crate::pipeline::{Pipeline, expect_exit, log};

/// A cache of one test's own, and a pipeline whose plugin is in it or not.
struct Cache {
    base: TempDir,
    pipeline: Pipeline,
}

/// `host` with a cache in this folder, at its end.
#[track_caller]
fn host(arguments: &[&str], base: &Path) -> Host {
    let mut command = Host::command();
    command.args(arguments).env("XDG_CACHE_HOME", base);
    let mut host = Host::spawn(command);
    expect_exit(&mut host, 0);
    host
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

#[test]
fn what_is_kept_is_shown_and_removed() {
    let base = TempDir::new().expect("a folder can be made");
    let base = base.path();
    let show = || -> Value {
        let host = host(&["cache", "show", "--json"], base);
        serde_json::from_str(&host.stdout()).expect("it is JSON")
    };
    assert_eq!(show()["files"], serde_json::json!([]));
    assert_eq!(fs::read_dir(base).expect("it is there").count(), 0);

    for name in ["orders", "passthrough", "orders"] {
        let plugin = plugin(name);
        host(&["test", plugin.to_str().expect("UTF-8")], base);
    }
    let shown = show();
    let files = shown["files"].as_array().expect("a list");
    let sizes: Vec<u64> = files.iter().filter_map(|it| it["bytes"].as_u64()).collect();
    assert_eq!(sizes.len(), 2);
    assert_eq!(shown["bytes"], sizes.iter().sum::<u64>());
    assert_eq!(shown["most_bytes"], 1 << 30);
    assert!(files.iter().all(|it| it["for_this_host"] == true));
    // The one that was read last stands first.
    assert!(sizes[0] > sizes[1], "orders is the larger one");

    let text = host(&["cache", "show"], base).stdout();
    assert!(text.contains("2 compiled plugins, "), "{text}");
    assert!(text.contains("of at most 1.0 GiB"), "{text}");
    let digest = files[0]["digest"].as_str().expect("it has one");
    assert!(text.contains(digest), "{text}");

    let cleared = host(&["cache", "clear"], base).stdout();
    assert!(
        cleared.starts_with("removed 2 compiled plugins from "),
        "{cleared}"
    );
    assert_eq!(show()["files"], serde_json::json!([]));
}

#[test]
fn the_bound_holds_and_what_was_left_half_written_goes() {
    let base = TempDir::new().expect("a folder can be made");
    let base = base.path();
    let passthrough = plugin("passthrough");
    let test = ["test", passthrough.to_str().expect("UTF-8")];
    host(&test, base);
    let folder = base.join("millrace");
    // Files that take no room on the disk: as large as the bound, and long not used.
    let older = folder.join("0ld-0.cwasm");
    let file = fs::File::create(&older).expect("it can be made");
    file.set_len(1 << 30).expect("it has holes");
    file.set_modified(SystemTime::UNIX_EPOCH)
        .expect("it is ours");
    let left = folder.join("0ld-0.1-0.part");
    fs::write(&left, "half").expect("it can be written");

    // What is read only tidies nothing up.
    host(&test, base);
    assert!(older.exists() && left.exists());
    host(&["test", plugin("orders").to_str().expect("UTF-8")], base);
    assert!(!older.exists() && !left.exists());
    let kept = fs::read_dir(&folder).expect("it is there").count();
    assert_eq!(kept, 2);
}

#[test]
fn processes_share_a_folder() {
    let base = TempDir::new().expect("a folder can be made");
    let plugins = ["passthrough", "orders"].map(plugin);
    let hosts = (0..8).map(|n| {
        let mut command = Host::command();
        command.arg("test").arg(&plugins[n % 2]);
        command.env("XDG_CACHE_HOME", base.path());
        Host::spawn(command)
    });
    let mut hosts: Vec<Host> = hosts.collect();
    // Somebody empties it meanwhile.
    host(&["cache", "clear"], base.path());
    for host in &mut hosts {
        expect_exit(host, 0);
        assert_eq!(host.stderr(), "");
    }
    host(&["test", plugins[0].to_str().expect("UTF-8")], base.path());
    host(&["test", plugins[1].to_str().expect("UTF-8")], base.path());
    let kept = fs::read_dir(base.path().join("millrace")).expect("it is there");
    assert_eq!(kept.count(), 2);
}
