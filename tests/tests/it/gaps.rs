//! Positions that the broker no longer has: never a silent jump.

use std::thread;
use std::time::Duration;

use millrace_tests::{Host, Record, Signal, eventually, guest, plugin};
use serde_json::Value;

use crate::pipeline::{Pipeline, SOON, assert_says, error_of, expect_exit, log, stop, texts};
use crate::recovery::Store;

const ON: &str = "reading on elsewhere";

/// A pipeline whose stored position lies at `stored`, where the broker holds 0 to 3.
fn displaced(stem: &str, stored: i64) -> Pipeline {
    let pipeline = Pipeline::new(stem, 1);
    pipeline.feed_at_once(["0", "1", "2"]);
    pipeline
        .client
        .commit(&pipeline.group, &pipeline.input, 0, stored);
    pipeline
}

/// The log line that says where the reading goes on.
#[track_caller]
fn jump(host: &Host) -> Value {
    let lines = log(host);
    let mut jumps = lines
        .into_iter()
        .filter(|line| line["message"].as_str().is_some_and(|m| m.contains(ON)));
    let jump = jumps.next().expect("it is said");
    assert_eq!(jump["level"], "WARN");
    assert!(jumps.next().is_none(), "it is said once");
    jump
}

#[test]
fn a_gap_stops_the_run_names_both_ends_and_says_what_to_do() {
    let pipeline = displaced("gap-stop", 77);
    for more in [&[][..], &["--until", "end"]] {
        let mut host = pipeline.start(&plugin("passthrough"), more);
        assert_says(
            &error_of(&mut host, 1),
            &[
                &pipeline.group,
                &pipeline.input,
                "offset 77",
                "0 to 3",
                "Nothing was skipped",
                "input.on_gap",
                "--reset",
            ],
        );
    }
    assert_eq!(pipeline.count(), Ok(0));
    assert_eq!(pipeline.committed_total(), 77);
    let mut host = pipeline.start(&plugin("passthrough"), &["--reset", "--until", "end"]);
    expect_exit(&mut host, 0);
    assert_eq!(texts(&pipeline.outputs()), ["0", "1", "2"]);
}

#[test]
fn earliest_goes_on_with_what_is_there_and_says_so() {
    let pipeline = displaced("gap-earliest", 77);
    let on_gap = ["--set", "input.on_gap=earliest"];
    let mut host = pipeline.start(&plugin("passthrough"), &on_gap);
    host.wait_for_log(ON, SOON);
    assert_eq!(texts(&pipeline.wait_for_outputs(3)), ["0", "1", "2"]);
    pipeline.wait_for_committed(&[(0, 3)]);
    let said = jump(&host);
    assert_eq!((&said["from"], &said["to"]), (&77.into(), &0.into()));
    stop(host);
}

#[test]
fn latest_goes_on_with_what_comes_and_stores_that_first() {
    let pipeline = displaced("gap-latest", 77);
    let on_gap = ["--set", "input.on_gap=latest"];
    let mut host = pipeline.start(&plugin("passthrough"), &on_gap);
    host.wait_for_log(ON, SOON);
    pipeline.wait_for_committed(&[(0, 3)]);
    pipeline.feed_at_once(["3"]);
    assert_eq!(texts(&pipeline.wait_for_outputs(1)), ["3"]);
    let said = jump(&host);
    assert_eq!((&said["from"], &said["to"]), (&77.into(), &3.into()));
    stop(host);
}

#[test]
fn a_run_with_an_end_goes_on_behind_a_gap() {
    let pipeline = displaced("gap-until", 77);
    let more = ["--until", "end", "--set", "input.on_gap=earliest"];
    let mut host = pipeline.start(&plugin("passthrough"), &more);
    expect_exit(&mut host, 0);
    assert_eq!(texts(&pipeline.outputs()), ["0", "1", "2"]);
    assert_eq!(pipeline.committed_total(), 3);
}

/// Freezes the run behind three records, and takes the next twenty away from it
/// but for the last three.
#[track_caller]
fn overtaken(pipeline: &Pipeline, more: &[&str]) -> Host {
    pipeline.feed_at_once(["0", "1", "2"]);
    pipeline.feed([Record::value("other").to_partition(1)]);
    let mut host = pipeline.start(&plugin("passthrough"), more);
    pipeline.wait_for_committed(&[(0, 3), (1, 1)]);
    host.signal(Signal::STOP);
    // The request that waits at the broker is answered with this one.
    pipeline.feed_at_once(["3"]);
    pipeline.feed_at_once((4..24).map(|n| n.to_string()));
    pipeline.client.truncate(&pipeline.input, 0, 21);
    host.signal(Signal::CONT);
    host
}

#[test]
fn records_that_go_in_mid_run_are_skipped_loudly() {
    for strategy in ["cooperative-sticky", "range"] {
        let pipeline = Pipeline::new(&format!("gap-mid-{strategy}"), 2);
        let strategy = format!("kafka.consumer.partition.assignment.strategy={strategy}");
        let more = ["--set", "input.on_gap=earliest", "--set", &strategy];
        let mut host = overtaken(&pipeline, &more);
        host.wait_for_log(ON, SOON);
        pipeline.wait_for_committed(&[(0, 24), (1, 1)]);
        pipeline.feed([Record::value("other").to_partition(1)]);
        pipeline.wait_for_committed(&[(0, 24), (1, 2)]);
        let said = jump(&host);
        let from = said["from"].as_i64().expect("a number");
        let skipped = said["skipped"].as_i64().expect("a number");
        assert_eq!(from + skipped, 21);
        let mut read = texts(&pipeline.outputs()).join(" ");
        read = read.replace("other", "");
        for kept in ["0", "1", "2", "21", "22", "23"] {
            let count = read.split(' ').filter(|text| *text == kept).count();
            assert_eq!(count, 1, "{kept} in {read}");
        }
        host.signal(Signal::TERM);
        expect_exit(&mut host, 0);
        let lines = log(&host);
        let stopped = lines.iter().find(|line| line["message"] == "stopped");
        assert_eq!(stopped.expect("a summary")["skipped"], skipped);
    }
}

