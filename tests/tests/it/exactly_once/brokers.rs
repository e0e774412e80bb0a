//! The broker goes away, comes back or hangs in the middle of transactions. Each
//! test has a broker of its own.

use std::thread;
use std::time::{Duration, Instant};

use millrace_tests::broker::BrokerOptions;
use millrace_tests::{Broker, Record, Signal, eventually_ok};

use super::mix::Mix;
use super::{
    INSTANCE, ONE_LONG_TRANSACTION, SHORT_TRANSACTION, finish, open_ends, start, wait_for_flow,
    wait_for_open,
};
use crate::feeder::Feeder;
use crate::pipeline::{Pipeline, SOON, error_of, stop, texts};

/// How much longer than `shutdown.drain` a stop may take, and what a busy
/// machine adds to that.
const GRACE: Duration = Duration::from_secs(2 + 3);

/// Waits until the broker has an open transaction of this pipeline.
#[track_caller]
fn wait_for_any_open(pipeline: &Pipeline, feeder: &Feeder) {
    eventually_ok(SOON, "an open transaction", || {
        match open_ends(pipeline, &pipeline.output).is_some() || feeder.is_over() {
            true => Ok(()),
            false => Err("there is none"),
        }
    });
}

#[test]
fn a_broker_that_restarts_in_a_transaction_loses_and_doubles_nothing() {
    let mut broker = Broker::start();
    let pipeline = Pipeline::on(&broker, "restarts-once", 4).and_dead_letters(4);
    let mix = Mix::of(&pipeline);
    let feeder = mix.feed(&pipeline, 500);
    let flags = ["--workers", "2", "--commit-interval", "500ms"];
    let mut host = start(&pipeline, &flags);
    wait_for_flow(&pipeline, &feeder, 300);

    wait_for_any_open(&pipeline, &feeder);
    broker.kill();
    broker.restart();
    wait_for_flow(&pipeline, &feeder, 300);
    wait_for_any_open(&pipeline, &feeder);
    broker.stop();
    broker.restart();
    wait_for_flow(&pipeline, &feeder, 300);

    let written = feeder.finish();
    assert!(host.is_running());
    finish(&pipeline, &mix, host, written);
}

#[test]
fn a_broker_that_hangs_longer_than_a_transaction_may_take_doubles_nothing() {
    let mut broker = Broker::start_with(BrokerOptions::patient());
    let pipeline = Pipeline::on(&broker, "hangs-once", 4).and_dead_letters(4);
    let mix = Mix::of(&pipeline);
    let feeder = mix.feed(&pipeline, 500);
    let mut host = start(&pipeline, SHORT_TRANSACTION);
    for _ in 0..2 {
        wait_for_flow(&pipeline, &feeder, 300);
        wait_for_any_open(&pipeline, &feeder);
        broker.freeze();
        // How long it hangs is a matter of time, not of a condition.
        thread::sleep(Duration::from_secs(5));
        broker.thaw();
    }
    wait_for_flow(&pipeline, &feeder, 300);
    let written = feeder.finish();
    assert!(host.is_running());
    finish(&pipeline, &mix, host, written);
}

#[test]
fn sigterm_while_the_broker_hangs_leaves_nothing_of_the_transaction() {
    const DRAIN: Duration = Duration::from_secs(3);
    let mut broker = Broker::start_with(BrokerOptions::patient());
    let pipeline = Pipeline::on(&broker, "stop-hanging-once", 1).and_dead_letters(1);
    let numbers = |range: std::ops::Range<usize>| range.map(|n| Record::value(n.to_string()));
    let host = start(&pipeline, INSTANCE);
    pipeline.feed(numbers(0..100));
    pipeline.wait_for_committed(&[(0, 100)]);
    stop(host);

    let drain = ["--set", "shutdown.drain=3s"];
    let flags = [INSTANCE, ONE_LONG_TRANSACTION, &drain].concat();
    let mut host = start(&pipeline, &flags);
    pipeline.feed(numbers(100..200));
    // One is the first transaction's end.
    wait_for_open(&pipeline, &pipeline.output, 201);
    broker.freeze();
    let begun = Instant::now();
    host.signal(Signal::TERM);
    error_of(&mut host, 1);
    let took = begun.elapsed();
    broker.thaw();
    assert!(took < DRAIN + GRACE, "{took:?}");

    // The next run ends the transaction, whatever of the first one's words still
    // came to the broker.
    let expected = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
    eventually_ok(SOON, "the broker to answer", || pipeline.count());
    assert_eq!(texts(&pipeline.outputs()), expected(100));
    assert_eq!(pipeline.committed_total(), 100);
    let host = start(&pipeline, INSTANCE);
    pipeline.wait_for_committed(&[(0, 200)]);
    stop(host);
    assert_eq!(texts(&pipeline.outputs()), expected(200));
    assert_eq!(pipeline.letters(), []);
}
