//! Plugins that break, with a dead-letter topic: exactly the culprits are dead
//! letters, and every other record is in the output, once and in order.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use millrace_tests::{Record, eventually, guest};

use crate::pipeline::{
    LONG, Pipeline, SOON, assert_says, error_of, log, origin, stop, texts, told,
};

const PARTITIONS: i32 = 3;

/// Records in each partition.
const EACH: i64 = 1000;

/// Where culprits are hard to tell from their neighbours: at both ends of a
/// partition, side by side, at both sides of the first call's end, in the middle.
const PLACES: [(i32, i64); 9] = [
    (0, 0),
    (0, EACH - 1),
    (1, 500),
    (1, 501),
    (2, 63),
    (2, 64),
    (0, 333),
    (1, EACH - 2),
    (2, 777),
];

/// A pipeline whose input holds numbered records and, among them, culprits.
struct Crowd {
    pipeline: Pipeline,
    /// By partition and offset.
    culprits: BTreeMap<(i32, i64), String>,
}

impl Crowd {
    /// The commands stand at [`PLACES`], each as often as it takes to fill them.
    fn new(stem: &str, commands: &[&str]) -> Crowd {
        let commands = commands.iter().cycle().map(|c| (*c).to_owned());
        Crowd::with(stem, PLACES.into_iter().zip(commands).collect())
    }

    fn with(stem: &str, culprits: BTreeMap<(i32, i64), String>) -> Crowd {
        let pipeline = Pipeline::with_dead_letters(stem, PARTITIONS);
        let records = (0..PARTITIONS).flat_map(|partition| {
            let culprits = &culprits;
            (0..EACH).map(move |offset| {
                let value = culprits.get(&(partition, offset)).cloned();
                Record::value(value.unwrap_or_else(|| innocent(partition, offset)))
                    .key(partition.to_string())
                    .to_partition(partition)
            })
        });
        pipeline.feed(records);
        Crowd { pipeline, culprits }
    }

    /// Runs all of it through the plugin. Returns the culprits' reasons, and the
    /// log's last line.
    #[track_caller]
    fn judge(&self, plugin: &Path, flags: &[&str]) -> (Vec<(&str, String)>, serde_json::Value) {
        let host = self.pipeline.start_with_dead_letters(plugin, flags);
        self.wait_for_the_end(LONG);
        let stderr = stop(host);
        let last = stderr.lines().next_back().expect("it says that it stopped");
        let last = serde_json::from_str(last).expect("a line of the log");
        (self.assert_judged(), last)
    }

    #[track_caller]
    fn wait_for_the_end(&self, deadline: Duration) {
        let all = usize::try_from(i64::from(PARTITIONS) * EACH).expect("small");
        self.pipeline.wait_for_committed_total(all, deadline);
    }

    /// Asserts that every innocent record is in the output once and in order,
    /// and every culprit once in the dead-letter topic. Returns its reason.
    #[track_caller]
    fn assert_judged(&self) -> Vec<(&str, String)> {
        let letters = self.pipeline.letters();
        let mut found: Vec<_> = letters.iter().map(|l| (origin(l), l.text())).collect();
        found.sort_unstable();
        let culprits = self.culprits.iter().map(|(at, value)| (*at, &**value));
        assert_eq!(found, culprits.collect::<Vec<_>>());
        let outputs = self.pipeline.outputs();
        for partition in 0..PARTITIONS {
            let key = partition.to_string();
            let mine = outputs.iter().filter(|r| r.key == Some(key.clone().into()));
            let expected = (0..EACH)
                .filter(|offset| !self.culprits.contains_key(&(partition, *offset)))
                .map(|offset| innocent(partition, offset));
            assert!(
                mine.map(Record::text).eq(expected),
                "partition {partition} is not in the output once and in order"
            );
        }
        let reason = |letter: &Record| {
            assert_eq!(told(letter, "stage"), "transform");
            assert_eq!(told(letter, "topic"), self.pipeline.input);
            told(letter, "reason").to_owned()
        };
        let reasons: BTreeMap<_, _> = letters.iter().map(|l| (origin(l), reason(l))).collect();
        let values = self.culprits.values().map(String::as_str);
        values.zip(reasons.into_values()).collect()
    }
}

/// What is no command of the puppet's.
fn innocent(partition: i32, offset: i64) -> String {
    format!("{partition} {offset}")
}

/// Asserts that each culprit's reason holds what its command leads to.
#[track_caller]
fn assert_reasons(reasons: &[(&str, String)], expected: &[(&str, &str)]) {
    for (command, reason) in reasons {
        let (_, says) = expected
            .iter()
            .find(|(expected, _)| expected == command)
            .unwrap_or_else(|| panic!("{command:?} is a dead letter: {reason}"));
        assert_says(reason, &[says]);
    }
}

