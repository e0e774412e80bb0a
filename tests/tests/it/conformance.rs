//! The SDKs: the same records through each language's guests, which all have to say the
//! same, byte for byte (tests/conformance/README.md).

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use millrace_tests::guests::conformance;
use millrace_tests::target::source;
use millrace_tests::{Host, guest, plugin};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::pipeline::{error_of, expect_exit, log};

/// How many records one of the generated inputs has: several batches of a thousand.
const MANY: usize = 2_500;

/// Bytes of the largest value.
const LARGE: usize = 10_000_000;

const LEVELS: [&str; 5] = ["trace", "debug", "info", "warn", "error"];

/// `host test` of one guest, in a folder of its own.
struct Trial {
    folder: TempDir,
    guest: PathBuf,
}

impl Trial {
    fn of(language: &str, kind: &str) -> Trial {
        Trial {
            folder: TempDir::new().expect("a folder can be made"),
            guest: conformance(language, kind),
        }
    }

    fn start(&self, input: &Path, more: &[&str]) -> Host {
        let mut command = Host::command();
        command
            .args(["test", "--log-format", "json"])
            .arg(&self.guest)
            .args(more)
            .stdin(File::open(input).expect("it can be read"));
        Host::spawn(command)
    }

    /// What comes of these records.
    #[track_caller]
    fn lines(&self, records: &[Value], more: &[&str]) -> (Host, Vec<Value>) {
        let input = self.folder.path().join("in.jsonl");
        let text: Vec<_> = records.iter().map(|it| format!("{it}\n")).collect();
        fs::write(&input, text.concat()).expect("it can be written");
        let mut host = self.start(&input, more);
        expect_exit(&mut host, 0);
        let stdout = host.stdout();
        let lines = stdout.lines().map(serde_json::from_str);
        let lines = lines.collect::<Result<_, _>>().expect("each is JSON");
        (host, lines)
    }

    /// Why a guest with this configuration is refused.
    #[track_caller]
    fn refusal(&self, config: &str) -> String {
        let input = self.folder.path().join("none.jsonl");
        fs::write(&input, "").expect("it can be written");
        error_of(&mut self.start(&input, &["--plugin-config", config]), 2)
    }
}

/// A file of the suite.
fn case(name: &str) -> PathBuf {
    source(&format!("conformance/cases/{name}.jsonl"))
}

/// A record with this value, and with what is in all the others.
fn record(value: impl Into<Value>) -> Value {
    let value: Value = value.into();
    json!({
        "topic": "in",
        "partition": 3,
        "offset": 9_007_199_254_740_993_i64,
        "timestamp": 1_764_000_000_000_i64,
        "key": {"base64": "AP8="},
        "value": value,
        "headers": [["a", "1"], ["a", null], ["", {"base64": "/w=="}]],
    })
}

#[track_caller]
fn assert_as_expected(language: &str, kind: &str, input: &str, expected: &str) {
    let trial = Trial::of(language, kind);
    let expected = case(expected);
    let expected = ["--expect", expected.to_str().expect("UTF-8")];
    let mut host = trial.start(&case(input), &expected);
    expect_exit(&mut host, 0);
}

#[track_caller]
fn every_verdict_is_the_same(language: &str) {
    assert_as_expected(language, "transform", "transform", "transform.expected");
}

#[track_caller]
fn codecs_convert_the_same(language: &str) {
    for kind in ["deserializer", "serializer"] {
        assert_as_expected(language, kind, "codec", &format!("{kind}.expected"));
    }
    // A key is told from a value, and a topic from another.
    let codec = conformance(language, "deserializer");
    let codec = format!("plugin:{}", codec.display());
    let trial = Trial::of("rust", "transform");
    let sent = [json!({"topic": "in", "key": "k", "value": "null-key"})];
    let (_, lines) = trial.lines(&sent, &["--decode-key", &codec, "--encode-key", "json"]);
    assert_eq!(lines[0]["key"], "key:in:k", "{}", lines[0]);
}

/// An error that nobody meant rejects its own record: first comes its message.
#[track_caller]
fn what_is_thrown_fails_its_record_alone(language: &str) {
    let values = ["forward", "throw a é b", "count", "throw a é b", "forward"];
    for (kind, stage) in [
        ("transform", "transform"),
        ("deserializer", "decode-value"),
        ("serializer", "encode-value"),
    ] {
        let trial = Trial::of(language, kind);
        let (_, lines) = trial.lines(&values.map(record), &[]);
        let verdict = |index: usize| lines[index]["verdict"].as_str().expect("a verdict");
        for index in [0, 2, 4] {
            assert_ne!(verdict(index), "fail", "{kind}: {}", lines[index]);
        }
        for index in [1, 3] {
            let reason = lines[index]["reason"].as_str().expect("a reason");
            let first = reason.lines().next().unwrap_or_default();
            assert!(first.contains("a é b"), "{reason}");
            assert_eq!(
                (verdict(index), &lines[index]["stage"]),
                ("fail", &stage.into())
            );
            assert_eq!(lines[index]["reason"], lines[1]["reason"], "it groups");
        }
        if kind == "transform" {
            // The instance has lived on.
            assert_eq!(lines[2]["outputs"][0]["value"], "3");
        }
    }
}

#[track_caller]
fn init_may_refuse(language: &str) {
    for kind in ["transform", "deserializer", "serializer"] {
        let trial = Trial::of(language, kind);
        for (config, why) in [
            ("refuse no é today", "no é today"),
            ("throw no é today", "no é today"),
            ("other", "unknown configuration: other"),
        ] {
            let error = trial.refusal(config);
            assert!(error.contains(why), "{kind}: {error}");
        }
    }
}

