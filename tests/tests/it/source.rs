//! The walls between the rooms of `host/src` (ARCHITECTURE.md, "Invariants"):
//! what may be named where, read from the source.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use millrace_tests::target::{must_exist, source};

/// A file below `host/src`, and the identifiers and numbers of its code: what
/// stands in comments and in literals is no code.
struct File {
    /// Relative to `host/src`.
    path: PathBuf,
    words: BTreeSet<String>,
}

impl File {
    /// Whether the code names a crate, or one that is built on it (such as
    /// `wasmtime_wasi`).
    fn names(&self, krate: &str) -> bool {
        self.words.iter().any(|word| {
            word.strip_prefix(krate)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        })
    }

    /// Whether it is `room.rs` or lies in `room/`.
    fn is_in(&self, room: &str) -> bool {
        self.path.starts_with(room) || self.path == Path::new(room).with_extension("rs")
    }
}

fn files() -> Vec<File> {
    let root = must_exist(source("../host/src"), "the tests stand in the clone");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("it can be read") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("it can be read");
                let path = path.strip_prefix(&root).expect("it lies below");
                files.push(File {
                    path: path.to_owned(),
                    words: words(&code(&text)),
                });
            }
        }
    }
    files
}

fn words(code: &str) -> BTreeSet<String> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
        .map(str::to_owned)
        .collect()
}

/// A source without its comments, strings and characters.
fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(len) = raw_string(rest, &code) {
            len
        } else if first == '"' {
            literal(rest, '"')
        } else if first == '\'' && is_character(rest) {
            literal(rest, '\'')
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        code.push(' ');
        rest = &rest[skipped..];
    }
    code
}

/// How long the block comment is that `text` begins with: they nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        match text[at..].chars().next() {
            None => return text.len(),
            Some(_) if text[at..].starts_with("/*") => (depth, at) = (depth + 1, at + 2),
            Some(_) if text[at..].starts_with("*/") => (depth, at) = (depth - 1, at + 2),
            Some(c) => at += c.len_utf8(),
        }
        if depth == 0 {
            return at;
        }
    }
}

/// How long the raw string is that `text` begins with, if it does. `before` is
/// the code so far: the `r` of an identifier's end begins none.
fn raw_string(text: &str, before: &str) -> Option<usize> {
    let in_a_word = |c: char| c.is_alphanumeric() || c == '_';
    if before.ends_with(|c| in_a_word(c) && c != 'b' && c != 'c') {
        return None;
    }
    let hashes = text.strip_prefix('r')?;
    let count = hashes.find(|c| c != '#')?;
    let inside = hashes[count..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(count));
    let len = inside.find(&end).map_or(inside.len(), |at| at + end.len());
    Some(text.len() - inside.len() + len)
}

/// How long the literal is that `text` begins with, both quotes included.
fn literal(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// Whether the quote that `text` begins with is a character's and not a
/// lifetime's.
fn is_character(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    match chars.next() {
        Some('\\') => true,
        Some(_) => chars.next() == Some('\''),
        None => false,
    }
}

/// Asserts that a crate is named in one room and nowhere else.
#[track_caller]
fn only_in(krate: &str, room: &str) {
    let (inside, outside): (Vec<_>, Vec<_>) = files()
        .into_iter()
        .filter(|file| file.names(krate))
        .map(|file| (file.is_in(room), file.path))
        .partition(|(inside, _)| *inside);
    assert!(!inside.is_empty(), "nothing names {krate}: did it move?");
    assert!(
        outside.is_empty(),
        "{krate} is named outside of {room}/: {outside:?}"
    );
}

#[test]
fn rdkafka_is_named_only_in_the_kafka_room() {
    only_in("rdkafka", "kafka");
}

#[test]
fn wasmtime_is_named_only_in_the_plugin_room() {
    only_in("wasmtime", "plugin");
}

#[test]
fn the_loop_and_the_records_know_nothing_of_broker_wasm_and_threads() {
    for file in files() {
        // The fakes stand for what is outside.
        let fakes = file.path.ends_with("fakes.rs");
        if fakes || !file.is_in("pipeline") && !file.is_in("record") {
            continue;
        }
        for foreign in ["kafka", "plugin", "cli", "thread"] {
            // As in `crate::kafka` and `std::thread`; a variable of that name
            // would be no sin, and is easily called otherwise.
            assert!(
                !file.words.contains(foreign),
                "{} names {foreign}",
                file.path.display()
            );
        }
    }
}

#[test]
fn comments_and_literals_are_no_code() {
    let text = r##"
        //! rdkafka
        use a::b; // rdkafka
        /* rdkafka /* nested */ rdkafka */
        fn f<'a>(x: &'a str) -> char {
            let s = "rdkafka \" rdkafka"; let q = '"'; let e = '\'';
            let r = r#"rdkafka " rdkafka"#; let b = br"rdkafka\"; let c = c"rdkafka";
            for_r("rdkafka"); librdkafka::go();
            'x'
        }
        use wasmtime_wasi::p2;
    "##;
    let file = File {
        path: PathBuf::new(),
        words: words(&code(text)),
    };
    assert!(!file.names("rdkafka"), "{}", code(text));
    assert!(file.names("wasmtime"));
    for word in [
        "a", "b", "f", "str", "char", "s", "q", "e", "r", "for_r", "p2",
    ] {
        assert!(file.words.contains(word), "{word} in {}", code(text));
    }
}
