//! Positions in a recovery store: runs that resume from one, and what is said
//! where that can't be. (`recovery_commands` has `host recovery`.)

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use millrace_tests::broker::BrokerOptions;
use millrace_tests::{Broker, Host, Record, Signal, eventually, eventually_ok, guest, plugin};
use redb::{Database, TableDefinition};
use serde_json::Value;
use tempfile::TempDir;

use crate::crashes::Random;
use crate::feeder::{
    Feeder, assert_all_in_order, assert_all_once_in_order, assert_culprits_apart, record,
    record_or_culprit,
};
use crate::pipeline::{
    LONG, Pipeline, SOON, assert_in_time, assert_says, error_of, expect_exit, log, stop, texts,
};
use crate::topics_change::make_again;

/// A folder for a store, which is not made yet.
pub struct Store {
    parent: TempDir,
}

impl Store {
    pub fn new() -> Store {
        Store {
            parent: tempfile::tempdir().expect("a folder"),
        }
    }

    pub fn dir(&self) -> PathBuf {
        self.parent.path().join("store")
    }

    pub fn path(&self) -> String {
        let dir = self.dir();
        dir.to_str().expect("it is UTF-8").to_owned()
    }

    fn file(&self) -> PathBuf {
        self.dir().join("positions.redb")
    }

    /// `host run` with it.
    pub fn start(&self, pipeline: &Pipeline, plugin: &Path, more: &[&str]) -> Host {
        let path = self.path();
        pipeline.start(plugin, &[&["--recovery", &path], more].concat())
    }

    pub fn passthrough(&self, pipeline: &Pipeline, more: &[&str]) -> Host {
        self.start(pipeline, &plugin("passthrough"), more)
    }

    /// What `host recovery show --json` prints.
    #[track_caller]
    pub fn show(&self) -> Value {
        let mut host = Host::run(["recovery", "show", &self.path(), "--json"]);
        expect_exit(&mut host, 0);
        serde_json::from_str(&host.stdout()).expect("JSON")
    }

    /// `host recovery reset`, which works.
    #[track_caller]
    pub fn reset(&self, arguments: &[&str]) -> String {
        let path = self.path();
        let all = [&["recovery", "reset", &path], arguments].concat();
        let mut host = Host::run(all);
        expect_exit(&mut host, 0);
        host.stdout()
    }

    /// The offset that each partition goes on with that has one; none where the
    /// store is not made yet.
    #[track_caller]
    pub fn positions(&self) -> BTreeMap<i64, i64> {
        if !self.file().exists() {
            return BTreeMap::new();
        }
        let shown = self.show();
        let positions = shown["positions"].as_array().expect("a list");
        let numbers = positions
            .iter()
            .filter_map(|p| Some((p["partition"].as_i64()?, p["offset"].as_i64()?)));
        numbers.collect()
    }

    /// How many records of the input are behind it.
    #[track_caller]
    fn total(&self) -> usize {
        usize::try_from(self.positions().values().sum::<i64>()).expect("not negative")
    }

    #[track_caller]
    fn wait_for_total(&self, wanted: usize) {
        let what = format!("{wanted} records behind the store");
        eventually_ok(LONG, &what, || match self.total() {
            found if found == wanted => Ok(()),
            found => Err(format!("{found} are")),
        });
    }

    #[track_caller]
    pub fn wait_for(&self, wanted: &[(i64, i64)]) {
        let wanted = BTreeMap::from_iter(wanted.iter().copied());
        eventually_ok(SOON, &format!("the positions {wanted:?}"), || {
            match self.positions() {
                found if found == wanted => Ok(()),
                found => Err(format!("they are {found:?}")),
            }
        });
    }
}

/// The process ends with this status and an error that says all of this.
#[track_caller]
fn assert_refused(mut host: Host, status: i32, parts: &[&str]) {
    assert_says(&error_of(&mut host, status), parts);
}

