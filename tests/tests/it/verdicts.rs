//! Every verdict, and every output that can't be sent: the puppet does what the
//! record's value says.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use millrace_tests::{Client, Host, Record, guest, shared_broker};

use crate::pipeline::{Pipeline, SOON, assert_says, error_of, expect_exit, log, stop, texts};

/// What becomes of these values, one partition, in order.
fn results(more: &[&str], values: &[&str], count: usize) -> Vec<Record> {
    let pipeline = Pipeline::new("verdicts", 1);
    pipeline.feed_at_once(values);
    let host = pipeline.start(&guest("puppet"), more);
    pipeline.wait_for_count(count, SOON);
    let last = i64::try_from(values.len()).expect("small");
    pipeline.wait_for_committed(&[(0, last)]);
    stop(host);
    let read = pipeline.outputs();
    assert_eq!(read.len(), count);
    read
}

#[test]
fn each_verdict_does_what_it_says() {
    let read = results(
        &[],
        &[
            "forwarded",
            "drop",
            "value replaced",
            "expand 3",
            "expand 0",
            "null",
            "last",
        ],
        7,
    );
    let values: Vec<_> = read.iter().map(|r| r.value.as_deref()).collect();
    assert_eq!(
        values,
        [
            Some(&b"forwarded"[..]),
            Some(b"replaced"),
            Some(b"0"),
            Some(b"1"),
            Some(b"2"),
            None,
            Some(b"last"),
        ]
    );
}

#[test]
fn an_expansion_of_thousands_stays_in_order() {
    let read = results(&[], &["before", "expand 5000", "after"], 5002);
    let texts = texts(&read);
    assert_eq!((texts[0], texts[5001]), ("before", "after"));
    assert!(
        texts[1..5001]
            .iter()
            .enumerate()
            .all(|(n, text)| *text == n.to_string())
    );
}

#[test]
fn an_output_keeps_of_its_source_what_it_does_not_set() {
    let pipeline = Pipeline::new("outputs", 3);
    let client = &pipeline.client;
    let elsewhere = format!("{}-elsewhere", pipeline.output);
    client.create_topic(&elsewhere, 3);
    let commands = [
        "replace".to_owned(),
        "value new".to_owned(),
        "key new".to_owned(),
        "key-null".to_owned(),
        "reheader name=new".to_owned(),
        "header name=new".to_owned(),
        "timestamp 1600000000000".to_owned(),
        "partition 2".to_owned(),
        format!("topic {elsewhere}"),
        format!("topic-partition {elsewhere} 1"),
    ];
    let source = |value: &String| {
        Record::value(value)
            .key("key")
            .header("h", "1")
            .null_header("h")
            .header(b"\xff", b"\xfe")
            .at(1_700_000_000_000)
            .to_partition(0)
    };
    pipeline.feed(commands.iter().map(source));

    let host = pipeline.start(&guest("puppet"), &[]);
    pipeline.wait_for_committed(&[(0, 10), (1, 0), (2, 0)]);
    stop(host);

    let mut all = client.read_all(&pipeline.output);
    all.extend(client.read_all(&elsewhere));
    let of = |value: &str| {
        all.iter()
            .find(|r| r.text() == value)
            .unwrap_or_else(|| panic!("no {value}"))
    };
    let default = source(&String::new());
    let expected = |value: &str| Record {
        value: Some(value.into()),
        ..default.clone()
    };
    assert_eq!(of("replace").content(), expected("replace").content());
    assert_eq!(of("new").content(), expected("new").content());
    assert_eq!(
        of("key new").content(),
        expected("key new").key("new").content()
    );
    assert_eq!(of("key-null").key, None);
    assert_eq!(of("key-null").headers, default.headers);
    let reheader = of("reheader name=new");
    assert_eq!(
        reheader.headers,
        [(b"name".to_vec(), Some(b"new".to_vec()))]
    );
    assert_eq!(reheader.key, default.key);
    let header = of("header name=new");
    assert_eq!(header.headers, expected("").header("name", "new").headers);
    let timestamp = of("timestamp 1600000000000");
    assert_eq!(timestamp.timestamp.to_millis(), Some(1_600_000_000_000));
    assert_eq!(of("partition 2").partition, Some(2));
    assert_eq!(all.len(), 10);

    let there = client.read_all(&elsewhere);
    let there: Vec<_> = there.iter().map(|r| (r.text(), r.partition)).collect();
    assert_eq!(there.len(), 2);
    let placed = commands[9].as_str();
    assert!(there.contains(&(placed, Some(1))), "{there:?}");
    // The same key goes to the same partition of another topic of that size.
    let plain = commands[8].as_str();
    let home = of("replace").partition;
    assert!(there.contains(&(plain, home)), "{there:?}");
}

