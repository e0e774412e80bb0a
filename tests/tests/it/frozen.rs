//! A process, or the broker, stands still (SIGSTOP) while connections stay open.
//! Where the broker does, it is the test's own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use millrace_tests::broker::BrokerOptions;
use millrace_tests::{Broker, Host, Signal, eventually, eventually_ok, plugin};

use crate::feeder::{Feeder, assert_all_in_order, numbered, record};
use crate::pipeline::{LONG, Pipeline, SHORT_SESSION, SOON, assert_says, error_of, stop};

/// How much longer than `shutdown.drain` a stop may take, and what a busy
/// machine adds to that.
const GRACE: Duration = Duration::from_secs(2 + 3);

const DRAIN: Duration = Duration::from_secs(3);
const DRAIN_FLAGS: [&str; 2] = ["--set", "shutdown.drain=3s"];

/// Sends SIGTERM, waits for the end, and says with which status it came.
#[track_caller]
fn terminate(host: &mut Host) -> Option<i32> {
    let begun = Instant::now();
    host.signal(Signal::TERM);
    let exit = host.wait_exit(SOON);
    let took = begun.elapsed();
    assert!(took < DRAIN + GRACE, "{took:?}");
    exit.code()
}

#[test]
fn sigterm_while_the_broker_is_frozen_ends_several_workers_and_commits_nothing_unacknowledged() {
    let mut broker = Broker::start_with(BrokerOptions::patient());
    let pipeline = Pipeline::on(&broker, "frozen-workers", 6);
    let feeder = Feeder::start(&pipeline, 1500);
    let flags = [&["--workers", "3"], &DRAIN_FLAGS[..]].concat();
    let mut host = pipeline.start(&plugin("passthrough"), &flags);
    pipeline.wait_for_flow(1000);

    broker.freeze();
    let begun = Instant::now();
    host.signal(Signal::TERM);
    let error = error_of(&mut host, 1);
    assert!(begun.elapsed() < DRAIN + GRACE, "{:?}", begun.elapsed());
    assert_says(&error, &["read again"]);
    broker.thaw();
    let written = feeder.finish();
    eventually_ok(SOON, "the broker to answer again", || broker.answers(SOON));

    // Of each partition, everything before the position is in the output.
    let outputs: BTreeSet<_> = pipeline.outputs().iter().map(numbered).collect();
    for (partition, position) in pipeline.committed() {
        let records = (0..written).map(|number| record(number, 6));
        let mine = records.filter(|record| record.partition == Some(partition));
        let committed = mine.take(usize::try_from(position).expect("not negative"));
        for record in committed {
            let (key, number) = numbered(&record);
            let there = outputs.contains(&(key, number));
            assert!(there, "record {number} is committed and not in the output");
        }
    }
    let host = pipeline.start(&plugin("passthrough"), &[]);
    pipeline.wait_for_committed_total(written, LONG);
    stop(host);
    assert_all_in_order(&pipeline.outputs(), written);
}

#[test]
fn sigterm_before_the_frozen_broker_has_answered_ends_at_once() {
    let mut broker = Broker::start_with(BrokerOptions::patient());
    let pipeline = Pipeline::on(&broker, "frozen-start", 2);
    broker.freeze();
    let mut host = pipeline.start(&plugin("passthrough"), &DRAIN_FLAGS);
    host.wait_for_log("plugin loaded", SOON);
    // Nothing has begun, so nothing is left undone.
    assert_eq!(terminate(&mut host), Some(0));
    broker.thaw();
}

#[test]
fn sigterm_while_a_frozen_broker_is_joined_or_asked_ends_within_the_drain() {
    let mut broker = Broker::start_with(BrokerOptions::patient());
    for said in ["\"running\"", "partition assigned"] {
        let pipeline = Pipeline::on(&broker, "frozen-join", 2);
        let flags = [&["--workers", "2"], &DRAIN_FLAGS[..]].concat();
        let mut host = pipeline.start(&plugin("passthrough"), &flags);
        host.wait_for_log(said, SOON);
        broker.freeze();
        let status = terminate(&mut host);
        broker.thaw();
        // 0 where it was only joining, 1 where it waited for an answer.
        assert!(matches!(status, Some(0 | 1)), "{status:?}");
        eventually_ok(SOON, "the broker to answer again", || broker.answers(SOON));
        assert!(pipeline.committed().values().all(|position| *position == 0));
    }
}

/// Watches a group's positions, which must never go back.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Watch {
    fn start(pipeline: &Pipeline) -> Watch {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let (client, group, input) = (
            pipeline.client.clone(),
            pipeline.group.clone(),
            pipeline.input.clone(),
        );
        let thread = thread::spawn(move || {
            let mut highest = BTreeMap::new();
            while !told.load(Ordering::Relaxed) {
                for (partition, position) in client.committed(&group, &input) {
                    let before = highest.insert(partition, position).unwrap_or(0);
                    assert!(
                        before <= position,
                        "partition {partition} went back from {before} to {position}"
                    );
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
        Watch { stop, thread }
    }

    #[track_caller]
    fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("no position went back");
    }
}

const LOST: &str = "partitions lost";

/// Whether it has got a partition since it last lost what it had.
fn has_partitions(host: &Host) -> bool {
    let log = host.stderr();
    log.rfind("\"partition assigned\"") > log.rfind(LOST)
}

#[test]
fn a_process_that_is_frozen_beyond_its_session_loses_nothing_and_commits_over_nobody() {
    let pipeline = Pipeline::new("frozen-process", 4);
    let watch = Watch::start(&pipeline);
    let feeder = Feeder::start(&pipeline, 1500);
    let flags = [SHORT_SESSION, &["--commit-interval", "200ms"]].concat();
    let mut first = pipeline.start(&plugin("passthrough"), &flags);
    let second = pipeline.start(&plugin("passthrough"), &flags);
    for _ in 0..2 {
        // A group of two is stable before the one that came last has anything.
        eventually(SOON, "the first one to have something to lose", || {
            has_partitions(&first).then_some(())
        });
        pipeline.wait_for_members(2);
        pipeline.wait_for_flow(500);
        first.signal(Signal::STOP);
        // Its session is over, and its partitions are the other one's.
        pipeline.wait_for_members(1);
        let before = pipeline.committed();
        eventually(SOON, "the other one to commit all partitions", || {
            let now = pipeline.committed();
            let beyond = |(partition, position): (&i32, &i64)| now[partition] > *position;
            before.iter().all(beyond).then_some(())
        });
        first.signal(Signal::CONT);
        pipeline.wait_for_members(2);
        pipeline.wait_for_flow(500);
    }
    // In a freeze, or before it: a busy machine outlasts a short session, too.
    assert!(first.stderr().contains(LOST));
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    watch.finish();
    stop(first);
    stop(second);
    assert_all_in_order(&pipeline.outputs(), written);
    assert_eq!(pipeline.committed_total(), written);
}
