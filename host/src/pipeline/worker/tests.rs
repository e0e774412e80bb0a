use std::cell::Cell;
use std::io;

use super::*;
use crate::pipeline::dead_letter::Provenance;
use crate::pipeline::fakes::{
    FakePlugin, FakeRecord, FakeSink, FakeSource, FakeStore, Happened, State, World, output,
    partition,
};
use crate::pipeline::ports::{Fault, Outcome, Refusal};
use crate::record::{
    Output, OutputHeaders, OwnedHeader, Payload, Rejected, Stage, Timestamp, Verdict,
};

mod codecs;
mod looks;
mod policies;
mod reaching;
mod refusals;
mod renewing;
mod simulation;
mod starting;
mod stop;
mod surroundings;
mod transactions;

type Fake = Worker<FakeSource, FakeSink, FakeStore, FakePlugin>;

/// So long that a test in which it passes has failed.
const PATIENCE: Duration = Duration::from_secs(3);

/// For tests in which the deadline passes.
const IMPATIENCE: Duration = Duration::from_millis(100);

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
        redirect: None,
        policy: Policy::Stop,
        breaker: None,
    }
}

fn dead_letters() -> Policy {
    Policy::DeadLetter {
        topic: "dead".into(),
        by: Provenance {
            pipeline: "p".to_owned(),
            plugin: "x".to_owned(),
            digest: "d".to_owned(),
            contract: "c".to_owned(),
            version: "v".to_owned(),
        },
    }
}

fn worker_with(world: &World, settings: Settings) -> Fake {
    Worker::new(world.ports(), settings, Arc::default(), None)
}

fn worker(world: &World) -> Fake {
    worker_with(world, settings(PATIENCE))
}

/// A worker whose plugin is given single records, though more are fetched.
fn worker_of_single_records(world: &World) -> Fake {
    let mut settings = settings(PATIENCE);
    settings.batch.bytes = 1;
    worker_with(world, settings)
}

/// Partitions from 0 on, which have the stored position 0, hold records from
/// offset 0 on, and are assigned by the first step.
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

/// As [`world`], with acknowledgements only when the test gives them.
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

/// Runs for some steps, or until it fails.
fn run(worker: &mut Fake) -> Result<(), Failure> {
    let left = Cell::new(20);
    worker.run(|| {
        left.set(left.get() - 1);
        (left.get() == 0).then_some(Duration::ZERO)
    })
}

fn stop(worker: &mut Fake) -> Result<(), Failure> {
    worker.run(|| Some(Duration::ZERO))
}

fn rejected(result: Result<(), Failure>) -> Rejected {
    match result {
        Err(Failure::Rejected(rejected)) => rejected,
        other => panic!("no record was rejected: {other:?}"),
    }
}

/// That this did not wait for something that can't come.
fn at_once<T>(world: &World, what: impl FnOnce() -> T) -> T {
    let begun = world.state().passed;
    let result = what();
    assert!(
        world.state().passed - begun < PATIENCE / 2,
        "it waited out the whole drain for nothing"
    );
    result
}

fn two_outputs(offset: i64) -> Verdict {
    Verdict::Expand(vec![
        output(&format!("{offset} first")),
        output(&format!("{offset} second")),
    ])
}

// What is sent.

#[test]
fn forward_keeps_key_value_headers_and_timestamp() {
    let world = world(1, 0);
    world.write_record(FakeRecord {
        key: Some(b"k".to_vec()),
        value: Some(b"v".to_vec()),
        headers: vec![(b"\xff not UTF-8".to_vec(), None)],
        timestamp: Timestamp::LogAppend(77),
        ..FakeRecord::new(0, 0)
    });
    steps(&mut worker(&world), 2);
    let state = world.state();
    let sent = &state.sent[0];
    assert_eq!(sent.topic, "out");
    assert_eq!(sent.partition, None);
    assert_eq!(sent.key.as_deref(), Some(&b"k"[..]));
    assert_eq!(sent.value.as_deref(), Some(&b"v"[..]));
    assert_eq!(
        sent.headers,
        OutputHeaders::Source,
        "the source's, byte for byte"
    );
    assert_eq!(sent.timestamp, Some(77));
}

