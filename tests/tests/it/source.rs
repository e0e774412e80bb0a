//! The rules of ARCHITECTURE.md that the source itself can be asked for.

use std::fs;
use std::path::{Path, PathBuf};

use millrace_tests::target::source;

/// Every Rust file of the host, with its path below `host/src`.
fn files() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("it can be read") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let root = source("../host/src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("it can be read");
        let below = path.strip_prefix(&root).expect("it is below").to_owned();
        (below, text)
    };
    found.into_iter().map(read).collect()
}

/// Whether a line of code (no comment) takes something from this crate, or from
/// one whose name begins with its.
fn takes_from(line: &str, name: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let own_word = !before.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let after =
            code[at + name.len()..].trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
        let used =
            code[..at].trim_end().ends_with("use") || code[..at].trim_end().ends_with("crate");
        own_word && (used || after.starts_with("::"))
    })
}

#[track_caller]
fn only_in(room: &str, name: &str) {
    let files = files();
    let mut inside = 0;
    let mut outside = Vec::new();
    for (path, text) in &files {
        for (number, line) in text.lines().enumerate() {
            if !takes_from(line, name) {
            } else if path.starts_with(room) || *path == Path::new(room).with_extension("rs") {
                inside += 1;
            } else {
                outside.push(format!(
                    "{}:{}: {}",
                    path.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    assert!(
        inside > 0,
        "{name} is not in {room}/ either: is this test still right?"
    );
    assert!(
        outside.is_empty(),
        "{name} outside of {room}/:\n{}",
        outside.join("\n")
    );
}

#[test]
fn rdkafka_is_named_only_in_its_room() {
    only_in("kafka", "rdkafka");
}

#[test]
fn wasmtime_is_named_only_in_its_room() {
    only_in("plugin", "wasmtime");
}

#[test]
fn redb_is_named_only_in_its_room() {
    only_in("recovery", "redb");
}

#[test]
fn records_and_the_worker_loop_know_neither_threads_nor_files() {
    for (path, text) in files() {
        let pure = path.starts_with("pipeline") || path == Path::new("record.rs");
        let test = path.to_string_lossy().contains("tests") || path.ends_with("fakes.rs");
        for name in ["std::thread", "std::fs", "std::net", "tokio"] {
            let taken = text
                .lines()
                .any(|line| line.split("//").next().unwrap_or_default().contains(name));
            assert!(!(pure && !test && taken), "{name} in {}", path.display());
        }
    }
}

#[test]
fn the_words_that_take_from_a_crate_are_found() {
    for line in [
        "use rdkafka::Offset;",
        "let a = rdkafka::x();",
        "use rdkafka;",
        "(rdkafka_sys::y)",
    ] {
        assert!(takes_from(line, "rdkafka"), "{line}");
    }
    for line in [
        "// rdkafka::x",
        "librdkafka::x",
        "\"info,rdkafka=off\"",
        "a rdkafka",
    ] {
        assert!(!takes_from(line, "rdkafka"), "{line}");
    }
}
