//! Where a pipeline begins: each start, on topics whose offsets have holes, and
//! that nothing which comes meanwhile is skipped.

use std::collections::BTreeSet;

use millrace_tests::{Record, Signal, plugin};

use crate::holes::{ENDS, Holes, NOON, compacted, values};
use crate::pipeline::{
    Pipeline, SHORT_SESSION, SOON, assert_says, error_of, expect_exit, stop, texts,
};

/// `input.start` for one partition.
fn start_of(pipeline: &Pipeline, partition: i32, start: &str) -> String {
    format!("input.start.{}/{partition}={start}", pipeline.input)
}

#[test]
fn earliest_begins_with_the_first_record_that_is_there() {
    let holes = Holes::new("start-earliest");
    let (_, read) = holes.run_to_the_end(&[]);
    let all = [(0, 0..10), (2, 4..10), (3, 0..3), (4, 0..2), (5, 0..2)];
    assert_eq!(read, values(&all));
}

#[test]
fn latest_begins_behind_every_record_marker_and_hole() {
    let holes = Holes::new("start-latest");
    let (_, read) = holes.run_to_the_end(&["--start", "latest"]);
    assert_eq!(read, values(&[]));
    assert_eq!(holes.pipeline.committed(), ENDS.into());
}

#[test]
fn a_timestamp_begins_with_the_first_record_of_that_time_or_at_the_end() {
    let holes = Holes::new("start-timestamp");
    let start = format!("timestamp:{}", NOON + 2000);
    let (_, read) = holes.run_to_the_end(&["--start", &start]);
    // Partitions 4 and 5 hold nothing as late that can be read, and the aborted
    // record and the open one are the first that are late enough.
    assert_eq!(read, values(&[(0, 2..10), (2, 4..10), (3, 2..3)]));
    assert_eq!(holes.pipeline.committed(), ENDS.into());
}

#[test]
fn an_offset_begins_there_and_each_partition_may_have_its_own() {
    let holes = Holes::new("start-offset");
    let of = |partition, start| start_of(&holes.pipeline, partition, start);
    let own = [
        of(0, "offset:7"),
        of(2, "offset:4"),
        of(3, "offset:3"),
        of(4, "offset:4"),
        of(5, "latest"),
    ];
    let more: Vec<&str> = own.iter().flat_map(|set| ["--set", set]).collect();
    let (_, read) = holes.run_to_the_end(&more);
    assert_eq!(read, values(&[(0, 7..10), (2, 4..10)]));
}

#[test]
fn an_offset_in_a_hole_begins_behind_it() {
    let pipeline = compacted("start-hole");
    let host = pipeline.start(&plugin("passthrough"), &["--start", "offset:50"]);
    let read = pipeline.wait_for_outputs(5);
    stop(host);
    assert_eq!(texts(&read), ["97", "98", "99", "between", "last"]);
}

#[test]
fn a_timestamp_in_a_hole_begins_behind_it() {
    let pipeline = compacted("start-time-hole");
    let start = format!("timestamp:{}", NOON + 100_000);
    let host = pipeline.start(&plugin("passthrough"), &["--start", &start]);
    let read = pipeline.wait_for_outputs(2);
    stop(host);
    assert_eq!(texts(&read), ["between", "last"]);
}

#[test]
fn an_offset_that_is_not_there_stops_the_run_and_stores_nothing() {
    let holes = Holes::new("start-outside");
    for start in ["offset:3", "offset:11"] {
        let set = start_of(&holes.pipeline, 2, start);
        let mut host = holes
            .pipeline
            .start(&plugin("passthrough"), &["--set", &set]);
        let offset = start.strip_prefix("offset:").expect("one");
        assert_says(
            &error_of(&mut host, 1),
            &[
                "input.start",
                &holes.pipeline.input,
                "partition 2",
                &format!("offset {offset}"),
                "4 to 10",
                "input.on_gap",
            ],
        );
    }
    assert_eq!(holes.pipeline.committed().get(&2), None);
    let set = start_of(&holes.pipeline, 2, "offset:3");
    let (_, read) = holes.run_to_the_end(&["--set", &set, "--set", "input.on_gap=earliest"]);
    assert!(read.contains(&"2 4".to_owned()), "{read:?}");
}

