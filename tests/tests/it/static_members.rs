//! Static membership (`--instance-id`): processes that are restarted keep their
//! partitions.

use std::time::Instant;

use millrace_tests::{Host, Record, eventually, plugin};

use crate::feeder::{Feeder, assert_all_in_order, assert_all_once_in_order};
use crate::pipeline::{
    LONG, Pipeline, QUICK_HEARTBEAT, SHORT_SESSION, SOON, assert_says, error_of, log, stop,
};

fn start(pipeline: &Pipeline, id: &str, more: &[&str]) -> Host {
    let flags = [&["--instance-id", id], more, QUICK_HEARTBEAT].concat();
    pipeline.start(&plugin("passthrough"), &flags)
}

/// How often partitions came to this process or went from it.
fn moves(host: &Host) -> usize {
    let said = [
        "partition assigned",
        "partitions given up",
        "partitions lost",
    ];
    let is_move = |line: &&serde_json::Value| {
        let text = line["message"].as_str().unwrap_or_default();
        said.iter().any(|start| text.starts_with(start))
    };
    log(host).iter().filter(is_move).count()
}

#[test]
fn a_killed_process_goes_on_at_once() {
    let pipeline = Pipeline::new("static-kill", 4);
    let record = |number: i32| Record::value(number.to_string()).to_partition(number % 4);
    // Far longer than is waited for: only a member that is known need not wait for its end.
    let session = "kafka.consumer.session.timeout.ms=300000";
    let two = ["--workers", "2", "--set", session];
    let mut host = start(&pipeline, "pod", &two);
    pipeline.wait_for_members(2);
    pipeline.feed((0..4).map(record));
    pipeline.wait_for_committed_total(4, SOON);
    host.kill();

    pipeline.feed((4..8).map(record));
    let begun = Instant::now();
    let host = start(&pipeline, "pod", &two);
    pipeline.wait_for_count(8, SOON);
    let took = begun.elapsed();
    eprintln!("from the start of the process to its last output: {took:.2?}");
    // It took the place of the killed one: each worker its own.
    assert_eq!(pipeline.client.members(&pipeline.group).len(), 2);
    stop(host);
    assert_eq!(pipeline.outputs().len(), 8);
}

#[test]
fn a_rolling_restart_moves_no_partition() {
    let pipeline = Pipeline::new("static-rolling", 6);
    let mut hosts = vec![start(&pipeline, "a", &[]), start(&pipeline, "b", &[])];
    pipeline.wait_for_members(2);
    // Each has its three, and the first one has given up what the second one got.
    eventually(SOON, "both to have theirs", || {
        let shared = |host: &Host| host.stderr().matches("partition assigned").count() >= 3;
        hosts.iter().all(shared).then_some(())
    });
    let feeder = Feeder::start(&pipeline, 1000);
    pipeline.wait_for_flow(500);

    for id in ["a", "b"] {
        let before = moves(&hosts[1]);
        stop(hosts.remove(0));
        let mut new = start(&pipeline, id, &[]);
        new.wait_for_log("partition assigned", SOON);
        pipeline.wait_for_members(2);
        pipeline.wait_for_flow(500);
        assert_eq!(moves(&hosts[0]), before, "the other one's partitions moved");
        assert_eq!(moves(&new), 3, "it has what it had");
        hosts.push(new);
    }
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    hosts.into_iter().for_each(|host| drop(stop(host)));

    assert_all_once_in_order(&pipeline.outputs(), written);
}

#[test]
fn of_two_processes_with_one_id_the_older_one_ends_and_says_why() {
    let pipeline = Pipeline::new("static-twice", 2);
    let feeder = Feeder::start(&pipeline, 1000);
    let mut first = start(&pipeline, "pod", &[]);
    pipeline.wait_for_flow(500);

    let second = start(&pipeline, "pod", &[]);
    let error = error_of(&mut first, 1);
    assert_says(
        &error,
        &[
            &pipeline.group,
            "fenced",
            "--instance-id",
            "give each process one of its own",
        ],
    );
    pipeline.wait_for_flow(500);
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    stop(second);
    assert_all_in_order(&pipeline.outputs(), written);
}

/// Its session ends, and then its partitions go to the others.
#[test]
fn a_static_member_that_does_not_come_back_is_replaced() {
    let pipeline = Pipeline::new("static-gone", 4);
    let feeder = Feeder::start(&pipeline, 1000);
    let mut first = start(&pipeline, "a", SHORT_SESSION);
    let second = start(&pipeline, "b", SHORT_SESSION);
    pipeline.wait_for_members(2);
    pipeline.wait_for_flow(500);

    first.kill();
    pipeline.wait_for_members(1);
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    stop(second);
    assert_all_in_order(&pipeline.outputs(), written);
}