#[test]
fn records_that_the_plugin_fails_are_dead_letters_and_no_others() {
    let commands = ["fail for a reason", "expand many"];
    let crowd = Crowd::new("fails", &commands);
    let (reasons, last) = crowd.judge(&guest("puppet"), &[]);
    assert_reasons(
        &reasons,
        &[
            ("fail for a reason", "for a reason"),
            ("expand many", "invalid digit"),
        ],
    );
    assert_eq!(last["dead_letters"], PLACES.len());
    // A plugin that says no has not broken.
    assert_eq!(last["faults"], 0);
}

#[test]
fn records_that_break_the_plugin_are_dead_letters_and_no_others() {
    let expected = [
        ("trap", "wasm `unreachable` instruction executed"),
        ("panic at once", "printed: at once"),
        ("exit 3", "exited in the middle of a call"),
        ("recurse", "used up its stack"),
        ("alloc", "plugin.memory"),
        ("leak 80000000", "plugin.memory"),
    ];
    let crowd = Crowd::new("breaks", &expected.map(|(command, _)| command));
    let (reasons, last) = crowd.judge(&guest("puppet"), &["--set", "plugin.memory=64MiB"]);
    assert_reasons(&reasons, &expected);
    assert!(
        last["faults"].as_u64() >= Some(PLACES.len() as u64),
        "{last}"
    );
}

#[test]
fn records_that_take_too_long_are_dead_letters_and_no_others() {
    let expected = [
        ("loop", "took longer than the 300ms"),
        ("sleep 3600000", "took longer than the 300ms"),
        ("print-loop", "printed: without end"),
    ];
    let crowd = Crowd::new("too-long", &expected.map(|(command, _)| command));
    let flags = ["--set", "plugin.time=300ms", "--set", "plugin.call=900ms"];
    let (reasons, _) = crowd.judge(&guest("puppet"), &flags);
    assert_reasons(&reasons, &expected);
}

#[test]
fn records_that_get_a_wrong_number_of_verdicts_are_dead_letters_and_no_others() {
    for (name, says) in [
        ("too_few_verdicts", "returned 0 verdicts for 1 messages"),
        ("too_many_verdicts", "returned 2 verdicts for 1 messages"),
    ] {
        let crowd = Crowd::new("miscounts", &["poison"]);
        let (reasons, _) = crowd.judge(&guest(name), &[]);
        assert_reasons(&reasons, &[("poison", says)]);
    }
}

#[test]
fn a_record_that_returns_too_much_is_a_dead_letter_and_no_other() {
    let culprits = [((0, 10), "returns 200"), ((1, 990), "returns 200")];
    let culprits = culprits.map(|(at, command)| (at, command.to_owned()));
    let crowd = Crowd::with("returns-much", culprits.into());
    let flags = ["--set", "plugin.memory=1GiB", "--set", "plugin.time=10s"];
    let (reasons, _) = crowd.judge(&guest("puppet"), &flags);
    assert_reasons(&reasons, &[("returns 200", "returned more than 134217728")]);
}

#[test]
fn what_only_prints_or_leaks_is_no_dead_letter() {
    let pipeline = Pipeline::with_dead_letters("prints-and-leaks", 1);
    let noisy = ["flood 20000", "leak 40000000"];
    let values: Vec<_> = (0..1000)
        .map(|n| match n % 100 {
            50 => noisy[n / 100 % 2].to_owned(),
            _ => n.to_string(),
        })
        .chain(["panic behind the noise".to_owned()])
        .collect();
    pipeline.feed_at_once(&values);

    let flags = ["--set", "plugin.memory=64MiB"];
    let host = pipeline.start_with_dead_letters(&guest("puppet"), &flags);
    pipeline.wait_for_committed(&[(0, 1001)]);
    stop(host);

    assert_eq!(texts(&pipeline.outputs()), values[..1000]);
    let letters = pipeline.letters();
    assert_eq!(texts(&letters), ["panic behind the noise"]);
    // What another record printed is not held against it.
    let reason = told(&letters[0], "reason");
    assert_says(reason, &["printed: behind the noise"]);
    assert!(!reason.contains("of a flood"), "{reason}");
}

#[test]
fn a_plugin_that_breaks_by_its_state_makes_no_dead_letter() {
    const RECORDS: usize = 25_000;
    let pipeline = Pipeline::with_dead_letters("innocent", 1);
    pipeline.feed((0..RECORDS).map(|n| Record::value(n.to_string()).to_partition(0)));

    let host = pipeline.start_with_dead_letters(&guest("trap_from_state"), &[]);
    pipeline.wait_for_committed_total(RECORDS, LONG);
    stop(host);

    let read = pipeline.outputs();
    let expected = (0..RECORDS).map(|n| n.to_string());
    assert!(texts(&read).into_iter().eq(expected));
    assert_eq!(pipeline.letters(), []);
}