#[test]
fn a_pipeline_without_a_default_topic_takes_outputs_that_name_theirs() {
    let pipeline = Pipeline::new("no-default", 1);
    pipeline.feed_at_once([format!("topic {}", pipeline.output), "drop".to_owned()]);
    let mut command = Host::command();
    let mut arguments = pipeline.arguments(&guest("puppet"));
    let at = arguments.iter().position(|a| a == "--output");
    arguments.drain(at.expect("it is there")..at.expect("it is there") + 2);
    command.args(&arguments);
    let host = Host::spawn(command);
    pipeline.wait_for_committed(&[(0, 2)]);
    stop(host);
    assert_eq!(pipeline.count(), Ok(1));

    pipeline.feed_at_once(["forward me"]);
    let mut command = Host::command();
    command.args(&arguments);
    let mut host = Host::spawn(command);
    assert_says(
        &error_of(&mut host, 1),
        &[
            "stage produce",
            "offset 2",
            "names no topic",
            "output.topic",
        ],
    );
}

/// Feeds `before`, the command, `after`; the run stops at the command. Returns
/// what it said.
#[track_caller]
fn refused_at_produce(pipeline: &Pipeline, command: &str, more: &[&str]) -> String {
    pipeline.feed_at_once(["before", command, "after"]);
    let mut host = pipeline.start(&guest("puppet"), more);
    let error = error_of(&mut host, 1);
    let position = format!("topic {}, partition 0, offset 1", pipeline.input);
    assert_says(&error, &["stage produce", &position]);
    assert_eq!(texts(&pipeline.outputs()), ["before"]);
    pipeline.wait_for_committed(&[(0, 1)]);
    error
}

#[test]
fn a_failed_record_stops_with_its_reason() {
    let pipeline = Pipeline::new("failed", 1);
    pipeline.feed_at_once(["before", "fail because I say so", "after"]);
    let mut host = pipeline.start(&guest("puppet"), &[]);
    let position = format!("topic {}, partition 0, offset 1", pipeline.input);
    assert_says(
        &error_of(&mut host, 1),
        &["stage transform", &position, "because I say so"],
    );
    assert_eq!(texts(&pipeline.outputs()), ["before"]);
    pipeline.wait_for_committed(&[(0, 1)]);
}

#[test]
fn an_output_topic_that_does_not_exist_is_refused_with_the_nearest_name() {
    let pipeline = Pipeline::new("missing-topic", 1);
    let wrong = pipeline.output.replace("missing", "misssing");
    let error = refused_at_produce(&pipeline, &format!("topic {wrong}"), &[]);
    assert_says(&error, &[&wrong, "does not exist", &pipeline.output]);
}

#[test]
fn an_illegal_topic_name_is_refused() {
    for name in ["a/b", "..", "naïve", &"x".repeat(250)] {
        let pipeline = Pipeline::new("illegal-topic", 1);
        let error = refused_at_produce(&pipeline, &format!("topic {name}"), &[]);
        assert_says(&error, &["name"]);
    }
}

#[test]
fn an_empty_topic_name_is_refused() {
    let pipeline = Pipeline::new("empty-topic", 1);
    let error = refused_at_produce(&pipeline, "topic ", &[]);
    assert_says(&error, &["empty"]);
}

#[test]
fn an_output_to_an_input_topic_is_refused() {
    let pipeline = Pipeline::new("own-input", 1);
    let error = refused_at_produce(&pipeline, &format!("topic {}", pipeline.input), &[]);
    assert_says(&error, &["is an input of this pipeline"]);
}

#[test]
fn a_partition_out_of_range_is_refused() {
    for partition in ["1", "-1", "2147483647"] {
        let pipeline = Pipeline::new("no-partition", 1);
        let error = refused_at_produce(&pipeline, &format!("partition {partition}"), &[]);
        assert_says(&error, &["1 partition", partition]);
    }
}

#[test]
fn a_negative_timestamp_is_refused() {
    let pipeline = Pipeline::new("negative-time", 1);
    let error = refused_at_produce(&pipeline, "timestamp -2", &[]);
    assert_says(&error, &["timestamp", "-2"]);
}

#[test]
fn nothing_of_a_record_is_sent_where_one_of_its_outputs_is_too_large() {
    let pipeline = Pipeline::new("too-large", 1);
    let limit = ["--set", "kafka.producer.message.max.bytes=20000"];
    let error = refused_at_produce(&pipeline, "bytes 20001", &limit);
    assert_says(&error, &["20000", "message.max.bytes"]);
}

