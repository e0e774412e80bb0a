//! What users get wrong: each gets a message that says what, where and what to
//! do, and an exit status.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use millrace_tests::{Host, Record, guest, plugin, shared_broker};
use tempfile::TempDir;

use crate::pipeline::{
    Pipeline, SOON, assert_in_time, assert_says, error_of, expect_exit, stop, texts,
};

/// A file of a test's own.
fn file(folder: &TempDir, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content).expect("it can be written");
    path
}

fn folder() -> TempDir {
    TempDir::new().expect("a folder can be made")
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("it is WebAssembly")
}

/// What `host run` says of a plugin that it does not take.
#[track_caller]
fn refused_plugin(plugin: &Path, more: &[&str]) -> String {
    let pipeline = Pipeline::new("refused-plugin", 1);
    let mut host = pipeline.start(plugin, more);
    let error = error_of(&mut host, 2);
    assert!(pipeline.client.members(&pipeline.group).is_empty());
    error
}

#[track_caller]
fn refused_bytes(bytes: &[u8], says: &[&str]) {
    let folder = folder();
    let path = file(&folder, "mine.wasm", bytes);
    let error = refused_plugin(&path, &[]);
    assert_says(&error, &[path.to_str().expect("UTF-8")]);
    assert_says(&error, says);
}

#[test]
fn a_plugin_file_that_is_missing() {
    let error = refused_plugin(Path::new("/nowhere/clean.wasm"), &[]);
    assert_says(&error, &["/nowhere/clean.wasm", "No such file"]);
}

#[test]
fn a_plugin_file_that_is_a_folder() {
    let folder = folder();
    let error = refused_plugin(folder.path(), &["--name", "folder"]);
    assert_says(
        &error,
        &[folder.path().to_str().expect("UTF-8"), "directory"],
    );
}

#[test]
fn a_plugin_file_that_is_empty() {
    refused_bytes(b"", &["empty"]);
}

#[test]
fn a_plugin_file_that_is_text() {
    refused_bytes(b"fn main() {}", &["no WebAssembly"]);
}

#[test]
fn a_plugin_file_that_is_cut_off() {
    let whole = fs::read(plugin("passthrough")).expect("it can be read");
    refused_bytes(&whole[..whole.len() / 2], &["damaged"]);
}

#[test]
fn a_plugin_file_that_is_a_core_module() {
    refused_bytes(
        &wat("(module)"),
        &["core module", "component", "host componentize"],
    );
}

#[test]
fn a_plugin_of_another_contract() {
    for version in ["0.2.0", "0.1.1", "1.0.0"] {
        let component = format!(
            "(component (instance $t) (export \"millrace:plugin/transform@{version}\" (instance $t)))"
        );
        refused_bytes(
            &wat(&component),
            &[
                &format!("millrace:plugin@{version}"),
                "millrace:plugin@0.1.0",
            ],
        );
    }
}

#[test]
fn a_plugin_without_a_transform() {
    let wanted = ["no transform plugin", "exports millrace:plugin/transform"];
    refused_bytes(&wat("(component)"), &wanted);
    refused_bytes(
        &wat("(component (instance $t) (export \"wasi:cli/run@0.2.0\" (instance $t)))"),
        &[&wanted[..], &["wasi:cli/run@0.2.0"]].concat(),
    );
}

#[test]
fn a_plugin_whose_transform_is_something_else() {
    refused_bytes(
        &wat(
            "(component (instance $t) (export \"millrace:plugin/transform@0.1.0\" (instance $t)))",
        ),
        &["millrace:plugin@0.1.0", "does not fit"],
    );
}

#[test]
fn a_plugin_that_imports_what_is_not_given() {
    let error = refused_plugin(&guest("dials_out"), &[]);
    assert_says(&error, &["dials_out.wasm", "wasi:sockets/", "--allow"]);
    refused_bytes(
        &wat(
            "(component (import \"acme:db/query@1.0.0\" (instance)) (instance $t) \
             (export \"millrace:plugin/transform@0.1.0\" (instance $t)))",
        ),
        &["acme:db/query@1.0.0", "--allow"],
    );
}

