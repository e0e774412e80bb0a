//! Runs that end where they were told to, and positions behind what is no record.

use super::*;

/// A world whose partitions hold these records and end there.
fn ending(partitions: i32, records: i64, end: i64) -> World {
    let world = world(partitions, records);
    world.state().others_are_done = true;
    for number in 0..partitions {
        world.state().ends.insert(number, end);
    }
    world
}

#[test]
fn a_run_ends_by_itself_once_all_before_its_end_is_done() {
    let world = ending(2, 25, 20);
    at_once(&world, || worker(&world).run(|| None)).unwrap();
    assert_eq!(world.sent_offsets(0), Vec::from_iter(0..20));
    assert_eq!((world.stored(0), world.stored(1)), (Some(20), Some(20)));
    assert_eq!(world.state().history.last(), Some(&Happened::Closed));
}

/// As behind transaction markers, and where the last records were compacted away.
#[test]
fn what_is_committed_is_the_end_though_no_record_stands_before_it() {
    let world = ending(1, 3, 7);
    worker(&world).run(|| None).unwrap();
    assert_eq!(world.stored(0), Some(7));
}

#[test]
fn an_empty_partition_is_done_at_once() {
    let world = ending(1, 0, 0);
    at_once(&world, || worker(&world).run(|| None)).unwrap();
    assert_eq!(world.stored(0), Some(0));
}

#[test]
fn a_position_behind_the_end_stays_where_it_is() {
    let world = ending(1, 9, 4);
    world.state().stored.insert(0, 6);
    worker(&world).run(|| None).unwrap();
    assert_eq!(world.stored(0), Some(6));
    assert_eq!(world.sent_offsets(0), [0; 0]);
}

#[test]
fn an_end_is_not_reached_before_what_stands_before_it_is_acknowledged() {
    let world = ending(1, 3, 7);
    world.state().corked = true;
    let mut worker = worker(&world);
    steps(&mut worker, 5);
    assert!(!worker.is_finished().unwrap());
    assert_eq!(world.stored(0), Some(0));
    world.state().acknowledge_all();
    steps(&mut worker, 2);
    assert!(worker.is_finished().unwrap());
}

/// Others see by the stored positions that it is done.
#[test]
fn while_others_have_to_read_their_share_it_stays_and_its_ends_are_stored() {
    let world = ending(1, 3, 7);
    world.state().others_are_done = false;
    for _ in 0..5 {
        world.during_a_wait(|_| {});
    }
    world.during_a_wait(|state| {
        assert_eq!(state.stored.get(&0), Some(&7));
        assert_eq!(state.lanes.len(), 1);
        state.others_are_done = true;
    });
    worker(&world).run(|| None).unwrap();
    assert_eq!(world.stored(0), Some(7));
}

#[test]
fn a_start_that_is_not_stored_keeps_the_run_from_its_end() {
    let world = ending(1, 0, 0);
    world.state().stored.clear();
    world.state().failing_commits_now = 1;
    world.state().failing_commits = usize::MAX;
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    assert!(!worker.is_finished().unwrap());
}

#[test]
fn a_position_is_behind_a_marker_once_what_stands_before_it_is_done() {
    let world = corked(1, 3);
    world.state().markers.insert(0, 4);
    let mut worker = worker(&world);
    steps(&mut worker, 3);
    assert_eq!(world.stored(0), Some(0));
    world.state().acknowledge_all();
    steps(&mut worker, 2);
    assert_eq!(world.stored(0), Some(4));
    world.write(0, [4]);
    steps(&mut worker, 1);
    world.state().acknowledge_all();
    steps(&mut worker, 1);
    assert_eq!(world.sent_offsets(0), [0, 1, 2, 4]);
    assert_eq!(world.stored(0), Some(5));
}

#[test]
fn a_marker_does_not_take_what_goes_back_along() {
    let world = corked(1, 3);
    world.state().markers.insert(0, 4);
    let mut worker = worker(&world);
    steps(&mut worker, 2);
    let refusal = Refusal::Surroundings("it is away".to_owned());
    world.state().refuse(0, 2, refusal);
    world.state().acknowledge_all();
    steps(&mut worker, 2);
    assert_eq!(world.stored(0), Some(2));
    world.state().passed += Duration::from_secs(1);
    steps(&mut worker, 2);
    assert_eq!(world.stored(0), Some(2));
    world.state().acknowledge_all();
    steps(&mut worker, 2);
    assert_eq!(world.stored(0), Some(4));
}
