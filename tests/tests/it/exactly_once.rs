//! `--guarantee exactly-once`: read with `read_committed`, what each record led
//! to is there once, whatever happened meanwhile. Here what happens in quiet
//! times; what else may happen has a file a theme.

mod aborts;
mod brokers;
mod crashes;
mod fencing;
mod input;
mod late_requests;
mod members;
pub mod mix;
mod refusals;
mod zombies;

use std::time::{Duration, Instant};

use millrace_tests::{Host, Isolation, Record, eventually_ok, guest, plugin};

use crate::feeder::{Feeder, assert_all_once_in_order, record};
use crate::pipeline::{LONG, Pipeline, QUICK_HEARTBEAT, SOON, stop, texts};
use mix::Mix;

pub const EXACTLY_ONCE: &[&str] = &["--guarantee", "exactly-once"];

/// A static member of the group, with transactional ids of this name.
const INSTANCE: &[&str] = &["--instance-id", "one"];

/// No transaction ends by itself for as long as a test takes.
const ONE_LONG_TRANSACTION: &[&str] = &[
    "--commit-interval",
    "200s",
    "--set",
    "kafka.producer.transaction.timeout.ms=600000",
];

/// A transaction has three seconds, into which calls of the plugin must fit.
const SHORT_TRANSACTION: &[&str] = &[
    "--set",
    "kafka.producer.transaction.timeout.ms=3000",
    "--set",
    "plugin.call=1s",
    "--set",
    "plugin.time=200ms",
    "--commit-interval",
    "1s",
];

/// The puppet, with the dead-letter topic.
fn start(pipeline: &Pipeline, more: &[&str]) -> Host {
    pipeline.start_with_dead_letters(&guest("puppet"), &[EXACTLY_ONCE, more].concat())
}

/// Waits until a reader of committed records sees so many outputs.
#[track_caller]
fn wait_for_visible(pipeline: &Pipeline, wanted: usize) -> Vec<Record> {
    let what = format!("{wanted} visible outputs");
    eventually_ok(SOON, &what, || match pipeline.outputs() {
        outputs if outputs.len() >= wanted => Ok(outputs),
        outputs => Err(format!("there are {}", outputs.len())),
    })
}

/// Where each partition of a topic ends, whether visible or not, if anything in
/// it is of a transaction that is still open.
#[track_caller]
fn open_ends(pipeline: &Pipeline, topic: &str) -> Option<Vec<(i64, i64)>> {
    eventually_ok(SOON, "the topic's ends", || {
        let client = &pipeline.client;
        let all = client.watermarks_with(topic, Isolation::Uncommitted)?;
        // Looked at later: what was not open then has moved it behind that.
        let visible = client.watermarks(topic)?;
        let is_open = all.iter().zip(&visible).any(|(all, seen)| seen.1 < all.1);
        Ok::<_, String>(is_open.then_some(all))
    })
}

/// Waits until so many records are in an open transaction, of a topic that holds
/// nothing else in its first partition.
#[track_caller]
fn wait_for_open(pipeline: &Pipeline, topic: &str, wanted: i64) {
    let what = format!("{wanted} records in an open transaction");
    eventually_ok(SOON, &what, || match open_ends(pipeline, topic) {
        Some(ends) if ends[0].1 >= wanted => Ok(()),
        ends => Err(format!("{ends:?}")),
    });
}

/// Waits until some more of what is fed is behind the group; how much is fed has
/// its end.
#[track_caller]
fn wait_for_flow(pipeline: &Pipeline, feeder: &Feeder, more: usize) {
    let wanted = pipeline.committed_total() + more;
    let what = format!("{wanted} committed records");
    eventually_ok(SOON, &what, || match pipeline.committed_total() {
        found if found >= wanted || feeder.is_over() => Ok(()),
        found => Err(format!("{found} are")),
    });
}

/// Waits until the group has all behind it, stops `host`, and asserts that the
/// output is complete.
#[track_caller]
fn finish(pipeline: &Pipeline, mix: &Mix, host: Host, written: usize) {
    pipeline.wait_for_committed_total(written, LONG);
    stop(host);
    assert_eq!(pipeline.committed_total(), written);
    mix.assert_once(pipeline, written);
}

#[test]
fn each_record_is_in_the_output_once_and_behind_the_group() {
    let pipeline = Pipeline::new("once", 4);
    pipeline.feed((0..20_000).map(|n| record(n, 4)));

    let host = pipeline.start(&plugin("passthrough"), EXACTLY_ONCE);
    pipeline.wait_for_committed_total(20_000, LONG);
    stop(host);

    assert_all_once_in_order(&pipeline.outputs(), 20_000);
    assert_eq!(pipeline.committed_total(), 20_000);
    // Nothing was done twice in quiet times, and there were transactions.
    let all = pipeline
        .client
        .read_all_with(&pipeline.output, Isolation::Uncommitted);
    assert_eq!(all.len(), 20_000);
    assert!(pipeline.count() > Ok(20_000), "nothing ends a transaction");
}