#[test]
fn a_run_goes_on_exactly_where_the_one_before_stopped_and_joins_no_group() {
    let pipeline = Pipeline::new("store-sigterm", 4);
    let store = Store::new();
    let feeder = Feeder::start(&pipeline, 2000);
    for _ in 0..4 {
        let before = pipeline.count().expect("it is there");
        let mut host = store.passthrough(&pipeline, &["--workers", "2"]);
        host.wait_for_log("partition assigned", SOON);
        pipeline.wait_for_count(before + 1000, SOON);
        stop(host);
        assert_eq!(pipeline.count(), Ok(store.total()));
    }
    let written = feeder.finish();

    let host = store.passthrough(&pipeline, &[]);
    pipeline.wait_for_count(written, LONG);
    for group in [&*pipeline.group, "millrace-passthrough-never-joined"] {
        assert_eq!(pipeline.client.group_state(group), "", "group {group}");
    }
    stop(host);
    assert_all_once_in_order(&pipeline.outputs(), written);
    assert_eq!(store.total(), written);
    assert!(pipeline.committed().is_empty());
}

#[test]
fn sigkill_at_random_moments_loses_nothing_with_a_store() {
    let mut random = Random::seeded();
    let pipeline = Pipeline::new("store-crashes", 4);
    let store = Store::new();
    let feeder = Feeder::start(&pipeline, 1500);
    // Often, so that kills meet writes.
    let more = ["--workers", "2", "--commit-interval", "5ms"];
    for kill in 0..10 {
        let before = pipeline.count().expect("it is there");
        let mut host = store.passthrough(&pipeline, &more);
        // Mostly while records flow, and at times while it starts.
        if kill < 7 {
            pipeline.wait_for_count(before + 1, SOON);
        }
        // A random moment is a matter of time, not of a condition.
        thread::sleep(Duration::from_millis(random.below(800)));
        assert!(host.is_running(), "host ended by itself");
        host.kill();
    }
    let written = feeder.finish();
    let host = store.passthrough(&pipeline, &more);
    store.wait_for_total(written);
    stop(host);

    let output = pipeline.outputs();
    eprintln!("{written} records written, {} in the output", output.len());
    assert_all_in_order(&output, written);
}

#[test]
fn sigkill_among_culprits_rejects_no_other_record_and_loses_none_with_a_store() {
    let mut random = Random::seeded();
    let pipeline = Pipeline::with_dead_letters("store-culprits", 4);
    let store = Store::new();
    let feeder = Feeder::start_with(&pipeline, 1000, record_or_culprit);
    let more = [
        "--dead-letter",
        &*pipeline.dead,
        "--workers",
        "2",
        "--commit-interval",
        "200ms",
    ];
    let start = || store.start(&pipeline, &guest("puppet"), &more);
    for _ in 0..10 {
        let mut host = start();
        pipeline.wait_for_flow(1);
        // A random moment is a matter of time, not of a condition.
        thread::sleep(Duration::from_millis(random.below(1000)));
        assert!(host.is_running(), "host ended by itself");
        host.kill();
    }
    let written = feeder.finish();
    let host = start();
    store.wait_for_total(written);
    stop(host);

    assert_culprits_apart(&pipeline, written);
}

#[test]
fn sigterm_while_the_broker_is_frozen_ends_in_time_and_stores_nothing_unacknowledged() {
    let mut broker = Broker::start_with(BrokerOptions::patient());
    assert_in_time(Duration::from_secs(3 + 2), || {
        let pipeline = Pipeline::on(&broker, "store-frozen", 1);
        let store = Store::new();
        pipeline.feed([Record::value("1")]);
        // The output waits for others, so that it is not acknowledged.
        let more = ["--linger", "60s", "--inspect", "--set", "shutdown.drain=3s"];
        let mut host = store.passthrough(&pipeline, &more);
        eventually(SOON, "the record to be judged", || {
            host.stdout().contains("forward").then_some(())
        });
        broker.freeze();
        let begun = Instant::now();
        host.signal(Signal::TERM);
        let error = error_of(&mut host, 1);
        let took = begun.elapsed();
        broker.thaw();
        assert_says(&error, &["shutdown.drain"]);
        assert_eq!(store.positions(), [(0, 0)].into());
        took
    });
}