#[test]
fn a_tombstone_reaches_the_sink_as_null() {
    let world = world(1, 0);
    world.write_record(FakeRecord {
        value: None,
        ..FakeRecord::new(0, 0)
    });
    steps(&mut worker(&world), 2);
    assert_eq!(world.state().sent[0].value, None);
    assert_eq!(world.stored(0), Some(1));
}

#[test]
fn an_empty_key_is_not_null_and_null_is_not_empty() {
    let world = world(1, 0);
    for (offset, key) in [(0, None), (1, Some(Vec::new()))] {
        world.write_record(FakeRecord {
            key,
            ..FakeRecord::new(0, offset)
        });
    }
    steps(&mut worker(&world), 2);
    assert_eq!(world.state().sent[0].key, None);
    assert_eq!(world.state().sent[1].key, Some(Vec::new()));
}

#[test]
fn a_source_without_a_timestamp_leaves_it_to_the_sink() {
    let world = world(1, 0);
    world.write_record(FakeRecord {
        timestamp: Timestamp::NotAvailable,
        ..FakeRecord::new(0, 0)
    });
    steps(&mut worker(&world), 2);
    assert_eq!(world.state().sent[0].timestamp, None);
}

#[test]
fn replace_changes_what_it_names_and_nothing_else() {
    let world = world(1, 2);
    let headers = vec![OwnedHeader {
        name: b"h".to_vec(),
        value: None,
    }];
    world.says(
        0,
        0,
        Verdict::Replace(Output {
            topic: Some("elsewhere".to_owned()),
            partition: Some(3),
            timestamp: Some(5),
            key: Payload::Null,
            value: Payload::Source,
            headers: OutputHeaders::Only(headers.clone()),
        }),
    );
    world.says(0, 1, Verdict::Replace(output("new")));
    steps(&mut worker(&world), 2);
    let state = world.state();
    assert_eq!(state.sent[0].topic, "elsewhere");
    assert_eq!(state.sent[0].partition, Some(3));
    assert_eq!(state.sent[0].timestamp, Some(5));
    assert_eq!(state.sent[0].key, None);
    assert_eq!(state.sent[0].text(), "value 0");
    assert_eq!(state.sent[0].headers, OutputHeaders::Only(headers));
    assert_eq!(state.sent[1].topic, "out");
    assert_eq!(state.sent[1].timestamp, Some(1_001));
    assert_eq!(state.sent[1].key.as_deref(), Some(&b"key"[..]));
    assert_eq!(state.sent[1].text(), "new");
    assert_eq!(state.sent[1].headers, OutputHeaders::Source);
}

#[test]
fn expand_sends_its_outputs_in_order_and_an_empty_one_sends_nothing() {
    let world = world(1, 2);
    world.says(0, 0, two_outputs(0));
    world.says(0, 1, Verdict::Expand(Vec::new()));
    steps(&mut worker(&world), 2);
    assert_eq!(world.values(), ["0 first", "0 second"]);
    assert_eq!(world.stored(0), Some(2));
}

#[test]
fn outputs_leave_in_the_order_of_their_sources_whatever_holds_them_up() {
    let world = corked(1, 6);
    world.says(0, 2, two_outputs(2));
    let mut worker = worker(&world);
    for room in [0, 1, 0, 2, 1, 1, 2] {
        world.state().room = Some(room);
        world.state().later = room;
        steps(&mut worker, 2);
    }
    world.state().room = None;
    steps(&mut worker, 1);
    assert_eq!(world.sent_offsets(0), [0, 1, 2, 2, 3, 4, 5]);
}

