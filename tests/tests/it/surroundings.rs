//! What is around a record fails, with a dead-letter topic: it is waited for,
//! and no record is rejected for it.

use millrace_tests::broker::BrokerOptions;
use millrace_tests::{Broker, Host, Record, eventually, guest, plugin};

use crate::feeder::{Feeder, assert_culprits_apart, record_or_culprit};
use crate::pipeline::{LONG, Pipeline, SOON, assert_says, error_of, log, stop, texts};

/// A topic that is gone is noticed after a second, not after thirty.
const NOTICE: [&str; 4] = [
    "--set",
    "kafka.producer.topic.metadata.propagation.max.ms=1000",
    "--set",
    "kafka.producer.topic.metadata.refresh.fast.interval.ms=100",
];

const WAITS: &str = "the partition waits";
const GONE: &str = "it is gone";

fn is_wait(line: &&serde_json::Value) -> bool {
    let text = line["message"].as_str();
    text.is_some_and(|text| text.starts_with(WAITS))
}

#[track_caller]
fn wait_for_letters(pipeline: &Pipeline, wanted: usize) {
    let client = &pipeline.client;
    let what = format!("{wanted} dead letters");
    eventually(LONG, &what, || {
        let ends = client.watermarks(&pipeline.dead).ok()?;
        let held: i64 = ends.iter().map(|(first, next)| next - first).sum();
        (held >= i64::try_from(wanted).expect("small")).then_some(())
    });
}

fn to(partition: i32, value: impl AsRef<[u8]>) -> Record {
    Record::value(value)
        .key(partition.to_string())
        .to_partition(partition)
}

/// Asserts that the output holds what stands behind partition 0's culprit, and
/// partition 1's numbers, once and in order. The former may be there twice: where
/// the culprit goes again, so does what was sent behind it.
#[track_caller]
fn assert_through(pipeline: &Pipeline, numbers: usize) {
    let outputs = pipeline.outputs();
    let of = |key: &str| {
        let mine = |output: &&Record| output.key.as_deref() == Some(key.as_bytes());
        outputs
            .iter()
            .filter(mine)
            .map(Record::text)
            .collect::<Vec<_>>()
    };
    let mut behind = of("0");
    behind.dedup();
    assert_eq!(behind, ["behind it"]);
    assert!(of("1").into_iter().eq((0..numbers).map(|n| n.to_string())));
}

/// The end's line, of a run that met its surroundings.
#[track_caller]
fn stop_after_waits(host: Host) -> serde_json::Value {
    let stderr = stop(host);
    let last = stderr.lines().next_back().expect("it says that it stopped");
    serde_json::from_str(last).expect("a line of the log")
}

#[test]
fn a_broker_that_goes_away_makes_no_dead_letter_and_loses_none() {
    let mut broker = Broker::start();
    let pipeline = Pipeline::on(&broker, "goes-away", 4).and_dead_letters(4);
    let feeder = Feeder::start_with(&pipeline, 1000, record_or_culprit);
    let mut host = pipeline.start_with_dead_letters(&guest("puppet"), &["--workers", "2"]);
    wait_for_letters(&pipeline, 20);

    broker.kill();
    broker.restart();
    wait_for_letters(&pipeline, 100);
    broker.stop();
    broker.restart();
    wait_for_letters(&pipeline, 200);

    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    assert!(host.is_running());
    stop(host);
    assert_culprits_apart(&pipeline, written);
}

#[test]
fn a_dead_letter_topic_that_is_deleted_is_waited_for() {
    let pipeline = Pipeline::with_dead_letters("dead-deleted", 2);
    let client = &pipeline.client;
    let mut host = pipeline.start_with_dead_letters(&guest("puppet"), &NOTICE);
    pipeline.feed([to(0, "fail first")]);
    pipeline.wait_for_committed(&[(0, 1), (1, 0)]);

    client.delete_topic(&pipeline.dead);
    pipeline.feed([to(0, "fail second"), to(0, "behind it")]);
    let line = host.wait_for_log(WAITS, SOON);
    assert_says(&line, &[&format!("{}/0", pipeline.input), "\"offset\":1"]);
    host.wait_for_log(GONE, SOON);
    // The other partition does not care.
    pipeline.feed((0..500).map(|n| to(1, n.to_string())));
    pipeline.wait_for_committed(&[(0, 1), (1, 500)]);

    client.create_topic(&pipeline.dead, 2);
    pipeline.wait_for_committed(&[(0, 3), (1, 500)]);
    let last = stop_after_waits(host);
    assert!(last["waits"].as_u64() >= Some(1), "{last}");
    assert_eq!(texts(&pipeline.letters()), ["fail second"]);
    assert_through(&pipeline, 500);
}