#[test]
fn a_plugin_that_can_not_be_made_again_stops_the_run_and_loses_nothing() {
    let pipeline = Pipeline::with_dead_letters("not-again", 1);
    pipeline.feed_at_once(["1", "2"]);
    let now = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.expect("after 1970").as_millis()
    };
    // Time enough to start, and no more than has to be waited for.
    let until = now() + 20_000;
    let config = until.to_string();
    let flags = ["--plugin-config", &config, "--allow", "clock"];
    let mut host = pipeline.start_with_dead_letters(&guest("init_traps_later"), &flags);
    pipeline.wait_for_committed(&[(0, 2)]);
    eventually(SOON, "the clock to pass", || (now() > until).then_some(()));
    pipeline.feed_at_once(["3", "poison", "4"]);

    let error = error_of(&mut host, 1);
    assert_says(
        &error,
        &[
            "plugin init_traps_later@",
            "its init broke",
            &format!("told to panic after {until}"),
        ],
    );
    // None of the three was judged.
    assert_eq!(texts(&pipeline.outputs()), ["1", "2"]);
    assert_eq!(pipeline.letters(), []);
    pipeline.wait_for_committed(&[(0, 2)]);

    let host = pipeline.start_with_dead_letters(&guest("traps_on_poison"), &[]);
    pipeline.wait_for_committed(&[(0, 5)]);
    stop(host);
    assert_eq!(texts(&pipeline.outputs()), ["1", "2", "3", "4"]);
    assert_eq!(texts(&pipeline.letters()), ["poison"]);
}

#[test]
fn a_hunt_does_not_cost_the_membership() {
    // The hunts last far longer than the group waits for a member.
    let slow = ["loop", "sleep 3600000"].into_iter().cycle();
    let places = (0..6).map(|n| (n % PARTITIONS, i64::from(n) * 97));
    let culprits = places.zip(slow.map(str::to_owned)).collect();
    let crowd = Crowd::with("slow-hunt", culprits);
    let begun = Instant::now();
    let flags = [
        "plugin.time=1s",
        "plugin.call=4s",
        "kafka.consumer.session.timeout.ms=10000",
        "kafka.consumer.heartbeat.interval.ms=1000",
        "kafka.consumer.max.poll.interval.ms=10000",
    ]
    .map(|setting| ["--set", setting]);
    let host = crowd
        .pipeline
        .start_with_dead_letters(&guest("puppet"), &flags.concat());
    crowd.wait_for_the_end(LONG);
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(20), "{took:?} proves nothing");

    let assigned = log(&host)
        .iter()
        .filter(|line| line["message"] == "partition assigned")
        .count();
    assert_eq!(assigned, 3);
    let stderr = stop(host);
    for trouble in ["max.poll", "partitions lost", "a commit failed"] {
        assert!(!stderr.contains(trouble), "{trouble} in the log");
    }
    crowd.assert_judged();
}

#[test]
fn a_guest_that_loops_in_one_worker_does_not_hold_up_another() {
    let pipeline = Pipeline::with_dead_letters("loops-in-one", 2);
    let flags = ["--workers", "2", "--set", "plugin.time=2s"];
    let flags = [&flags[..], &["--set", "plugin.call=2s"]].concat();
    let host = pipeline.start_with_dead_letters(&guest("puppet"), &flags);
    // Each worker has a partition before there is anything to read.
    pipeline.wait_for_committed(&[(0, 0), (1, 0)]);
    eventually(SOON, "a member a partition", || {
        let settled = pipeline.client.group_state(&pipeline.group) == "Stable";
        (settled && pipeline.client.members(&pipeline.group).len() == 2).then_some(())
    });
    let to = |partition: i32, value: &str| Record::value(value).to_partition(partition);
    // Twenty seconds' work.
    pipeline.feed((0..10).map(|_| to(0, "loop")));
    eventually(SOON, "the first loop's end", || {
        (pipeline.committed()[&0] > 0).then_some(())
    });

    pipeline.feed((0..2000).map(|n| to(1, &n.to_string())));
    pipeline.wait_for_count(2000, SOON);
    eventually(SOON, "the other partition's end", || {
        (pipeline.committed()[&1] == 2000).then_some(())
    });
    assert!(pipeline.committed()[&0] < 10, "the loops have ended");
    stop(host);
}