#[test]
fn the_plugin_is_given_at_most_a_batch() {
    let world = world(1, 25);
    let mut worker = worker(&world);
    steps(&mut worker, 4);
    let sizes: Vec<_> = world.calls().iter().map(Vec::len).collect();
    assert_eq!(sizes, [10, 10, 5]);
    assert_eq!(world.sent_offsets(0), (0..25).collect::<Vec<_>>());
    assert_eq!(world.stored(0), Some(25));
}

#[test]
fn what_goes_through_is_counted() {
    let world = world(1, 3);
    world.says(0, 0, Verdict::Drop);
    world.says(0, 1, two_outputs(1));
    let mut worker = worker(&world);
    steps(&mut worker, 2);
    let totals = worker.counters.totals();
    assert_eq!(totals.records_in, 3);
    assert_eq!(totals.bytes_in, 3 * ("key".len() + "value 0".len()) as u64);
    assert_eq!(totals.records_out, 3);
    assert_eq!(totals.acknowledged, 3);
}

#[test]
fn the_lag_is_what_is_not_done_yet() {
    let world = corked(2, 5);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    assert_eq!(worker.counters.totals().lag, 10);
    world.state().acknowledge(0, 0);
    steps(&mut worker, 1);
    assert_eq!(worker.counters.totals().lag, 9);
    world.lose(&[0]);
    steps(&mut worker, 1);
    assert_eq!(worker.counters.totals().lag, 5);
}

// What is committed, and when.

#[test]
fn nothing_is_committed_before_it_is_acknowledged() {
    let world = corked(1, 3);
    let mut worker = worker(&world);
    steps(&mut worker, 5);
    assert_eq!(world.sent_offsets(0), [0, 1, 2]);
    assert_eq!(world.stored(0), Some(0));
    // The second alone moves nothing.
    world.state().acknowledge(0, 1);
    steps(&mut worker, 1);
    assert_eq!(world.stored(0), Some(0));
    world.state().acknowledge(0, 0);
    steps(&mut worker, 1);
    assert_eq!(world.stored(0), Some(2));
    world.state().acknowledge(0, 2);
    steps(&mut worker, 1);
    assert_eq!(world.stored(0), Some(3));
}

#[test]
fn a_record_is_committed_when_all_of_its_outputs_are_acknowledged() {
    let world = corked(1, 1);
    world.says(0, 0, two_outputs(0));
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    world.state().acknowledge(0, 0);
    steps(&mut worker, 1);
    assert_eq!(world.stored(0), Some(0));
    world.state().acknowledge(0, 0);
    steps(&mut worker, 1);
    assert_eq!(world.stored(0), Some(1));
}

#[test]
fn dropped_records_move_the_offset() {
    let world = corked(1, 3);
    for offset in 0..3 {
        world.says(0, offset, Verdict::Drop);
    }
    steps(&mut worker(&world), 1);
    assert_eq!(world.values(), [""; 0]);
    assert_eq!(world.stored(0), Some(3));
}

#[test]
fn a_dropped_record_does_not_move_the_offset_past_an_open_one() {
    let world = corked(1, 2);
    world.says(0, 1, Verdict::Drop);
    let mut worker = worker(&world);
    steps(&mut worker, 2);
    assert_eq!(world.stored(0), Some(0));
    world.state().acknowledge(0, 0);
    steps(&mut worker, 1);
    assert_eq!(world.stored(0), Some(2));
}

#[test]
fn holes_between_offsets_are_passed() {
    let world = world(1, 0);
    world.write(0, [5, 6, 40]);
    steps(&mut worker(&world), 2);
    assert_eq!(world.stored(0), Some(41));
}

#[test]
fn a_position_is_committed_once() {
    let world = world(1, 2);
    steps(&mut worker(&world), 6);
    let commits = world
        .state()
        .history
        .iter()
        .filter(|h| matches!(h, Happened::Committed(..)))
        .count();
    assert_eq!(commits, 1);
}

#[test]
fn a_failed_commit_is_made_again() {
    let world = world(1, 2);
    world.state().failing_commits = 1;
    let mut worker = worker(&world);
    steps(&mut worker, 2);
    assert_eq!(world.stored(0), Some(0));
    steps(&mut worker, 1);
    assert_eq!(world.stored(0), Some(2));
}

