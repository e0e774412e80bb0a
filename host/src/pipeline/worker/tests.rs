use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::pipeline::fakes::{
    FakePlugin, FakeRecord, FakeSink, FakeSource, FakeStore, Happened, World, output, partition,
};
use crate::pipeline::ports::Fault;
use crate::record::{OwnedHeader, Payload, Timestamp};

type Fake = Worker<FakeSource, FakeSink, FakeStore, FakePlugin>;

/// Long enough that only what never comes is waited for so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// For tests in which the deadline passes.
const IMPATIENCE: Duration = Duration::from_millis(20);

fn settings(drain: Duration) -> Settings {
    Settings {
        batch: batch::Limits {
            records: 10,
            bytes: 1 << 20,
        },
        // Every step commits.
        commit_interval: Duration::ZERO,
        drain,
        default_topic: Some("out".into()),
    }
}

fn worker_with(world: &World, settings: Settings) -> Fake {
    Worker::new(world.ports(), settings, Arc::default(), None)
}

fn worker(world: &World) -> Fake {
    worker_with(world, settings(PATIENCE))
}

/// A world whose partitions 0 to `partitions` have the stored position 0, hold
/// records at the offsets 0 to `records`, and are being assigned.
fn world(partitions: i32, records: i64) -> World {
    let world = World::default();
    let numbers: Vec<i32> = (0..partitions).collect();
    for number in &numbers {
        world.write(*number, 0..records);
        world.state().stored.insert(*number, 0);
    }
    world.assign(&numbers);
    world
}

fn corked(partitions: i32, records: i64) -> World {
    let world = world(partitions, records);
    world.state().corked = true;
    world
}

fn steps(worker: &mut Fake, count: usize) {
    for _ in 0..count {
        worker.step().unwrap();
    }
}

/// Works until nothing is left to do, then stops.
fn run(worker: &mut Fake) -> Result<(), Failure> {
    let mut left = 50;
    worker.run(|| unsafe_countdown(&mut left))
}