#[test]
fn records_that_go_in_mid_run_stop_it_behind_what_was_read() {
    let pipeline = Pipeline::new("gap-mid-stop", 2);
    let mut host = overtaken(&pipeline, &[]);
    assert_says(
        &error_of(&mut host, 1),
        &[&pipeline.input, "21 to 24", "Nothing was skipped"],
    );
    let committed = pipeline.committed()[&0];
    assert!((3..21).contains(&committed), "{committed}");
    // Without holes before it: what is in the output is what is committed.
    assert_eq!(pipeline.count(), Ok(pipeline.committed_total()));
}

/// A transaction of three records, and its marker.
fn transaction(pipeline: &Pipeline) {
    let records = ["0", "1", "2"].map(|value| Record::value(value).to_partition(0));
    pipeline.client.begin(&pipeline.input, records).commit();
}

/// Retention takes the transaction and its marker, and a record comes: it is read.
#[track_caller]
fn goes_on_behind_the_marker(pipeline: &Pipeline, more: &[&str]) {
    pipeline.client.truncate(&pipeline.input, 0, 4);
    pipeline.feed_at_once(["4"]);
    let mut host = pipeline.start(&plugin("passthrough"), more);
    eventually(SOON, "the record behind the marker", || {
        assert!(host.is_running(), "host ended by itself");
        let outputs = pipeline.outputs();
        (texts(&outputs) == ["0", "1", "2", "4"]).then_some(())
    });
    stop(host);
}

#[test]
fn a_marker_that_goes_is_no_gap() {
    for guarantee in ["at-least-once", "exactly-once"] {
        let pipeline = Pipeline::new(&format!("gap-marker-{guarantee}"), 1);
        let more = ["--guarantee", guarantee];
        transaction(&pipeline);
        let host = pipeline.start(&plugin("passthrough"), &more);
        pipeline.wait_for_committed(&[(0, 4)]);
        stop(host);
        goes_on_behind_the_marker(&pipeline, &more);
    }
}

#[test]
fn a_marker_that_goes_is_no_gap_for_a_recovery_store() {
    let pipeline = Pipeline::new("gap-marker-store", 1);
    let store = Store::new();
    transaction(&pipeline);
    let host = store.passthrough(&pipeline, &[]);
    store.wait_for(&[(0, 4)]);
    stop(host);
    goes_on_behind_the_marker(&pipeline, &["--recovery", &store.path()]);
}

/// What an earlier run left on the marker is passed without a record.
#[test]
fn a_position_on_what_is_no_record_goes_on_to_behind_it() {
    let pipeline = Pipeline::new("gap-on-marker", 1);
    transaction(&pipeline);
    let aborted = [Record::value("aborted").to_partition(0)];
    pipeline.client.begin(&pipeline.input, aborted).abort();
    pipeline
        .client
        .commit(&pipeline.group, &pipeline.input, 0, 3);
    let host = pipeline.start(&plugin("passthrough"), &[]);
    pipeline.wait_for_committed(&[(0, 6)]);
    stop(host);
    assert_eq!(pipeline.count(), Ok(0));
}

/// The end of the partition and what came behind it are fetched at once, past the
/// end of the run.
#[test]
fn records_that_come_behind_an_end_that_was_told_are_read() {
    let pipeline = Pipeline::new("gap-told-end", 1);
    pipeline.feed_at_once(["sleep 3000"]);
    let clock = ["--allow", "clock", "--set", "plugin.time=20s"];
    let more = [&["--until", "offset:4"][..], &clock].concat();
    let mut host = pipeline.start(&guest("puppet"), &more);
    host.wait_for_log("partition assigned", SOON);
    // No condition says that the plugin sleeps and the end was told meanwhile.
    thread::sleep(Duration::from_millis(1500));
    pipeline.feed_at_once(["1", "2", "3", "4", "5"]);
    expect_exit(&mut host, 0);
    assert_eq!(pipeline.committed_total(), 4);
    assert_eq!(pipeline.count(), Ok(4));
}

/// The end is behind a marker, and records come behind it while the last one before is judged.
#[test]
fn an_end_behind_a_marker_is_reached_whatever_comes_behind_it() {
    let pipeline = Pipeline::new("gap-end-marker", 1);
    let slow = [Record::value("sleep 3000").to_partition(0)];
    pipeline.client.begin(&pipeline.input, slow).commit();
    let clock = ["--allow", "clock", "--set", "plugin.time=20s"];
    let more = [&["--until", "end"][..], &clock].concat();
    let mut host = pipeline.start(&guest("puppet"), &more);
    host.wait_for_log("partition assigned", SOON);
    // No condition says that the plugin sleeps and the end was told meanwhile.
    thread::sleep(Duration::from_millis(1500));
    pipeline.feed_at_once(["2", "3", "4"]);
    expect_exit(&mut host, 0);
    assert_eq!(pipeline.committed(), [(0, 2)].into());
    assert_eq!(texts(&pipeline.outputs()), ["sleep 3000"]);
}