#[test]
fn a_commit_overtakes_none_that_is_under_way() {
    let world = world(1, 2);
    world.state().commit_is_open = true;
    let mut worker = worker(&world);
    steps(&mut worker, 3);
    assert_eq!(world.sent_offsets(0), [0, 1]);
    assert_eq!(world.stored(0), Some(0));
    world.state().commit_is_open = false;
    steps(&mut worker, 1);
    assert_eq!(world.stored(0), Some(2));
}

#[test]
fn a_failed_commit_of_a_partition_that_is_gone_changes_nothing() {
    let world = world(2, 2);
    let mut worker = worker(&world);
    steps(&mut worker, 2);
    world.state().events.push_back(SourceEvent::CommitFailed {
        partitions: vec![partition(7)],
        reason: "away".to_owned(),
    });
    let before = world.state().history.len();
    steps(&mut worker, 2);
    assert_eq!(world.state().history.len(), before);
}

#[test]
fn a_commit_that_failed_just_before_the_stop_is_made_again() {
    let world = world(1, 2);
    let mut worker = worker(&world);
    world.state().failing_commits = 1;
    steps(&mut worker, 2);
    stop(&mut worker).unwrap();
    assert_eq!(world.stored(0), Some(2));
}

#[test]
fn a_commit_that_failed_just_before_a_revoke_is_made_again() {
    let world = world(1, 2);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    world.state().failing_commits = 1;
    // The revoke came before the answer to the commit did.
    world.revoke(&[0]);
    worker.collect_acks().unwrap();
    let positions = take_positions(worker.lanes.iter_mut(), Progress::committable);
    worker.offsets.commit(&positions).unwrap();
    steps(&mut worker, 1);
    assert_eq!(world.stored(0), Some(2));
}

// Where a partition begins.

#[test]
fn an_assignment_of_nothing_is_taken() {
    let world = World::default();
    world.assign(&[]);
    let mut worker = worker(&world);
    steps(&mut worker, 2);
    stop(&mut worker).unwrap();
}

#[test]
fn a_later_assignment_adds_lanes_and_leaves_the_others_alone() {
    let world = corked(1, 2);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    world.write(1, 0..2);
    world.state().stored.insert(1, 0);
    world.assign(&[1]);
    steps(&mut worker, 1);
    world.state().acknowledge_all();
    steps(&mut worker, 1);
    assert_eq!(world.sent_offsets(0), [0, 1]);
    assert_eq!(world.sent_offsets(1), [0, 1]);
    assert_eq!((world.stored(0), world.stored(1)), (Some(2), Some(2)));
}

// A lane that can't go on.

#[test]
fn a_full_sink_makes_a_lane_wait_while_others_and_events_go_on() {
    let world = corked(2, 3);
    for offset in 0..3 {
        world.says(1, offset, Verdict::Drop);
    }
    world.state().room = Some(1);
    let mut worker = worker(&world);
    steps(&mut worker, 3);
    assert_eq!(world.sent_offsets(0), [0]);
    assert_eq!(world.stored(1), Some(3));
    world.write(2, 0..1);
    world.says(2, 0, Verdict::Drop);
    world.assign(&[2]);
    steps(&mut worker, 2);
    assert_eq!(world.stored(2), Some(1));
    world.state().room = None;
    steps(&mut worker, 1);
    assert_eq!(world.sent_offsets(0), [0, 1, 2]);
}

#[test]
fn a_topic_that_is_looked_up_holds_up_only_its_lane() {
    let world = world(2, 3);
    world.says(
        0,
        1,
        Verdict::Replace(Output {
            topic: Some("new".to_owned()),
            ..Output::FORWARD
        }),
    );
    world.state().unknown.insert("new".to_owned());
    let mut worker = worker(&world);
    steps(&mut worker, 4);
    assert_eq!(world.sent_offsets(0), [0]);
    assert_eq!((world.stored(0), world.stored(1)), (Some(1), Some(3)));
    world.state().unknown.clear();
    steps(&mut worker, 2);
    assert_eq!(world.sent_offsets(0), [0, 1, 2]);
    assert_eq!(world.stored(0), Some(3));
}

