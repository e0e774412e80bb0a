//! `host new`: a project of each kind in each language, as its author gets it: made outside
//! of the repository, built and tested by its own Makefile, run on Kafka, and swapped.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use millrace_tests::process::Process;
use millrace_tests::target::target_dir;
use millrace_tests::{Host, Record, plugin};
use serde_json::Value;

use crate::pipeline::{LONG, Pipeline, SOON, assert_says, error_of, expect_exit, stop, texts};

/// For what compiles everything that a project is built on, beside other tests.
const BUILD: Duration = Duration::from_secs(900);

/// Makes a project, builds and tests it, and returns its component.
fn made(here: &Path, name: &str, language: &str, kind: &str) -> PathBuf {
    let mut command = Host::command();
    command.args(["new", name, "--lang", language, "--kind", kind]);
    command.current_dir(here);
    let mut host = Host::spawn(command);
    assert!(host.wait_exit(SOON).success());
    let next = format!("\n  cd {name}\n  make test\n  host run --plugin ");
    assert_says(&host.stdout(), &[&next]);

    let project = here.join(name);
    make(&project, language, &[]);
    let component = project.join(format!("{name}.wasm"));
    let built = fs::read(&component).expect("make leaves the component in the project");
    let said = make(&project, language, &["test"]);
    assert_says(&said, &["2 lines as expected"]);
    // Where nothing has changed, it is left alone.
    assert!(
        fs::read(&component).expect("it stays") == built,
        "it differs"
    );
    component
}

/// Runs make to its good end, and returns what it printed. Most of a language share its
/// tools, and those in Rust what they are built on.
fn make(project: &Path, language: &str, targets: &[&str]) -> String {
    let log = project.with_extension("log");
    let file = File::create(&log).expect("a file can be made beside the project");
    let stderr = file.try_clone().expect("a file can be shared");
    let mut command = Command::new("make");
    command
        .args(targets)
        .current_dir(project)
        .env("CARGO_TARGET_DIR", target_dir().join("new"))
        .env("HOST", Host::command().get_program())
        // Those of the make that runs the tests.
        .env_remove("MAKEFLAGS")
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(stderr);
    // Python's are an environment, which two projects must not change at once.
    if language != "python" {
        command.env("TOOLS", target_dir().join("tools").join(language));
    }
    let status = Process::spawn("make", command).wait(BUILD);
    let said = fs::read_to_string(&log).expect("make's output is text");
    assert!(status.success(), "make {targets:?}: {status}:\n{said}");
    said
}

/// What comes out where these go in.
fn run(stem: &str, plugin: &Path, flags: &[&str], values: &[&str]) -> Vec<Record> {
    let pipeline = Pipeline::new(stem, 1);
    pipeline.feed_at_once(values);
    let mut host = pipeline.start(plugin, &[&["--until", "end"], flags].concat());
    expect_exit(&mut host, 0);
    pipeline.outputs()
}

#[test]
fn a_new_transform_is_built_tested_and_run() {
    let here = tempfile::tempdir().expect("a folder can be made");
    let component = made(here.path(), "new-transform", "rust", "transform");
    let readings = [
        r#"{"sensor":"a1","celsius":20}"#,
        r#"{"sensor":"a2","celsius":-3.5}"#,
        r#"{"sensor":"a3","celsius":100}"#,
    ];
    let flags = ["--plugin-config", "0"];
    let outputs = run("new-transform", &component, &flags, &readings);
    let expected = [
        r#"{"sensor":"a1","celsius":20,"fahrenheit":68.0}"#,
        r#"{"sensor":"a3","celsius":100,"fahrenheit":212.0}"#,
    ];
    assert_eq!(texts(&outputs), expected);
}

