//! No silent stall: what waits and does not move is said with its place, and a
//! membership that is lost for good ends the run.

use std::fs::File;
use std::io::Read as _;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use millrace_tests::mock::{Error, Request};
use millrace_tests::process::Process;
use millrace_tests::{Broker, Host, Mock, Record, eventually, guest, plugin};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;

use crate::feeder::{Feeder, assert_all_in_order};
use crate::pipeline::{LONG, Pipeline, SOON, assert_says, error_of, log, stop, texts};

const STALL: [&str; 2] = ["--set", "stall_timeout=1s"];
/// An answer that is held back is given up after two seconds, with its connection.
const GIVES_UP_SOON: [&str; 2] = ["--set", "kafka.consumer.socket.timeout.ms=2000"];

const STANDS: &str = "nothing has moved";
const OVER: &str = "the stall is over";

/// What was said of stalls there: of a partition (none: of the membership itself), and of
/// this offset, where one is given.
fn stalls(host: &Host, hangs: &str, partition: Option<&str>, offset: Option<i64>) -> Vec<Value> {
    let mut lines = said(host, STANDS);
    lines.retain(|line| {
        let (place, at) = (line["partition"].as_str(), line["offset"].as_i64());
        line["hangs"] == hangs && place == partition && offset.is_none_or(|it| at == Some(it))
    });
    lines
}

/// Waits until one is said. There may be others before: of a member that joins, or of a
/// first commit.
#[track_caller]
fn wait_for_stall(host: &mut Host, hangs: &str, partition: Option<&str>, offset: Option<i64>) {
    let line = eventually(SOON, &format!("a stall at the {hangs}"), || {
        assert!(host.is_running(), "host ended by itself");
        stalls(host, hangs, partition, offset).pop()
    });
    assert_eq!(line["worker"], 0, "{line}");
}

fn said(host: &Host, start: &str) -> Vec<Value> {
    let begins = |line: &Value| {
        line["message"]
            .as_str()
            .is_some_and(|m| m.starts_with(start))
    };
    log(host).into_iter().filter(begins).collect()
}

/// The end's line says how many stalls there were.
#[track_caller]
fn assert_counted(host: Host) {
    let stderr = stop(host);
    let last = stderr.lines().next_back().expect("it says that it stopped");
    let last: Value = serde_json::from_str(last).expect("a line of the log");
    assert!(last["stalls"].as_u64() >= Some(1), "{last}");
}

#[test]
fn a_plugin_that_hangs_within_its_time_is_said() {
    let pipeline = Pipeline::new("stall-plugin", 2);
    pipeline.feed_at_once(["1", "2"]);
    let clock = ["--allow", "clock", "--set", "plugin.time=30s"];
    let mut host = pipeline.start(&guest("puppet"), &[&STALL[..], &clock].concat());
    pipeline.wait_for_committed(&[(0, 2), (1, 0)]);

    let begun = Instant::now();
    pipeline.feed_at_once(["sleep 3500"]);
    let place = format!("{}/0", pipeline.input);
    wait_for_stall(&mut host, "plugin", Some(&place), Some(2));
    host.wait_for_log(OVER, SOON);
    pipeline.wait_for_committed(&[(0, 3), (1, 0)]);
    // Once per time-out.
    let times = stalls(&host, "plugin", Some(&place), Some(2)).len();
    assert!(times as u64 <= begun.elapsed().as_secs(), "{times}");
    assert_counted(host);
}

#[test]
fn a_frozen_broker_is_said() {
    let mut broker = Broker::start();
    let pipeline = Pipeline::on(&broker, "stall-frozen", 1);
    let flags = [&STALL[..], &["--allow", "clock"]].concat();
    let mut host = pipeline.start(&guest("puppet"), &flags);
    pipeline.feed_at_once(vec!["sleep 20"; 500]);
    pipeline.wait_for_count(1, SOON);

    // What was fetched already goes on, as far as to the producer.
    broker.freeze();
    let place = format!("{}/0", pipeline.input);
    wait_for_stall(&mut host, "producer", Some(&place), None);
    broker.thaw();
    host.wait_for_log(OVER, SOON);
    pipeline.wait_for_committed(&[(0, 500)]);
    assert_counted(host);
}

