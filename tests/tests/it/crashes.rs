//! SIGKILL at random moments: nothing is lost, and order is kept.

use std::hash::{BuildHasher, RandomState};
use std::thread;
use std::time::Duration;

use millrace_tests::{guest, plugin};

use crate::feeder::{Feeder, assert_all_in_order, assert_culprits_apart, record_or_culprit};
use crate::pipeline::{LONG, Pipeline, SHORT_SESSION, SOON, stop};

/// Enough of a random number generator to choose moments (xorshift64*).
pub struct Random(u64);

impl Random {
    /// A new seed each time; `MILLRACE_TEST_SEED` repeats one.
    pub fn seeded() -> Random {
        let seed = match std::env::var("MILLRACE_TEST_SEED") {
            Ok(seed) => seed.parse().expect("a seed is a number"),
            Err(_) => RandomState::new().hash_one(0) | 1,
        };
        eprintln!("MILLRACE_TEST_SEED={seed}");
        Random(seed)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) % bound
    }
}

const KILLS: usize = 7;

#[test]
fn sigkill_at_random_moments_loses_nothing() {
    let mut random = Random::seeded();
    let pipeline = Pipeline::new("crashes", 4);
    let feeder = Feeder::start(&pipeline, 1500);
    let more = [
        &["--workers", "2", "--commit-interval", "200ms"],
        SHORT_SESSION,
    ]
    .concat();

    for kill in 0..KILLS {
        let before = pipeline.count().expect("it is there");
        let mut host = pipeline.start(&plugin("passthrough"), &more);
        // Mostly while records flow, and at times while it starts.
        let flowing = kill < 5;
        if flowing {
            pipeline.wait_for_count(before + 1, SOON);
        }
        // A random moment is a matter of time, not of a condition.
        thread::sleep(Duration::from_millis(random.below(1200)));
        assert!(host.is_running(), "host ended by itself");
        host.kill();
    }
    let written = feeder.finish();
    let host = pipeline.start(&plugin("passthrough"), &more);
    pipeline.wait_for_committed_total(written, LONG);
    stop(host);

    let output = pipeline.outputs();
    eprintln!(
        "{written} records written, {} in the output after {KILLS} kills",
        output.len()
    );
    assert_all_in_order(&output, written);
}

#[test]
fn a_killed_process_of_several_loses_nothing() {
    let mut random = Random::seeded();
    let pipeline = Pipeline::new("crash-of-one", 4);
    let feeder = Feeder::start(&pipeline, 1500);
    let start = || pipeline.start(&plugin("passthrough"), SHORT_SESSION);

    let survivor = start();
    for _ in 0..3 {
        let mut victim = start();
        victim.wait_for_log("partition assigned", SOON);
        thread::sleep(Duration::from_millis(random.below(1000)));
        victim.kill();
    }
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    stop(survivor);

    assert_all_in_order(&pipeline.outputs(), written);
}

#[test]
fn three_processes_that_are_killed_and_stopped_in_turn_lose_nothing() {
    let mut random = Random::seeded();
    let pipeline = Pipeline::new("crash-of-three", 6);
    let feeder = Feeder::start(&pipeline, 1500);
    let start = || pipeline.start(&plugin("passthrough"), SHORT_SESSION);

    let mut hosts = vec![start(), start(), start()];
    pipeline.wait_for_members(3);
    for round in 0..4 {
        let mut victim = hosts.remove(0);
        // Some in the middle of a rebalance, some not.
        thread::sleep(Duration::from_millis(random.below(1500)));
        match round % 2 {
            0 => victim.kill(),
            _ => drop(stop(victim)),
        }
        hosts.push(start());
        pipeline.wait_for_flow(200);
    }
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    hosts.into_iter().for_each(|host| drop(stop(host)));

    assert_all_in_order(&pipeline.outputs(), written);
}

#[test]
fn sigkill_among_culprits_rejects_no_other_record_and_loses_none() {
    let mut random = Random::seeded();
    let pipeline = Pipeline::with_dead_letters("crash-culprits", 4);
    let feeder = Feeder::start_with(&pipeline, 1000, record_or_culprit);
    // A static member goes on at once, so that ten kills fit into the feeder's time.
    let more = [
        "--workers=2",
        "--commit-interval=200ms",
        "--instance-id=one",
    ];
    let start = || pipeline.start_with_dead_letters(&guest("puppet"), &more);

    for _ in 0..10 {
        let mut host = start();
        pipeline.wait_for_flow(1);
        // A random moment is a matter of time, not of a condition.
        thread::sleep(Duration::from_millis(random.below(1200)));
        assert!(host.is_running(), "host ended by itself");
        host.kill();
    }
    let written = feeder.finish();
    let host = start();
    pipeline.wait_for_committed_total(written, LONG);
    stop(host);

    assert_culprits_apart(&pipeline, written);
}