#[test]
fn a_plugin_that_opens_a_file_finds_none() {
    let pipeline = Pipeline::new("opens-file", 1);
    pipeline.feed([Record::value("/etc/hostname")]);
    let mut host = pipeline.start(&guest("opens_file"), &[]);
    // Refused at load, or at the record that asks for it; never read.
    let exit = host.wait_exit(SOON);
    assert!(matches!(exit.code(), Some(1 | 2)), "{exit}");
    assert_eq!(pipeline.count(), Ok(0));
}

#[test]
fn a_plugin_whose_init_refuses_its_configuration() {
    let error = refused_plugin(&guest("init_fails"), &["--plugin-config", "colour=loud"]);
    assert_says(
        &error,
        &["init_fails@", "init", "told to fail: colour=loud"],
    );
}

#[test]
fn a_plugin_whose_init_traps() {
    let error = refused_plugin(&guest("init_traps"), &["--plugin-config", "now"]);
    assert_says(&error, &["init_traps@", "init", "told to panic: now"]);
}

#[test]
fn a_plugin_whose_init_never_ends() {
    let error = refused_plugin(&guest("init_loops"), &["--set", "plugin.call=500ms"]);
    assert_says(&error, &["init_loops@", "init", "plugin.call"]);
}

#[test]
fn a_plugin_that_needs_more_memory_than_it_may_have() {
    let error = refused_plugin(&guest("puppet"), &["--set", "plugin.memory=64KiB"]);
    assert_says(&error, &["puppet@", "plugin.memory"]);
}

/// A run whose broker can't be reached.
#[track_caller]
fn unreachable_broker(brokers: &str) {
    let pipeline = Pipeline {
        brokers: brokers.to_owned(),
        ..Pipeline::bare(shared_broker(), "unreachable")
    };
    // The promise is ten seconds; a busy machine takes some more to start.
    assert_in_time(Duration::from_secs(14), || {
        let begun = Instant::now();
        let mut host = pipeline.start(&plugin("passthrough"), &[]);
        let error = error_of(&mut host, 2);
        assert_says(&error, &[brokers]);
        begun.elapsed()
    });
}

#[test]
fn a_broker_that_is_not_there_is_named_soon() {
    // Port 1 is nobody's.
    unreachable_broker("127.0.0.1:1");
}

#[test]
fn a_broker_whose_name_nobody_knows_is_named_soon() {
    unreachable_broker("no-such-host.invalid:9092");
}

#[test]
fn a_broker_that_does_not_answer_is_named_soon() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = silent.local_addr().expect("it has one");
    unreachable_broker(&address.to_string());
}

#[test]
fn an_input_topic_that_does_not_exist() {
    let pipeline = Pipeline::new("orders-of-the-day", 1);
    let wrong = pipeline.input.replace("orders", "oders");
    let mut arguments = pipeline.arguments(&plugin("passthrough"));
    *arguments
        .iter_mut()
        .find(|a| **a == pipeline.input)
        .expect("it is there") = wrong.clone();
    assert_in_time(Duration::from_secs(10), || {
        let begun = Instant::now();
        let mut host = Host::run(arguments.clone());
        let error = error_of(&mut host, 2);
        assert_says(
            &error,
            &["input topic", &wrong, "does not exist", &pipeline.input],
        );
        begun.elapsed()
    });
}