#[test]
fn an_output_topic_that_is_gone_is_said() {
    let pipeline = Pipeline::new("stall-output", 2);
    let notice = [
        "--set",
        "kafka.producer.topic.metadata.propagation.max.ms=1000",
        "--set",
        "kafka.producer.topic.metadata.refresh.fast.interval.ms=100",
    ];
    let flags = [&STALL[..], &notice].concat();
    let mut host = pipeline.start(&plugin("passthrough"), &flags);
    pipeline.feed((0..10).map(|n| Record::value(n.to_string()).to_partition(1)));
    pipeline.wait_for_committed(&[(0, 0), (1, 10)]);

    pipeline.client.delete_topic(&pipeline.output);
    pipeline.feed((10..20).map(|n| Record::value(n.to_string()).to_partition(1)));
    let place = format!("{}/1", pipeline.input);
    wait_for_stall(&mut host, "producer", Some(&place), Some(10));
    pipeline.client.create_topic(&pipeline.output, 2);
    host.wait_for_log(OVER, SOON);
    pipeline.wait_for_committed(&[(0, 0), (1, 20)]);
    assert_counted(host);
}

#[test]
fn commits_without_an_answer_are_said_while_records_flow() {
    let mock = Mock::start(2);
    let pipeline = Pipeline::mocked(&mock, "stall-commit", 1);
    mock.coordinate(&pipeline.group, 2);
    let flags = [STALL, GIVES_UP_SOON].concat();
    let mut host = pipeline.start(&plugin("passthrough"), &flags);
    pipeline.feed([Record::value("0")]);
    pipeline.wait_for_committed_total(1, SOON);

    mock.delay(2, Duration::from_secs(3600));
    pipeline.feed((1..10).map(|n| Record::value(n.to_string())));
    let place = format!("{}/0", pipeline.input);
    wait_for_stall(&mut host, "commit", Some(&place), None);
    assert_eq!(pipeline.wait_for_outputs(10).len(), 10);

    mock.delay(2, Duration::ZERO);
    pipeline.wait_for_committed_total(10, LONG);
    host.wait_for_log(OVER, SOON);
    assert_counted(host);
}

#[test]
fn records_that_wait_in_the_broker_are_said() {
    let mock = Mock::start(2);
    let pipeline = Pipeline::mocked(&mock, "stall-consumer", 1);
    mock.coordinate(&pipeline.group, 2);
    // Broker 1 leads the input alone.
    let output = format!("{}-2", pipeline.output);
    mock.create_topic(&output, 1, 2);
    // A batch each, and few of them read ahead.
    for _ in 0..150 {
        pipeline.feed([Record::value("sleep 100")]);
    }
    let flags = [
        "--allow",
        "clock",
        "--output",
        &output,
        "--set",
        "kafka.consumer.queued.min.messages=1",
        "--set",
        "kafka.consumer.fetch.message.max.bytes=1",
        "--set",
        "kafka.consumer.fetch.queue.backoff.ms=200",
    ];
    let mut arguments = pipeline.arguments(&guest("puppet"));
    let at = arguments
        .iter()
        .position(|a| a == "--output")
        .expect("it is there");
    arguments.drain(at..at + 2);
    let mut host = Host::run(
        arguments
            .iter()
            .map(String::as_str)
            .chain(flags)
            .chain(STALL)
            .chain(GIVES_UP_SOON),
    );
    eventually(SOON, "the first outputs", || {
        let held = pipeline.client.watermarks(&output).ok()?;
        (held[0].1 > 0).then_some(())
    });

    mock.delay(1, Duration::from_secs(3600));
    // Not the one of the group's first member, which waits, too.
    let place = format!("{}/0", pipeline.input);
    wait_for_stall(&mut host, "consumer", Some(&place), None);
    mock.delay(1, Duration::ZERO);
    pipeline.wait_for_committed_total(150, LONG);
    host.wait_for_log(OVER, SOON);
    assert_counted(host);
}

