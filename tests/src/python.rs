//! Python clients of Kafka and of schema registries, which share no code with
//! Millrace: `tests/python/interop.py`, in the environment that
//! `tests/python/fetch` makes. What a job and a record look like stands there.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::output::Output;
use crate::process::Process;
use crate::target::{must_exist, source, target_dir};
use crate::wait::eventually;

/// It starts within a second on an idle machine, and has waits of its own.
const RUN: Duration = Duration::from_secs(120);

/// Has the records of this job written.
#[track_caller]
pub fn write(job: &Value) {
    let printed = run("write", job);
    assert!(printed.is_empty(), "{printed:?}");
}

/// All records of this job's topic, by partition, then by offset.
#[track_caller]
pub fn read(job: &Value) -> Vec<Value> {
    run("read", job)
}

/// Runs the program to its end, and returns the lines that it prints.
#[track_caller]
fn run(what: &str, job: &Value) -> Vec<Value> {
    let mut command = Command::new(interpreter());
    command
        .arg(source("python/interop.py"))
        .arg(what)
        // Nothing is left behind in the clone.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = Process::spawn("the Python client", command);
    let child = process.child();
    let stdout = Output::collect(child.stdout.take().expect("it is piped"));
    let stderr = Output::collect(child.stderr.take().expect("it is piped"));
    let mut stdin = child.stdin.take().expect("it is piped");
    // Where it ends before it has read all, stderr says why.
    let _ = stdin.write_all(job.to_string().as_bytes());
    drop(stdin);

    let status = process.wait(RUN);
    eventually(RUN, "the Python client's output to end", || {
        (stdout.ended() && stderr.ended()).then_some(())
    });
    let stderr = stderr.text();
    assert!(status.success(), "interop.py {what}: {status}:\n{stderr}");
    let line = |text: &str| {
        let parsed = serde_json::from_str(text);
        parsed.unwrap_or_else(|error| panic!("interop.py {what}: {error}: {text}"))
    };
    stdout.text().lines().map(line).collect()
}

fn interpreter() -> PathBuf {
    must_exist(
        target_dir().join("python/venv/bin/python"),
        "run tests/python/fetch (or make test)",
    )
}