#[test]
fn nothing_of_a_record_is_sent_before_all_of_it_is_admitted() {
    let world = world(1, 1);
    world.says(
        0,
        0,
        Verdict::Expand(vec![
            output("first"),
            Output {
                topic: Some("new".to_owned()),
                ..Output::FORWARD
            },
        ]),
    );
    world.state().unknown.insert("new".to_owned());
    let mut worker = worker(&world);
    steps(&mut worker, 3);
    assert_eq!(world.values(), [""; 0]);
    world.state().unknown.clear();
    steps(&mut worker, 1);
    assert_eq!(world.values(), ["first", "value 0"]);
}

#[test]
fn a_half_sent_record_goes_on_where_it_was() {
    let world = world(1, 2);
    world.says(0, 0, two_outputs(0));
    world.state().room = Some(1);
    let mut worker = worker(&world);
    steps(&mut worker, 3);
    assert_eq!(world.values(), ["0 first"]);
    assert_eq!(world.stored(0), Some(0));
    world.state().room = None;
    steps(&mut worker, 2);
    assert_eq!(world.values(), ["0 first", "0 second", "value 1"]);
    assert_eq!(world.stored(0), Some(2));
}

#[test]
fn a_waiting_lane_is_not_judged_again() {
    let world = world(1, 3);
    world.state().room = Some(1);
    let mut worker = worker(&world);
    steps(&mut worker, 5);
    world.state().room = None;
    steps(&mut worker, 2);
    assert_eq!(world.calls(), [[0, 1, 2]]);
}

// Partitions that are given up.

#[test]
fn a_revoke_drains_then_commits_then_releases() {
    let world = corked(2, 2);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    world.revoke(&[0]);
    world.during_a_wait(|state| state.acknowledge(0, 1));
    world.during_a_wait(|state| state.acknowledge(0, 0));
    at_once(&world, || steps(&mut worker, 1));
    let acknowledged = world.when(&Happened::Acknowledged(0, 0));
    let committed = world.when(&Happened::Committed(0, 2));
    let released = world.when(&Happened::Released(vec![0]));
    assert!(acknowledged < committed && committed < released);
    assert_eq!(world.stored(1), Some(0), "the other lane is left alone");
}

#[test]
fn a_revoke_does_not_wait_for_other_lanes() {
    let world = corked(2, 2);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    world.revoke(&[0]);
    world.during_a_wait(|state| {
        state.acknowledge(0, 0);
        state.acknowledge(0, 1);
    });
    at_once(&world, || steps(&mut worker, 1));
    assert_eq!(world.stored(0), Some(2));
}

#[test]
fn a_revoke_drops_what_is_not_judged_yet() {
    let world = world(1, 5);
    let mut worker = worker_of_single_records(&world);
    steps(&mut worker, 2);
    assert_eq!(world.calls(), [[0], [1]]);
    world.revoke(&[0]);
    steps(&mut worker, 3);
    assert_eq!(world.calls().len(), 2);
    assert_eq!(world.stored(0), Some(2));
    world.assign(&[0]);
    steps(&mut worker, 6);
    assert_eq!(world.sent_offsets(0), [0, 1, 2, 3, 4]);
}

#[test]
fn a_revoke_drops_what_is_judged_and_not_sent() {
    let world = world(1, 3);
    world.state().unknown.insert("out".to_owned());
    let mut worker = worker(&world);
    steps(&mut worker, 2);
    world.revoke(&[0]);
    at_once(&world, || steps(&mut worker, 1));
    world.state().unknown.clear();
    steps(&mut worker, 2);
    assert_eq!(world.values(), [""; 0]);
    assert_eq!(world.stored(0), Some(0));
}