#[test]
fn a_new_deserializer_is_built_tested_and_run() {
    let here = tempfile::tempdir().expect("a folder can be made");
    let component = made(here.path(), "new-deserializer", "rust", "deserializer");
    let codec = format!("plugin:{}", component.display());
    let flags = ["--decode-value", &codec, "--encode-value", "json"];
    let lines = ["sensor=a1 celsius=21.5"];
    let outputs = run("new-deserializer", &plugin("passthrough"), &flags, &lines);
    assert_eq!(texts(&outputs), [r#"{"sensor":"a1","celsius":"21.5"}"#]);
}

#[test]
fn a_new_serializer_is_built_tested_and_run() {
    let here = tempfile::tempdir().expect("a folder can be made");
    let component = made(here.path(), "new-serializer", "rust", "serializer");
    let codec = format!("plugin:{}", component.display());
    let flags = ["--decode-value", "json", "--encode-value", &codec];
    let readings = [r#"{"sensor":"a1","celsius":21.5}"#];
    let outputs = run("new-serializer", &plugin("passthrough"), &flags, &readings);
    assert_eq!(texts(&outputs), ["sensor=a1 celsius=21.5"]);
}

/// The temperature of each output.
fn fahrenheit(outputs: &[Record]) -> Vec<Option<f64>> {
    let of = |text: &str| {
        let reading: Value = serde_json::from_str(text).expect("JSON");
        reading["fahrenheit"].as_f64()
    };
    texts(outputs).into_iter().map(of).collect()
}

/// From `host new` to a changed line that takes over, in one of the languages.
fn a_new_project_is_built_tested_run_and_swapped(language: &str, code: &str) {
    let here = tempfile::tempdir().expect("a folder can be made");
    let name = format!("new-{language}");
    let component = made(here.path(), &name, language, "transform");
    let pipeline = Pipeline::new(&name, 1);
    let reading = r#"{"sensor":"a1","celsius":0.5}"#;
    pipeline.feed_at_once([reading]);
    let mut host = pipeline.start(&component, &[]);
    pipeline.wait_for_count(1, BUILD);

    let project = here.path().join(&name);
    let code = project.join(code);
    let text = fs::read_to_string(&code).expect("there is code");
    let changed = text.replacen("1.8", "2.8", 1);
    assert_ne!(changed, text);
    fs::write(&code, changed).expect("it can be changed");
    make(&project, language, &[]);
    host.wait_for_log("plugin swapped", BUILD);
    pipeline.feed_at_once([reading]);
    pipeline.wait_for_count(2, LONG);
    assert_eq!(fahrenheit(&pipeline.outputs()), [Some(32.9), Some(33.4)]);
    stop(host);
}

/// Their own tests lead records through them.
fn new_codecs_are_built_and_tested(language: &str) {
    let here = tempfile::tempdir().expect("a folder can be made");
    for kind in ["deserializer", "serializer"] {
        made(
            here.path(),
            &format!("new-{language}-{kind}"),
            language,
            kind,
        );
    }
}

macro_rules! languages {
    ($($language:ident: $code:literal),+ $(,)?) => {$(
        mod $language {
            #[test]
            fn a_new_project_is_built_tested_run_and_swapped() {
                super::a_new_project_is_built_tested_run_and_swapped(stringify!($language), $code);
            }

            #[test]
            fn new_codecs_are_built_and_tested() {
                super::new_codecs_are_built_and_tested(stringify!($language));
            }
        }
    )+};
}

languages! {
    typescript: "src/plugin.ts",
    javascript: "src/plugin.js",
    python: "src/plugin.py",
    c: "src/plugin.c",
    go: "main.go",
}

#[test]
fn a_project_in_rust_is_swapped_too() {
    a_new_project_is_built_tested_run_and_swapped("rust", "src/lib.rs");
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let here = tempfile::tempdir().expect("a folder can be made");
    let mine = here.path().join("orders/mine");
    fs::create_dir(here.path().join("orders")).expect("a folder can be made");
    fs::write(&mine, "mine").expect("a file can be written");
    let mut command = Host::command();
    command.args(["new", "orders", "--lang", "rust"]);
    command.current_dir(here.path());
    let mut host = Host::spawn(command);
    assert_says(&error_of(&mut host, 2), &["orders is there already"]);
    assert_eq!(fs::read_to_string(&mine).expect("it is there"), "mine");
    let left = fs::read_dir(here.path()).expect("it can be read").count();
    assert_eq!(left, 1);
}