#[test]
fn a_start_of_a_partition_that_is_not_there_is_refused() {
    let pipeline = Pipeline::new("start-named", 2);
    let set = start_of(&pipeline, 2, "latest");
    let mut host = pipeline.start(&plugin("passthrough"), &["--set", &set]);
    assert_says(
        &error_of(&mut host, 2),
        &[&pipeline.input, "no partition 2", "its last one is 1"],
    );
}

/// What is written once a partition is said to be assigned is read, if not by
/// this run then by the next one.
#[test]
fn latest_never_skips_what_comes_after_the_assignment() {
    for (round, signal) in [Signal::KILL, Signal::TERM, Signal::KILL]
        .into_iter()
        .enumerate()
    {
        let pipeline = Pipeline::new(&format!("start-latest-{round}"), 2);
        pipeline.feed([Record::value("old").to_partition(0)]);
        let more = [&["--start", "latest"], SHORT_SESSION].concat();
        let mut first = pipeline.start(&plugin("passthrough"), &more);
        first.wait_for_log("partition assigned", SOON);
        first.signal(signal);
        pipeline.feed([
            Record::value("new 0").to_partition(0),
            Record::value("new 1").to_partition(1),
        ]);
        first.wait_exit(SOON);
        // Both are assigned at once, and stored together.
        let mut second = pipeline.start(
            &plugin("passthrough"),
            &[&more[..], &["--until", "end"]].concat(),
        );
        expect_exit(&mut second, 0);
        // The first one may have written some, and not told.
        let outputs = pipeline.outputs();
        let read = BTreeSet::from_iter(texts(&outputs));
        assert_eq!(read, ["new 0", "new 1"].into());
    }
}

#[test]
fn reset_moves_the_stored_positions_before_anything_is_read() {
    let holes = Holes::new("reset");
    holes.run_to_the_end(&[]);
    let before = holes.pipeline.count().expect("it is there");
    let more = ["--reset", "--start", "latest"];
    let (_, read) = holes.run_to_the_end(&more);
    assert_eq!(read.len(), before);
    let set = start_of(&holes.pipeline, 0, "offset:8");
    let more = ["--reset", "--set", "input.start=latest", "--set", &set];
    let (log, read) = holes.run_to_the_end(&more);
    assert_eq!(read.len(), before + 2);
    let moved = log.lines().find(|line| line.contains("--reset"));
    assert_says(
        moved.expect("it is said"),
        &[&format!("{}/0", holes.pipeline.input), "10", "8"],
    );
    assert_eq!(holes.pipeline.committed(), ENDS.into());
}

#[test]
fn reset_is_refused_while_the_group_has_members() {
    let pipeline = Pipeline::new("reset-members", 1);
    pipeline.feed_at_once(["0", "1"]);
    let host = pipeline.start(&plugin("passthrough"), &[]);
    pipeline.wait_for_committed(&[(0, 2)]);
    let mut second = pipeline.start(&plugin("passthrough"), &["--reset"]);
    assert_says(
        &error_of(&mut second, 1),
        &["--reset", &pipeline.group, "1 members", "stop"],
    );
    stop(host);
    assert_eq!(pipeline.committed_total(), 2);
}

#[test]
fn reset_needs_a_place_and_changes_nothing_in_a_check() {
    let pipeline = Pipeline::new("reset-check", 1);
    pipeline
        .client
        .commit(&pipeline.group, &pipeline.input, 0, 0);
    pipeline.feed_at_once(["0", "1"]);
    let mut host = pipeline.start(&plugin("passthrough"), &["--reset", "--start", "stored"]);
    assert_says(&error_of(&mut host, 2), &["--reset", "stored"]);
    let check = ["--check", "--reset", "--start", "latest"];
    let mut host = pipeline.start(&plugin("passthrough"), &check);
    expect_exit(&mut host, 0);
    assert_eq!(pipeline.committed_total(), 0);
}
