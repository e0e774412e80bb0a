//! What the broker refuses when it was on its way.

use super::*;

#[test]
fn a_record_that_the_broker_refuses_is_sent_again_alone_before_it_is_rejected() {
    let world = corked(1, 4);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    world.state().acknowledge(0, 0);
    world.state().fail_delivery(0, 1, "it is too large");
    world.state().acknowledge(0, 2);
    world.state().acknowledge(0, 3);
    steps(&mut worker, 2);
    assert_eq!(world.sent_offsets(0), [0, 1, 2, 3, 1], "alone");
    world.state().fail_delivery(0, 1, "it is too large");
    let rejected = rejected(run(&mut worker));
    assert_eq!(rejected.stage, Stage::Produce);
    assert_eq!(rejected.position, partition(0).at(1));
    assert_eq!(rejected.reason, "it is too large");
    assert_eq!(world.stored(0), Some(1));
}

#[test]
fn records_that_were_refused_for_another_one_go_out_when_they_are_alone() {
    let world = corked(2, 4);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    for offset in 0..3 {
        world
            .state()
            .fail_delivery(0, offset, "one of the batch is too large");
    }
    world.state().acknowledge(0, 3);
    steps(&mut worker, 2);
    assert_eq!(
        world.sent_offsets(0),
        [0, 1, 2, 3],
        "it waits for what the others have in flight"
    );
    for offset in 0..4 {
        world.state().acknowledge(1, offset);
    }
    for offset in 0..3 {
        steps(&mut worker, 2);
        let again = &world.sent_offsets(0)[4..];
        assert_eq!(again.last(), Some(&offset));
        world.state().acknowledge(0, offset);
    }
    world.state().corked = false;
    steps(&mut worker, 3);
    assert_eq!(world.sent_offsets(0)[4..], [0, 1, 2, 3]);
    assert_eq!(world.stored(0), Some(4));
}

#[test]
fn a_suspect_that_can_not_be_alone_lets_the_others_have_their_turn() {
    let world = corked(2, 3);
    world.write(1, 3..6);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    world
        .state()
        .fail_delivery(0, 0, "one of the batch is too large");
    for offset in 1..3 {
        world.state().acknowledge(0, offset);
    }
    // What lane 1 has in flight gets no answer for long.
    let sent = world.sent_offsets(1).len();
    world.write(1, 6..8);
    steps(&mut worker, 3);
    assert_eq!(world.sent_offsets(1).len(), sent);
    world.state().passed += Duration::from_secs(5);
    steps(&mut worker, 2);
    assert_eq!(world.sent_offsets(1).len(), sent + 2);
    assert_eq!(world.sent_offsets(0), [0, 1, 2], "it waits");
    world.state().corked = false;
    for _ in 0..3 {
        world.state().passed += Duration::from_secs(1);
        steps(&mut worker, 3);
    }
    assert_eq!((world.stored(0), world.stored(1)), (Some(3), Some(8)));
}

#[test]
fn what_was_refused_for_a_neighbour_goes_back_without_suspicion() {
    let world = corked(1, 3);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    let neighbour = || Refusal::Neighbour("in one batch".to_owned());
    world.state().refuse(0, 0, neighbour());
    world.state().refuse(0, 1, neighbour());
    world.state().acknowledge(0, 2);
    steps(&mut worker, 1);
    assert_eq!(world.sent_offsets(0), [0, 1, 2, 0, 1, 2]);
    world.state().corked = false;
    steps(&mut worker, 1);
    assert_eq!(world.stored(0), Some(3));
}

#[test]
fn the_stop_does_not_wait_for_an_output_that_the_broker_refused() {
    let world = corked(1, 2);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    world.state().acknowledge(0, 0);
    world.state().fail_delivery(0, 1, "it is too large");
    at_once(&world, || stop(&mut worker)).unwrap();
    assert_eq!(world.stored(0), Some(1));
}

#[test]
fn a_refusal_during_the_stop_does_not_keep_what_is_done_from_being_committed() {
    let world = corked(2, 2);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    world.state().fail_delivery(0, 0, "the first");
    world.during_a_wait(|state| {
        state.acknowledge(1, 0);
        state.fail_delivery(1, 1, "the second");
        state.acknowledge(0, 1);
    });
    at_once(&world, || stop(&mut worker)).unwrap();
    assert_eq!((world.stored(0), world.stored(1)), (Some(0), Some(1)));
}
