//! Outputs that can never be written, with a dead-letter topic: their record is
//! one dead letter of the stage `produce`, and nothing of it goes out.

use millrace_tests::{Host, Record, eventually_ok, guest, shared_broker};

use crate::pipeline::{Pipeline, SOON, assert_says, origin, stop, texts, told};

/// Puts an innocent record before and behind each of these commands, runs the
/// puppet over them, and asserts that each is one dead letter whose reason says
/// this, and nothing of it in the output.
#[track_caller]
fn assert_rejected(pipeline: &Pipeline, flags: &[&str], cases: &[(Record, &[&str])]) {
    let innocent = |n: usize| Record::value(format!("innocent {n}")).key("k");
    let records = cases
        .iter()
        .enumerate()
        .flat_map(|(n, (record, _))| [innocent(n), record.clone()])
        .chain([innocent(cases.len())])
        .map(|record| record.to_partition(0));
    let count = 2 * cases.len() + 1;
    pipeline.client.produce_at_once(&pipeline.input, records);

    let host = pipeline.start_with_dead_letters(&guest("puppet"), flags);
    pipeline.wait_for_committed_total(count, SOON);
    stop(host);

    let expected = (0..=cases.len()).map(|n| format!("innocent {n}"));
    assert_eq!(texts(&pipeline.outputs()), expected.collect::<Vec<_>>());
    let mut letters = pipeline.letters();
    letters.sort_by_key(origin);
    assert_eq!(letters.len(), cases.len(), "one dead letter a culprit");
    for ((n, (record, says)), letter) in cases.iter().enumerate().zip(&letters) {
        let offset = i64::try_from(2 * n + 1).expect("small");
        assert_eq!(origin(letter), (0, offset));
        assert_eq!(letter.key, record.key);
        assert_eq!(letter.value, record.value);
        assert_eq!(told(letter, "stage"), "produce", "{letter:?}");
        assert_says(told(letter, "reason"), says);
    }
}

fn command(text: impl AsRef<[u8]>) -> Record {
    Record::value(text).key("c")
}

#[test]
fn an_output_to_a_topic_that_is_none_is_a_dead_letter() {
    let pipeline = Pipeline::with_dead_letters("no-such-topic", 1);
    let compacted = format!("{}-compacted", pipeline.output);
    let by_key = [("cleanup.policy", "compact")];
    pipeline.client.create_topic_with(&compacted, 1, &by_key);
    let [input, output, dead] = [&pipeline.input, &pipeline.output, &pipeline.dead];
    let nearly = output.replace("such", "much");
    assert_rejected(
        &pipeline,
        &[],
        &[
            (
                command(format!("topic {nearly}")),
                &[&nearly, "does not exist", output],
            ),
            (command("topic a/b"), &["a/b"]),
            (command("topic .."), &[".."]),
            (
                command(format!("topic {input}")),
                &["is an input of this pipeline"],
            ),
            (
                command(format!("topic {dead}")),
                &["the pipeline's dead-letter topic"],
            ),
            (
                command("partition 1"),
                &["has 1 partitions", "names partition 1"],
            ),
            (command("partition -1"), &["names partition -1"]),
            (command("timestamp -2"), &["timestamp -2"]),
            (
                command("timestamp 4102444800000"),
                &["timestamp 4102444800000"],
            ),
            (
                Record::value(format!("topic {compacted}")),
                &[&compacted, "compacted", "without a key"],
            ),
        ],
    );
    assert_eq!(pipeline.client.read_all(&compacted), []);
}