#[test]
fn a_revoke_does_not_wait_for_a_record_that_a_full_sink_never_took() {
    let world = world(1, 3);
    world.state().room = Some(1);
    let mut worker = worker(&world);
    steps(&mut worker, 2);
    world.revoke(&[0]);
    at_once(&world, || steps(&mut worker, 1));
    assert_eq!(world.stored(0), Some(1));
}

#[test]
fn a_revoke_of_a_half_sent_record_does_not_wait_out_the_drain() {
    let world = world(1, 3);
    world.says(0, 1, two_outputs(1));
    world.state().room = Some(2);
    let mut worker = worker(&world);
    steps(&mut worker, 2);
    world.revoke(&[0]);
    world.during_a_wait(|state| state.room = None);
    at_once(&world, || steps(&mut worker, 1));
    // Finished, or left to the next owner; the record behind it is not begun.
    assert!(matches!(world.stored(0), Some(1 | 2)));
    assert_eq!(world.state().lanes.len(), 0);
}

#[test]
fn a_revoke_that_runs_out_of_time_commits_what_is_done() {
    let world = corked(1, 3);
    let mut worker = worker_with(&world, settings(IMPATIENCE));
    steps(&mut worker, 1);
    world.revoke(&[0]);
    world.during_a_wait(|state| state.acknowledge(0, 0));
    world.during_a_wait(|state| state.acknowledge(0, 2));
    steps(&mut worker, 1);
    assert_eq!(world.stored(0), Some(1));
    world.when(&Happened::Released(vec![0]));
}

#[test]
fn a_revoke_whose_commit_fails_gives_the_partition_up() {
    let world = corked(1, 1);
    let mut worker = worker_with(&world, settings(IMPATIENCE));
    steps(&mut worker, 1);
    world.state().acknowledge_all();
    world.state().failing_commits_now = usize::MAX;
    world.revoke(&[0]);
    steps(&mut worker, 2);
    world.when(&Happened::Released(vec![0]));
    assert_eq!(world.stored(0), Some(0));
}

#[test]
fn a_lost_partition_commits_nothing() {
    let world = corked(2, 2);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    world.state().acknowledge(0, 0);
    world.lose(&[0]);
    steps(&mut worker, 1);
    world.when(&Happened::Released(vec![0]));
    world.state().acknowledge_all();
    steps(&mut worker, 2);
    assert_eq!((world.stored(0), world.stored(1)), (Some(0), Some(2)));
    stop(&mut worker).unwrap();
    assert_eq!(world.stored(0), Some(0));
}

#[test]
fn late_acknowledgements_of_an_earlier_assignment_are_ignored() {
    let world = corked(1, 3);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    world.lose(&[0]);
    world.assign(&[0]);
    steps(&mut worker, 1);
    assert_eq!(world.sent_offsets(0), [0, 1, 2, 0, 1, 2]);
    // Those of the first assignment.
    for _ in 0..3 {
        world.state().acknowledge_at(0);
    }
    steps(&mut worker, 2);
    assert_eq!(world.stored(0), Some(0));
    assert_eq!(worker.lanes[0].progress.outstanding(), 3);
    world.state().acknowledge_all();
    steps(&mut worker, 1);
    assert_eq!(world.stored(0), Some(3));
}

#[test]
fn a_refusal_of_an_earlier_assignment_is_ignored() {
    let world = corked(1, 1);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    world.lose(&[0]);
    steps(&mut worker, 1);
    world.state().fail_delivery(0, 0, "too large");
    steps(&mut worker, 1);
}

#[test]
fn a_partition_that_comes_back_goes_on_at_its_stored_position() {
    let world = world(1, 3);
    let mut worker = worker(&world);
    steps(&mut worker, 2);
    world.revoke(&[0]);
    steps(&mut worker, 1);
    world.write(0, 3..5);
    world.assign(&[0]);
    steps(&mut worker, 2);
    assert_eq!(world.sent_offsets(0), [0, 1, 2, 3, 4]);
    assert_eq!(world.stored(0), Some(5));
}

