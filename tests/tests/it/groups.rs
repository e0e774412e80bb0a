//! Membership: workers and processes that share a group, come and go.

use std::collections::BTreeSet;

use millrace_tests::{Host, Record, Signal, eventually, eventually_ok, plugin};

use crate::feeder::{Feeder, assert_all_once_in_order, record};
use crate::pipeline::{
    LONG, Pipeline, QUICK_HEARTBEAT, SHORT_SESSION, SOON, assert_says, error_of, expect_exit, log,
    stop, texts,
};

/// Every key of [`record`] goes to one of so many partitions.
const PARTITIONS: usize = 6;

fn pipeline(stem: &str) -> Pipeline {
    Pipeline::new(stem, i32::try_from(PARTITIONS).expect("small"))
}

/// All records that were written are in the output once, in order, and the
/// group's positions say so.
#[track_caller]
fn assert_complete(pipeline: &Pipeline, written: usize) {
    assert_all_once_in_order(&pipeline.outputs(), written);
    assert_eq!(pipeline.committed_total(), written);
}

#[test]
fn two_workers_share_the_partitions() {
    let pipeline = pipeline("two-workers");
    pipeline.feed((0..20_000).map(|n| record(n, PARTITIONS)));

    let more = [&["--workers", "2"], QUICK_HEARTBEAT].concat();
    let host = pipeline.start(&plugin("passthrough"), &more);
    pipeline.wait_for_count(20_000, LONG);
    eventually(SOON, "two members", || {
        (pipeline.client.members(&pipeline.group).len() == 2).then_some(())
    });
    // Both get some of what comes from now on.
    eventually(SOON, "both to be at work", || {
        (pipeline.client.group_state(&pipeline.group) == "Stable").then_some(())
    });
    pipeline.feed((20_000..30_000).map(|n| record(n, PARTITIONS)));
    pipeline.wait_for_count(30_000, LONG);
    let members: BTreeSet<_> = pipeline
        .client
        .members(&pipeline.group)
        .into_iter()
        .collect();
    stop(host);

    assert_eq!(
        members,
        ["millrace-passthrough-0", "millrace-passthrough-1"]
            .map(str::to_owned)
            .into()
    );
    assert_complete(&pipeline, 30_000);
}

#[test]
fn a_worker_without_a_partition_says_so_once() {
    let pipeline = Pipeline::new("idle", 1);
    pipeline.feed([Record::value("1")]);

    let more = [&["--workers", "3"], QUICK_HEARTBEAT].concat();
    let mut host = pipeline.start(&plugin("passthrough"), &more);
    pipeline.wait_for_outputs(1);
    host.wait_for_log("no partition", SOON);
    let said = |host: &Host| {
        let lines = log(host);
        let no_partition = |line: &&serde_json::Value| {
            line["message"]
                .as_str()
                .is_some_and(|m| m.contains("no partition"))
        };
        lines.iter().filter(no_partition).count()
    };
    eventually(SOON, "both idle workers to say so", || {
        (said(&host) == 2).then_some(())
    });
    // They stand by, and the pipeline goes on.
    pipeline.feed([Record::value("2")]);
    pipeline.wait_for_outputs(2);
    assert_eq!(said(&host), 2);
    stop(host);
}

/// Else the others wait at their next change for one that never comes back, until
/// its session is over.
#[test]
fn a_worker_without_a_partition_leaves_the_group_as_the_others_do() {
    let pipeline = Pipeline::new("idle-leaves", 1);
    let more = [&["--workers", "3"], QUICK_HEARTBEAT].concat();
    let host = pipeline.start(&plugin("passthrough"), &more);
    pipeline.wait_for_members(3);
    stop(host);
    let left: Vec<String> = pipeline.client.members(&pipeline.group);
    assert!(left.is_empty(), "{left:?}");
}

/// The cooperative protocol first gives a newcomer nothing, until the others
/// have given up what it gets.
#[test]
fn a_newcomer_that_waits_for_its_partitions_is_not_called_idle() {
    let pipeline = pipeline("newcomer");
    let mut first = pipeline.start(&plugin("passthrough"), QUICK_HEARTBEAT);
    first.wait_for_log("partition assigned", SOON);
    let mut second = pipeline.start(&plugin("passthrough"), QUICK_HEARTBEAT);
    let begun = std::time::Instant::now();
    second.wait_for_log("partition assigned", SOON);
    let in_time = begun.elapsed().as_secs() < 9;
    let said = stop(second);
    stop(first);
    // One that waits for ten seconds may call itself so.
    assert!(!in_time || !said.contains("no partition"), "{said}");
}

#[test]
fn processes_that_join_and_leave_lose_and_double_nothing() {
    let pipeline = pipeline("join-and-leave");
    let members = |count| pipeline.wait_for_members(count);
    let flows = || pipeline.wait_for_flow(500);
    let join = || pipeline.start(&plugin("passthrough"), QUICK_HEARTBEAT);
    let feeder = Feeder::start(&pipeline, 1500);

    let first = join();
    flows();
    let second = join();
    members(2);
    flows();
    let third = join();
    members(3);
    flows();
    stop(first);
    members(2);
    flows();
    let fourth = join();
    // While that one joins, another leaves.
    stop(second);
    members(2);
    flows();
    stop(third);
    members(1);
    flows();
    let written = feeder.finish();
    pipeline.wait_for_count(written, LONG);
    stop(fourth);

    assert_complete(&pipeline, written);
}