#[test]
fn a_position_in_the_store_beats_the_start_and_the_group() {
    let pipeline = Pipeline::new("store-wins", 1);
    let store = Store::new();
    pipeline.feed_at_once(["0", "1", "2"]);
    let (client, input) = (&pipeline.client, &pipeline.input);
    client.commit(&pipeline.group, input, 0, 2);
    let mut host = store.passthrough(&pipeline, &[]);
    host.wait_for_log("an empty recovery store was made", SOON);
    store.wait_for(&[(0, 3)]);
    stop(host);
    assert_eq!(texts(&pipeline.outputs()), ["0", "1", "2"]);
    assert_eq!(pipeline.committed(), [(0, 2)].into());

    pipeline.feed_at_once(["3", "4"]);
    for (start, wanted) in [("latest", 5), ("earliest", 5), ("stored", 5)] {
        let mut host = store.passthrough(&pipeline, &["--start", start]);
        // The store has the position from the second time on: it is no sign that the
        // process hears signals already.
        host.wait_for_log("partition assigned", SOON);
        store.wait_for(&[(0, wanted)]);
        stop(host);
    }
    assert_eq!(texts(&pipeline.outputs()), ["0", "1", "2", "3", "4"]);
}

#[test]
fn the_start_is_stored_before_the_first_record_is_awaited() {
    let pipeline = Pipeline::new("store-latest", 2);
    let store = Store::new();
    pipeline.feed((0..2).map(|n| Record::value("old").to_partition(n)));
    let mut host = store.passthrough(&pipeline, &["--start", "latest"]);
    store.wait_for(&[(0, 1), (1, 1)]);
    host.kill();

    pipeline.feed([Record::value("new").to_partition(0)]);
    let host = store.passthrough(&pipeline, &["--start", "latest"]);
    let read = pipeline.wait_for_outputs(1);
    stop(host);
    assert_eq!(texts(&read), ["new"]);
}

#[test]
fn start_stored_needs_a_position_in_the_store() {
    let pipeline = Pipeline::new("store-stored", 1);
    let store = Store::new();
    pipeline.feed([Record::value("0")]);
    let host = store.passthrough(&pipeline, &["--start", "stored"]);
    assert_refused(
        host,
        1,
        &[&store.path(), &pipeline.input, "no stored position"],
    );
    assert_eq!(pipeline.count(), Ok(0));
    // It was not begun, so another start counts.
    let host = store.passthrough(&pipeline, &[]);
    pipeline.wait_for_outputs(1);
    stop(host);
}

#[test]
fn a_moved_position_is_where_the_next_run_begins() {
    let pipeline = Pipeline::new("store-moved", 1);
    let store = Store::new();
    pipeline.feed_at_once(["0", "1", "2"]);
    let run = |start, wanted| {
        let host = store.passthrough(&pipeline, &["--start", start]);
        let read = pipeline.wait_for_outputs(wanted);
        store.wait_for(&[(0, 3)]);
        stop(host);
        texts(&read).concat()
    };
    let partition = format!("{}/0", pipeline.input);
    assert_eq!(run("earliest", 3), "012");
    let said = store.reset(&[&partition, "1"]);
    assert_eq!(said, format!("{partition} goes on at 1 (it was 3)\n"));
    assert_eq!(run("latest", 5), "01212");
    store.reset(&[&partition, "--forget"]);
    assert_eq!(run("earliest", 8), "01212012");
    store.reset(&[&pipeline.input, "--forget"]);
    assert_eq!(run("earliest", 11), "01212012012");
    store.reset(&["--forget"]);
    assert_eq!(run("earliest", 14), "01212012012012");
}

#[test]
fn a_position_that_the_broker_no_longer_has_names_the_way_out() {
    let pipeline = Pipeline::new("store-gone", 1);
    let store = Store::new();
    pipeline.feed_at_once(["0", "1"]);
    let host = store.passthrough(&pipeline, &[]);
    store.wait_for(&[(0, 2)]);
    stop(host);
    let partition = format!("{}/0", pipeline.input);
    store.reset(&[&partition, "77"]);
    let host = store.passthrough(&pipeline, &[]);
    let way_out = format!("host recovery reset {} {partition} OFFSET", store.path());
    assert_refused(host, 1, &["77", "Nothing was skipped", &way_out]);
    assert_eq!(store.positions(), [(0, 77)].into());
}

/// A store whose position lies at 77, where the broker holds 0 to 3.
fn displaced(stem: &str) -> (Pipeline, Store) {
    let pipeline = Pipeline::new(stem, 1);
    let store = Store::new();
    pipeline.feed_at_once(["0", "1", "2"]);
    let host = store.passthrough(&pipeline, &["--start", "latest"]);
    store.wait_for(&[(0, 3)]);
    stop(host);
    store.reset(&[&format!("{}/0", pipeline.input), "77"]);
    (pipeline, store)
}