// Records that are rejected.

#[test]
fn a_rejected_record_stops_the_worker_and_says_which_and_why() {
    let world = world(2, 5);
    world.says(1, 3, Verdict::Fail("no order".to_owned()));
    let rejected = rejected(run(&mut worker(&world)));
    assert_eq!(rejected.stage, Stage::Transform);
    assert_eq!(rejected.position, partition(1).at(3));
    assert_eq!(rejected.reason, "no order");
    assert_eq!(
        rejected.to_string(),
        "a record was rejected at stage transform (topic in, partition 1, offset 3): no order"
    );
}

#[test]
fn everything_before_a_rejected_record_is_finished_and_committed_and_nothing_after_it() {
    let world = corked(2, 5);
    world.says(0, 1, two_outputs(1));
    world.says(0, 3, Verdict::Fail("no order".to_owned()));
    let acknowledge = |offset| {
        move |state: &mut State| {
            state.acknowledge(0, offset);
        }
    };
    for offset in [2, 1, 0, 1] {
        world.during_a_wait(acknowledge(offset));
    }
    world.during_a_wait(State::acknowledge_all);
    let rejected = at_once(&world, || rejected(run(&mut worker(&world))));
    assert_eq!(rejected.position.offset, 3);
    assert_eq!(world.sent_offsets(0), [0, 1, 1, 2]);
    assert_eq!(world.stored(0), Some(3));
    // The other lane's outputs that were sent are finished, too.
    let others = i64::try_from(world.sent_offsets(1).len()).unwrap();
    assert_eq!(world.stored(1), Some(others));
    assert_eq!(world.state().history.last(), Some(&Happened::Closed));
}

#[test]
fn a_record_that_breaks_the_plugin_is_rejected_behind_those_before_it() {
    let world = world(1, 9);
    world.state().poison.insert((0, 6));
    let rejected = rejected(run(&mut worker(&world)));
    assert_eq!(rejected.stage, Stage::Transform);
    assert_eq!(rejected.position.offset, 6);
    assert_eq!(rejected.reason, "offset 6 is poison");
    assert_eq!(world.sent_offsets(0), [0, 1, 2, 3, 4, 5]);
    assert_eq!(world.stored(0), Some(6));
}

#[test]
fn a_record_of_which_one_output_is_refused_sends_none_of_them() {
    let world = world(1, 3);
    world.says(
        0,
        1,
        Verdict::Expand(vec![
            output("fine"),
            Output {
                topic: Some("secret".to_owned()),
                ..Output::FORWARD
            },
        ]),
    );
    world.state().forbidden.insert("secret".to_owned());
    let rejected = at_once(&world, || rejected(run(&mut worker(&world))));
    assert_eq!(rejected.stage, Stage::Produce);
    assert_eq!(rejected.position, partition(0).at(1));
    assert_eq!(rejected.reason, "topic secret is forbidden");
    assert_eq!(world.values(), ["value 0"]);
    assert_eq!(world.stored(0), Some(1));
}

#[test]
fn an_output_without_any_topic_is_rejected() {
    let world = world(1, 1);
    let mut settings = settings(PATIENCE);
    settings.default_topic = None;
    let rejected = rejected(run(&mut worker_with(&world, settings)));
    assert_eq!(rejected.stage, Stage::Produce);
    assert!(rejected.reason.contains("output.topic"), "{rejected}");
    assert_eq!(world.stored(0), Some(0));
}

#[test]
fn an_output_that_is_refused_when_it_is_sent_is_never_committed_past() {
    let world = world(1, 3);
    world.says(
        0,
        1,
        Verdict::Expand(vec![
            output("fine"),
            Output {
                topic: Some("gone".to_owned()),
                ..Output::FORWARD
            },
        ]),
    );
    world.state().unsendable.insert("gone".to_owned());
    let rejected = rejected(run(&mut worker_with(&world, settings(IMPATIENCE))));
    assert_eq!(rejected.stage, Stage::Produce);
    assert_eq!(rejected.position, partition(0).at(1));
    assert_eq!(rejected.reason, "topic gone takes nothing");
    assert_eq!(world.sent_offsets(0), [0, 1]);
    assert_eq!(world.stored(0), Some(1));
}