#[test]
fn an_output_that_the_broker_refuses_names_its_record() {
    let pipeline = Pipeline::bare(shared_broker(), "broker-refuses");
    let client = &pipeline.client;
    client.create_topic(&pipeline.input, 1);
    client.create_topic_with(&pipeline.output, 1, &[("max.message.bytes", "20000")]);
    // Each in a batch of its own, so that the broker judges each alone.
    pipeline.feed_at_once(["before", "bytes 30000", "after"]);
    let mut host = pipeline.start(
        &guest("puppet"),
        &["--set", "kafka.producer.batch.num.messages=1"],
    );

    let error = error_of(&mut host, 1);

    let position = format!("topic {}, partition 0, offset 1", pipeline.input);
    assert_says(&error, &["stage produce", &position, "max.message.bytes"]);
    pipeline.wait_for_committed(&[(0, 1)]);
    let read = pipeline.outputs();
    assert_eq!(texts(&read)[0], "before");
}

/// A broker refuses a batch as a whole; the record is to blame, and no other.
#[test]
fn an_output_that_the_broker_refuses_does_not_take_its_neighbours_along() {
    let pipeline = Pipeline::bare(shared_broker(), "broker-refuses-batch");
    let client = &pipeline.client;
    client.create_topic(&pipeline.input, 1);
    client.create_topic_with(&pipeline.output, 1, &[("max.message.bytes", "20000")]);
    pipeline.feed_at_once(["before", "bytes 30000", "after"]);
    let mut host = pipeline.start(&guest("puppet"), &[]);

    let error = error_of(&mut host, 1);

    let position = format!("topic {}, partition 0, offset 1", pipeline.input);
    assert_says(&error, &["stage produce", &position]);
    assert_eq!(texts(&pipeline.outputs())[0], "before");
}

/// `max.message.bytes` is a limit on batches, which the pipeline makes, not on
/// the records, which are the user's.
#[test]
fn a_topic_that_takes_only_small_batches_gets_all_records() {
    let pipeline = Pipeline::bare(shared_broker(), "small-batches");
    let client = &pipeline.client;
    client.create_topic(&pipeline.input, 1);
    client.create_topic_with(&pipeline.output, 1, &[("max.message.bytes", "20000")]);
    pipeline.feed((0..2000).map(|n| Record::value(format!("{n:0100}")).to_partition(0)));

    let host = pipeline.start(&guest("puppet"), &[]);
    pipeline.wait_for_outputs(2000);
    stop(host);
}

/// The same of a timestamp that the broker does not take.
#[test]
fn a_timestamp_that_the_broker_refuses_names_its_record() {
    let pipeline = Pipeline::new("future", 1);
    pipeline.feed_at_once(["before", "timestamp 4102444800000", "after"]);
    let mut host = pipeline.start(&guest("puppet"), &[]);

    let error = error_of(&mut host, 1);

    let position = format!("topic {}, partition 0, offset 1", pipeline.input);
    assert_says(&error, &["stage produce", &position, "timestamp"]);
}

#[test]
fn a_plugin_sees_where_a_record_stands_and_what_it_carries() {
    let pipeline = Pipeline::new("seen", 2);
    let record = |value: &str| Record::value(value).at(1_700_000_000_000).to_partition(1);
    pipeline.feed([
        record("forward"),
        record("source"),
        record("headers")
            .header("a", "1")
            .null_header("b")
            .header("a", ""),
        record("config"),
    ]);

    let host = pipeline.start(
        &guest("puppet"),
        &["--plugin-config", "some text, as it is"],
    );
    pipeline.wait_for_committed(&[(0, 0), (1, 4)]);
    stop(host);

    let mut values: Vec<_> = pipeline.outputs();
    values.sort_by_key(|r| r.timestamp.to_millis());
    let mut values = texts(&values);
    values.sort_unstable();
    let source = format!("{}/1/1/create-time 1700000000000", pipeline.input);
    let mut expected = vec!["a=1,b=null,a=", "forward", &source, "some text, as it is"];
    expected.sort_unstable();
    assert_eq!(values, expected);
}

#[test]
fn time_stands_at_the_latest_timestamp_of_the_batch() {
    let pipeline = Pipeline::new("virtual-time", 1);
    let at = |value: &str, ms| Record::value(value).at(ms).to_partition(0);
    let records = [
        at("time", 1_700_000_000_000),
        at("latest", 1_700_000_000_002),
        at("time", 1_700_000_000_001),
    ];
    pipeline.client.produce_at_once(&pipeline.input, records);

    let host = pipeline.start(&guest("puppet"), &[]);
    let read = pipeline.wait_for_outputs(3);
    stop(host);

    assert_eq!(texts(&read), ["1700000000002", "latest", "1700000000002"]);
}

