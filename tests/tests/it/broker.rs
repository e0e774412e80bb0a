//! The broker goes away and comes back while records flow. Each test has a
//! broker of its own.

use std::thread;
use std::time::{Duration, Instant};

use millrace_tests::broker::BrokerOptions;
use millrace_tests::{Broker, Record, Signal, plugin};

use crate::feeder::{Feeder, assert_all_in_order, assert_all_once_in_order};
use crate::pipeline::{LONG, Pipeline, assert_says, error_of, expect_exit, stop};

/// How much longer than `shutdown.drain` a stop may take, and what a busy
/// machine adds to that.
const GRACE: Duration = Duration::from_secs(2 + 3);

/// No outage is longer than its session, which may double records when it is over.
const STAYS: &[&str] = &[
    "--workers",
    "2",
    "--set",
    "kafka.consumer.session.timeout.ms=300000",
];

const DRAIN: Duration = Duration::from_secs(3);
const DRAIN_FLAGS: &[&str] = &["--set", "shutdown.drain=3s"];

#[test]
fn a_broker_that_crashes_or_restarts_is_waited_for() {
    let mut broker = Broker::start();
    let pipeline = Pipeline::on(&broker, "restarts", 4);
    let feeder = Feeder::start(&pipeline, 1000);
    let mut host = pipeline.start(&plugin("passthrough"), STAYS);
    pipeline.wait_for_flow(500);

    broker.kill();
    broker.restart();
    pipeline.wait_for_flow(500);
    broker.stop();
    broker.restart();
    pipeline.wait_for_flow(500);

    let written = feeder.finish();
    pipeline.wait_for_count(written, LONG);
    assert!(host.is_running());
    stop(host);
    assert_all_once_in_order(&pipeline.outputs(), written);
    assert_eq!(pipeline.committed_total(), written);
}

#[test]
fn a_broker_that_hangs_is_waited_for() {
    let mut broker = Broker::start_with(BrokerOptions::patient());
    let pipeline = Pipeline::on(&broker, "hangs", 4);
    let feeder = Feeder::start(&pipeline, 1000);
    let host = pipeline.start(&plugin("passthrough"), STAYS);
    for _ in 0..2 {
        pipeline.wait_for_flow(500);
        broker.freeze();
        // How long it hangs is a matter of time, not of a condition.
        thread::sleep(Duration::from_secs(4));
        broker.thaw();
    }
    pipeline.wait_for_flow(500);

    let written = feeder.finish();
    pipeline.wait_for_count(written, LONG);
    stop(host);
    assert_all_once_in_order(&pipeline.outputs(), written);
    assert_eq!(pipeline.committed_total(), written);
}

#[test]
fn sigterm_while_the_broker_hangs_ends_within_the_drain() {
    let mut broker = Broker::start_with(BrokerOptions::patient());
    let pipeline = Pipeline::on(&broker, "stop-hanging", 4);
    let feeder = Feeder::start(&pipeline, 1000);
    let mut host = pipeline.start(&plugin("passthrough"), DRAIN_FLAGS);
    pipeline.wait_for_flow(500);

    broker.freeze();
    let begun = Instant::now();
    host.signal(Signal::TERM);
    let error = error_of(&mut host, 1);
    let took = begun.elapsed();
    broker.thaw();
    assert!(took < DRAIN + GRACE, "{took:?}");
    assert_says(&error, &["read again"]);

    // Whatever it could not finish, the next run does.
    let written = feeder.finish();
    let session = ["--set", "kafka.consumer.session.timeout.ms=45000"];
    let host = pipeline.start(&plugin("passthrough"), &session);
    pipeline.wait_for_committed_total(written, LONG);
    stop(host);
    assert_all_in_order(&pipeline.outputs(), written);
}

#[test]
fn sigterm_while_the_broker_is_gone_ends_within_the_drain() {
    let mut broker = Broker::start();
    let pipeline = Pipeline::on(&broker, "stop-gone", 1);
    pipeline.feed([Record::value("1")]);
    let mut host = pipeline.start(&plugin("passthrough"), DRAIN_FLAGS);
    pipeline.wait_for_committed(&[(0, 1)]);

    broker.kill();
    let begun = Instant::now();
    host.signal(Signal::TERM);
    // Everything was done and committed: nothing is left undone.
    expect_exit(&mut host, 0);
    assert!(begun.elapsed() < DRAIN + GRACE, "{:?}", begun.elapsed());
}
