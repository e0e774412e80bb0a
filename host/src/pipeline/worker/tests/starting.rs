//! Where lanes begin, and where they go on behind a gap.

use super::*;
use crate::pipeline::ports::Gap;

/// A world whose partition 0 has no stored position and begins at 7.
fn unstored(partitions: i32, records: i64) -> World {
    let world = world(partitions, records);
    world.state().stored.remove(&0);
    world.state().starts.insert(0, 7);
    world
}

#[test]
fn a_stored_position_wins_over_the_start() {
    let world = world(1, 9);
    world.state().stored.insert(0, 4);
    world.state().starts.insert(0, 7);
    steps(&mut worker(&world), 2);
    assert_eq!(world.sent_offsets(0), [4, 5, 6, 7, 8]);
    assert_eq!(world.state().history[0], Happened::Started(0, 4));
}

#[test]
fn a_start_that_is_not_stored_is_resolved_and_stored_before_anything_is_read() {
    let world = unstored(2, 9);
    steps(&mut worker(&world), 1);
    assert_eq!(
        world.state().history[..3],
        [
            Happened::Started(0, 7),
            Happened::Started(1, 0),
            Happened::Committed(0, 7),
        ]
    );
    assert_eq!(world.sent_offsets(0), [7, 8]);
}

#[test]
fn a_lane_whose_start_can_not_be_stored_is_not_read_and_the_others_are() {
    let world = unstored(2, 9);
    world.state().failing_commits_now = usize::MAX;
    world.state().failing_commits = usize::MAX;
    let mut worker = worker(&world);
    steps(&mut worker, 5);
    assert_eq!(world.sent_offsets(0), [0; 0]);
    assert_eq!(world.sent_offsets(1).len(), 9);
    world.state().failing_commits_now = 0;
    steps(&mut worker, 5);
    assert_eq!(world.sent_offsets(0), [0; 0], "it rests between two tries");
    world.state().passed += Duration::from_secs(1);
    steps(&mut worker, 1);
    assert_eq!(world.sent_offsets(0), [7, 8]);
}

#[test]
fn a_start_that_could_not_be_stored_is_stored_before_a_stop_ends_the_run() {
    let world = unstored(1, 9);
    world.state().failing_commits_now = 2;
    world.state().failing_commits = usize::MAX;
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    assert_eq!(world.stored(0), None);
    stop(&mut worker).unwrap();
    assert_eq!(world.stored(0), Some(7));
    assert_eq!(world.sent_offsets(0), [0; 0]);
}

#[test]
fn a_start_that_could_not_be_stored_is_stored_before_the_partition_is_given_up() {
    let world = unstored(1, 9);
    world.state().failing_commits_now = 2;
    world.state().failing_commits = usize::MAX;
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    world.revoke(&[0]);
    steps(&mut worker, 1);
    assert_eq!(world.stored(0), Some(7));
}

fn gap(to: i64) -> Gap {
    Gap {
        to: NextOffset(to),
        first: 0,
        remade: false,
    }
}

#[test]
fn a_lane_goes_on_behind_a_gap_and_stores_where_before_it_reads() {
    let world = world(1, 3);
    let mut worker = worker(&world);
    steps(&mut worker, 2);
    world.write(0, 100..103);
    world.gap(0, gap(101));
    steps(&mut worker, 3);
    assert_eq!(world.sent_offsets(0), [0, 1, 2, 101, 102]);
    let jumped = world.when(&Happened::Jumped(0, 101));
    let stored = world.when(&Happened::Committed(0, 101));
    let read = world.when(&Happened::Judged(0, vec![101, 102]));
    assert!(jumped < stored && stored < read);
    assert_eq!(worker.counters.totals().skipped, 98);
}

#[test]
fn a_jump_waits_for_what_was_begun_before_it() {
    let world = corked(1, 3);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    world.write(0, 100..101);
    world.gap(0, gap(100));
    steps(&mut worker, 3);
    assert_eq!(world.sent_offsets(0), [0, 1, 2]);
    assert_eq!(world.stored(0), Some(0));
    world.state().acknowledge_all();
    steps(&mut worker, 2);
    assert_eq!(world.stored(0), Some(100));
    assert_eq!(world.sent_offsets(0), [0, 1, 2, 100]);
}

/// As behind the end of a topic that was made again.
#[test]
fn a_jump_may_go_backwards() {
    let world = world(1, 0);
    world.write(0, 50..53);
    world.state().stored.insert(0, 50);
    let mut worker = worker(&world);
    steps(&mut worker, 2);
    assert_eq!(world.stored(0), Some(53));
    world.state().input.insert(0, Vec::new());
    world.write(0, 0..2);
    world.gap(0, gap(0));
    steps(&mut worker, 3);
    assert_eq!(world.sent_offsets(0), [50, 51, 52, 0, 1]);
    assert_eq!(world.stored(0), Some(2));
    assert_eq!(worker.counters.totals().skipped, 0);
    stop(&mut worker).unwrap();
}

#[test]
fn what_is_refused_before_a_gap_does_not_keep_the_lane_from_going_on() {
    let world = corked(1, 3);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    world.write(0, 100..101);
    world.state().input.get_mut(&0).unwrap().drain(..3);
    world.gap(0, gap(100));
    world.state().acknowledge(0, 0);
    for offset in [1, 2] {
        world
            .state()
            .refuse(0, offset, Refusal::Neighbour("of another".to_owned()));
    }
    world.state().corked = false;
    steps(&mut worker, 4);
    assert_eq!(world.sent_offsets(0), [0, 1, 2, 100]);
    assert_eq!(world.stored(0), Some(101));
}

#[test]
fn a_gap_of_a_partition_that_was_given_up_is_its_next_owners() {
    let world = world(1, 3);
    let mut worker = worker(&world);
    steps(&mut worker, 2);
    world.revoke(&[0]);
    world.gap(0, gap(100));
    steps(&mut worker, 3);
    assert_eq!(world.stored(0), Some(3));
}