#[test]
fn what_is_virtual_is_the_same_in_every_run() {
    let values = ["random", "random", "hash-seed", "env HOME", "args", "time"];
    let runs = [0; 2].map(|_| {
        let pipeline = Pipeline::new("virtual", 1);
        let record = |value: &&str| Record::value(value).at(1_700_000_000_000).to_partition(0);
        pipeline.feed(values.iter().map(record));
        let host = pipeline.start(&guest("puppet"), &[]);
        let read = pipeline.wait_for_outputs(values.len());
        stop(host);
        read.into_iter().map(|r| r.value).collect::<Vec<_>>()
    });
    assert_eq!(runs[0], runs[1]);
    let [first, second, _, home, args, time] = &runs[0][..] else {
        panic!("{runs:?}")
    };
    assert_ne!(first, second);
    // Nothing is there: null, and no arguments.
    assert_eq!(home.as_deref(), None);
    assert_eq!(args.as_deref(), Some(&b""[..]));
    assert_eq!(time.as_deref(), Some(&b"1700000000000"[..]));
}

#[test]
fn allowed_capabilities_are_the_real_ones() {
    let now = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
    };
    let begun = now();
    let allow = ["clock", "random", "env:MILLRACE_TEST_GIVEN"].map(|cap| ["--allow", cap]);
    let allow = allow.concat();
    let runs = [0; 2].map(|_| {
        let pipeline = Pipeline::new("real", 1);
        pipeline.feed_at_once([
            "time",
            "random",
            "env MILLRACE_TEST_GIVEN",
            "env MILLRACE_TEST_KEPT",
        ]);
        let mut command = Host::command();
        command
            .args(pipeline.arguments(&guest("puppet")))
            .args(&allow)
            .env("MILLRACE_TEST_GIVEN", "here")
            .env("MILLRACE_TEST_KEPT", "secret");
        let host = Host::spawn(command);
        let read = pipeline.wait_for_outputs(4);
        stop(host);
        read
    });

    for read in &runs {
        let seen: u64 = read[0].text().parse().expect("milliseconds");
        assert!(Duration::from_millis(seen) + Duration::from_secs(1) >= begun);
        assert!(Duration::from_millis(seen) <= now() + Duration::from_secs(1));
        assert_eq!(read[2].text(), "here");
        assert_eq!(read[3].value, None);
    }
    assert_ne!(runs[0][1].value, runs[1][1].value);
}

#[test]
fn inspect_prints_each_record_and_its_verdict() {
    let pipeline = Pipeline::new("inspect", 1);
    pipeline.feed([
        Record::value("value new").key("k").at(7).to_partition(0),
        Record::value([0xff, 0xfe])
            .null_header("h")
            .at(8)
            .to_partition(0),
        Record::value("drop").at(9).to_partition(0),
        Record::value("fail why not").at(10).to_partition(0),
    ]);

    let mut host = pipeline.start(&guest("puppet"), &["--inspect"]);
    expect_exit(&mut host, 1);

    let lines: Vec<serde_json::Value> = host
        .stdout()
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    let verdicts: Vec<_> = lines.iter().map(|l| l["verdict"].as_str()).collect();
    assert_eq!(
        verdicts[..3],
        [Some("replace"), Some("forward"), Some("drop")]
    );
    assert_eq!(lines[0]["topic"], *pipeline.input);
    assert_eq!(lines[0]["key"], "k");
    assert_eq!(lines[0]["timestamp"], 7);
    assert_eq!(lines[0]["outputs"][0]["value"], "new");
    assert_eq!(lines[1]["offset"], 1);
    assert_eq!(lines[1]["value"]["base64"], "//4=");
    assert_eq!(lines[1]["headers"], serde_json::json!([["h", null]]));
    // The log is on stderr, apart from the answers.
    assert!(!log(&host).is_empty());
}

#[test]
fn outputs_to_many_topics_all_arrive() {
    let pipeline = Pipeline::new("many-topics", 1);
    let client: &Client = &pipeline.client;
    let topics: Vec<_> = (0..20)
        .map(|n| format!("{}-{n}", pipeline.output))
        .collect();
    topics
        .iter()
        .for_each(|topic| client.create_topic(topic, 1));
    pipeline.feed_at_once((0..200).map(|n| format!("topic {}", topics[n % 20])));

    let host = pipeline.start(&guest("puppet"), &[]);
    pipeline.wait_for_committed(&[(0, 200)]);
    stop(host);

    for topic in &topics {
        assert_eq!(client.read_all(topic).len(), 10);
    }
}