#[test]
fn a_dead_letter_topic_that_is_deleted_before_its_first_letter_is_waited_for() {
    let pipeline = Pipeline::with_dead_letters("dead-unmet", 2);
    let client = &pipeline.client;
    let mut host = pipeline.start_with_dead_letters(&guest("puppet"), &NOTICE);
    pipeline.wait_for_committed(&[(0, 0), (1, 0)]);

    client.delete_topic(&pipeline.dead);
    pipeline.feed([to(0, "fail it"), to(0, "behind it"), to(1, "other")]);
    host.wait_for_log(GONE, SOON);
    pipeline.wait_for_committed(&[(0, 0), (1, 1)]);

    client.create_topic(&pipeline.dead, 2);
    pipeline.wait_for_committed(&[(0, 2), (1, 1)]);
    stop(host);
    assert_eq!(texts(&pipeline.letters()), ["fail it"]);
    let mut outputs = pipeline.outputs();
    outputs.sort_by_key(|output| output.key.clone());
    assert_eq!(texts(&outputs), ["behind it", "other"]);
}

#[test]
fn a_stop_while_the_dead_letter_topic_is_gone_leaves_the_record_to_the_next_run() {
    let pipeline = Pipeline::with_dead_letters("dead-stop", 1);
    let start = || pipeline.start_with_dead_letters(&guest("puppet"), &NOTICE);
    let mut host = start();
    pipeline.feed([to(0, "fail first")]);
    pipeline.wait_for_committed(&[(0, 1)]);
    pipeline.client.delete_topic(&pipeline.dead);
    pipeline.feed([to(0, "before it"), to(0, "fail second"), to(0, "behind it")]);
    host.wait_for_log(WAITS, SOON);
    stop(host);
    pipeline.wait_for_committed(&[(0, 2)]);

    assert_says(
        &error_of(&mut start(), 2),
        &[&pipeline.dead, "does not exist"],
    );
    pipeline.client.create_topic(&pipeline.dead, 1);
    let host = start();
    pipeline.wait_for_committed(&[(0, 4)]);
    stop(host);
    assert_eq!(texts(&pipeline.letters()), ["fail second"]);
}

#[test]
fn an_output_topic_that_is_deleted_makes_no_dead_letter() {
    let pipeline = Pipeline::with_dead_letters("output-deleted", 1);
    let client = &pipeline.client;
    let mut host = pipeline.start_with_dead_letters(&guest("puppet"), &NOTICE);
    let numbers = |range: std::ops::Range<usize>| range.map(|n| n.to_string());
    pipeline.feed(numbers(0..500).map(|n| to(0, n)));
    pipeline.wait_for_committed(&[(0, 500)]);

    client.delete_topic(&pipeline.output);
    pipeline.feed(numbers(500..1000).map(|n| to(0, n)));
    host.wait_for_log(WAITS, SOON);
    host.wait_for_log(GONE, SOON);
    assert_eq!(pipeline.committed_total(), 500);

    client.create_topic(&pipeline.output, 1);
    pipeline.wait_for_committed(&[(0, 1000)]);
    stop(host);
    assert!(
        texts(&pipeline.outputs())
            .into_iter()
            .eq(numbers(500..1000))
    );
    assert_eq!(pipeline.letters(), []);
}

#[test]
fn an_output_topic_that_is_deleted_before_its_first_output_makes_no_dead_letter() {
    let pipeline = Pipeline::with_dead_letters("output-unmet", 1);
    let client = &pipeline.client;
    let mut host = pipeline.start_with_dead_letters(&guest("puppet"), &NOTICE);
    pipeline.wait_for_committed(&[(0, 0)]);

    client.delete_topic(&pipeline.output);
    pipeline.feed((0..100).map(|n| to(0, n.to_string())));
    host.wait_for_log(GONE, SOON);
    client.create_topic(&pipeline.output, 1);
    pipeline.wait_for_committed(&[(0, 100)]);
    stop(host);
    let numbers = (0..100).map(|n| n.to_string());
    assert!(texts(&pipeline.outputs()).into_iter().eq(numbers));
    assert_eq!(pipeline.letters(), []);
}

