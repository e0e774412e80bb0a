use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// What breaks a plugin, for the tests.
#[derive(Debug, Clone, Default)]
struct Plugin {
    /// Records that trap.
    poison: BTreeSet<usize>,
    /// Records that take too long.
    slow: BTreeSet<usize>,
    /// How many records an instance survives.
    lives: Option<usize>,
    seen: usize,
}

impl Plugin {
    fn call(&mut self, records: std::ops::Range<usize>) -> Result<(), Kind> {
        for record in records {
            self.seen += 1;
            if self.lives.is_some_and(|lives| self.seen > lives) || self.poison.contains(&record) {
                self.seen = 0;
                return Err(Kind::Broke);
            }
            if self.slow.contains(&record) {
                self.seen = 0;
                return Err(Kind::TimedOut);
            }
        }
        Ok(())
    }
}

/// The calls that were made (first, count) and the culprits.
fn hunt(mut plugin: Plugin, count: usize, batch: usize) -> (Vec<(usize, usize)>, Vec<usize>) {
    let mut hunt = Hunt::default();
    let (mut next, mut fresh) = (0, true);
    let (mut calls, mut culprits) = (Vec::new(), Vec::new());
    while next < count {
        assert!(calls.len() < 100 * count, "it comes to no end");
        let most = hunt.most(next).min(batch).min(count - next);
        calls.push((next, most));
        match plugin.call(next..next + most) {
            Ok(()) => {
                fresh = false;
                next += most;
            }
            Err(kind) => match hunt.failed(next, most, kind, std::mem::replace(&mut fresh, true)) {
                Next::Again => {}
                Next::Culprit => {
                    culprits.push(next);
                    next += 1;
                }
            },
        }
    }
    (calls, culprits)
}

fn poison(records: impl IntoIterator<Item = usize>) -> Plugin {
    Plugin {
        poison: records.into_iter().collect(),
        ..Plugin::default()
    }
}

#[test]
fn without_a_fault_everything_goes_together() {
    assert_eq!(hunt(Plugin::default(), 8, 100), (vec![(0, 8)], vec![]));
}

#[test]
fn halves_close_in_on_the_culprit_and_the_rest_goes_together() {
    let (calls, culprits) = hunt(poison([2]), 8, 100);
    assert_eq!(culprits, [2]);
    assert_eq!(
        calls,
        [
            (0, 8), // the first call of its instance, so its state is not to blame
            (0, 4),
            (0, 2), // goes well
            (2, 1), // breaks an instance that has been called
            (2, 1), // the culprit
            (3, 5),
        ]
    );
}

#[test]
fn a_batch_that_breaks_a_used_instance_is_run_again_whole() {
    let plugin = Plugin {
        lives: Some(10),
        ..Plugin::default()
    };
    let (calls, culprits) = hunt(plugin, 16, 8);
    assert!(culprits.is_empty(), "{culprits:?}");
    assert_eq!(calls, [(0, 8), (8, 8), (8, 8)]);
}

#[test]
fn after_a_time_out_records_go_one_by_one_until_the_call_s_end() {
    let plugin = Plugin {
        slow: [1].into(),
        ..Plugin::default()
    };
    let (calls, culprits) = hunt(plugin, 6, 4);
    assert_eq!(culprits, [1]);
    assert_eq!(
        calls,
        [
            (0, 4),
            (0, 1),
            (1, 1), // on an instance that has been called
            (1, 1), // the culprit
            (2, 1),
            (3, 1),
            (4, 2),
        ]
    );
}

#[test]
fn a_record_is_late_twice_before_it_is_blamed() {
    let plugin = Plugin {
        slow: [0].into(),
        ..Plugin::default()
    };
    let (calls, culprits) = hunt(plugin, 2, 1);
    assert_eq!(culprits, [0]);
    assert_eq!(calls, [(0, 1), (0, 1), (1, 1)]);
    let mut hunt = Hunt::default();
    assert_eq!(hunt.failed(0, 1, Kind::TimedOut, true), Next::Again);
    assert_eq!(hunt.failed(1, 1, Kind::TimedOut, true), Next::Again);
    assert_eq!(hunt.failed(1, 1, Kind::Broke, true), Next::Culprit);
}

#[test]
fn a_single_record_is_blamed_only_by_a_fresh_instance() {
    let plugin = Plugin {
        lives: Some(1),
        ..Plugin::default()
    };
    let (calls, culprits) = hunt(plugin, 3, 1);
    assert!(culprits.is_empty(), "{culprits:?}");
    assert_eq!(calls, [(0, 1), (1, 1), (1, 1), (2, 1), (2, 1)]);
}

#[test]
fn one_culprit_among_a_thousand_costs_few_calls_and_few_records() {
    for culprit in 0..1000 {
        let (calls, culprits) = hunt(poison([culprit]), 1000, 1000);
        assert_eq!(culprits, [culprit]);
        assert!(calls.len() <= 14, "{culprit}: {calls:?}");
        let records: usize = calls.iter().map(|(_, count)| count).sum();
        assert!(records <= 4000, "{culprit}: {records} records were run");
    }
}

proptest! {
    #[test]
    fn exactly_the_culprits_are_found_whatever_they_do(
        poison in prop::collection::btree_set(0usize..60, 0..6),
        slow in prop::collection::btree_set(0usize..60, 0..6),
        count in 1usize..60,
        batch in 1usize..60,
    ) {
        let plugin = Plugin { poison: poison.clone(), slow: slow.clone(), ..Plugin::default() };
        let (_, culprits) = hunt(plugin, count, batch);
        let expected: Vec<usize> =
            poison.union(&slow).copied().filter(|record| *record < count).collect();
        prop_assert_eq!(culprits, expected);
    }

    #[test]
    fn an_instance_that_only_wears_out_blames_nobody(
        lives in 1usize..40,
        count in 1usize..60,
        batch in 1usize..60,
    ) {
        let plugin = Plugin { lives: Some(lives.max(batch)), ..Plugin::default() };
        prop_assert!(hunt(plugin, count, batch).1.is_empty());
    }
}
