//! The end of a run.

use super::*;

#[test]
fn the_stop_waits_for_what_is_in_flight_and_commits_it() {
    let world = corked(1, 3);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    for offset in [2, 0, 1] {
        world.during_a_wait(move |state| state.acknowledge(0, offset));
    }
    at_once(&world, || stop(&mut worker)).unwrap();
    assert_eq!(world.stored(0), Some(3));
    assert_eq!(world.state().history.last(), Some(&Happened::Closed));
}

#[test]
fn the_stop_begins_nothing_new() {
    let world = world(1, 5);
    let mut worker = worker_of_single_records(&world);
    steps(&mut worker, 2);
    stop(&mut worker).unwrap();
    assert_eq!(world.sent_offsets(0), [0, 1]);
    assert_eq!(world.stored(0), Some(2));
}

#[test]
fn the_stop_finishes_a_half_sent_record_and_leaves_those_behind_it() {
    let world = world(1, 3);
    world.says(0, 1, two_outputs(1));
    world.state().room = Some(2);
    let mut worker = worker(&world);
    steps(&mut worker, 2);
    assert_eq!(world.values(), ["value 0", "1 first"]);
    world.during_a_wait(|state| state.room = Some(5));
    at_once(&world, || stop(&mut worker)).unwrap();
    assert_eq!(world.values(), ["value 0", "1 first", "1 second"]);
    assert_eq!(world.stored(0), Some(2));
}

#[test]
fn a_half_sent_record_that_is_refused_at_the_stop_does_not_keep_others_from_being_finished() {
    let world = corked(2, 1);
    let gone = Output {
        topic: Some("gone".to_owned()),
        ..Output::FORWARD
    };
    world.says(0, 0, Verdict::Expand(vec![output("fine"), gone]));
    world.state().room = Some(2);
    let mut worker = worker(&world);
    // Lane 1 first, then half of lane 0's record.
    steps(&mut worker, 1);
    assert_eq!(world.values(), ["value 0", "fine"]);
    world.state().unsendable.insert("gone".to_owned());
    world.state().room = None;
    world.during_a_wait(State::acknowledge_all);
    let rejected = at_once(&world, || rejected(stop(&mut worker)));
    assert_eq!(rejected.position, partition(0).at(0));
    assert_eq!((world.stored(0), world.stored(1)), (Some(0), Some(1)));
}

#[test]
fn a_stop_that_runs_out_of_time_fails_and_says_what_is_read_again() {
    let world = corked(1, 3);
    let mut worker = worker_with(&world, settings(IMPATIENCE));
    steps(&mut worker, 1);
    world.during_a_wait(|state| state.acknowledge(0, 1));
    let failure = stop(&mut worker).unwrap_err();
    let text = failure.to_string();
    assert!(matches!(failure, Failure::Fatal(_)));
    assert!(text.contains("will be read again"), "{text}");
    assert!(text.contains("shutdown.drain"), "{text}");
    assert_eq!(world.stored(0), Some(0));
    assert_eq!(world.state().history.last(), Some(&Happened::Closed));
}

#[test]
fn a_stop_that_is_heard_late_has_what_is_left_of_its_time() {
    let world = corked(1, 3);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    let drain = worker.settings.drain;
    let failure = at_once(&world, || worker.run(|| Some(drain)).unwrap_err());
    let text = failure.to_string();
    assert!(text.contains("shutdown.drain"), "{text}");
    assert_eq!(world.stored(0), Some(0));
}

#[test]
fn a_stop_that_runs_out_of_time_commits_what_is_done() {
    let world = corked(2, 3);
    let mut worker = worker_with(&world, settings(IMPATIENCE));
    steps(&mut worker, 1);
    world.during_a_wait(|state| {
        state.acknowledge(0, 0);
        for offset in 0..3 {
            state.acknowledge(1, offset);
        }
    });
    let text = stop(&mut worker).unwrap_err().to_string();
    assert_eq!((world.stored(0), world.stored(1)), (Some(1), Some(3)));
    assert!(text.contains("2 outputs were not acknowledged"), "{text}");
}

#[test]
fn a_stop_whose_commit_fails_says_that_records_are_read_again() {
    let world = corked(1, 1);
    let mut worker = worker_with(&world, settings(IMPATIENCE));
    steps(&mut worker, 1);
    world.state().acknowledge_all();
    world.state().failing_commits_now = usize::MAX;
    let text = stop(&mut worker).unwrap_err().to_string();
    assert!(text.contains("will be read again"), "{text}");
    assert!(text.contains("the coordinator is away"), "{text}");
}

#[test]
fn a_last_commit_that_a_changing_group_refuses_is_made_again() {
    let world = corked(1, 1);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    world.state().acknowledge_all();
    world.state().failing_commits_now = 2;
    stop(&mut worker).unwrap();
    assert_eq!(world.stored(0), Some(1));
}

#[test]
fn what_is_lost_during_the_stop_is_not_committed() {
    let world = corked(1, 1);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    world.state().acknowledge_all();
    let before = world.stored(0);
    world
        .state()
        .events
        .push_back(SourceEvent::Lost(vec![TopicPartition::new("in", 0)]));
    stop(&mut worker).unwrap();
    assert_eq!(world.stored(0), before);
}

#[test]
fn a_plugin_that_can_not_be_made_again_ends_the_run_after_what_was_sent() {
    let world = world(1, 12);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    let fault = Fault::Fatal(anyhow::anyhow!("no instance"));
    world.state().faults.push_back(fault);
    let failure = run(&mut worker).unwrap_err();
    assert_eq!(failure.to_string(), "no instance");
    assert_eq!(world.stored(0), Some(10));
}