#[test]
fn on_gap_says_where_the_store_goes_on() {
    let skipped = "reading on elsewhere";
    let (pipeline, store) = displaced("store-gap-earliest");
    let on_gap = ["--set", "input.on_gap=earliest"];
    let mut host = store.passthrough(&pipeline, &on_gap);
    host.wait_for_log(skipped, SOON);
    store.wait_for(&[(0, 3)]);
    stop(host);
    assert_eq!(texts(&pipeline.outputs()), ["0", "1", "2"]);

    let (pipeline, store) = displaced("store-gap-latest");
    let on_gap = ["--set", "input.on_gap=latest"];
    let mut host = store.passthrough(&pipeline, &on_gap);
    host.wait_for_log(skipped, SOON);
    // Before anything is read from there.
    store.wait_for(&[(0, 3)]);
    pipeline.feed_at_once(["3"]);
    store.wait_for(&[(0, 4)]);
    stop(host);
    assert_eq!(texts(&pipeline.outputs()), ["3"]);

    let (pipeline, store) = displaced("store-gap-until");
    let more = ["--until", "end", "--set", "input.on_gap=earliest"];
    let mut host = store.passthrough(&pipeline, &more);
    expect_exit(&mut host, 0);
    assert_eq!(texts(&pipeline.outputs()), ["0", "1", "2"]);
    assert_eq!(store.positions(), [(0, 3)].into());
}

#[test]
fn reset_moves_all_positions_of_the_store_to_the_start() {
    let pipeline = Pipeline::new("store-reset", 2);
    let store = Store::new();
    pipeline.feed((0..10).map(|n| record(n, 2)));
    let until = ["--until", "end"];
    let mut host = store.passthrough(&pipeline, &until);
    expect_exit(&mut host, 0);
    let ends = store.positions();

    let more = [&until[..], &["--reset", "--start", "earliest"]].concat();
    let mut host = store.passthrough(&pipeline, &more);
    expect_exit(&mut host, 0);
    assert_eq!(pipeline.count(), Ok(20));
    assert_eq!(store.positions(), ends);
    let said = host.stderr();
    let moved = said.lines().filter(|line| line.contains("(--reset)"));
    assert_eq!(moved.count(), 2);

    // One start that can't be found out leaves all positions alone.
    let start = format!("input.start.{}/1=offset:99", pipeline.input);
    let more = ["--reset", "--set", "input.start=earliest", "--set", &*start];
    let host = store.passthrough(&pipeline, &more);
    assert_refused(host, 1, &["offset 99", "input.start"]);
    assert_eq!(store.positions(), ends);
}

#[test]
fn workers_that_have_nothing_left_do_not_end_the_run_of_the_others() {
    let pipeline = Pipeline::new("store-until", 2);
    let store = Store::new();
    pipeline.feed((0..5000).map(|n| record(n, 1)));
    let mut host = store.passthrough(&pipeline, &["--until", "end", "--workers", "3"]);
    expect_exit(&mut host, 0);
    assert_says(&host.stderr(), &["the end is reached"]);
    assert_all_once_in_order(&pipeline.outputs(), 5000);
    assert_eq!(store.positions(), [(0, 5000), (1, 0)].into());
}

/// A run with a store that has read three records of its topic.
#[track_caller]
fn reading(pipeline: &Pipeline, store: &Store, more: &[&str]) -> Host {
    pipeline.feed_at_once(["0", "1", "2"]);
    let more = [&["--set", "input.discover=1s"], more].concat();
    let host = store.passthrough(pipeline, &more);
    store.wait_for(&[(0, 3)]);
    host
}

/// The old position lies within the new topic.
const NEW: [&str; 5] = ["a", "b", "c", "d", "e"];

