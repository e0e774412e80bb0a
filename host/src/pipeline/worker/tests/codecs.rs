//! What stands around the plugin: schemas that are looked up, and what breaks in
//! encoding.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use super::*;
use crate::pipeline::ports::{Halt, Transform};
use crate::pipeline::pulse::Spot;
use crate::record::{Judged, Record};

/// What the codecs can't do, by offset.
#[derive(Default)]
struct Codecs {
    /// The schemas that these were written with are looked up.
    undecodable_yet: HashSet<i64>,
    /// So are those that these will be written with.
    unencodable_yet: HashSet<i64>,
    unencodable: HashSet<i64>,
    /// These go out as other bytes.
    replaced: HashSet<i64>,
    /// These break the serializer.
    poison: HashSet<i64>,
    /// The offsets of each call that encoded.
    encoded: Vec<Vec<i64>>,
}

#[derive(Clone, Default)]
struct Between(Rc<RefCell<Codecs>>);

struct Coded(FakePlugin, Between);

impl crate::pipeline::ports::Versioned for Coded {}

impl Judge for Coded {
    fn judge<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Judged>, Halt> {
        let codecs = self.1.0.borrow();
        let is_ready = |record: &R| !codecs.undecodable_yet.contains(&record.offset());
        match records.iter().take_while(|record| is_ready(record)).count() {
            0 => Err(Halt::Later(Some("the registry is away".into()))),
            ready => self.0.judge(partition, &records[..ready]),
        }
    }

    fn encode<R: Record>(&mut self, records: &[R], judged: &mut [Judged]) -> Result<usize, Halt> {
        let mut codecs = self.1.0.borrow_mut();
        let offsets: Vec<i64> = records.iter().map(Record::offset).collect();
        codecs.encoded.push(offsets.clone());
        let is_ready = |offset: &&i64| !codecs.unencodable_yet.contains(offset);
        let ready = offsets.iter().take_while(is_ready).count();
        if ready == 0 {
            return Err(Halt::Later(None));
        }
        if let Some(offset) = offsets.iter().find(|offset| codecs.poison.contains(offset)) {
            let fault = Fault::Broke(format!("offset {offset} is poison"));
            return Err(Halt::Fault(Stage::EncodeKey, fault));
        }
        for (offset, judged) in offsets.iter().zip(&mut judged[..ready]) {
            if codecs.unencodable.contains(offset) {
                *judged = Judged::failed(Stage::EncodeValue, "it does not fit");
            }
            if codecs.replaced.contains(offset) {
                judged.verdict = Verdict::Replace(output("other bytes"));
            }
        }
        Ok(ready)
    }

    fn discard(&mut self) {
        Transform::discard(&mut self.0);
    }
}

type FakeCoded = Worker<FakeSource, FakeSink, FakeStore, Coded>;

fn coded(world: &World, policy: Policy) -> (FakeCoded, Between) {
    let between = Between::default();
    let (source, sink, store, plugin) = world.ports();
    let ports = (source, sink, store, Coded(plugin, between.clone()));
    let mut settings = settings(PATIENCE);
    settings.policy = policy;
    (Worker::new(ports, settings, Arc::default(), None), between)
}

fn steps(worker: &mut FakeCoded, count: usize) {
    for _ in 0..count {
        worker.step().unwrap();
    }
}

#[test]
fn records_whose_schema_is_looked_up_wait_and_no_other_partition_does() {
    let world = world(2, 4);
    let (mut worker, between) = coded(&world, Policy::Stop);
    between.0.borrow_mut().undecodable_yet.insert(2);
    steps(&mut worker, 5);
    // Both partitions have such a record, and what stands before it is done.
    for number in [0, 1] {
        assert_eq!(world.sent_offsets(number), [0, 1]);
        assert_eq!(world.stored(number), Some(2));
    }
    world.write(1, 4..6);
    between.0.borrow_mut().undecodable_yet.clear();
    steps(&mut worker, 5);
    assert_eq!(world.sent_offsets(0), [0, 1, 2, 3]);
    assert_eq!(world.sent_offsets(1), [0, 1, 2, 3, 4, 5]);
    assert_eq!(world.stored(1), Some(6));
}

#[test]
fn what_can_not_be_encoded_yet_is_not_judged_again() {
    let world = world(1, 4);
    let (mut worker, between) = coded(&world, Policy::Stop);
    between.0.borrow_mut().unencodable_yet.insert(1);
    steps(&mut worker, 5);
    assert_eq!(world.sent_offsets(0), [0]);
    assert_eq!(world.stored(0), Some(1));
    between.0.borrow_mut().unencodable_yet.clear();
    steps(&mut worker, 3);
    assert_eq!(world.sent_offsets(0), [0, 1, 2, 3]);
    assert_eq!(world.calls(), [[0, 1, 2, 3]]);
}