#[test]
fn a_topic_that_may_not_be_written_is_waited_for() {
    let broker = Broker::start_with(BrokerOptions::with_acls());
    let pipeline = Pipeline::on(&broker, "denied", 2).and_dead_letters(2);
    let dead = ["--topic", &pipeline.dead];
    // A topic that a right names is closed to all that no right allows.
    let all = ["--allow-principal", "User:ANONYMOUS", "--operation", "All"];
    broker.acls(&[&["--add"], &dead[..], &all].concat());
    let change = |how: &[&str], operation: &str| {
        let deny = [
            "--deny-principal",
            "User:ANONYMOUS",
            "--operation",
            operation,
        ];
        broker.acls(&[how, &dead, &deny].concat());
    };
    let (add, remove) = (["--add"], ["--remove", "--force"]);
    change(&add, "Write");

    // However often the culprit is tried: it is one record.
    let flags = [&NOTICE[..], &["--set", "errors.breaker=100% of 3"]].concat();
    let mut host = pipeline.start_with_dead_letters(&guest("puppet"), &flags);
    pipeline.feed([to(0, "fail it"), to(0, "behind it")]);
    eventually(SOON, "several waits, or the end", || {
        (log(&host).iter().filter(is_wait).count() > 4 || !host.is_running()).then_some(())
    });
    let line = host.wait_for_log(WAITS, SOON);
    let place = format!("{}/0", pipeline.input);
    assert_says(&line, &[&place, "\"offset\":0", "authorization"]);
    pipeline.feed((0..100).map(|n| to(1, n.to_string())));
    pipeline.wait_for_committed(&[(0, 0), (1, 100)]);
    assert_eq!(pipeline.letters(), []);
    change(&remove, "Write");
    pipeline.wait_for_committed(&[(0, 2), (1, 100)]);

    // Not even seen any more, once the broker knows that.
    change(&add, "All");
    eventually(SOON, "the topic to be out of sight", || {
        pipeline.client.partitions(&pipeline.dead).err()
    });
    pipeline.feed([to(0, "fail again")]);
    eventually(SOON, "it to be waited for", || {
        let waits = |line: &serde_json::Value| is_wait(&line) && line["offset"] == 2;
        (log(&host).iter().any(waits) || !host.is_running()).then_some(())
    });
    pipeline.feed((100..200).map(|n| to(1, n.to_string())));
    pipeline.wait_for_committed(&[(0, 2), (1, 200)]);
    change(&remove, "All");
    pipeline.wait_for_committed(&[(0, 3), (1, 200)]);
    stop(host);
    assert_eq!(texts(&pipeline.letters()), ["fail it", "fail again"]);
    assert_through(&pipeline, 200);
}

/// Told once, and asked for with growing rests.
#[test]
fn an_input_that_may_not_be_read_any_more_is_waited_for() {
    let broker = Broker::start_with(BrokerOptions::with_acls());
    let pipeline = Pipeline::on(&broker, "unreadable", 1);
    let input = ["--topic", &pipeline.input];
    let all = ["--allow-principal", "User:ANONYMOUS", "--operation", "All"];
    broker.acls(&[&["--add"], &input[..], &all].concat());
    let change = |how: &[&str]| {
        let deny = ["--deny-principal", "User:ANONYMOUS", "--operation", "Read"];
        broker.acls(&[how, &input, &deny].concat());
    };
    let host = pipeline.start(&plugin("passthrough"), &[]);
    pipeline.feed((0..10).map(|n| to(0, n.to_string())));
    pipeline.wait_for_outputs(10);

    change(&["--add"]);
    pipeline.feed((10..20).map(|n| to(0, n.to_string())));
    let refusals = || {
        let log = log(&host);
        let place = format!("{}/0", pipeline.input);
        let is = |line: &&serde_json::Value| {
            let text = line.to_string();
            text.contains(&place) && text.to_lowercase().contains("authorization")
        };
        log.iter().filter(is).count()
    };
    eventually(SOON, "it to be said", || (refusals() > 0).then_some(()));
    // How often it is said in a while is a matter of time.
    std::thread::sleep(std::time::Duration::from_secs(4));
    let said = refusals();
    assert!(said < 10, "it was said {said} times");
    change(&["--remove", "--force"]);
    pipeline.wait_for_committed(&[(0, 20)]);
    stop(host);
    let values: Vec<_> = (0..20).map(|n: usize| n.to_string()).collect();
    assert_eq!(texts(&pipeline.outputs()), values);
}