#[test]
fn a_topic_that_was_made_again_between_two_runs_is_noticed() {
    let pipeline = Pipeline::new("store-remade", 1);
    let store = Store::new();
    stop(reading(&pipeline, &store, &[]));
    pipeline.client.delete_topic(&pipeline.input);
    make_again(&pipeline, &NEW);
    let until = ["--until", "end"];
    for more in [&[][..], &until] {
        let host = store.passthrough(&pipeline, more);
        let way_out = format!(
            "host recovery reset {} {} --forget",
            store.path(),
            pipeline.input
        );
        assert_refused(
            host,
            1,
            &["deleted and made again", "input.on_gap", &way_out],
        );
        assert_eq!(store.positions(), [(0, 3)].into());
    }
    assert_eq!(pipeline.count(), Ok(3));

    let more = [&until[..], &["--set", "input.on_gap=earliest"]].concat();
    let mut host = store.passthrough(&pipeline, &more);
    expect_exit(&mut host, 0);
    assert_eq!(pipeline.count(), Ok(3 + 5));
    assert_eq!(store.positions(), [(0, 5)].into());
    // It is the new topic's position now.
    let mut host = store.passthrough(&pipeline, &until);
    expect_exit(&mut host, 0);
    assert_eq!(pipeline.count(), Ok(3 + 5));
}

#[test]
fn a_topic_that_was_made_again_between_two_runs_is_begun_on_demand() {
    let ways: [fn(&Pipeline, &Store) -> Vec<String>; 3] = [
        |pipeline, store| {
            store.reset(&[&pipeline.input, "--forget"]);
            Vec::new()
        },
        |pipeline, store| {
            store.reset(&[&format!("{}/0", pipeline.input), "0"]);
            Vec::new()
        },
        |_, _| {
            ["--reset", "--start", "earliest"]
                .map(str::to_owned)
                .to_vec()
        },
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let pipeline = Pipeline::new(&format!("store-remade-{number}"), 1);
        let store = Store::new();
        stop(reading(&pipeline, &store, &[]));
        pipeline.client.delete_topic(&pipeline.input);
        make_again(&pipeline, &NEW);
        let more = way(&pipeline, &store);
        let mut all = vec!["--until", "end"];
        all.extend(more.iter().map(String::as_str));
        let mut host = store.passthrough(&pipeline, &all);
        expect_exit(&mut host, 0);
        assert_eq!(pipeline.count(), Ok(3 + 5));
        assert_eq!(store.positions(), [(0, 5)].into());
    }
}

#[test]
fn a_topic_that_is_made_again_while_it_is_read_is_a_gap() {
    let pipeline = Pipeline::new("store-remade-stop", 1);
    let store = Store::new();
    let host = reading(&pipeline, &store, &[]);
    pipeline.client.delete_topic(&pipeline.input);
    make_again(&pipeline, &NEW);
    assert_refused(host, 1, &["deleted and made again", &store.path()]);

    let pipeline = Pipeline::new("store-remade-on", 1);
    let store = Store::new();
    let host = reading(&pipeline, &store, &["--set", "input.on_gap=earliest"]);
    pipeline.client.delete_topic(&pipeline.input);
    make_again(&pipeline, &NEW);
    // Before it is noticed, the new topic's last two may be read and stored.
    eventually(LONG, "all of the new topic", || {
        let outputs = pipeline.outputs();
        let read = texts(&outputs);
        NEW.iter().all(|value| read.contains(value)).then_some(())
    });
    store.wait_for(&[(0, 5)]);
    stop(host);
    // It is the new topic's position.
    let mut host = store.passthrough(&pipeline, &["--until", "end"]);
    expect_exit(&mut host, 0);
    assert_eq!(store.positions(), [(0, 5)].into());
}

#[test]
fn two_processes_share_the_input_with_a_store_each() {
    let pipeline = Pipeline::new("store-shares", 4);
    let (low, high) = (Store::new(), Store::new());
    let feeder = Feeder::start(&pipeline, 1500);
    let flows = || pipeline.wait_for_flow(500);
    let start = |store: &Store, share| {
        let share = format!("input.partitions={share}");
        let mut host = store.passthrough(&pipeline, &["--set", &share]);
        // Before, it hears no signal.
        host.wait_for_log("partition assigned", SOON);
        host
    };
    let (first, second) = (start(&low, "0-1"), start(&high, "2-"));
    flows();
    stop(first);
    flows();
    let first = start(&low, "0-1");
    flows();
    let written = feeder.finish();
    pipeline.wait_for_count(written, LONG);
    stop(first);
    stop(second);
    assert_all_once_in_order(&pipeline.outputs(), written);
    let numbers = |store: &Store| Vec::from_iter(store.positions().into_keys());
    assert_eq!((numbers(&low), numbers(&high)), (vec![0, 1], vec![2, 3]));
}