#[test]
fn a_stop_while_a_schema_is_awaited_commits_what_is_done() {
    let world = world(1, 4);
    let (mut worker, between) = coded(&world, Policy::Stop);
    between.0.borrow_mut().unencodable_yet.insert(2);
    let left = Cell::new(6);
    let outcome = worker.run(|| {
        left.set(left.get() - 1);
        (left.get() == 0).then_some(Duration::ZERO)
    });
    outcome.expect("it ends in good order");
    assert_eq!(world.stored(0), Some(2));
    assert_eq!(world.sent_offsets(0), [0, 1]);
}

#[test]
fn a_record_that_can_not_be_encoded_is_rejected_at_that_stage() {
    let world = world(1, 3);
    let (mut worker, between) = coded(&world, dead_letters());
    between.0.borrow_mut().unencodable.insert(1);
    steps(&mut worker, 3);
    let topics: Vec<String> = world
        .state()
        .sent
        .iter()
        .map(|sent| sent.topic.clone())
        .collect();
    assert_eq!(topics, ["out", "dead", "out"]);
    assert_eq!(world.values()[1], "value 1", "the letter has what came");
    assert_eq!(world.stored(0), Some(3));
}

#[test]
fn the_record_that_breaks_a_serializer_is_found_and_the_others_go_on() {
    let world = world(1, 6);
    let (mut worker, between) = coded(&world, dead_letters());
    between.0.borrow_mut().poison.insert(4);
    steps(&mut worker, 20);
    let state = world.state();
    let sent: Vec<(&str, i64)> = state.sent.iter().map(|s| (&*s.topic, s.source.1)).collect();
    let expected = [
        ("out", 0),
        ("out", 1),
        ("out", 2),
        ("out", 3),
        ("dead", 4),
        ("out", 5),
    ];
    assert_eq!(sent, expected);
    let headers = state.sent[4].headers.own();
    let stage = headers
        .iter()
        .find(|header| header.name == b"millrace.stage");
    assert_eq!(
        stage.and_then(|h| h.value.as_deref()),
        Some(&b"encode-key"[..])
    );
    drop(state);
    // The plugin judged each once: only the encoding was repeated.
    assert_eq!(world.calls(), [[0, 1, 2, 3, 4, 5]]);
    assert_eq!(world.stored(0), Some(6));
    assert_eq!(between.0.borrow().encoded[0].len(), 6);
}

#[test]
fn records_that_wait_for_a_schema_show_where_they_wait() {
    let world = world(1, 3);
    let (worker, between) = coded(&world, Policy::Stop);
    let pulse = Arc::<Pulse>::default();
    let mut worker = worker.seen_by(Arc::clone(&pulse));
    between.0.borrow_mut().undecodable_yet.insert(1);
    steps(&mut worker, 3);
    worker.look();
    let waits = pulse.waits().into_iter();
    let waits: Vec<_> = waits
        .filter_map(|wait| Some((wait.spot, wait.at?.offset)))
        .collect();
    assert!(waits.contains(&(Spot::Registry, 1)), "{waits:?}");
}

#[test]
fn a_wait_for_a_schema_does_not_make_the_plugins_first_calls_large() {
    // As many as a call may have, which would make the next one larger.
    let world = world(1, 1000);
    let (mut worker, between) = coded(&world, Policy::Stop);
    worker.settings.batch.records = 1000;
    between.0.borrow_mut().undecodable_yet.insert(0);
    let before = worker.governor.most();
    steps(&mut worker, 20);
    assert_eq!(worker.governor.most(), before);
}

#[test]
fn whoever_looks_sees_what_the_plugin_said_and_not_what_it_became() {
    let world = world(1, 2);
    let between = Between::default();
    between.0.borrow_mut().replaced.insert(1);
    let (source, sink, store, plugin) = world.ports();
    let ports = (source, sink, store, Coded(plugin, between));
    let (tell, told) = std::sync::mpsc::channel();
    let tap: Tap = Box::new(move |_, _, outcome| {
        if let Outcome::Judged(verdict) = outcome {
            tell.send(verdict.clone()).expect("the test listens");
        }
        Ok(())
    });
    let mut worker = Worker::new(ports, settings(PATIENCE), Arc::default(), Some(tap));
    steps(&mut worker, 2);
    assert_eq!(world.values(), ["value 0", "other bytes"]);
    let said: Vec<_> = told.try_iter().collect();
    assert_eq!(said, [Verdict::Forward, Verdict::Forward]);
}
