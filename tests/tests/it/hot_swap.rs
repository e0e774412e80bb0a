//! Another version of a plugin takes over while records flow: each record is judged by
//! one of them, in order, and is there once. What is no plugin changes nothing.

mod admin;
mod bad_builds;
mod others;
mod shadow;
mod trials;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use millrace_tests::{Host, Record, Signal, eventually, eventually_ok, guest};
use serde_json::Value;

use crate::feeder::{Feeder, assert_all_once_in_order, assert_culprits_apart, record_or_culprit};
use crate::pipeline::{LONG, Pipeline, QUICK_HEARTBEAT, SOON, log, stop};

/// A plugin file that changes, in a folder of its own.
struct Plugin {
    _folder: tempfile::TempDir,
    path: PathBuf,
    original: Vec<u8>,
}

impl Plugin {
    /// Version 0 of the guest that stamps its version.
    fn new() -> Plugin {
        Plugin::of("stamps_version", "stamps.wasm")
    }

    /// Version 0 of one of the guests that stamp their version, under a name.
    fn of(original: &str, name: &str) -> Plugin {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join(name);
        let original = fs::read(guest(original)).expect("it is built");
        let plugin = Plugin {
            _folder: folder,
            path,
            original,
        };
        plugin.becomes("000000");
        plugin
    }

    /// The file of this version: six digits, or `broken`.
    fn version(&self, version: &str) -> Vec<u8> {
        let mark = b"version-of-this:";
        let is_mark = |bytes: &[u8]| bytes == mark;
        let at = self.original.windows(mark.len()).position(is_mark);
        let at = at.expect("the guest holds its version") + mark.len();
        let mut bytes = self.original.clone();
        bytes[at..at + version.len()].copy_from_slice(version.as_bytes());
        bytes
    }

    fn becomes(&self, version: &str) {
        self.is_replaced_by(&self.version(version));
    }

    /// All at once, as build tools do it.
    fn is_replaced_by(&self, bytes: &[u8]) {
        let part = self.path.with_extension("part");
        fs::write(&part, bytes).expect("it can be written");
        fs::rename(&part, &self.path).expect("it can be replaced");
    }
}

/// The log's lines with this message.
fn lines(host: &Host, message: &str) -> Vec<Value> {
    let is = |line: &Value| {
        line["message"]
            .as_str()
            .is_some_and(|m| m.starts_with(message))
    };
    log(host).into_iter().filter(is).collect()
}

/// Waits until so many workers have swapped, all swaps together.
#[track_caller]
fn wait_for_swaps(host: &Host, wanted: usize) {
    wait_for_lines(host, "plugin swapped", wanted);
}

#[track_caller]
fn wait_for_lines(host: &Host, message: &str, wanted: usize) {
    eventually_ok(LONG, message, || match lines(host, message).len() {
        found if found >= wanted => Ok(()),
        found => Err(format!("{found} of {wanted}")),
    });
}

fn version_of(record: &Record) -> String {
    let header = record.headers.iter().find(|(name, _)| name == b"version");
    let value = header
        .and_then(|(_, value)| value.clone())
        .expect("a version");
    String::from_utf8(value).expect("digits")
}

/// That the versions of each key never go back, and which is the last one. All records
/// of a key are of one partition of the input.
#[track_caller]
fn assert_versions_rise(records: &[Record]) -> String {
    let mut last: BTreeMap<Option<Vec<u8>>, String> = BTreeMap::new();
    for record in records {
        let version = version_of(record);
        let before = last.insert(record.key.clone(), version.clone());
        assert!(
            before.as_ref().is_none_or(|before| *before <= version),
            "{version} after {before:?}"
        );
    }
    last.into_values().max().expect("there are records")
}

/// How many partitions each worker has, and how many it was given or gave up so far.
fn shares(host: &Host) -> BTreeMap<u64, (usize, usize)> {
    let mut shares = BTreeMap::<_, (usize, usize)>::new();
    for line in log(host) {
        let Some(worker) = line["span"]["number"].as_u64() else {
            continue;
        };
        let (has, moved) = shares.entry(worker).or_default();
        let message = line["message"].as_str().unwrap_or_default();
        if message == "partition assigned" {
            *has += 1;
            *moved += 1;
        } else if message.starts_with("partitions given up") {
            let partitions = line["partitions"].as_str().expect("a list");
            let count = partitions.split(' ').count();
            *has -= count;
            *moved += count;
        }
    }
    shares
}

/// Resident memory, in MiB.
fn memory(host: &Host) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", host.id())).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|kib| kib.parse::<u64>().ok()).expect("a size") / 1024
}