#[test]
fn a_second_process_on_the_same_store_is_told_who_has_it() {
    let pipeline = Pipeline::new("store-twice", 1);
    let store = Store::new();
    pipeline.feed([Record::value("1")]);
    let first = store.passthrough(&pipeline, &[]);
    pipeline.wait_for_outputs(1);
    let holder = format!("process {}", first.id());

    let second = store.passthrough(&pipeline, &[]);
    assert_refused(second, 2, &[&store.path(), "another process", &holder]);
    let path = store.path();
    let reset = Host::run(["recovery", "reset", &path, "--forget"]);
    assert_refused(reset, 1, &[&path, &holder]);

    // The first one goes on.
    pipeline.feed([Record::value("2")]);
    pipeline.wait_for_outputs(2);
    stop(first);
}

#[test]
fn a_worker_without_a_partition_says_so_and_the_others_work() {
    let pipeline = Pipeline::new("store-idle", 1);
    let store = Store::new();
    pipeline.feed([Record::value("1")]);
    let mut host = store.passthrough(&pipeline, &["--workers", "2"]);
    pipeline.wait_for_outputs(1);
    host.wait_for_log("no partition", SOON);
    stop(host);
}

#[test]
fn a_new_partition_is_found_while_running_and_read_from_its_beginning() {
    let pipeline = Pipeline::new("store-grown", 1);
    let store = Store::new();
    pipeline.feed([Record::value("old").to_partition(0)]);
    let more = [
        "--start",
        "latest",
        "--workers",
        "2",
        "--set",
        "input.discover=1s",
    ];
    let mut host = store.passthrough(&pipeline, &more);
    store.wait_for(&[(0, 1)]);

    pipeline.client.grow_topic(&pipeline.input, 3);
    let new = |n: i32| Record::value(format!("new {n}")).to_partition(1 + n % 2);
    pipeline.feed((0..10).map(new));
    let read = pipeline.wait_for_outputs(10);
    host.wait_for_log("the topic has new partitions", SOON);
    store.wait_for(&[(0, 1), (1, 5), (2, 5)]);
    // They are the next run's, too.
    host.kill();
    pipeline.feed((10..14).map(new));
    let host = store.passthrough(&pipeline, &more);
    store.wait_for(&[(0, 1), (1, 7), (2, 7)]);
    stop(host);
    assert_eq!(read.len(), 10);
    assert_eq!(pipeline.count(), Ok(14));
}

#[test]
fn a_topic_that_grew_while_nothing_ran_is_read_from_its_new_partitions_beginning() {
    let pipeline = Pipeline::new("store-grown-down", 1);
    let store = Store::new();
    pipeline.feed([Record::value("old").to_partition(0)]);
    let host = store.passthrough(&pipeline, &["--start", "latest"]);
    store.wait_for(&[(0, 1)]);
    stop(host);

    pipeline.client.grow_topic(&pipeline.input, 2);
    pipeline.feed((0..3).map(|n| Record::value(n.to_string()).to_partition(1)));
    let host = store.passthrough(&pipeline, &["--start", "latest"]);
    let read = pipeline.wait_for_outputs(3);
    store.wait_for(&[(0, 1), (1, 3)]);
    stop(host);
    assert_eq!(texts(&read), ["0", "1", "2"]);
}

/// A store that a pipeline of two partitions has used.
fn used(stem: &str) -> (Pipeline, Store) {
    let pipeline = Pipeline::new(stem, 2);
    let store = Store::new();
    pipeline.feed((0..10).map(|n| record(n, 2)));
    let host = store.passthrough(&pipeline, &[]);
    store.wait_for_total(10);
    stop(host);
    (pipeline, store)
}

/// Both a run and a check end with this error, and nothing is read.
#[track_caller]
fn assert_store_refused(pipeline: &Pipeline, store: &Store, more: &[&str], parts: &[&str]) {
    let path = store.path();
    for check in [&[][..], &["--check"]] {
        let host = store.passthrough(pipeline, &[more, check].concat());
        assert_refused(host, 2, &[&[&*path], parts].concat());
    }
    assert_eq!(pipeline.count(), Ok(10));
}

