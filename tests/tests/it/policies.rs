//! What is to become of records that fail: what is refused at the start, the
//! policies, the breaker, and what the log says of it.

use millrace_tests::{Signal, guest};

use crate::pipeline::{Pipeline, SOON, assert_says, error_of, expect_exit, log, stop, texts};

/// What a start with these flags says, with `--check` and without it.
#[track_caller]
fn refused(pipeline: &Pipeline, flags: &[&str]) -> String {
    let mut checked = pipeline.start(&guest("puppet"), &[flags, &["--check"]].concat());
    let error = error_of(&mut checked, 2);
    let mut run = pipeline.start(&guest("puppet"), flags);
    assert_eq!(error_of(&mut run, 2), error);
    error
}

#[test]
fn a_dead_letter_topic_that_would_lose_letters_is_refused() {
    let pipeline = Pipeline::new("bad-dead", 1);
    let client = &pipeline.client;
    let dead = &*pipeline.dead;
    let with = |topic: &str| refused(&pipeline, &["--dead-letter", topic]);

    assert_says(
        &with(dead),
        &[
            "dead-letter topic",
            dead,
            "does not exist",
            "--create-topics",
        ],
    );
    assert_says(&with(&pipeline.input), &["--dead-letter", "also an input"]);
    assert_says(
        &with(&pipeline.output),
        &["--dead-letter", "also the output"],
    );
    assert_says(&with("a/b"), &["--dead-letter", "a/b"]);
    for (name, policy) in [("compacted", "compact"), ("both", "compact,delete")] {
        let topic = format!("{dead}-{name}");
        client.create_topic_with(&topic, 1, &[("cleanup.policy", policy)]);
        assert_says(
            &with(&topic),
            &[&topic, "is compacted", "cleanup.policy=delete"],
        );
    }
    assert_eq!(pipeline.committed().len(), 0, "somebody joined the group");
}

#[test]
fn a_policy_or_breaker_that_means_nothing_is_refused() {
    let pipeline = Pipeline::new("bad-policy", 1);
    let on_error = |policy: &str| refused(&pipeline, &["--on-error", policy]);
    assert_says(
        &on_error("dead-letter"),
        &["--on-error", "needs a topic", "--dead-letter"],
    );
    assert_says(
        &on_error("dorp"),
        &[
            "--on-error",
            "\"dorp\" is no policy",
            "stop, dead-letter, drop",
            "did you mean drop?",
        ],
    );
    for breaker in [
        "",
        "100%",
        "0% of 10",
        "101% of 10",
        "5 of 10",
        "10% of 0",
        "always",
    ] {
        let setting = format!("errors.breaker={breaker}");
        let error = refused(&pipeline, &["--set", &setting]);
        assert_says(&error, &["errors.breaker", "is no breaker", "100% of 1000"]);
    }
}

#[test]
fn a_dead_letter_topic_is_made_on_demand_and_is_not_compacted() {
    let pipeline = Pipeline::new("make-dead", 3);
    let flags = ["--dead-letter", &pipeline.dead, "--create-topics"];
    let mut host = pipeline.start(&guest("puppet"), &[&flags[..], &["--check"]].concat());
    expect_exit(&mut host, 0);
    pipeline
        .client
        .partitions(&pipeline.dead)
        .expect_err("a check makes nothing");

    pipeline.feed_at_once(["fail it"]);
    let host = pipeline.start(&guest("puppet"), &flags);
    pipeline.wait_for_committed_total(1, SOON);
    stop(host);
    assert_eq!(pipeline.client.partitions(&pipeline.dead), Ok(3));
    assert_eq!(texts(&pipeline.letters()), ["fail it"]);
}

#[test]
fn the_policy_drop_loses_only_what_fails_and_counts_it() {
    let pipeline = Pipeline::with_dead_letters("drop", 1);
    pipeline.feed_at_once([
        "1",
        "fail it",
        "trap",
        "partition 7",
        "2",
        "drop",
        "fail it",
    ]);
    // It beats the topic.
    let host = pipeline.start_with_dead_letters(&guest("puppet"), &["--on-error", "drop"]);
    pipeline.wait_for_committed(&[(0, 7)]);
    let stderr = stop(host);

    assert_eq!(texts(&pipeline.outputs()), ["1", "2"]);
    assert_eq!(pipeline.letters(), []);
    let last: serde_json::Value = last_line(&stderr);
    assert_eq!(last["message"], "stopped");
    assert_eq!(
        (&last["dropped"], &last["dead_letters"]),
        (&4.into(), &0.into())
    );
    assert_eq!(
        (&last["records_in"], &last["records_out"]),
        (&7.into(), &2.into())
    );
    assert_says(&stderr, &["record rejected: it is dropped (errors.policy)"]);
}

