//! Another version comes by the desk: it takes over, is tried, and gives way.

use super::*;
use crate::plugin::desk::News;
use crate::plugin::guest::Guest;

/// An instance that works, and a version that traps.
fn good_and_bad() -> (Instance, Arc<Component>) {
    let engine = Engine::new().unwrap();
    let good = component_with(&engine, 256 * MIB, "");
    let bad = component_with(&engine, 256 * MIB, "(unreachable)");
    (Instance::new(&good).unwrap(), bad)
}

fn hand_over(instance: &Instance, component: &Arc<Component>) {
    let guest = Guest::new(component).unwrap();
    instance.desk().put(News::Swap(guest));
    assert!(!instance.has_news(), "it is not announced");
    instance.desk().announce();
}

#[test]
fn what_is_handed_over_takes_over_when_the_worker_renews() {
    let (mut instance, bad) = good_and_bad();
    let before = instance.digest();
    hand_over(&instance, &bad);
    assert!(instance.has_news());
    assert!(call(&mut instance, 1).is_ok(), "it took over by itself");
    assert!(instance.renew(&[]));
    assert!(!instance.has_news());
    assert_ne!(instance.digest(), before);
    assert!(call(&mut instance, 1).is_err());
}

#[test]
fn one_that_failed_all_that_it_was_asked_gives_way() {
    let (mut instance, bad) = good_and_bad();
    let before = instance.digest();
    hand_over(&instance, &bad);
    instance.renew(&[]);
    assert!(call(&mut instance, 1).is_err());
    assert!(instance.take_back("it broke", &[]));
    assert_eq!(instance.digest(), before);
    assert!(call(&mut instance, 1).is_ok());
    let (id, why) = instance.desk().taken_back().expect("it is told");
    assert_eq!((id, &*why), (bad.id.clone(), "it broke"));
    assert!(
        !instance.take_back("again", &[]),
        "there is one before that"
    );
}

#[test]
fn one_that_was_not_asked_is_not_to_blame() {
    let (mut instance, bad) = good_and_bad();
    hand_over(&instance, &bad);
    instance.renew(&[]);
    assert!(!instance.take_back("of the one before", &[]));
    assert!(call(&mut instance, 1).is_err(), "it was taken back");
}

#[test]
fn one_that_has_worked_in_another_worker_stays() {
    let (mut instance, bad) = good_and_bad();
    hand_over(&instance, &bad);
    instance.renew(&[]);
    assert!(call(&mut instance, 1).is_err());
    bad.tally.answered(1, 0, Duration::ZERO);
    assert!(!instance.take_back("a record's fault", &[]));
}

/// Of two that showed nothing, the one before both is gone back to.
#[test]
fn two_bad_ones_in_a_row_give_way_to_the_last_that_worked() {
    let (mut instance, bad) = good_and_bad();
    let before = instance.digest();
    for _ in 0..2 {
        hand_over(&instance, &bad);
        instance.renew(&[]);
        assert!(call(&mut instance, 1).is_err());
    }
    assert!(instance.take_back("it broke", &[]));
    assert_eq!(instance.digest(), before);
}

#[test]
fn a_later_version_takes_the_place_of_one_that_nobody_has_taken() {
    let (mut instance, bad) = good_and_bad();
    let good = component_with(bad.engine(), 128 * MIB, "");
    hand_over(&instance, &bad);
    instance.desk().put(News::Swap(Guest::new(&good).unwrap()));
    instance.renew(&[]);
    assert!(call(&mut instance, 1).is_ok());
}

#[test]
fn one_that_is_tried_gets_its_share_and_costs_no_record() {
    let (mut instance, bad) = good_and_bad();
    let guest = Guest::new(&bad).unwrap();
    instance.desk().put(News::Try(guest, 0.25));
    assert!(!instance.renew(&[]), "a trial is no swap");
    for _ in 0..8 {
        assert!(call(&mut instance, 3).is_ok());
    }
    let sum = bad.tally.sum();
    assert_eq!((sum.records, sum.failures, sum.faults), (6, 6, 2));
    instance.desk().put(News::Recall);
    instance.renew(&[]);
    for _ in 0..8 {
        assert!(call(&mut instance, 3).is_ok());
    }
    assert_eq!(bad.tally.sum(), sum);
}

#[test]
fn one_that_is_promoted_takes_over() {
    let (mut instance, bad) = good_and_bad();
    let guest = Guest::new(&bad).unwrap();
    instance.desk().put(News::Try(guest, 0.25));
    instance.desk().put(News::Promote);
    assert!(instance.renew(&[]));
    assert!(call(&mut instance, 1).is_err());
}