#[track_caller]
fn lines_get_into_the_log(language: &str) {
    for kind in ["transform", "deserializer", "serializer"] {
        let trial = Trial::of(language, kind);
        let said = LEVELS.map(|level| record(format!("log {level} said {level} é")));
        let (host, _) = trial.lines(&said, &["--plugin-config", "log"]);
        let lines = log(&host);
        let has = |level: &str, message: &str| {
            let is =
                |line: &Value| line["level"] == level.to_uppercase() && line["message"] == message;
            lines.iter().any(is)
        };
        // Nobody listens to the others.
        for level in &LEVELS[2..] {
            assert!(has(level, &format!("{level} line")), "{kind}: {lines:?}");
            if kind == "transform" {
                assert!(has(level, &format!("said {level} é")), "{lines:?}");
            }
        }
    }
}

#[track_caller]
fn many_records_are_told_apart(language: &str) {
    let records: Vec<_> = (0..MANY)
        .map(|number| {
            json!({
                "topic": "in",
                "partition": number % 3,
                "offset": 9_007_199_254_740_993 + number,
                "timestamp": number,
                "key": format!("k{number}"),
                "value": "describe",
                "headers": [["n", number.to_string()]],
            })
        })
        .collect();
    let (_, lines) = Trial::of(language, "transform").lines(&records, &[]);
    let (_, expected) = Trial::of("rust", "transform").lines(&records, &[]);
    assert_eq!(lines.len(), MANY);
    assert_eq!(lines, expected);
}

#[track_caller]
fn ten_million_bytes_come_through(language: &str) {
    let large = format!("echo {}", "0123456789é".repeat(LARGE / 12));
    let records = [record("echo"), record(large.clone()), record("echo ")];
    let more = [
        "--set",
        "batch.max_bytes=32MiB",
        "--set",
        "plugin.time=100s",
        "--set",
        "plugin.call=120s",
    ];
    let (_, lines) = Trial::of(language, "transform").lines(&records, &more);
    assert_eq!(lines.len(), records.len());
    for (line, record) in lines.iter().zip(&records) {
        let output = &line["outputs"][0];
        assert!(
            output["value"] == record["value"],
            "the value is another one"
        );
        assert_eq!(output["key"], record["key"]);
        assert_eq!(output["headers"], record["headers"]);
    }
    let payloads = [record(large.clone())];
    let (_, lines) = Trial::of(language, "deserializer").lines(&payloads, &more);
    let value = lines[0]["outputs"][0]["value"].as_str();
    assert!(
        value == Some(&format!("value:in:{large}")),
        "the value is another one"
    );
}

macro_rules! suite {
    ($($language:ident),+) => {$(
        mod $language {
            const LANGUAGE: &str = stringify!($language);

            suite!(@ every_verdict_is_the_same codecs_convert_the_same
                what_is_thrown_fails_its_record_alone init_may_refuse lines_get_into_the_log
                many_records_are_told_apart ten_million_bytes_come_through);
        }
    )+};
    (@ $($test:ident)+) => {$(
        #[test]
        fn $test() {
            super::$test(LANGUAGE);
        }
    )+};
}

suite!(rust, typescript, python, c, go);

/// What becomes of the suite's orders.
#[track_caller]
fn orders(component: PathBuf) -> Vec<Value> {
    let trial = Trial {
        folder: TempDir::new().expect("a folder can be made"),
        guest: component,
    };
    let mut host = trial.start(&case("orders"), &[]);
    expect_exit(&mut host, 0);
    let stdout = host.stdout();
    let lines = stdout.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("each is JSON")
}

/// Where a text is no JSON, each language's parser has its own words for it.
fn without_the_parsers_words(mut line: Value) -> Value {
    const PARSER: &str = "not JSON: ";
    if line["reason"]
        .as_str()
        .is_some_and(|it| it.starts_with(PARSER))
    {
        line["reason"] = PARSER.into();
    }
    line
}

#[track_caller]
fn judges_orders_as_rust_does(language: &str) {
    let rust = orders(plugin("orders"));
    let other = orders(plugin(&format!("orders-{language}")));
    assert_eq!(rust.len(), other.len());
    for (rust, other) in rust.into_iter().zip(other) {
        assert_eq!(
            without_the_parsers_words(other),
            without_the_parsers_words(rust)
        );
    }
}

#[test]
fn c_judges_orders_as_rust_does() {
    judges_orders_as_rust_does("c");
}

#[test]
fn zig_judges_orders_as_rust_does() {
    judges_orders_as_rust_does("zig");
}

#[test]
fn go_judges_orders_as_rust_does() {
    judges_orders_as_rust_does("go");
}

#[test]
fn typescript_judges_orders_as_rust_does() {
    judges_orders_as_rust_does("typescript");
}

#[test]
fn python_judges_orders_as_rust_does() {
    judges_orders_as_rust_does("python");
}

/// What is expected is what it is compared with: a guest that says something else fails.
#[test]
fn the_suite_sees_a_difference() {
    let trial = Trial {
        guest: guest("puppet"),
        ..Trial::of("rust", "transform")
    };
    let expected = case("transform.expected");
    let expected = ["--expect", expected.to_str().expect("UTF-8")];
    let mut host = trial.start(&case("transform"), &expected);
    expect_exit(&mut host, 1);
}
