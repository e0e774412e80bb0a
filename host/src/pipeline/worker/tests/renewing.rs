//! Another version of the plugin takes over, or gives way to the one before.

use std::collections::HashMap;

use super::*;
use crate::pipeline::policy::Breaker;

/// A version that fails these records of partitions from 0 on.
fn failing(records: &[(i32, i64)]) -> HashMap<(i32, i64), Verdict> {
    let fail = |at: &(i32, i64)| (*at, Verdict::Fail("bad version".to_owned()));
    records.iter().map(fail).collect()
}

/// Which records' outputs, or letters, went to this topic, by partition and offset.
fn sent_to(world: &World, topic: &str) -> Vec<(i32, i64)> {
    let state = world.state();
    let mut sent: Vec<_> = state
        .sent
        .iter()
        .filter(|sent| sent.topic == topic)
        .map(|sent| sent.source)
        .collect();
    sent.sort_unstable();
    sent
}

#[test]
fn what_is_judged_stays_and_what_is_not_is_the_new_versions() {
    let world = world(1, 4);
    let mut settings = settings(PATIENCE);
    settings.batch.records = 2;
    settings.policy = dead_letters();
    world.state().room = Some(1);
    let mut worker = worker_with(&world, settings);
    steps(&mut worker, 1);
    world.state().next_version = Some(failing(&[(0, 0), (0, 1), (0, 2), (0, 3)]));
    world.state().room = None;
    steps(&mut worker, 4);
    assert_eq!(world.state().changed_at, [(partition(0), NextOffset(2))]);
    assert_eq!(sent_to(&world, "out"), [(0, 0), (0, 1)]);
    assert_eq!(sent_to(&world, "dead"), [(0, 2), (0, 3)]);
}

#[test]
fn with_the_policy_stop_the_version_before_judges_what_the_new_one_fails_at_once() {
    let world = world(1, 0);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    world.state().next_version = Some(failing(&[(0, 0)]));
    world.write(0, 0..2);
    steps(&mut worker, 4);
    assert_eq!(world.sent_offsets(0), [0, 1]);
    assert_eq!(world.stored(0), Some(2));
}

#[test]
fn a_rejected_record_whose_letter_waits_is_judged_again_by_the_version_before() {
    let world = world(2, 0);
    let mut settings = settings(PATIENCE);
    settings.policy = dead_letters();
    settings.breaker = Some(Breaker { failed: 2, of: 2 });
    let mut worker = worker_with(&world, settings);
    steps(&mut worker, 1);
    world.state().next_version = Some(failing(&[(0, 0), (1, 0)]));
    world.state().room = Some(0);
    // The first one's letter has no room, and the second one trips the breaker.
    world.write(0, 0..1);
    steps(&mut worker, 2);
    world.write(1, 0..1);
    steps(&mut worker, 2);
    world.state().room = None;
    steps(&mut worker, 3);
    assert_eq!(sent_to(&world, "dead"), []);
    assert_eq!(sent_to(&world, "out"), [(0, 0), (1, 0)]);
    assert_eq!((world.stored(0), world.stored(1)), (Some(1), Some(1)));
}

#[test]
fn with_the_policy_drop_no_record_is_lost_to_a_version_that_is_taken_back() {
    let world = world(2, 0);
    let mut settings = settings(PATIENCE);
    settings.policy = Policy::Drop;
    settings.breaker = Some(Breaker { failed: 1, of: 1 });
    let mut worker = worker_with(&world, settings);
    steps(&mut worker, 1);
    world.state().next_version = Some(failing(&[(0, 0), (1, 0)]));
    world.write(0, 0..1);
    world.write(1, 0..1);
    steps(&mut worker, 4);
    assert_eq!(sent_to(&world, "out"), [(0, 0), (1, 0)]);
}

/// It was called before, so its state may be to blame.
#[test]
fn a_record_is_blamed_only_by_a_fresh_instance_after_a_swap_too() {
    let world = world(1, 1);
    let mut settings = settings(PATIENCE);
    settings.policy = dead_letters();
    let mut worker = worker_with(&world, settings);
    steps(&mut worker, 2);
    assert_eq!(world.sent_offsets(0), [0]);
    world.state().next_version = Some(HashMap::new());
    world.state().hiccup = Some(Fault::Broke("its state".to_owned()));
    world.write(0, 1..2);
    steps(&mut worker, 4);
    assert_eq!(sent_to(&world, "out"), [(0, 0), (0, 1)]);
}

/// Its verdict came too late to count against the new one.
#[test]
fn a_version_is_not_taken_back_for_what_the_one_before_failed() {
    let world = world(1, 2);
    world.state().verdicts = failing(&[(0, 1)]);
    world.state().room = Some(0);
    let mut worker = worker(&world);
    steps(&mut worker, 2);
    world.state().next_version = Some(HashMap::new());
    steps(&mut worker, 1);
    world.state().room = None;
    let failure = (0..4).find_map(|_| worker.step().err());
    assert!(matches!(failure, Some(Failure::Rejected(_))), "{failure:?}");
    assert!(world.state().version_before.is_some());
}
