//! The worker whose outputs and positions count together or not at all.

use std::collections::BTreeSet;

use super::Guarantee::ExactlyOnce;
use super::corners::transactions;
use super::sabotage::Sabotage;
use super::{complaint, each_is_found, nothing_is_found, simulate};

/// Seeds that found something, and what.
const FOUND: [(u64, &str); 7] = [
    (
        17,
        "half of a rejected record counted beside its dead letter",
    ),
    (96, "a transaction without an output was never aborted"),
    (102, "positions of a lost partition were committed"),
    (121, "half of a dropped record counted"),
    (142, "an output went out while its transaction was aborted"),
    (
        185,
        "after an abort a start that was not stored was passed over",
    ),
    (244, "the store was asked while a transaction held it back"),
];

#[test]
fn whatever_happens_everything_counts_once_and_with_its_position() {
    nothing_is_found(ExactlyOnce);
}

#[test]
fn seeds_that_found_something_find_nothing_any_more() {
    for (seed, what) in FOUND {
        assert_eq!(complaint(ExactlyOnce, seed), None, "{what}, once");
    }
}

#[test]
fn one_seed_gives_one_trace() {
    for seed in 0..50 {
        let told = || simulate(ExactlyOnce, seed, None).told();
        assert_eq!(told(), told(), "seed {seed}");
    }
}

#[test]
fn the_seeds_come_to_every_corner() {
    let found: BTreeSet<_> = (0..1_000)
        .flat_map(|seed| transactions::of(&simulate(ExactlyOnce, seed, None).trace))
        .collect();
    assert_eq!(found, BTreeSet::from(transactions::ALL));
}

#[test]
fn the_checker_finds_a_worker_that_is_broken_in_any_of_these_ways() {
    each_is_found(ExactlyOnce, &Sabotage::OF_TRANSACTIONS);
}
