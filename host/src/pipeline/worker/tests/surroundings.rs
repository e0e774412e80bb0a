//! Failures that are no record's: the partition waits.

use super::*;

#[test]
fn a_partition_whose_topic_is_gone_waits_and_the_others_go_on() {
    let world = world(2, 3);
    let elsewhere = Output {
        topic: Some("gone".to_owned()),
        ..Output::FORWARD
    };
    world.says(0, 1, Verdict::Replace(elsewhere));
    world.state().gone.insert("gone".to_owned());
    let mut settings = settings(PATIENCE);
    settings.policy = dead_letters();
    let mut worker = worker_with(&world, settings);
    steps(&mut worker, 5);
    assert_eq!(world.sent_offsets(0), [0]);
    assert_eq!((world.stored(0), world.stored(1)), (Some(1), Some(3)));
    assert_eq!(worker.counters.totals().waits, 1, "and not once a step");
    world.state().passed += Duration::from_secs(1);
    steps(&mut worker, 1);
    assert_eq!(worker.counters.totals().waits, 2);
    world.state().gone.clear();
    world.state().passed += Duration::from_secs(10);
    steps(&mut worker, 3);
    assert_eq!(world.sent_offsets(0), [0, 1, 2]);
    assert_eq!(world.stored(0), Some(3));
    assert_eq!(worker.counters.totals().dead_letters, 0);
}

#[test]
fn what_was_put_off_in_the_middle_of_a_record_is_looked_at_again() {
    let world = world(1, 1);
    let gone = Output {
        topic: Some("gone".to_owned()),
        ..Output::FORWARD
    };
    world.says(0, 0, Verdict::Expand(vec![output("fine"), gone]));
    world.state().gone.insert("gone".to_owned());
    let mut settings = settings(PATIENCE);
    settings.policy = dead_letters();
    let mut worker = worker_with(&world, settings);
    steps(&mut worker, 2);
    assert_eq!(world.values(), ["fine"]);
    // It came back without what the output needs.
    world.state().gone.clear();
    world.state().forbidden.insert("gone".to_owned());
    world.state().passed += Duration::from_secs(1);
    steps(&mut worker, 3);
    assert_eq!(worker.counters.totals().dead_letters, 1);
    assert_eq!(world.stored(0), Some(1));
}

#[test]
fn a_drain_asks_for_a_topic_that_is_gone_no_more_often_than_a_run() {
    let world = world(1, 1);
    let gone = Output {
        topic: Some("gone".to_owned()),
        ..Output::FORWARD
    };
    world.says(0, 0, Verdict::Expand(vec![output("fine"), gone]));
    world.state().gone.insert("gone".to_owned());
    let mut worker = worker_with(&world, settings(Duration::from_secs(4)));
    steps(&mut worker, 1);
    stop(&mut worker).unwrap();
    assert!(
        worker.counters.totals().waits <= 4,
        "{:?}",
        worker.counters.totals()
    );
    assert_eq!(world.stored(0), Some(0));
}

#[test]
fn an_outage_of_any_length_makes_no_dead_letter_and_sends_one_record_at_a_time() {
    let world = corked(1, 3);
    let mut settings = settings(PATIENCE);
    settings.policy = dead_letters();
    let mut worker = worker_with(&world, settings);
    steps(&mut worker, 1);
    assert_eq!(world.sent_offsets(0), [0, 1, 2]);
    let unauthorised = || Refusal::Surroundings("not authorised".to_owned());
    for offset in 0..3 {
        world.state().refuse(0, offset, unauthorised());
    }
    for _ in 0..50 {
        steps(&mut worker, 3);
        let mut state = world.state();
        state.passed += Duration::from_secs(10);
        if !state.unacknowledged.is_empty() {
            assert_eq!(state.unacknowledged.len(), 1);
            state.refuse(0, 0, unauthorised());
        }
    }
    assert_eq!(world.stored(0), Some(0));
    world.state().corked = false;
    steps(&mut worker, 1);
    world.state().passed += Duration::from_secs(10);
    steps(&mut worker, 6);
    assert_eq!(world.stored(0), Some(3));
    let sent = world.sent_offsets(0);
    assert_eq!(sent[sent.len() - 3..], [0, 1, 2]);
    assert_eq!(worker.counters.totals().dead_letters, 0);
}
