//! What the worker shows of itself.

use super::*;
use crate::pipeline::pulse::{Pulse, Spot};

fn watched(world: &World) -> (Fake, Arc<Pulse>) {
    let pulse = Arc::<Pulse>::default();
    (worker(world).seen_by(Arc::clone(&pulse)), pulse)
}

/// Where something waits, and the offset.
fn waits(worker: &mut Fake, pulse: &Pulse) -> Vec<(Spot, i64)> {
    worker.look();
    let waits = pulse.waits().into_iter();
    waits
        .filter_map(|wait| Some((wait.spot, wait.at?.offset)))
        .collect()
}

/// The store answers that it has this position.
fn confirm(worker: &mut Fake, world: &World, position: i64) {
    let positions = vec![(partition(0), NextOffset(position))];
    let event = SourceEvent::Committed(positions);
    world.state().events.push_back(event);
    steps(worker, 1);
}

#[test]
fn what_has_no_acknowledgement_waits_for_the_producer() {
    let world = corked(1, 3);
    let (mut worker, pulse) = watched(&world);
    steps(&mut worker, 1);
    assert_eq!(waits(&mut worker, &pulse), [(Spot::Producer, 0)]);
    world.state().acknowledge(0, 0);
    steps(&mut worker, 1);
    confirm(&mut worker, &world, 1);
    assert_eq!(waits(&mut worker, &pulse), [(Spot::Producer, 1)]);
    world.state().acknowledge_all();
    steps(&mut worker, 1);
    confirm(&mut worker, &world, 3);
    assert_eq!(waits(&mut worker, &pulse), []);
}

#[test]
fn what_a_full_sink_does_not_take_waits_for_the_producer() {
    let world = world(1, 3);
    world.state().room = Some(0);
    let (mut worker, pulse) = watched(&world);
    steps(&mut worker, 2);
    assert_eq!(waits(&mut worker, &pulse), [(Spot::Producer, 0)]);
}

#[test]
fn records_that_break_the_plugin_again_and_again_wait_for_it() {
    let world = world(1, 3);
    world.state().poison.insert((0, 1));
    let (mut worker, pulse) = watched(&world);
    steps(&mut worker, 1);
    assert_eq!(waits(&mut worker, &pulse), [(Spot::Plugin, 0)]);
}

#[test]
fn positions_that_the_store_has_not_answered_wait_for_it() {
    let world = world(1, 3);
    let (mut worker, pulse) = watched(&world);
    steps(&mut worker, 4);
    assert_eq!(waits(&mut worker, &pulse), [(Spot::Commit, 3)]);
    confirm(&mut worker, &world, 3);
    assert_eq!(waits(&mut worker, &pulse), []);
}