#[test]
fn an_output_topic_that_does_not_exist() {
    let pipeline = Pipeline::bare(shared_broker(), "no-output");
    pipeline.client.create_topic(&pipeline.input, 3);
    let near = format!("{}s", pipeline.output);
    pipeline.client.create_topic(&near, 1);
    assert_in_time(Duration::from_secs(10), || {
        let begun = Instant::now();
        let mut host = pipeline.start(&plugin("passthrough"), &[]);
        let error = error_of(&mut host, 2);
        assert_says(
            &error,
            &["output topic", &pipeline.output, &near, "--create-topics"],
        );
        begun.elapsed()
    });
    assert!(pipeline.client.partitions(&pipeline.output).is_err());
}

#[test]
fn create_topics_makes_the_output_with_the_inputs_partitions() {
    let pipeline = Pipeline::bare(shared_broker(), "created");
    pipeline.client.create_topic(&pipeline.input, 3);
    pipeline.feed([Record::value("1"), Record::value("2")]);
    // Where it is there already, it stays as it is.
    for count in [2, 3] {
        let host = pipeline.start(&plugin("passthrough"), &["--create-topics"]);
        if count == 3 {
            pipeline.feed([Record::value("3")]);
        }
        pipeline.wait_for_count(count, SOON);
        stop(host);
        assert_eq!(pipeline.client.partitions(&pipeline.output), Ok(3));
    }
    assert_eq!(pipeline.count(), Ok(3));
}

/// What `host run` says of a pipeline file that it does not take. No broker is
/// asked.
#[track_caller]
fn refused_file(content: &str, more: &[&str]) -> String {
    let folder = folder();
    let path = file(&folder, "pipeline.toml", content);
    let mut command = Host::command();
    command
        .args(["run", "--brokers", "127.0.0.1:1", "--config"])
        .arg(&path)
        .args(more);
    let mut host = Host::spawn(command);
    let error = error_of(&mut host, 2);
    // Its absolute name would differ in each run.
    error.replace(path.to_str().expect("UTF-8"), "pipeline.toml")
}

