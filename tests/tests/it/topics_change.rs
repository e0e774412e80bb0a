//! Input topics that grow, go, and come again under the same name.

use std::collections::BTreeMap;

use millrace_tests::{Host, Record, eventually, eventually_ok, plugin};

use crate::feeder::{Feeder, assert_all_once_in_order};
use crate::pipeline::{
    LONG, Pipeline, QUICK_HEARTBEAT, SOON, assert_says, error_of, expect_exit, stop, texts,
};

const SOON_SEEN: [&str; 2] = ["--set", "input.discover=1s"];

/// The keys of what is written to the new partitions: none of the feeder's.
const NEW: usize = 1000;

#[test]
fn an_input_grows_while_records_flow() {
    for strategy in ["cooperative-sticky", "range"] {
        let pipeline = Pipeline::new(&format!("grows-{strategy}"), 4);
        let strategy = format!("kafka.consumer.partition.assignment.strategy={strategy}");
        let more = [
            &SOON_SEEN[..],
            QUICK_HEARTBEAT,
            &["--workers", "2", "--set", &strategy, "--start", "latest"],
        ]
        .concat();
        let host = pipeline.start(&plugin("passthrough"), &more);
        pipeline.wait_for_committed(&[(0, 0), (1, 0), (2, 0), (3, 0)]);
        pipeline.wait_for_members(2);
        let feeder = Feeder::start(&pipeline, 1000);
        pipeline.wait_for_count(500, SOON);

        pipeline.client.grow_topic(&pipeline.input, 8);
        pipeline.feed((0..800).map(|n| {
            let key = NEW + n % 4;
            Record::value(format!("{key} {}", n / 4))
                .key(key.to_string())
                .to_partition(i32::try_from(4 + n % 4).expect("small"))
        }));
        eventually(SOON, "the new partitions to be read", || {
            (4..8)
                .all(|number| pipeline.committed().get(&number) == Some(&200))
                .then_some(())
        });
        let written = feeder.finish();
        pipeline.wait_for_count(written + 800, LONG);
        stop(host);

        let (new, old): (Vec<Record>, Vec<Record>) =
            pipeline.outputs().into_iter().partition(|record| {
                let key = record.text().split_once(' ').expect("as written").0;
                key.parse::<usize>().expect("as written") >= NEW
            });
        assert_all_once_in_order(&old, written);
        let mut of_key: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for record in &new {
            let (key, number) = record.text().split_once(' ').expect("as written");
            let number = number.parse().expect("as written");
            of_key.entry(key).or_default().push(number);
        }
        assert_eq!(of_key.len(), 4);
        for numbers in of_key.values() {
            assert_eq!(*numbers, Vec::from_iter(0..200));
        }
        assert_eq!(pipeline.committed_total(), written + 800);
    }
}

/// A run that has read three records of its topic.
#[track_caller]
fn reading(pipeline: &Pipeline, more: &[&str]) -> Host {
    pipeline.feed_at_once(["0", "1", "2"]);
    let more = [&SOON_SEEN[..], QUICK_HEARTBEAT, more].concat();
    let host = pipeline.start(&plugin("passthrough"), &more);
    pipeline.wait_for_committed(&[(0, 3)]);
    host
}

/// Makes the topic again, as soon as the broker takes the name.
#[track_caller]
pub fn make_again(pipeline: &Pipeline, values: &[&str]) {
    eventually_ok(SOON, "the name to be free", || {
        pipeline
            .client
            .partitions(&pipeline.input)
            .map_or(Ok(()), |_| Err("it is taken"))
    });
    pipeline.client.create_topic(&pipeline.input, 1);
    pipeline.feed_at_once(values);
}

#[test]
fn a_topic_that_is_deleted_is_said_and_waited_for() {
    let pipeline = Pipeline::new("deleted", 1);
    let mut host = reading(&pipeline, &[]);
    pipeline.client.delete_topic(&pipeline.input);
    let said = host.wait_for_log("an input topic was deleted", SOON);
    assert_says(&said, &[&pipeline.input, "WARN"]);
    assert!(host.is_running());
    stop(host);
    assert_eq!(pipeline.count(), Ok(3));
}

#[test]
fn a_topic_that_is_made_again_stops_the_run() {
    for seen in [true, false] {
        let pipeline = Pipeline::new(&format!("remade-stop-{seen}"), 1);
        let mut host = reading(&pipeline, &[]);
        pipeline.client.delete_topic(&pipeline.input);
        if seen {
            host.wait_for_log("it is waited for", SOON);
        }
        // The old position lies within the new topic.
        make_again(&pipeline, &["a", "b", "c", "d", "e"]);
        assert_says(
            &error_of(&mut host, 1),
            &[&pipeline.input, "deleted and made again", "input.on_gap"],
        );
    }
}

#[test]
fn a_topic_that_is_made_again_is_read_from_where_on_gap_says() {
    for seen in [true, false] {
        let pipeline = Pipeline::new(&format!("remade-{seen}"), 1);
        let mut host = reading(
            &pipeline,
            &["--start", "earliest", "--set", "input.on_gap=earliest"],
        );
        pipeline.client.delete_topic(&pipeline.input);
        if seen {
            host.wait_for_log("it is waited for", SOON);
        }
        let new = ["a", "b", "c", "d", "e"];
        make_again(&pipeline, &new);
        host.wait_for_log("deleted and made again", SOON);
        eventually(LONG, "all of the new topic", || {
            let outputs = pipeline.outputs();
            let read = texts(&outputs);
            new.iter().all(|value| read.contains(value)).then_some(())
        });
        pipeline.wait_for_committed(&[(0, 5)]);
        stop(host);
    }
}

#[test]
fn a_position_says_of_which_topic_it_is() {
    let pipeline = Pipeline::new("stranger", 1);
    stop(reading(&pipeline, &[]));
    let metadata = pipeline
        .client
        .commit_metadata(&pipeline.group, &pipeline.input, 0);
    assert_says(&metadata, &["topic-id:"]);
    // As a position that outlived its topic.
    pipeline.client.commit_with(
        &pipeline.group,
        &pipeline.input,
        0,
        2,
        "topic-id:AAAAAAAAAAAAAAAAAAAAAB",
    );
    let mut host = pipeline.start(&plugin("passthrough"), &[]);
    assert_says(
        &error_of(&mut host, 1),
        &[&pipeline.input, "deleted and made again"],
    );
    let more = ["--until", "end", "--set", "input.on_gap=earliest"];
    let mut host = pipeline.start(&plugin("passthrough"), &more);
    expect_exit(&mut host, 0);
    assert_eq!(texts(&pipeline.outputs()), ["0", "1", "2", "0", "1", "2"]);
}