#[test]
fn workers_have_transactions_of_their_own() {
    let pipeline = Pipeline::with_dead_letters("workers", 6);
    let mix = Mix::of(&pipeline);
    let feeder = mix.feed(&pipeline, 1500);
    let more = [&["--workers", "3"], QUICK_HEARTBEAT].concat();
    let host = start(&pipeline, &more);
    wait_for_flow(&pipeline, &feeder, 4000);
    finish(&pipeline, &mix, host, feeder.finish());
}

#[test]
fn outputs_dead_letters_and_nothing_are_of_one_transaction() {
    let pipeline = Pipeline::with_dead_letters("of-one", 1);
    let mix = Mix::of(&pipeline);
    // Two are dead letters; none breaks the plugin, which would end a transaction.
    pipeline.feed((0..20).map(|number| mix.record(number, 1)));
    let host = start(&pipeline, ONE_LONG_TRANSACTION);
    wait_for_open(&pipeline, &pipeline.dead, 2);
    // Of the last record, the twentieth.
    wait_for_open(&pipeline, &pipeline.output, 19);
    assert_eq!(pipeline.outputs(), []);
    assert_eq!(pipeline.letters(), []);
    assert_eq!(pipeline.committed_total(), 0);

    // The drain ends it.
    stop(host);
    assert_eq!(pipeline.committed_total(), 20);
    mix.assert_once(&pipeline, 20);
}

#[test]
fn an_output_is_visible_soon_although_nothing_else_comes() {
    let pipeline = Pipeline::new("visible", 1);
    let mut host = pipeline.start(&plugin("passthrough"), EXACTLY_ONCE);
    host.wait_for_log("partition assigned", SOON);
    for count in 1..=3 {
        let begun = Instant::now();
        pipeline.feed([Record::value(count.to_string())]);
        wait_for_visible(&pipeline, count);
        // The interval has 100 ms, and a busy machine its time; the broker's transactions
        // begin with the first.
        let took = begun.elapsed();
        assert!(count == 1 || took < Duration::from_secs(40), "{took:?}");
        pipeline.wait_for_committed(&[(0, i64::try_from(count).expect("small"))]);
    }
    stop(host);
    assert_eq!(texts(&pipeline.outputs()), ["1", "2", "3"]);
}

#[test]
fn records_that_lead_to_nothing_are_behind_the_group_too() {
    let pipeline = Pipeline::with_dead_letters("nothing", 2);
    pipeline.feed((0..500).map(|n| Record::value("drop").to_partition(n % 2)));
    let host = start(&pipeline, &[]);
    pipeline.wait_for_committed(&[(0, 250), (1, 250)]);
    stop(host);
    assert_eq!(pipeline.outputs(), []);
    assert_eq!(pipeline.letters(), []);
}

/// Small batches for the one topic and usual ones for the other, where both are
/// of the same transaction and so of the same producer.
#[test]
fn a_topic_that_takes_small_batches_only_is_written_beside_a_usual_one() {
    let pipeline = Pipeline::with_dead_letters("small", 1);
    let small = format!("{}-small", pipeline.output);
    let client = &pipeline.client;
    client.create_topic_with(&small, 1, &[("max.message.bytes", "20000")]);
    let number = |n: usize| n.to_string();
    let records = (0..400).map(|n| match n % 2 {
        0 => Record::value("bytes 50000").key(number(n)),
        _ => Record::value(format!("topic {small}"))
            .key(number(n))
            .header("padding", [b'p'; 2000]),
    });
    pipeline.feed(records);

    let host = start(&pipeline, &["--linger", "50ms"]);
    pipeline.wait_for_committed(&[(0, 400)]);
    stop(host);

    let keys = |topic: &str| -> Vec<Vec<u8>> {
        let read = client.read_all(topic);
        read.into_iter().filter_map(|record| record.key).collect()
    };
    let expected = |rest: usize| (0..400).filter(move |n| n % 2 == rest);
    let bytes = |n: usize| number(n).into_bytes();
    assert!(
        keys(&pipeline.output)
            .into_iter()
            .eq(expected(0).map(bytes))
    );
    assert!(keys(&small).into_iter().eq(expected(1).map(bytes)));
    assert_eq!(pipeline.letters(), []);
}