#[test]
fn a_partition_whose_leader_has_never_answered_is_said() {
    let mock = Mock::start(2);
    let pipeline = Pipeline::mocked(&mock, "stall-first", 1);
    mock.coordinate(&pipeline.group, 2);
    pipeline.feed([Record::value("0")]);
    pipeline
        .client
        .commit(&pipeline.group, &pipeline.input, 0, 0);
    // What the other broker leads has to be written to.
    let output = format!("{}-2", pipeline.output);
    mock.create_topic(&output, 1, 2);
    let pipeline = Pipeline { output, ..pipeline };

    mock.delay(1, Duration::from_secs(3600));
    let flags = [STALL, GIVES_UP_SOON].concat();
    let mut host = pipeline.start(&plugin("passthrough"), &flags);
    let place = format!("{}/0", pipeline.input);
    wait_for_stall(&mut host, "consumer", Some(&place), Some(0));
    mock.delay(1, Duration::ZERO);
    pipeline.wait_for_committed_total(1, LONG);
    host.wait_for_log(OVER, SOON);
    assert_counted(host);
}

/// One committed transaction, behind whose record stands its marker.
fn write_transaction(pipeline: &Pipeline, value: &str) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &pipeline.brokers)
        .set("transactional.id", &pipeline.input)
        .create()
        .expect("the configuration is valid");
    producer.init_transactions(SOON).expect("it is answered");
    producer.begin_transaction().expect("it is initialised");
    let record = BaseRecord::<(), str>::to(&pipeline.input).payload(value);
    producer
        .send(record)
        .map_err(|(error, _)| error)
        .expect("there is room");
    producer.commit_transaction(SOON).expect("it is answered");
}

#[test]
fn a_pipeline_with_nothing_to_read_says_nothing() {
    let pipeline = Pipeline::new("stall-idle", 2);
    write_transaction(&pipeline, "in a transaction");
    let host = pipeline.start(&plugin("passthrough"), &STALL);
    pipeline.wait_for_outputs(1);
    eventually(SOON, "its commit", || {
        (pipeline.committed_total() > 0).then_some(())
    });
    // The start may have taken its time.
    let before = said(&host, STANDS);
    // That nothing is said is a matter of time, not of a condition.
    thread::sleep(Duration::from_secs(4));
    assert_eq!(said(&host, STANDS), before);
    stop(host);
}

/// A worker that is held up does not serve its group. A plugin's call is too short
/// for that, so whoever reads `--inspect` does it.
#[test]
fn a_worker_that_was_held_up_for_too_long_joins_again_and_loses_nothing() {
    let pipeline = Pipeline::new("held-up", 2);
    let folder = tempfile::tempdir().expect("it can be made");
    let path = folder.path().join("stderr");
    let (mut inspected, stdout) = std::io::pipe().expect("it can be made");
    let mut command = Host::command();
    command
        .args(pipeline.arguments(&plugin("passthrough")))
        .args([
            "--inspect",
            "--set",
            "plugin.call=1s",
            "--set",
            "plugin.time=1s",
        ])
        .args(["--set", "kafka.consumer.session.timeout.ms=2000"])
        .args(["--set", "kafka.consumer.heartbeat.interval.ms=500"])
        .args(["--set", "kafka.consumer.max.poll.interval.ms=3000"])
        .args(STALL)
        .stdout(stdout)
        .stderr(Stdio::from(File::create(&path).expect("it can be made")));
    let mut host = Process::spawn("host", command);
    let logged = |text: &str| {
        let what = format!("the log line {text:?}");
        eventually(SOON, &what, || {
            let log = std::fs::read_to_string(&path).expect("it is text");
            log.contains(text).then_some(())
        });
    };
    // More than a pipe holds.
    let feeder = Feeder::start(&pipeline, 1500);
    logged("\"hangs\":\"inspect\"");
    eventually(SOON, "it to be out of its group", || {
        let members = pipeline.client.members(&pipeline.group);
        members.is_empty().then_some(())
    });

    let reader = thread::spawn(move || {
        let mut rest = Vec::new();
        inspected.read_to_end(&mut rest).map(|_| rest.len())
    });
    pipeline.wait_for_flow(500);
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    host.signal(millrace_tests::Signal::TERM);
    assert_eq!(host.wait(SOON).code(), Some(0));
    let read = reader
        .join()
        .expect("it does not panic")
        .expect("a pipe can be read");
    assert!(read > 0);
    logged("maximum poll interval");
    logged("partitions lost");
    assert_all_in_order(&pipeline.outputs(), written);
}