#[test]
fn a_hundred_swaps_lose_and_double_nothing_and_leave_no_memory_behind() {
    let pipeline = Pipeline::new("swaps", 4);
    let plugin = Plugin::new();
    let feeder = Feeder::start(&pipeline, 3000);
    let more = [&["--workers", "2"], QUICK_HEARTBEAT].concat();
    let host = pipeline.start(&plugin.path, &more);
    // The one that joined first gives the other its share.
    eventually(SOON, "each worker to have its two", || {
        let shares = shares(&host);
        (shares.len() == 2 && shares.values().all(|(has, _)| *has == 2)).then_some(())
    });
    let shared = shares(&host);
    pipeline.wait_for_flow(1000);
    let mut early = 0;
    for version in 1..=100 {
        plugin.becomes(&format!("{version:06}"));
        wait_for_swaps(&host, 2 * version);
        if version == 20 {
            early = memory(&host);
        }
    }
    pipeline.wait_for_flow(1000);
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    // When nothing is on its way.
    let late = memory(&host);
    let members = pipeline.client.members(&pipeline.group).len();
    assert_eq!(members, 2, "a swap is no reason to leave the group");
    assert_eq!(shares(&host), shared, "a swap moves no partition");
    stop(host);
    let outputs = pipeline.outputs();
    assert_all_once_in_order(&outputs, written);
    assert_eq!(assert_versions_rise(&outputs), "000100");
    assert!(
        late < early + 40,
        "{early} MiB after 20 swaps, {late} after 100"
    );
}

#[test]
fn a_swap_says_from_where_on_each_partition_is_the_new_ones() {
    let pipeline = Pipeline::new("swap-says", 1);
    let plugin = Plugin::new();
    let host = pipeline.start(&plugin.path, &[]);
    pipeline.feed((0..10).map(|n| Record::value(n.to_string())));
    pipeline.wait_for_outputs(10);
    plugin.becomes("000001");
    wait_for_swaps(&host, 1);
    let line = &lines(&host, "plugin swapped")[0];
    assert_eq!(line["from"], format!("{}/0:10", pipeline.input));
    pipeline.feed((10..20).map(|n| Record::value(n.to_string())));
    let outputs = pipeline.wait_for_outputs(20);
    stop(host);
    let versions: Vec<String> = outputs.iter().map(version_of).collect();
    assert_eq!(versions[..10], vec!["000000"; 10]);
    assert_eq!(versions[10..], vec!["000001"; 10]);
}

/// One record in forty is a trap, so that swaps come in the middle of hunts for it.
#[test]
fn swaps_in_the_middle_of_hunts_blame_only_the_culprits() {
    let pipeline = Pipeline::with_dead_letters("swap-hunts", 2);
    let plugin = Plugin::new();
    let feeder = Feeder::start_with(&pipeline, 1000, record_or_culprit);
    let host = pipeline.start_with_dead_letters(&plugin.path, &[]);
    pipeline.wait_for_flow(500);
    for version in 1..=20 {
        plugin.becomes(&format!("{version:06}"));
        wait_for_swaps(&host, version);
    }
    pipeline.wait_for_flow(500);
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    stop(host);
    assert_culprits_apart(&pipeline, written);
    let outputs = pipeline.outputs();
    assert_eq!(outputs.len() + pipeline.letters().len(), written);
    assert_eq!(assert_versions_rise(&outputs), "000020");
}

#[test]
fn sighup_takes_a_new_file_where_it_is_not_watched() {
    let pipeline = Pipeline::new("swap-hup", 1);
    let plugin = Plugin::new();
    let mut host = pipeline.start(&plugin.path, &["--no-watch"]);
    pipeline.feed([Record::value("a")]);
    pipeline.wait_for_outputs(1);
    let other = Pipeline::new("swap-watched", 1);
    let watching = other.start(&plugin.path, &[]);
    other.feed([Record::value("a")]);
    other.wait_for_outputs(1);
    plugin.becomes("000001");
    wait_for_swaps(&watching, 1);
    stop(watching);
    assert!(lines(&host, "plugin swapped").is_empty(), "it is watched");
    host.signal(Signal::HUP);
    wait_for_swaps(&host, 1);
    pipeline.feed([Record::value("b")]);
    let outputs = pipeline.wait_for_outputs(2);
    stop(host);
    assert_eq!(version_of(&outputs[1]), "000001");
}

/// Transactions, a second process that comes and goes, and swaps in all of it.
#[test]
fn swaps_in_transactions_and_rebalances_count_each_record_once() {
    let pipeline = Pipeline::new("swap-once", 6);
    let plugin = Plugin::new();
    let feeder = Feeder::start(&pipeline, 1500);
    let more = [
        &["--guarantee", "exactly-once", "--workers", "2"],
        QUICK_HEARTBEAT,
    ]
    .concat();
    let host = pipeline.start(&plugin.path, &more);
    pipeline.wait_for_flow(500);
    for round in 0..4 {
        let other = pipeline.start(&plugin.path, &more);
        for half in 0..2 {
            plugin.becomes(&format!("{:06}", round * 2 + half + 1));
            wait_for_swaps(&host, 2 * (round * 2 + half + 1));
        }
        pipeline.wait_for_flow(500);
        stop(other);
    }
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    stop(host);
    assert_all_once_in_order(&pipeline.outputs(), written);
}
