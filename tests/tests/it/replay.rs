//! `host dlq replay`: what becomes of dead letters that go through their pipeline
//! again.

use millrace_tests::{Host, Record, guest, plugin};
use serde_json::Value;

use crate::pipeline::{
    LONG, Pipeline, SHORT_SESSION, assert_says, error_of, expect_exit, stop, texts,
};

/// A pipeline of the puppet, and its dead-letter topic.
struct Replayed {
    pipeline: Pipeline,
    dead: String,
}

impl Replayed {
    fn new(stem: &str, partitions: i32) -> Replayed {
        let pipeline = Pipeline::new(stem, partitions);
        let dead = format!("{}-dead", pipeline.input);
        pipeline.client.create_topic(&dead, partitions);
        Replayed { pipeline, dead }
    }

    /// Runs these commands of the puppet's through the pipeline, `letters` of
    /// which fail.
    fn run(&self, commands: &[&str]) {
        self.pipeline.feed(commands.iter().map(|command| {
            Record::value(command)
                .key("k")
                .header("trace", "t")
                .to_partition(0)
        }));
        let host = self
            .pipeline
            .start(&guest("puppet"), &["--dead-letter", &self.dead]);
        let end = i64::try_from(commands.len()).expect("few");
        self.pipeline.wait_for_committed(&[(0, end)]);
        stop(host);
    }

    fn replay(&self, plugin: &std::path::Path, more: &[&str]) -> Host {
        let mut arguments = self.pipeline.arguments(plugin);
        arguments.splice(0..1, ["dlq", "replay", &self.dead].map(str::to_owned));
        if !more.contains(&"--name") {
            arguments.extend(["--name", "puppet"].map(str::to_owned));
        }
        arguments.extend(more.iter().map(|word| (*word).to_owned()));
        Host::run(arguments)
    }

    fn answer(&self, plugin: &std::path::Path, more: &[&str]) -> String {
        let mut host = self.replay(plugin, more);
        expect_exit(&mut host, 0);
        host.stdout()
    }

    fn letters(&self) -> Vec<Record> {
        self.pipeline.client.read_all(&self.dead)
    }
}

fn header(record: &Record, name: &str) -> String {
    let mut found = record
        .headers
        .iter()
        .filter(|(known, _)| known == name.as_bytes());
    let (_, value) = found.next().unwrap_or_else(|| panic!("no {name}"));
    assert!(found.next().is_none(), "{name} stands there twice");
    String::from_utf8(value.clone().expect("a value")).expect("UTF-8")
}

#[test]
fn what_fails_again_is_a_dead_letter_again_of_its_first_origin_and_is_not_chased() {
    let replayed = Replayed::new("replay-again", 1);
    replayed.run(&["value a", "fail first", "value b", "trap"]);
    for attempts in ["2", "3"] {
        assert_eq!(
            replayed.answer(&guest("puppet"), &[]),
            "2 dead letters of pipeline puppet replayed: 0 outputs written, 2 failed again\n"
        );
        let letters = replayed.letters();
        let (failed, trapped) = (&letters[letters.len() - 2], &letters[letters.len() - 1]);
        for (letter, offset) in [(failed, "1"), (trapped, "3")] {
            assert_eq!(header(letter, "millrace.attempts"), attempts);
            assert_eq!(header(letter, "millrace.offset"), offset);
            assert_eq!(header(letter, "millrace.topic"), replayed.pipeline.input);
            assert_eq!(header(letter, "trace"), "t");
            assert_eq!(letter.key.as_deref(), Some(&b"k"[..]));
        }
        assert_eq!(header(failed, "millrace.reason"), "first");
    }
    assert_eq!(replayed.letters().len(), 6);
    assert_eq!(texts(&replayed.pipeline.outputs()), ["a", "b"]);
}

