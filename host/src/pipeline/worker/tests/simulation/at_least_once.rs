//! The worker whose outputs count as they come.

use std::collections::BTreeSet;

use super::Guarantee::AtLeastOnce;
use super::checker::Rule;
use super::sabotage::Sabotage;
use super::trace::{End, Event};
use super::{complaint, corners, each_is_found, nothing_is_found, simulate};

/// Seeds that found something, and what.
const FOUND: [(u64, &str); 5] = [
    (
        230,
        "an expanded record was found guilty without being alone",
    ),
    (
        53,
        "a suspect that was dropped kept the other lanes waiting",
    ),
    (419, "one record, rejected again, tripped the breaker"),
    (
        703536,
        "a suspect whose rest ended within a step was not alone",
    ),
    (
        547950,
        "a suspect was sent beside outputs of a lost partition",
    ),
];

#[test]
fn whatever_happens_nothing_is_lost_doubled_reordered_or_committed_too_early() {
    nothing_is_found(AtLeastOnce);
}

#[test]
fn seeds_that_found_something_find_nothing_any_more() {
    for (seed, what) in FOUND {
        assert_eq!(complaint(AtLeastOnce, seed), None, "{what}, once");
    }
}

#[test]
fn one_seed_gives_one_trace() {
    for seed in 0..50 {
        let told = || simulate(AtLeastOnce, seed, None).told();
        assert_eq!(told(), told(), "seed {seed}");
    }
}

#[test]
fn the_seeds_come_to_every_corner() {
    let found: BTreeSet<_> = (0..1_000)
        .flat_map(|seed| corners::of(&simulate(AtLeastOnce, seed, None).trace))
        .collect();
    assert_eq!(found, BTreeSet::from(corners::ALL));
}

#[test]
fn the_checker_finds_an_end_that_names_the_wrong_record() {
    let wrong = |seed| {
        let mut run = simulate(AtLeastOnce, seed, None);
        let Some(Event::Ended(End::Rejected(rejected))) = run.trace.last_mut() else {
            return false;
        };
        rejected.position.offset += 1;
        matches!(run.check(), Err(complaint) if complaint.rule == Rule::End)
    };
    assert!((0..200).any(wrong));
}

#[test]
fn the_checker_finds_a_worker_that_is_broken_in_any_of_these_ways() {
    each_is_found(AtLeastOnce, &Sabotage::ALL);
}