#[test]
fn the_stop_does_not_wait_for_an_output_that_was_refused_when_it_was_sent() {
    let world = world(1, 2);
    world.state().unsendable.insert("out".to_owned());
    at_once(&world, || rejected(run(&mut worker(&world))));
}

// What `--inspect` sees.

fn worker_with_tap(world: &World, tap: Tap) -> Fake {
    Worker::new(world.ports(), settings(PATIENCE), Arc::default(), Some(tap))
}

#[test]
fn the_tap_sees_every_record_once_with_its_verdict() {
    let world = world(1, 3);
    world.says(0, 0, Verdict::Drop);
    world.says(0, 1, two_outputs(1));
    world.state().room = Some(1);
    let (seen, sees) = std::sync::mpsc::channel();
    let tap: Tap = Box::new(move |_, record, outcome| {
        let name = match outcome {
            Outcome::Judged(verdict) => verdict.name(),
            Outcome::Rejected(_) => "rejected",
        };
        seen.send((record.offset(), name)).unwrap();
        Ok(())
    });
    let mut worker = worker_with_tap(&world, tap);
    steps(&mut worker, 2);
    world.state().room = None;
    steps(&mut worker, 2);
    let seen: Vec<_> = sees.try_iter().collect();
    assert_eq!(seen, [(0, "drop"), (1, "expand"), (2, "forward")]);
}

#[test]
fn a_reader_of_the_tap_that_goes_away_ends_the_run() {
    let world = world(1, 3);
    let tap: Tap = Box::new(|_, record, _| match record.offset() {
        1 => Err(io::ErrorKind::BrokenPipe.into()),
        _ => Ok(()),
    });
    let result = at_once(&world, || run(&mut worker_with_tap(&world, tap)));
    assert!(matches!(result, Err(Failure::TapClosed)), "{result:?}");
    // The record that was not shown was sent.
    assert_eq!(world.sent_offsets(0), [0, 1]);
    assert_eq!(world.stored(0), Some(2));
}

#[test]
fn a_tap_that_can_not_be_written_fails_the_run() {
    let world = world(1, 1);
    let tap: Tap = Box::new(|_, _, _| Err(io::ErrorKind::StorageFull.into()));
    let failure = run(&mut worker_with_tap(&world, tap)).unwrap_err();
    assert!(failure.to_string().contains("--inspect"), "{failure}");
}

#[test]
fn a_reader_of_the_tap_that_goes_away_doubles_no_output() {
    let world = world(1, 1);
    world.says(0, 0, two_outputs(0));
    world.state().room = Some(1);
    let tap: Tap = Box::new(|_, _, _| Err(io::ErrorKind::BrokenPipe.into()));
    let mut worker = worker_with_tap(&world, tap);
    steps(&mut worker, 1);
    world.state().room = None;
    let result = run(&mut worker);
    assert!(matches!(result, Err(Failure::TapClosed)), "{result:?}");
    assert_eq!(world.values(), ["0 first", "0 second"]);
}

#[test]
fn a_poison_record_is_found_while_other_partitions_keep_the_plugin_busy() {
    let world = world(3, 500);
    world.state().poison.insert((0, 5));
    let mut settings = settings(PATIENCE);
    settings.policy = dead_letters();
    let mut worker = worker_with(&world, settings);
    // Both others have records for all of them.
    steps(&mut worker, 30);
    assert!(world.sent_offsets(1).len() < 500);
    let state = world.state();
    let letters = state.sent.iter().filter(|sent| sent.topic == "dead");
    let letters: Vec<_> = letters.map(|sent| sent.source).collect();
    assert_eq!(letters, [(0, 5)]);
    drop(state);
    assert!(world.sent_offsets(0).contains(&6));
}