/// A file that is right, to which one thing is added; its lines are 1 to 6.
const RIGHT: &str = "\
[input]
topics = [\"orders\"]
[output]
topic = \"orders-clean\"
[[plugin]]
path = \"clean.wasm\"
";

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_one() {
    let error = refused_file(&format!("{RIGHT}[batch]\nmax_record = 5\n"), &[]);
    assert_says(
        &error,
        &[
            "pipeline.toml, line 8",
            "unknown key batch.max_record",
            "batch.max_records",
        ],
    );
    let error = refused_file(&format!("{RIGHT}[bach]\nlinger = \"5ms\"\n"), &[]);
    assert_says(
        &error,
        &["pipeline.toml, line 7", "unknown section bach", "batch"],
    );
    let error = refused_file(RIGHT, &["--set", "batch.lingr=5ms"]);
    assert_says(&error, &["--set", "batch.lingr", "batch.linger"]);
}

#[test]
fn an_unknown_flag_is_named_with_the_nearest_one() {
    let mut host = Host::run(["run", "--inputs", "orders"]);
    expect_exit(&mut host, 2);
    assert_says(&host.stderr(), &["--inputs", "--input"]);
}

#[test]
fn contradictions_are_named_with_their_line() {
    let loops = RIGHT.replace("orders-clean", "orders");
    assert_says(
        &refused_file(&loops, &[]),
        &[
            "pipeline.toml, line 4",
            "topic orders is also an input",
            "line 2",
        ],
    );
    let nowhere = RIGHT.replace("topic = \"orders-clean\"", "create = true");
    assert_says(
        &refused_file(&nowhere, &[]),
        &[
            "pipeline.toml, line 4",
            "no output or dead-letter topic to create",
        ],
    );
    let twice = format!("{RIGHT}[[plugin]]\npath = \"second.wasm\"\n");
    assert_says(
        &refused_file(&twice, &["--plugin-config", "whose"]),
        &["plugin.config (--plugin-config)", "2 plugins"],
    );
    // A value that a flag overrides no longer contradicts.
    let mut command = Host::command();
    let folder = folder();
    let path = file(&folder, "pipeline.toml", &loops);
    command.args([
        "run",
        "--brokers",
        "127.0.0.1:1",
        "--output",
        "other",
        "--config",
    ]);
    command.arg(path);
    let error = error_of(&mut Host::spawn(command), 2);
    assert!(!error.contains("also an input"), "{error}");
}

#[test]
fn values_that_mean_nothing_are_named_with_their_line() {
    for (line, says) in [
        ("[batch]\nlinger = 5\n", "a duration"),
        ("[batch]\nlinger = \"soon\"\n", "a duration"),
        ("[batch]\nmax_bytes = \"many\"\n", "a size"),
        ("[batch]\nmax_records = 0\n", "at least 1"),
        ("[batch]\nmax_records = -1\n", "at least 1"),
        ("[delivery]\ncommit_interval = \"0s\"\n", "longer"),
        ("[errors]\npolicy = \"sotp\"\n", "stop"),
        ("[kafka]\nbrokers = \"\"\n", "no broker"),
    ] {
        // The flag would beat the file.
        let folder = folder();
        let path = file(&folder, "pipeline.toml", format!("{RIGHT}{line}"));
        let mut command = Host::command();
        command.args(["run", "--config"]).arg(&path);
        let error = error_of(&mut Host::spawn(command), 2);
        assert_says(&error, &["pipeline.toml, line 8", says]);
    }
    for (value, says) in [
        ("input.start=sometime", "earliest, latest, stored, offset:N"),
        ("plugin.allow=network", "clock, random and env:NAME"),
        ("workers=many", "a whole number"),
        ("input.topics=a/b", "no legal topic name"),
        ("output.topic=..", "topic's name"),
        ("name=a b", "no legal name"),
        ("no-equals-sign", "KEY=VALUE"),
    ] {
        assert_says(&refused_file(RIGHT, &["--set", value]), &["--set", says]);
    }
}

#[test]
fn a_file_that_is_no_toml_is_named_with_its_line() {
    let error = refused_file("[input]\ntopics = [\"orders\"\n[output]\n", &[]);
    assert_says(&error, &["pipeline.toml", "line"]);
    let mut host = Host::run(["run", "--config", "/nowhere/pipeline.toml"]);
    assert_says(&error_of(&mut host, 2), &["/nowhere/pipeline.toml"]);
}

#[test]
fn what_is_missing_is_asked_for() {
    let mut host = Host::run(["run"]);
    assert_says(&error_of(&mut host, 2), &["--plugin"]);
    let mut host = Host::run(["run", "--plugin", "clean.wasm"]);
    assert_says(&error_of(&mut host, 2), &["--input"]);
}

#[test]
fn properties_that_would_break_the_promise_are_refused_with_the_reason() {
    for (section, property, reason) in [
        ("consumer", "enable.auto.commit = true", "acknowledged"),
        ("consumer", "enable.auto.commit = false", "acknowledged"),
        ("consumer", "auto.commit.interval.ms = 100", "acknowledged"),
        (
            "properties",
            "\"auto.offset.reset\" = \"latest\"",
            "silent jump",
        ),
        ("producer", "acks = 1", "in-sync replicas"),
        ("producer", "enable.idempotence = false", "idempotence"),
        ("producer", "message.timeout.ms = 1000", "lost record"),
        ("producer", "retries = 0", "lost record"),
        ("producer", "transactional.id = \"t\"", "exactly-once"),
        ("consumer", "group.id = \"g\"", "--group"),
        ("properties", "bootstrap.servers = \"b:1\"", "--brokers"),
    ] {
        let name = property
            .split(" = ")
            .next()
            .expect("a name")
            .replace('"', "");
        let value = property.split(" = ").nth(1).expect("a value");
        let content = format!("{RIGHT}[kafka.{section}]\n\"{name}\" = {value}\n");
        let error = refused_file(&content, &[]);
        assert_says(
            &error,
            &[
                "pipeline.toml, line 8",
                &format!("{name} can't be set"),
                reason,
            ],
        );
    }
    let error = refused_file(RIGHT, &["--set", "kafka.consumer.enable.auto.commit=true"]);
    assert_says(&error, &["--set", "enable.auto.commit"]);
}

#[test]
fn properties_that_librdkafka_does_not_know_or_take_are_named_with_their_line() {
    let unknown = format!("{RIGHT}[kafka.producer]\n\"linger.msec\" = 5\n");
    assert_says(
        &refused_file(&unknown, &[]),
        &["pipeline.toml, line 8", "linger.msec"],
    );
    let wrong = format!("{RIGHT}[kafka.consumer]\n\"session.timeout.ms\" = \"long\"\n");
    assert_says(
        &refused_file(&wrong, &[]),
        &["pipeline.toml, line 8", "session.timeout.ms", "long"],
    );
}

#[test]
fn a_variable_that_is_not_there_is_named_with_its_line() {
    let content = RIGHT.replace("orders-clean", "${MILLRACE_TEST_NOT_THERE}");
    assert_says(
        &refused_file(&content, &[]),
        &["pipeline.toml, line 4", "MILLRACE_TEST_NOT_THERE"],
    );
}

#[test]
fn a_pipeline_file_is_enough() {
    let pipeline = Pipeline::new("from-file", 1);
    pipeline.feed_at_once(["config", "1"]);
    let folder = folder();
    fs::create_dir(folder.path().join("plugins")).expect("it can be made");
    fs::copy(guest("puppet"), folder.path().join("plugins/puppet.wasm")).expect("it can be copied");
    file(&folder, "settings.txt", "from the file");
    let config = file(
        &folder,
        "pipeline.toml",
        format!(
            "name = \"mine\"\n\
             [kafka]\nbrokers = \"${{MILLRACE_TEST_BROKER}}\"\n\
             [kafka.consumer]\n\"session.timeout.ms\" = 10000\n\
             [input]\ntopics = [\"{}\"]\n\
             [output]\ntopic = \"not-this-one\"\n\
             [batch]\nlinger = \"1ms\"\nmax_records = 10\n\
             [[plugin]]\npath = \"plugins/puppet.wasm\"\nconfig = \"@settings.txt\"\n",
            pipeline.input
        ),
    );
    let mut command = Host::command();
    command
        .current_dir("/")
        .env("MILLRACE_TEST_BROKER", &pipeline.brokers)
        .args(["run", "--config"])
        .arg(config)
        .args(["--set", &format!("output.topic={}", pipeline.output)]);
    let host = Host::spawn(command);
    let read = pipeline.wait_for_outputs(2);
    // The group's name comes from the pipeline's.
    let members = pipeline.client.members("millrace-mine");
    stop(host);

    assert_eq!(texts(&read), ["from the file", "1"]);
    assert_eq!(members, ["millrace-mine-0"]);
    assert_eq!(
        pipeline.client.committed("millrace-mine", &pipeline.input),
        [(0, 2)].into()
    );
}

#[test]
fn the_plugins_configuration_may_be_a_file() {
    let folder = folder();
    file(&folder, "config.txt", "line 1\nline 2\n");
    let pipeline = Pipeline::new("config-file", 1);
    pipeline.feed_at_once(["config"]);
    let mut command = Host::command();
    command
        .current_dir(folder.path())
        .args(pipeline.arguments(&guest("puppet")))
        .args(["--plugin-config", "@config.txt"]);
    let host = Host::spawn(command);
    let read = pipeline.wait_for_outputs(1);
    stop(host);
    assert_eq!(texts(&read), ["line 1\nline 2\n"]);

    let mut host = pipeline.start(
        &guest("puppet"),
        &["--plugin-config", "@/nowhere/config.txt"],
    );
    assert_says(
        &error_of(&mut host, 2),
        &["--plugin-config", "/nowhere/config.txt"],
    );
}

#[test]
fn the_brokers_may_come_from_the_environment() {
    let pipeline = Pipeline::new("environment", 1);
    let mut arguments = pipeline.arguments(&plugin("passthrough"));
    let at = arguments
        .iter()
        .position(|a| a == "--brokers")
        .expect("it is there");
    arguments.drain(at..at + 2);
    let mut command = Host::command();
    command
        .args(&arguments)
        .arg("--check")
        .env("MILLRACE_BROKERS", &pipeline.brokers);
    let mut host = Host::spawn(command);
    expect_exit(&mut host, 0);
    assert_says(&host.stdout(), &[&pipeline.brokers]);

    // A flag beats it.
    let mut command = Host::command();
    command
        .args(pipeline.arguments(&plugin("passthrough")))
        .arg("--check")
        .env("MILLRACE_BROKERS", "127.0.0.1:1");
    expect_exit(&mut Host::spawn(command), 0);
}

#[test]
fn check_checks_and_changes_nothing() {
    let pipeline = Pipeline::new("check", 2);
    pipeline.feed([Record::value("1")]);
    let mut host = pipeline.start(&plugin("passthrough"), &["--check"]);
    expect_exit(&mut host, 0);
    assert_says(
        &host.stdout(),
        &[
            "ok",
            "passthrough@",
            &pipeline.input,
            &pipeline.output,
            &pipeline.group,
        ],
    );
    assert_eq!(pipeline.count(), Ok(0));
    assert!(pipeline.committed().is_empty());
    assert_eq!(pipeline.client.group_state(&pipeline.group), "");

    let mut host = pipeline.start(&guest("init_fails"), &["--check"]);
    error_of(&mut host, 2);
}

#[test]
fn check_makes_no_topic() {
    let pipeline = Pipeline::bare(shared_broker(), "check-creates");
    pipeline.client.create_topic(&pipeline.input, 2);
    let mut host = pipeline.start(&plugin("passthrough"), &["--check", "--create-topics"]);
    expect_exit(&mut host, 0);
    assert!(pipeline.client.partitions(&pipeline.output).is_err());
}

#[test]
fn inspect_into_a_closed_pipe_ends_quietly() {
    let pipeline = Pipeline::new("head", 2);
    pipeline.feed((0..2000).map(|n| Record::value(format!("{n}"))));
    let host = Host::command();
    let mut command = Command::new("bash");
    command
        .args(["-c", "set -o pipefail; \"$@\" | head -n 3", "bash"])
        .arg(host.get_program())
        .args(pipeline.arguments(&plugin("passthrough")))
        .arg("--inspect");
    for (name, value) in host.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut host = Host::spawn(command);
    // Of the pipe, host's: head's own is 0.
    expect_exit(&mut host, 0);
    assert_eq!(host.stdout().lines().count(), 3);
    for word in ["error:", "ERROR", "WARN", "roken pipe"] {
        assert!(!host.stderr().contains(word), "{word}");
    }

    // What came out before is committed: nothing is lost, and nothing doubled.
    assert_eq!(pipeline.count(), Ok(pipeline.committed_total()));
    let host = pipeline.start(&plugin("passthrough"), &[]);
    pipeline.wait_for_count(2000, SOON);
    stop(host);
    assert_eq!(pipeline.count(), Ok(2000));
}

/// A worker in a call does not poll.
#[test]
fn a_call_that_could_cost_the_membership_is_refused() {
    let short = "kafka.consumer.max.poll.interval.ms=60000";
    let long = "plugin.call=150s";
    for settings in [&[short][..], &[long]] {
        let flags = settings.iter().flat_map(|setting| ["--set", setting]);
        let flags: Vec<_> = flags.collect();
        assert_says(
            &refused_file(RIGHT, &flags),
            &["plugin.call", "max.poll.interval.ms", "must be longer"],
        );
    }
}
