//! SIGKILL and SIGTERM at random moments: nothing is lost, nothing is doubled,
//! and what was killed does not hold its successor up.

use std::thread;
use std::time::{Duration, Instant};

use millrace_tests::{Record, eventually_ok};

use super::mix::Mix;
use super::{INSTANCE, ONE_LONG_TRANSACTION, finish, start, wait_for_open, wait_for_visible};
use crate::crashes::Random;
use crate::pipeline::{Pipeline, SHORT_SESSION, SOON, stop};

/// A restart's own time, on a busy machine: far from any transaction's.
const RESTART: Duration = Duration::from_secs(55);

/// Ten kills, and every third time a stop in between.
#[track_caller]
fn survive_kills(stem: &str, more: &[&str]) {
    let mut random = Random::seeded();
    let pipeline = Pipeline::with_dead_letters(stem, 4);
    let mix = Mix::of(&pipeline);
    let feeder = mix.feed(&pipeline, 700);
    let more = [&["--workers", "2"], more].concat();

    for kill in 0..10 {
        let before = pipeline.committed_total();
        let mut host = start(&pipeline, &more);
        // Mostly while records flow, and at times while it starts.
        if kill % 5 != 4 {
            eventually_ok(SOON, "records that flow", || {
                match pipeline.committed_total() > before || feeder.is_over() {
                    true => Ok(()),
                    false => Err(format!("{before} committed")),
                }
            });
        }
        // A random moment is a matter of time, not of a condition.
        thread::sleep(Duration::from_millis(random.below(700)));
        assert!(host.is_running(), "host ended by itself");
        match kill % 3 {
            2 => drop(stop(host)),
            _ => host.kill(),
        }
    }
    // Three of those were stops.
    for _ in 0..3 {
        let mut host = start(&pipeline, &more);
        thread::sleep(Duration::from_millis(random.below(1500)));
        host.kill();
    }
    let written = feeder.finish();
    let host = start(&pipeline, &more);
    finish(&pipeline, &mix, host, written);
}

#[test]
fn sigkill_at_random_moments_loses_and_doubles_nothing() {
    survive_kills("kills", SHORT_SESSION);
}

#[test]
fn sigkill_of_an_instance_at_random_moments_loses_and_doubles_nothing() {
    survive_kills("instance-kills", INSTANCE);
}

/// Else a reader of committed records would see nothing of the successor's
/// before `transaction.timeout.ms`, ten minutes here.
#[track_caller]
fn leave_no_transaction_open(stem: &str, more: &[&str]) {
    let pipeline = Pipeline::with_dead_letters(stem, 1);
    let numbers = |range: std::ops::Range<usize>| range.map(|n| Record::value(n.to_string()));
    pipeline.feed(numbers(0..10));
    let open = [ONE_LONG_TRANSACTION, more].concat();
    let mut host = start(&pipeline, &open);
    wait_for_open(&pipeline, &pipeline.output, 10);
    host.kill();
    assert_eq!(pipeline.outputs(), []);
    assert_eq!(pipeline.committed_total(), 0);

    pipeline.feed(numbers(10..20));
    let begun = Instant::now();
    let host = start(&pipeline, more);
    let outputs = wait_for_visible(&pipeline, 20);
    let took = begun.elapsed();
    stop(host);
    assert_eq!(outputs.len(), 20);
    assert!(took < RESTART, "{took:?}");
    pipeline.wait_for_committed(&[(0, 20)]);
}

#[test]
fn a_killed_process_leaves_no_transaction_open_to_its_successor() {
    leave_no_transaction_open("left-open", SHORT_SESSION);
}

#[test]
fn a_killed_instance_leaves_no_transaction_open_to_its_successor() {
    leave_no_transaction_open("instance-left-open", INSTANCE);
}