#[test]
fn the_plugin_sees_a_letter_where_its_record_was_first_read() {
    let replayed = Replayed::new("replay-seen", 1);
    let at = 1_700_000_000_000;
    replayed.pipeline.feed([Record::value("poison")
        .header("a", "1")
        .header("a", "2")
        .at(at)
        .to_partition(0)]);
    let host = replayed.pipeline.start(
        &guest("traps_on_poison"),
        &["--dead-letter", &replayed.dead, "--name", "puppet"],
    );
    replayed.pipeline.wait_for_committed(&[(0, 1)]);
    stop(host);
    let dry = replayed.answer(&plugin("passthrough"), &["--dry-run", "--json"]);
    let line: Value = serde_json::from_str(&dry).expect("one JSON line");
    assert_eq!(line["topic"], *replayed.pipeline.input);
    assert_eq!(
        (&line["partition"], &line["offset"]),
        (&0.into(), &0.into())
    );
    assert_eq!(line["timestamp"], at);
    assert_eq!(line["dead_letter"]["stage"], "transform");
    assert_eq!(line["outputs"][0]["topic"], *replayed.pipeline.output);
    replayed.answer(&plugin("passthrough"), &[]);
    let outputs = replayed.pipeline.outputs();
    let first = Record::value("poison")
        .header("a", "1")
        .header("a", "2")
        .at(at);
    assert_eq!(outputs[0].headers, first.headers);
    assert_eq!(outputs[0].timestamp, first.timestamp);
}

#[test]
fn letters_of_another_pipeline_and_other_records_are_left_alone() {
    let replayed = Replayed::new("replay-others", 1);
    replayed.run(&["fail mine"]);
    replayed
        .pipeline
        .client
        .produce(&replayed.dead, [Record::value("no letter")]);
    let answer = replayed.answer(&plugin("passthrough"), &["--name", "another", "--dry-run"]);
    assert_says(
        &answer,
        &[
            "no dead letter of pipeline another",
            "1 dead letter of pipeline puppet",
            "--name",
        ],
    );
    assert_eq!(
        replayed.answer(&plugin("passthrough"), &[]),
        "1 dead letter of pipeline puppet replayed: 1 output written, 0 failed again; left alone: \
         1 record without a dead letter's headers\n"
    );
    assert_eq!(texts(&replayed.pipeline.outputs()), ["fail mine"]);
}

#[test]
fn a_replay_under_the_wrong_name_takes_nothing_from_the_right_one() {
    let replayed = Replayed::new("replay-name", 1);
    replayed.run(&["fail it"]);
    let wrong = replayed.answer(&plugin("passthrough"), &["--name", "another"]);
    assert_says(&wrong, &["is left to replay", "left alone: 1 dead letter"]);
    assert_eq!(
        replayed.answer(&plugin("passthrough"), &[]),
        "1 dead letter of pipeline puppet replayed: 1 output written, 0 failed again\n"
    );
}

#[test]
fn a_dry_run_waits_for_no_topic_that_a_run_would_make() {
    let replayed = Replayed::new("replay-dry", 1);
    replayed.run(&["fail it"]);
    let missing = format!("{}-missing", replayed.pipeline.input);
    let flags = ["--dry-run", "--create-topics", "--to", &missing];
    let mut host = replayed.replay(&plugin("passthrough"), &flags);
    assert_says(&error_of(&mut host, 2), &[&missing, "does not exist"]);
}

#[test]
fn flags_that_a_replay_can_not_follow_are_refused() {
    let replayed = Replayed::new("replay-flags", 1);
    for (flags, why) in [
        (["--start", "latest"], "--start: a replay begins at"),
        (["--until", "end"], "--until: a replay ends where"),
        (["--recovery", "here"], "--recovery: a replay keeps in"),
        (["--workers", "2"], "--workers: a replay has one worker"),
    ] {
        let mut host = replayed.replay(&plugin("passthrough"), &flags);
        assert_says(&error_of(&mut host, 2), &[why]);
    }
}

#[test]
fn the_policy_drop_lets_hopeless_letters_go() {
    let replayed = Replayed::new("replay-drop", 1);
    replayed.run(&["fail it"]);
    let dropped = replayed.answer(&guest("puppet"), &["--on-error", "drop"]);
    assert_says(&dropped, &["0 outputs written, 0 failed again"]);
    assert_eq!(replayed.letters().len(), 1);
}