#[test]
fn a_store_of_another_pipeline_is_refused_until_it_is_made_this_ones() {
    let (pipeline, store) = used("store-pipeline");
    let other = ["--name", "other"];
    let parts = ["pipeline passthrough's", "pipeline other", "--name other"];
    assert_store_refused(&pipeline, &store, &other, &parts);
    store.reset(&other);
    let host = store.passthrough(&pipeline, &other);
    pipeline.feed((10..12).map(|n| record(n, 2)));
    store.wait_for_total(12);
    stop(host);
    assert_eq!(pipeline.count(), Ok(12));
}

#[test]
fn a_store_of_other_topics_is_refused_until_it_is_made_for_these() {
    let (pipeline, store) = used("store-topics");
    let more = format!("{}-more", pipeline.input);
    pipeline.client.create_topic(&more, 1);
    pipeline.client.produce(&more, [Record::value("0 more")]);
    let both = format!("{},{more}", pipeline.input);
    let input = ["--input", &*both];
    let way_out = format!("--input {both}");
    let parts = ["for the topics", &*pipeline.input, &*more, &*way_out];
    assert_store_refused(&pipeline, &store, &input, &parts);
    store.reset(&input);
    let host = store.passthrough(&pipeline, &input);
    pipeline.wait_for_count(11, SOON);
    stop(host);
    assert_eq!(pipeline.count(), Ok(11), "only the new topic was read");
}

#[test]
fn a_store_of_another_share_is_refused_until_it_is_made_for_this_one() {
    let (pipeline, store) = used("store-share");
    let share = ["--set", "input.partitions=1-"];
    let parts = ["partitions all", "says 1-", "--partitions 1-"];
    assert_store_refused(&pipeline, &store, &share, &parts);
    let before = store.positions()[&1];
    store.reset(&["--partitions", "1-"]);
    assert_eq!(store.positions(), [(1, before)].into());
    let host = store.passthrough(&pipeline, &share);
    pipeline.feed((10..20).map(|n| record(n, 2)));
    store.wait_for(&[(1, before + 5)]);
    stop(host);
    assert_eq!(pipeline.count(), Ok(15));
}

#[test]
fn a_topic_that_was_made_again_smaller_is_refused_until_it_is_forgotten() {
    let (pipeline, store) = used("store-smaller");
    pipeline.client.delete_topic(&pipeline.input);
    pipeline.client.create_topic(&pipeline.input, 1);
    let way_out = format!("reset DIR {} --forget", pipeline.input);
    let parts = ["2 partitions", "has 1 now", &*way_out];
    assert_store_refused(&pipeline, &store, &[], &parts);
    store.reset(&[&pipeline.input, "--forget"]);
    pipeline.feed([record(10, 1)]);
    let host = store.passthrough(&pipeline, &[]);
    store.wait_for(&[(0, 1)]);
    stop(host);
}

#[test]
fn a_store_without_the_position_of_a_partition_is_refused() {
    let (pipeline, store) = used("store-missing");
    {
        let positions: TableDefinition<'_, (&str, i32), i64> = TableDefinition::new("positions");
        let database = Database::open(store.file()).expect("it is a database");
        let transaction = database.begin_write().expect("nobody writes");
        let mut table = transaction.open_table(positions).expect("it is there");
        table.remove((&*pipeline.input, 1)).expect("it is removed");
        drop(table);
        transaction.commit().expect("it is written");
    }
    let way_out = format!("reset DIR {} --forget", pipeline.input);
    let parts = ["partition 1 is missing", "seen 2 partitions", &*way_out];
    assert_store_refused(&pipeline, &store, &[], &parts);
    store.reset(&[&pipeline.input, "--forget"]);
    let host = store.passthrough(&pipeline, &["--start", "latest"]);
    store.wait_for_total(10);
    stop(host);
}

#[test]
fn a_store_of_a_later_version_is_refused() {
    let (pipeline, store) = used("store-later");
    {
        let format: TableDefinition<'_, &str, u64> = TableDefinition::new("format");
        let database = Database::open(store.file()).expect("it is a database");
        let transaction = database.begin_write().expect("nobody writes");
        let mut table = transaction.open_table(format).expect("it is there");
        table.insert("version", 2).expect("it is written");
        drop(table);
        transaction.commit().expect("it is written");
    }
    let parts = ["later version of Millrace", "format is 2", "up to 1"];
    assert_store_refused(&pipeline, &store, &[], &parts);
}

