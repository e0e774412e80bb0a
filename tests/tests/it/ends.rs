//! Where a run ends: each end, on topics whose offsets have holes, and with several
//! workers and processes.

use millrace_tests::{Record, eventually, plugin};

use crate::feeder::{assert_all_once_in_order, record};
use crate::holes::{ENDS, Holes, NOON, compacted, values};
use crate::pipeline::{
    LONG, Pipeline, QUICK_HEARTBEAT, SOON, assert_says, expect_exit, stop, texts,
};

const END: [&str; 2] = ["--until", "end"];

#[test]
fn the_end_is_each_partitions_and_a_later_run_goes_on_from_there() {
    let holes = Holes::new("until-end");
    let (log, read) = holes.run_to_the_end(&[]);
    let all = [(0, 0..10), (2, 4..10), (3, 0..3), (4, 0..2), (5, 0..2)];
    assert_eq!(read, values(&all));
    // The ends, though markers and holes stand before some of them.
    assert_eq!(holes.pipeline.committed(), ENDS.into());
    assert_says(
        &log,
        &[
            "the end is reached",
            &format!("{}/3:4", holes.pipeline.input),
            "\"stopped\"",
        ],
    );

    holes
        .pipeline
        .feed([crate::holes::record(1, 0), crate::holes::record(3, 4)]);
    let (_, read) = holes.run_to_the_end(&[]);
    let new = [(1, 0..1), (3, 4..5)];
    assert_eq!(read, values(&[&all[..], &new].concat()));
}

#[test]
fn the_end_of_a_compacted_topic_is_reached() {
    let pipeline = compacted("until-compacted");
    let mut host = pipeline.start(&plugin("passthrough"), &END);
    expect_exit(&mut host, 0);
    assert_eq!(
        texts(&pipeline.outputs()),
        ["97", "98", "99", "between", "last"]
    );
    assert_eq!(pipeline.committed(), [(0, 102)].into());
}

#[test]
fn an_offset_is_waited_for_and_never_passed() {
    let pipeline = Pipeline::new("until-offset", 2);
    pipeline.feed_at_once(["0", "1", "2"]);
    let mut host = pipeline.start(&plugin("passthrough"), &["--until", "offset:2"]);
    pipeline.wait_for_committed(&[(0, 2), (1, 0)]);
    assert!(host.is_running());
    pipeline.feed((0..5).map(|n| Record::value(n.to_string()).to_partition(1)));
    expect_exit(&mut host, 0);
    assert_eq!(texts(&pipeline.outputs()).len(), 4);
    assert_eq!(pipeline.committed(), [(0, 2), (1, 2)].into());
}

#[test]
fn a_timestamp_ends_before_the_first_record_of_that_time_or_at_the_end() {
    let holes = Holes::new("until-timestamp");
    let until = format!("timestamp:{}", NOON + 6000);
    let mut host = holes
        .pipeline
        .start(&plugin("passthrough"), &["--until", &until]);
    expect_exit(&mut host, 0);
    let before = [(0, 0..6), (2, 4..6), (3, 0..3), (4, 0..2), (5, 0..2)];
    assert_eq!(holes.values(), values(&before));
    // A marker has a timestamp, too: the time of the commit or the abort.
    let committed = [(0, 6), (1, 0), (2, 6), (3, 3), (4, 3), (5, 2)];
    assert_eq!(holes.pipeline.committed(), committed.into());
}

#[test]
fn what_comes_behind_the_end_is_left_to_a_later_run() {
    let pipeline = Pipeline::new("until-behind", 1);
    pipeline.feed((0..2000).map(|n| record(n, 1)));
    let mut host = pipeline.start(&plugin("passthrough"), &END);
    host.wait_for_log("reading up to", SOON);
    pipeline.feed((2000..2500).map(|n| record(n, 1)));
    expect_exit(&mut host, 0);
    assert_eq!(pipeline.committed_total(), 2000);
    assert_all_once_in_order(&pipeline.outputs(), 2000);
    let mut host = pipeline.start(&plugin("passthrough"), &END);
    expect_exit(&mut host, 0);
    assert_all_once_in_order(&pipeline.outputs(), 2500);
}

#[test]
fn workers_without_a_partition_do_not_keep_the_run_from_its_end() {
    ends_with_idle_workers("until-workers", QUICK_HEARTBEAT);
}

/// By KIP-848's protocol a member that gets nothing is not told so.
#[test]
fn workers_without_a_partition_do_not_keep_the_new_protocol_s_run_from_its_end() {
    ends_with_idle_workers(
        "until-848",
        &["--set", "kafka.consumer.group.protocol=consumer"],
    );
}

#[track_caller]
fn ends_with_idle_workers(stem: &str, more: &[&str]) {
    let pipeline = Pipeline::new(stem, 1);
    pipeline.feed((0..1000).map(|n| record(n, 1)));
    let more = [&END[..], &["--workers", "4"], more].concat();
    let mut host = pipeline.start(&plugin("passthrough"), &more);
    expect_exit(&mut host, 0);
    assert_all_once_in_order(&pipeline.outputs(), 1000);
    assert_eq!(pipeline.committed_total(), 1000);
}

#[test]
fn two_processes_end_together() {
    let pipeline = Pipeline::new("until-processes", 4);
    pipeline.feed((0..4000).map(|n| record(n, 4)));
    // The last partition waits, so that both become members.
    let more = [&["--until", "offset:1001"], QUICK_HEARTBEAT].concat();
    let mut first = pipeline.start(&plugin("passthrough"), &more);
    let mut second = pipeline.start(&plugin("passthrough"), &more);
    first.wait_for_log("partition assigned", SOON);
    second.wait_for_log("partition assigned", SOON);
    pipeline.wait_for_count(3900, LONG);
    eventually(SOON, "both to be members", || {
        (pipeline.client.members(&pipeline.group).len() == 2).then_some(())
    });
    assert!(first.is_running() && second.is_running());
    pipeline.feed((4000..4800).map(|n| record(n, 4)));
    for host in [&mut first, &mut second] {
        expect_exit(host, 0);
        assert_says(&host.stderr(), &["the end is reached"]);
    }
    let ends = [(0, 1001), (1, 1001), (2, 1001), (3, 1001)];
    assert_eq!(pipeline.committed(), ends.into());
    assert_eq!(pipeline.count(), Ok(4 * 1001));
}

#[test]
fn a_run_that_is_stopped_before_its_end_says_no_end() {
    let pipeline = Pipeline::new("until-stopped", 1);
    pipeline.feed_at_once(["0"]);
    let host = pipeline.start(&plugin("passthrough"), &["--until", "offset:5"]);
    pipeline.wait_for_committed(&[(0, 1)]);
    let log = stop(host);
    assert!(!log.contains("the end is reached"), "{log}");
}