#[test]
fn workers_of_several_processes_are_members_of_one_group() {
    let pipeline = pipeline("workers-and-processes");
    let feeder = Feeder::start(&pipeline, 1500);
    let start = |workers| {
        let more = [&["--workers", workers], QUICK_HEARTBEAT].concat();
        pipeline.start(&plugin("passthrough"), &more)
    };
    let first = start("2");
    pipeline.wait_for_members(2);
    pipeline.wait_for_flow(500);
    let second = start("1");
    let third = start("3");
    pipeline.wait_for_members(6);
    pipeline.wait_for_flow(500);
    stop(first);
    pipeline.wait_for_members(4);
    pipeline.wait_for_flow(500);
    stop(third);
    let written = feeder.finish();
    pipeline.wait_for_count(written, LONG);
    stop(second);

    assert_complete(&pipeline, written);
}

#[test]
fn sigterm_while_records_flow_leaves_nothing_half_done() {
    let pipeline = pipeline("sigterm");
    let feeder = Feeder::start(&pipeline, 2000);
    for _ in 0..4 {
        let host = pipeline.start(&plugin("passthrough"), &["--workers", "2"]);
        pipeline.wait_for_flow(1000);
        stop(host);
        // What is in the output is what is committed, no more and no less.
        assert_eq!(pipeline.count(), Ok(pipeline.committed_total()));
    }
    let written = feeder.finish();

    let host = pipeline.start(&plugin("passthrough"), &[]);
    pipeline.wait_for_count(written, LONG);
    stop(host);
    assert_complete(&pipeline, written);
}

#[test]
fn sigint_stops_as_sigterm_does() {
    let pipeline = Pipeline::new("sigint", 1);
    pipeline.feed([Record::value("1")]);
    let mut host = pipeline.start(&plugin("passthrough"), &[]);
    pipeline.wait_for_outputs(1);

    host.signal(Signal::INT);
    expect_exit(&mut host, 0);

    assert_eq!(pipeline.committed_total(), 1);
    // It has left: nobody has to wait for its session to end.
    assert!(pipeline.client.members(&pipeline.group).is_empty());
}

#[test]
fn a_host_that_just_started_can_be_stopped() {
    let pipeline = Pipeline::new("early", 1);
    for text in ["plugin loaded", "\"running\"", "partition assigned"] {
        let mut host = pipeline.start(&plugin("passthrough"), &[]);
        host.wait_for_log(text, SOON);
        stop(host);
    }
}

#[test]
fn a_new_process_gets_the_partitions_of_one_that_left_at_once() {
    let pipeline = Pipeline::new("takeover", 2);
    pipeline.feed([Record::value("1")]);
    let session = ["--set", "kafka.consumer.session.timeout.ms=300000"];
    let host = pipeline.start(&plugin("passthrough"), &session);
    pipeline.wait_for_outputs(1);
    stop(host);

    pipeline.feed([Record::value("2")]);
    // The session of the one before would be over in five minutes.
    let host = pipeline.start(&plugin("passthrough"), &[]);
    pipeline.wait_for_outputs(2);
    stop(host);
}

#[test]
fn members_that_vanish_are_replaced() {
    let pipeline = pipeline("vanished");
    pipeline.feed((0..1000).map(|n| record(n, PARTITIONS)));
    // Short for one that is killed, and long for one that only has no processor: a session
    // that is over in mid-run may double records.
    let session = ["--set", "kafka.consumer.session.timeout.ms=10000"];
    let mut first = pipeline.start(&plugin("passthrough"), &session);
    pipeline.wait_for_committed_total(1000, SOON);
    let second = pipeline.start(&plugin("passthrough"), QUICK_HEARTBEAT);

    first.kill();
    pipeline.feed((1000..2000).map(|n| record(n, PARTITIONS)));
    pipeline.wait_for_count(2000, LONG);
    stop(second);

    // All of the first one's records were committed, so none comes twice.
    assert_complete(&pipeline, 2000);
}

#[test]
fn the_eager_strategy_works_as_well() {
    let pipeline = pipeline("eager");
    let eager = [
        "--set",
        "kafka.consumer.partition.assignment.strategy=range",
    ];
    let eager = [&eager, QUICK_HEARTBEAT].concat();
    let feeder = Feeder::start(&pipeline, 1500);
    let first = pipeline.start(&plugin("passthrough"), &eager);
    pipeline.wait_for_count(500, SOON);
    let second = pipeline.start(&plugin("passthrough"), &eager);
    let mut both = second;
    both.wait_for_log("partition assigned", SOON);
    pipeline.wait_for_flow(500);
    stop(first);
    let written = feeder.finish();
    pipeline.wait_for_count(written, LONG);
    stop(both);
    assert_complete(&pipeline, written);
}