#[test]
fn the_policy_stop_stops_though_there_is_a_dead_letter_topic() {
    let pipeline = Pipeline::with_dead_letters("stop", 1);
    pipeline.feed_at_once(["1", "fail it", "2"]);
    let mut host = pipeline.start_with_dead_letters(&guest("puppet"), &["--on-error", "stop"]);
    let position = format!("topic {}, partition 0, offset 1", pipeline.input);
    assert_says(
        &error_of(&mut host, 1),
        &["stage transform", &position, "it"],
    );
    pipeline.wait_for_committed(&[(0, 1)]);
    assert_eq!(texts(&pipeline.outputs()), ["1"]);
    assert_eq!(pipeline.letters(), []);
}

const BREAKER: [&str; 2] = ["--set", "errors.breaker=100% of 20"];

#[test]
fn a_run_that_rejects_everything_is_stopped_by_the_breaker() {
    let pipeline = Pipeline::with_dead_letters("breaker", 1);
    pipeline.feed_at_once(["fail it"; 30]);

    let mut host = pipeline.start_with_dead_letters(&guest("puppet"), &BREAKER);
    let error = error_of(&mut host, 1);
    let position = format!("topic {}, partition 0, offset 19", pipeline.input);
    let says = [
        "20 of the last 20 records failed",
        "errors.breaker",
        &position,
        "it",
    ];
    assert_says(&error, &says);
    pipeline.wait_for_committed(&[(0, 19)]);
    assert_eq!(pipeline.letters().len(), 19);

    // The rest is there for the next run.
    let host = pipeline.start_with_dead_letters(&guest("puppet"), &BREAKER);
    pipeline.wait_for_committed(&[(0, 30)]);
    stop(host);
    assert_eq!(pipeline.letters().len(), 30);
}

#[test]
fn one_good_record_keeps_the_breaker_from_ending_the_run() {
    let pipeline = Pipeline::with_dead_letters("no-breaker", 1);
    let bad = ["fail it"; 19];
    pipeline.feed_at_once([&bad[..], &["good"], &bad[..], &["drop"], &bad[..]].concat());
    let host = pipeline.start_with_dead_letters(&guest("puppet"), &BREAKER);
    pipeline.wait_for_committed(&[(0, 59)]);
    stop(host);
    assert_eq!(texts(&pipeline.outputs()), ["good"]);
    assert_eq!(pipeline.letters().len(), 57);
}

#[test]
fn the_log_names_twenty_failures_and_counts_all_of_them() {
    let pipeline = Pipeline::with_dead_letters("counts", 1);
    let values: Vec<_> = [
        vec!["fail one way"; 30],
        vec!["fail another way"; 10],
        vec!["partition 9"; 5],
        vec!["good"; 15],
        vec!["trap"; 1],
    ]
    .concat();
    pipeline.feed_at_once(&values);
    let mut host = pipeline.start_with_dead_letters(&guest("puppet"), &[]);
    pipeline.wait_for_committed(&[(0, 61)]);
    host.signal(Signal::TERM);
    expect_exit(&mut host, 0);

    let lines = log(&host);
    let of = |level: &str, text: &str| {
        let wanted = |l: &&serde_json::Value| l["level"] == level && l["message"] == text;
        lines.iter().filter(wanted).collect::<Vec<_>>()
    };
    let warned = of("WARN", "record rejected: it is now a dead letter");
    // As many as are let through in ten seconds, if it takes no longer.
    assert!((20..=46).contains(&warned.len()), "{}", warned.len());
    let first = warned[0];
    assert_eq!(first["partition"], format!("{}/0", pipeline.input));
    assert_eq!(
        (&first["offset"], &first["stage"]),
        (&0.into(), &"transform".into())
    );
    assert_eq!(first["reason"], "one way");

    let summary = of("INFO", "records rejected");
    let told: Vec<_> = summary
        .iter()
        .map(|l| {
            (
                l["count"].as_u64(),
                l["stage"].as_str(),
                l["reason"].as_str().unwrap_or(""),
            )
        })
        .collect();
    assert_eq!(told[0], (Some(30), Some("transform"), "one way"));
    assert_eq!(told[1], (Some(10), Some("transform"), "another way"));
    assert_eq!((told[2].0, told[2].1), (Some(5), Some("produce")));
    assert_eq!((told[3].0, told[3].1), (Some(1), Some("transform")));
    assert_says(told[3].2, &["trapped: wasm `unreachable`"]);
    assert_eq!(told.len(), 4);

    let last = of("INFO", "stopped")[0];
    for (name, count) in [
        ("records_in", 61),
        ("records_out", 15),
        ("acknowledged", 61),
        ("dead_letters", 46),
        ("dropped", 0),
        ("waits", 0),
        ("reasons", 4),
    ] {
        assert_eq!(last[name], count, "{name} in {last}");
    }
    assert!(last["faults"].as_u64() >= Some(1), "{last}");
}

#[track_caller]
fn last_line(stderr: &str) -> serde_json::Value {
    let last = stderr.lines().next_back().expect("it says that it stopped");
    serde_json::from_str(last).expect("a line of the log")
}