#[test]
fn to_writes_every_output_to_one_topic_and_never_where_it_would_come_back() {
    let replayed = Replayed::new("replay-to", 1);
    replayed.run(&["fail it"]);
    let aside = format!("{}-aside", replayed.pipeline.input);
    replayed.pipeline.client.create_topic(&aside, 1);
    replayed.answer(&plugin("passthrough"), &["--to", &aside]);
    assert_eq!(
        texts(&replayed.pipeline.client.read_all(&aside)),
        ["fail it"]
    );
    assert_eq!(replayed.pipeline.count(), Ok(0));
    for (to, why) in [
        (&replayed.pipeline.input, "is an input of the pipeline"),
        (&replayed.dead, "holds dead letters"),
    ] {
        let mut host = replayed.replay(&plugin("passthrough"), &["--to", to]);
        assert_says(&error_of(&mut host, 2), &["--to: topic ", why]);
    }
}

#[test]
fn a_letter_without_its_value_fails_again_and_says_where_the_value_is() {
    let replayed = Replayed::new("replay-omitted", 1);
    let small = format!("{}-small", replayed.pipeline.input);
    let limit = [("max.message.bytes", "4000")];
    replayed
        .pipeline
        .client
        .create_topic_with(&small, 1, &limit);
    let replayed = Replayed {
        dead: small,
        ..replayed
    };
    replayed.run(&[&format!("trap {}", "x".repeat(5000))]);
    assert_eq!(
        replayed.answer(&plugin("passthrough"), &[]),
        "1 dead letter of pipeline puppet replayed: 0 outputs written, 1 failed again\n"
    );
    let letters = replayed.letters();
    assert_eq!(header(&letters[1], "millrace.value-omitted"), "5005");
    assert_says(
        &header(&letters[1], "millrace.reason"),
        &[
            "5005 bytes",
            &format!("topic {}, partition 0, offset 0", replayed.pipeline.input),
        ],
    );
}

#[test]
fn a_replay_that_was_killed_goes_on_and_loses_nothing() {
    let replayed = Replayed::new("replay-killed", 2);
    let count = 3000;
    replayed.pipeline.feed((0..count).map(|n| {
        Record::value(format!("fail {n}"))
            .key(n.to_string())
            .to_partition(n % 2)
    }));
    let host = replayed.pipeline.start(
        &guest("puppet"),
        &[
            "--dead-letter",
            &replayed.dead,
            "--set",
            "errors.breaker=off",
        ],
    );
    let half = i64::from(count / 2);
    replayed
        .pipeline
        .wait_for_committed(&[(0, half), (1, half)]);
    stop(host);
    let often = ["--commit-interval", "5ms"];
    let mut first = replayed.replay(&plugin("passthrough"), &[&often, SHORT_SESSION].concat());
    replayed.pipeline.wait_for_count(100, LONG);
    first.kill();
    replayed.answer(&plugin("passthrough"), SHORT_SESSION);
    let mut values: Vec<String> = texts(&replayed.pipeline.outputs())
        .into_iter()
        .map(str::to_owned)
        .collect();
    values.sort_unstable();
    values.dedup();
    assert_eq!(values.len(), usize::try_from(count).expect("small"));
    assert_says(
        &replayed.answer(&plugin("passthrough"), &[]),
        &["is left to replay"],
    );
}

#[test]
fn a_topic_that_can_not_hold_dead_letters_of_the_pipeline_is_refused() {
    let replayed = Replayed::new("replay-refused", 1);
    for (topic, why) in [
        (
            replayed.pipeline.input.clone(),
            "is an input of the pipeline",
        ),
        (replayed.pipeline.output.clone(), "is the pipeline's output"),
        (
            format!("{}x", replayed.dead),
            "does not exist (the nearest existing name is ",
        ),
    ] {
        let mut arguments = replayed.pipeline.arguments(&plugin("passthrough"));
        arguments.splice(0..1, ["dlq", "replay", &topic].map(str::to_owned));
        assert_says(&error_of(&mut Host::run(arguments), 2), &[&topic, why]);
    }
}