#[test]
fn a_damaged_store_is_refused() {
    let (pipeline, store) = used("store-damaged");
    let whole = std::fs::read(store.file()).expect("it is there");
    for damage in [&whole[..whole.len() / 2], b"no store at all", b""] {
        std::fs::write(store.file(), damage).expect("it can be written");
        let parts = ["is damaged", "positions.redb", "remove that file"];
        assert_store_refused(&pipeline, &store, &[], &parts);
    }
    std::fs::remove_file(store.file()).expect("it is there");
    let host = store.passthrough(&pipeline, &["--start", "latest"]);
    store.wait_for_total(10);
    stop(host);
}

#[test]
fn a_folder_that_cannot_be_made_is_refused() {
    let (pipeline, store) = (Pipeline::new("store-folder", 1), Store::new());
    std::fs::write(store.dir(), "a file").expect("it can be written");
    let below = store.dir().join("below");
    let file = below.to_str().expect("it is UTF-8");
    for check in [&[][..], &["--check"]] {
        let more = [&["--recovery", file], check].concat();
        let host = pipeline.start(&plugin("passthrough"), &more);
        assert_refused(host, 2, &[file, "a folder that this user may write to"]);
    }
}

#[test]
fn a_check_makes_and_changes_nothing() {
    let pipeline = Pipeline::new("store-check", 2);
    let store = Store::new();
    let check = || {
        let mut host = store.passthrough(&pipeline, &["--check"]);
        expect_exit(&mut host, 0);
        assert_says(&host.stdout(), &["ok: ", &store.path()]);
    };
    check();
    assert!(!store.dir().exists());

    let host = store.passthrough(&pipeline, &[]);
    store.wait_for(&[(0, 0), (1, 0)]);
    // Also beside a run, whose store it leaves alone.
    check();
    stop(host);
    pipeline.client.grow_topic(&pipeline.input, 3);
    let before = std::fs::read(store.file()).expect("it is there");
    check();
    assert_eq!(std::fs::read(store.file()).expect("it is there"), before);
}

#[test]
fn a_replay_of_dead_letters_leaves_the_store_alone() {
    let pipeline = Pipeline::with_dead_letters("store-replay", 1);
    let store = Store::new();
    pipeline.feed(["value a", "fail x"].map(Record::value));
    let dead = ["--dead-letter", &*pipeline.dead];
    let host = store.start(&pipeline, &guest("puppet"), &dead);
    store.wait_for(&[(0, 2)]);

    // Also while the run has it. What else a pipeline's file may say is of no matter:
    // a replay begins and ends where it does.
    let replay = |set: &[&str]| {
        let mut arguments = pipeline.arguments(&guest("puppet"));
        arguments.splice(0..1, ["dlq", "replay", &pipeline.dead].map(str::to_owned));
        let set = set.iter().flat_map(|set| ["--set", set]);
        arguments.extend(set.map(str::to_owned));
        let mut replay = Host::run(arguments);
        expect_exit(&mut replay, 0);
        assert_says(
            &replay.stdout(),
            &["1 dead letter of pipeline puppet replayed"],
        );
    };
    let dir = format!("recovery.dir={}", store.path());
    replay(&[&dir]);
    // Each replay leaves a letter for the next one.
    replay(&[&dir, "input.until=offset:0", "input.start=latest"]);
    replay(&["delivery.guarantee=exactly-once", "input.until=offset:0"]);
    stop(host);
    assert_eq!(store.positions(), [(0, 2)].into());
    assert_eq!(pipeline.letters().len(), 4);
}

#[test]
fn the_log_says_who_keeps_the_positions() {
    let pipeline = Pipeline::new("store-said", 1);
    let store = Store::new();
    let mut host = store.passthrough(&pipeline, &[]);
    host.wait_for_log("partition assigned", SOON);
    let lines = log(&host);
    let running = lines.iter().find(|line| line["message"] == "running");
    let keeper = running.expect("it is said")["positions"].clone();
    assert_eq!(keeper, format!("the recovery store {}", store.path()));
    stop(host);
}