#[test]
fn an_output_to_a_topic_that_is_not_allowed_is_a_dead_letter() {
    let pipeline = Pipeline::with_dead_letters("not-allowed", 1);
    let topic = |name: &str| format!("{}-{name}", pipeline.output);
    let [inside, outside] = ["eu-west", "us-west"].map(topic);
    let client = &pipeline.client;
    for name in [&inside, &outside] {
        client.create_topic(name, 1);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pipeline.toml");
    let allow = format!("[output]\nallow = [\"{}-eu-*\"]\n", pipeline.output);
    std::fs::write(&file, allow).expect("it can be written");
    let config = ["--config", file.to_str().expect("it is UTF-8")];
    assert_rejected(
        &pipeline,
        &config,
        &[
            (
                command(format!("topic {outside}")),
                &[&outside, "output.allow"],
            ),
            (
                command(format!("topics {inside} {outside}")),
                &["output.allow"],
            ),
            // None of its own may be named either, though it needs no permission.
            (
                command(format!("topic {}", pipeline.dead)),
                &["dead-letter topic"],
            ),
        ],
    );
    // Nothing of a record goes out unless all of it can.
    assert_eq!(client.read_all(&inside), []);

    pipeline.feed([command(format!("topic {inside}")).to_partition(0)]);
    let host = pipeline.start_with_dead_letters(&guest("puppet"), &config);
    pipeline.wait_for_committed(&[(0, 8)]);
    stop(host);
    assert_eq!(client.read_all(&inside).len(), 1);
}

#[test]
fn an_output_without_any_topic_is_a_dead_letter() {
    let pipeline = Pipeline::with_dead_letters("topicless", 1);
    let named = format!("topic {}", pipeline.output);
    pipeline.feed_at_once(["forward", &named, "expand 2", "drop"]);
    let mut arguments = pipeline.arguments(&guest("puppet"));
    let output = arguments.iter().position(|argument| argument == "--output");
    let output = output.expect("it is there");
    arguments.drain(output..output + 2);
    let mut command = Host::command();
    command.args(&arguments);
    command.args(["--dead-letter", &pipeline.dead]);
    let host = Host::spawn(command);
    pipeline.wait_for_committed(&[(0, 4)]);
    stop(host);

    assert_eq!(texts(&pipeline.outputs()), [named]);
    let letters = pipeline.letters();
    assert_eq!(texts(&letters), ["forward", "expand 2"]);
    for letter in &letters {
        assert_eq!(told(letter, "stage"), "produce");
        assert_says(told(letter, "reason"), &["names no topic", "output.topic"]);
    }
}

#[test]
fn of_several_outputs_with_a_bad_one_none_goes_out() {
    let pipeline = Pipeline::with_dead_letters("one-bad", 1);
    let [first, second] = ["first", "second"].map(|name| format!("{}-{name}", pipeline.output));
    let client = &pipeline.client;
    for name in [&first, &second] {
        client.create_topic(name, 1);
    }
    let missing = format!("{second}-not");
    let bad = [
        format!("topics {first} {missing} {second}"),
        format!("topics {missing} {first}"),
        format!("topics {first} {second} {}", pipeline.input),
    ];
    let says: [&[&str]; 3] = [&[&missing], &[&missing], &["an input"]];
    let cases: Vec<_> = bad.iter().map(command).zip(says).collect();
    assert_rejected(&pipeline, &[], &cases);
    for topic in [&first, &second] {
        assert_eq!(client.read_all(topic), [], "{topic}");
    }
}

#[test]
fn an_output_that_is_too_large_is_a_dead_letter() {
    let pipeline = Pipeline::bare(shared_broker(), "too-large").and_dead_letters(1);
    let client = &pipeline.client;
    client.create_topic(&pipeline.input, 1);
    client.create_topic_with(&pipeline.output, 1, &[("max.message.bytes", "20000")]);
    let limit = ["--set", "kafka.producer.message.max.bytes=50000"];
    assert_rejected(
        &pipeline,
        &limit,
        &[
            (command("bytes 30000"), &["20000", "max.message.bytes"]),
            (command("bytes 60000"), &["50000", "message.max.bytes"]),
            // Its value alone would have room.
            (command("bytes 19990"), &["20000", "max.message.bytes"]),
        ],
    );
}

/// The topic's limit is on what a batch has become, which only the broker sees
/// where batches are compressed.
#[test]
fn an_output_that_only_the_broker_refuses_is_a_dead_letter() {
    let pipeline = Pipeline::bare(shared_broker(), "late").and_dead_letters(1);
    let client = &pipeline.client;
    client.create_topic(&pipeline.input, 1);
    client.create_topic_with(&pipeline.output, 1, &[("max.message.bytes", "3000")]);
    // No codec makes these smaller.
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    })
    .take(8000)
    .collect();
    let large = Record::value(noise).key("c");
    let value = |n: usize| match n % 100 {
        50 => large.clone(),
        _ => Record::value(n.to_string()).key("k"),
    };
    pipeline.feed((0..500).map(|n| value(n).to_partition(0)));

    let compressed = ["--set", "kafka.producer.compression.type=lz4"];
    let host = pipeline.start_with_dead_letters(&guest("puppet"), &compressed);
    pipeline.wait_for_committed(&[(0, 500)]);
    stop(host);

    let letters = pipeline.letters();
    let at: Vec<_> = letters.iter().map(|letter| origin(letter).1).collect();
    let mut once = at.clone();
    once.dedup();
    assert_eq!(once, [50, 150, 250, 350, 450], "{at:?}");
    for letter in &letters {
        assert_eq!(letter.value, large.value);
        assert_eq!(told(letter, "stage"), "produce");
    }
    // At least once: what was refused for its neighbour went out again.
    let outputs = pipeline.outputs();
    let mut firsts: Vec<usize> = Vec::new();
    for output in &outputs {
        let number = output.text().parse().expect("a number");
        if !firsts.contains(&number) {
            firsts.push(number);
        }
    }
    assert!(firsts.into_iter().eq((0..500).filter(|n| n % 100 != 50)));
}

#[test]
fn a_topic_that_is_made_later_is_found() {
    let pipeline = Pipeline::with_dead_letters("made-later", 1);
    let later = format!("{}-later", pipeline.output);
    let to_later = || [command(format!("topic {later}")).to_partition(0)];
    let host = pipeline.start_with_dead_letters(&guest("puppet"), &[]);
    pipeline.feed(to_later());
    pipeline.wait_for_committed(&[(0, 1)]);
    assert_eq!(pipeline.letters().len(), 1);
    pipeline.client.create_topic(&later, 1);
    // What was missing is looked up again after a while, before a record of it.
    eventually_ok(SOON, "an output in the new topic", || {
        pipeline.feed(to_later());
        match pipeline.client.read_all(&later).len() {
            0 => Err("none"),
            _ => Ok(()),
        }
    });
    stop(host);
}