#[test]
fn start_latest_begins_behind_what_is_there() {
    let pipeline = Pipeline::new("latest", 2);
    pipeline.feed([
        Record::value("old").to_partition(0),
        Record::value("old").to_partition(1),
    ]);
    let more = [&["--start", "latest"], SHORT_SESSION].concat();
    let mut host = pipeline.start(&plugin("passthrough"), &more);
    // The start is stored at once, so that a crash does not move it.
    pipeline.wait_for_committed(&[(0, 1), (1, 1)]);
    host.kill();

    pipeline.feed([Record::value("new").to_partition(0)]);
    let host = pipeline.start(&plugin("passthrough"), &more);
    let read = pipeline.wait_for_outputs(1);
    stop(host);
    assert_eq!(texts(&read), ["new"]);
}

#[test]
fn start_stored_needs_a_stored_position() {
    let pipeline = Pipeline::new("stored", 1);
    pipeline.feed_at_once(["0", "1", "2"]);
    let mut host = pipeline.start(&plugin("passthrough"), &["--start", "stored"]);
    assert_says(
        &error_of(&mut host, 1),
        &[
            &pipeline.group,
            &pipeline.input,
            "no stored position",
            "--start earliest",
        ],
    );
    assert_eq!(pipeline.count(), Ok(0));

    pipeline
        .client
        .commit(&pipeline.group, &pipeline.input, 0, 2);
    let host = pipeline.start(&plugin("passthrough"), &["--start", "stored"]);
    let read = pipeline.wait_for_outputs(1);
    stop(host);
    assert_eq!(texts(&read), ["2"]);
}

#[test]
fn a_stored_position_beats_the_start() {
    for start in ["earliest", "latest"] {
        let pipeline = Pipeline::new("stored-wins", 1);
        pipeline.feed_at_once(["0", "1", "2"]);
        pipeline
            .client
            .commit(&pipeline.group, &pipeline.input, 0, 1);
        let host = pipeline.start(&plugin("passthrough"), &["--start", start]);
        let read = pipeline.wait_for_outputs(2);
        stop(host);
        assert_eq!(texts(&read), ["1", "2"]);
    }
}

#[test]
fn a_position_that_the_broker_no_longer_has_is_an_error_and_no_jump() {
    let pipeline = Pipeline::new("gone", 1);
    pipeline.feed_at_once(["0", "1", "2"]);
    pipeline
        .client
        .commit(&pipeline.group, &pipeline.input, 0, 77);
    let mut host = pipeline.start(&plugin("passthrough"), &[]);
    assert_says(
        &error_of(&mut host, 1),
        &[
            &pipeline.group,
            &pipeline.input,
            "partition 0",
            "77",
            "Nothing was skipped",
        ],
    );
    assert_eq!(pipeline.count(), Ok(0));
    assert_eq!(pipeline.committed_total(), 77);
}

#[test]
fn a_new_partition_is_found_and_read_from_its_beginning() {
    let pipeline = Pipeline::new("grown", 1);
    pipeline.feed([Record::value("old").to_partition(0)]);
    let discover = ["--start", "latest", "--set", "input.discover=1s"];
    let more = [&discover, QUICK_HEARTBEAT].concat();
    let host = pipeline.start(&plugin("passthrough"), &more);
    pipeline.wait_for_committed(&[(0, 1)]);

    pipeline.client.grow_topic(&pipeline.input, 2);
    pipeline.feed((0..5).map(|n| Record::value(format!("new {n}")).to_partition(1)));
    let read = pipeline.wait_for_outputs(5);
    stop(host);

    assert_eq!(texts(&read), ["new 0", "new 1", "new 2", "new 3", "new 4"]);
    assert_eq!(pipeline.committed(), [(0, 1), (1, 5)].into());
}

#[test]
fn a_second_signal_ends_at_once() {
    use millrace_tests::broker::BrokerOptions;
    use millrace_tests::{Broker, guest};
    // A broker of its own, frozen: else the first signal would do.
    let mut broker = Broker::start_with(BrokerOptions::patient());
    for second in [Signal::TERM, Signal::INT] {
        let pipeline = Pipeline::on(&broker, "second-signal", 1);
        pipeline.feed([Record::value("1")]);
        let mut host = pipeline.start(&guest("puppet"), &[]);
        pipeline.wait_for_outputs(1);
        pipeline.feed([Record::value("2")]);
        broker.freeze();
        host.signal(Signal::TERM);
        host.wait_for_log("stopping", SOON);
        assert!(host.is_running());
        let begun = std::time::Instant::now();
        host.signal(second);
        let exit = host.wait_exit(SOON);
        broker.thaw();
        assert_eq!(exit.code(), Some(1));
        // The drain may take 20 s.
        assert!(begun.elapsed().as_secs() < 15, "{:?}", begun.elapsed());
        eventually_ok(SOON, "the broker to answer again", || broker.answers(SOON));
    }
}
