use proptest::prelude::*;

use super::*;
use crate::pipeline::fakes::FakeRecord;

fn records(sizes: &[usize]) -> Vec<FakeRecord> {
    (0..)
        .zip(sizes)
        .map(|(offset, size)| FakeRecord::sized(offset, *size))
        .collect()
}

fn cut(count: usize, bytes: usize, sizes: &[usize]) -> usize {
    let limits = Limits {
        records: count,
        bytes,
    };
    limits.cut(&records(sizes))
}

#[test]
fn nothing_makes_no_batch() {
    assert_eq!(cut(10, 10, &[]), 0);
}

#[test]
fn what_is_there_goes_together() {
    assert_eq!(cut(10, 100, &[1, 2, 3]), 3);
}

#[test]
fn a_batch_has_at_most_so_many_records() {
    assert_eq!(cut(2, 100, &[1, 1, 1]), 2);
    assert_eq!(cut(1, 100, &[1, 1, 1]), 1);
}

#[test]
fn a_batch_has_at_most_so_many_bytes() {
    assert_eq!(cut(10, 10, &[5, 5, 1]), 2);
    assert_eq!(cut(10, 10, &[5, 4, 2]), 2);
}

#[test]
fn a_record_beyond_the_limit_goes_alone() {
    assert_eq!(cut(10, 10, &[11, 1]), 1);
    assert_eq!(cut(10, 10, &[1, 11]), 1);
}

#[test]
fn records_without_key_and_value_weigh_nothing() {
    let tombstone = FakeRecord {
        key: None,
        value: None,
        ..FakeRecord::new(0, 0)
    };
    let limits = Limits {
        records: 10,
        bytes: 1,
    };
    assert_eq!(limits.cut(&vec![tombstone; 7]), 7);
}

proptest! {
    #[test]
    fn a_batch_is_the_longest_head_within_the_limits(
        count in 1usize..12,
        bytes in 0usize..40,
        sizes in prop::collection::vec(0usize..20, 0..20),
    ) {
        let naive = (0..=sizes.len().min(count))
            .rev()
            .find(|n| *n <= 1 || sizes[..*n].iter().sum::<usize>() <= bytes)
            .unwrap_or(0);
        prop_assert_eq!(cut(count, bytes, &sizes), naive);
    }
}

#[test]
fn calls_grow_while_they_are_quick_and_shrink_when_they_are_long() {
    let mut governor = Governor::default();
    assert_eq!(governor.most(), 64);
    governor.took(64, Duration::from_millis(1));
    governor.took(128, Duration::from_millis(1));
    assert_eq!(governor.most(), 256);
    // Neither quick nor long.
    governor.took(256, Duration::from_millis(300));
    assert_eq!(governor.most(), 256);
    governor.took(256, Duration::from_secs(2));
    assert_eq!(governor.most(), 128);
}

#[test]
fn a_small_batch_says_nothing_of_a_larger_one() {
    let mut governor = Governor::default();
    governor.took(3, Duration::from_millis(1));
    assert_eq!(governor.most(), 64);
}

#[test]
fn a_plugin_of_a_second_a_record_gets_them_one_by_one() {
    let mut governor = Governor::default();
    while governor.most() > 1 {
        governor.took(governor.most(), Duration::from_secs(1));
    }
    governor.took(1, Duration::from_secs(1));
    assert_eq!(governor.most(), 1);
}