#[test]
fn a_group_that_uses_another_strategy_ends_the_run() {
    let pipeline = Pipeline::new("other-strategy", 2);
    let range = [
        "--set",
        "kafka.consumer.partition.assignment.strategy=range",
    ];
    let first = pipeline.start(&plugin("passthrough"), &range);
    pipeline.wait_for_members(1);
    let mut second = pipeline.start(&plugin("passthrough"), &[]);
    let error = error_of(&mut second, 1);
    assert_says(
        &error,
        &[&pipeline.group, "partition.assignment.strategy", "--group"],
    );
    // The first one is not troubled.
    pipeline.feed([Record::value("1")]);
    assert_eq!(texts(&pipeline.wait_for_outputs(1)), ["1"]);
    stop(first);
}

#[test]
fn a_session_that_the_broker_does_not_take_ends_the_run() {
    let pipeline = Pipeline::new("long-session", 1);
    let flags = [
        "--set",
        "kafka.consumer.session.timeout.ms=3600000",
        "--set",
        "kafka.consumer.max.poll.interval.ms=3600000",
    ];
    let error = error_of(&mut pipeline.start(&plugin("passthrough"), &flags), 1);
    assert_says(&error, &[&pipeline.group, "group.max.session.timeout.ms"]);
}

/// The group's patience is twice the poll interval.
const PATIENCE: [&str; 8] = [
    "--set",
    "plugin.call=1s",
    "--set",
    "plugin.time=1s",
    "--set",
    "kafka.consumer.session.timeout.ms=3500",
    "--set",
    "kafka.consumer.max.poll.interval.ms=3500",
];

#[test]
fn a_group_that_answers_and_never_takes_the_member_ends_the_run() {
    let mock = Mock::start(1);
    let pipeline = Pipeline::mocked(&mock, "never-taken", 1);
    mock.fail(
        Request::JoinGroup,
        &[Error::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS; 200],
    );
    let mut host = pipeline.start(&plugin("passthrough"), &[&PATIENCE[..], &STALL].concat());
    wait_for_stall(&mut host, "consumer", None, None);
    let error = error_of(&mut host, 1);
    assert_says(
        &error,
        &[&pipeline.group, "has given this member nothing", "answers"],
    );
}

#[test]
fn an_outage_before_the_first_assignment_is_waited_out() {
    let mock = Mock::start(1);
    let pipeline = Pipeline::mocked(&mock, "outage-join", 1);
    pipeline.feed([Record::value("1")]);
    let broken = [Error::RD_KAFKA_RESP_ERR__TRANSPORT; 1000];
    mock.fail(Request::FindCoordinator, &broken);
    let mut host = pipeline.start(&plugin("passthrough"), &PATIENCE);
    // Beyond its patience, which is a matter of time.
    thread::sleep(Duration::from_secs(9));
    assert!(host.is_running());
    mock.heal(Request::FindCoordinator);
    assert_eq!(texts(&pipeline.wait_for_outputs(1)), ["1"]);
    stop(host);
}
