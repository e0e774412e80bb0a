//! Plugins that break: who is blamed, what is kept, and what the log says.

use millrace_tests::{Record, guest};

use crate::pipeline::{LONG, Pipeline, assert_says, error_of, said_by, stop, texts};

#[test]
fn only_the_record_that_breaks_the_plugin_is_blamed() {
    let pipeline = Pipeline::new("poison", 1);
    let before = (0..777).map(|n| format!("{n}"));
    let behind = (0..500).map(|n| format!("behind {n}"));
    pipeline.feed_at_once(before.clone().chain(["poison".to_owned()]).chain(behind));

    for _ in 0..2 {
        let mut host = pipeline.start(&guest("traps_on_poison"), &[]);
        let error = error_of(&mut host, 1);

        let position = format!("topic {}, partition 0, offset 777", pipeline.input);
        assert_says(
            &error,
            &[
                "stage transform",
                &position,
                "plugin traps_on_poison@",
                "unreachable",
            ],
        );
        // Everything before it once and committed, nothing behind it.
        assert!(texts(&pipeline.outputs()).into_iter().eq(before.clone()));
        pipeline.wait_for_committed(&[(0, 777)]);
    }
}

#[test]
fn a_plugin_that_breaks_by_its_state_loses_no_record() {
    let pipeline = Pipeline::new("state", 2);
    const EACH: usize = 15_000;
    for partition in 0..2 {
        pipeline.feed((0..EACH).map(|n| {
            Record::value(format!("{partition} {n}"))
                .key(format!("{partition}"))
                .to_partition(partition)
        }));
    }

    let host = pipeline.start(&guest("trap_from_state"), &[]);
    pipeline.wait_for_count(2 * EACH, LONG);
    stop(host);

    let read = pipeline.outputs();
    assert_eq!(read.len(), 2 * EACH);
    for partition in 0..2 {
        let prefix = format!("{partition} ");
        let mine = texts(&read).into_iter().filter(|t| t.starts_with(&prefix));
        assert!(mine.eq((0..EACH).map(|n| format!("{prefix}{n}"))));
    }
}

#[test]
fn a_panic_stands_in_the_error_and_in_the_log() {
    let pipeline = Pipeline::new("panic", 1);
    pipeline.feed_at_once(["before", "panic for a good reason", "after"]);

    let mut host = pipeline.start(&guest("puppet"), &[]);
    let error = error_of(&mut host, 1);

    assert_says(
        &error,
        &[
            "stage transform",
            "offset 1",
            "plugin puppet@",
            "for a good reason",
        ],
    );
    let said = said_by("puppet", &host.stderr());
    assert!(
        said.iter()
            .any(|(_, text)| text.contains("for a good reason")),
        "{said:?}"
    );
    assert_eq!(texts(&pipeline.outputs()), ["before"]);
}

#[test]
fn what_a_plugin_prints_and_logs_is_in_the_log_with_its_name() {
    let pipeline = Pipeline::new("log", 1);
    pipeline.feed_at_once([
        "print to stdout",
        "eprint to stderr",
        "log info an info",
        "log warn a warning",
        "log error an error",
        "log debug too small",
    ]);

    let host = pipeline.start(&guest("puppet"), &[]);
    pipeline.wait_for_committed(&[(0, 6)]);
    let said = said_by("puppet", &stop(host));

    let said: Vec<_> = said.iter().map(|(l, t)| (l.as_str(), t.as_str())).collect();
    assert_eq!(
        said,
        [
            ("INFO", "to stdout"),
            ("INFO", "to stderr"),
            ("INFO", "an info"),
            ("WARN", "a warning"),
            ("ERROR", "an error"),
        ]
    );
}

#[test]
fn a_plugin_cannot_forge_log_lines() {
    let pipeline = Pipeline::new("forge", 1);
    pipeline.feed_at_once(["log info one\n{\"level\":\"ERROR\",\"message\":\"forged\"}"]);

    let host = pipeline.start(&guest("puppet"), &[]);
    pipeline.wait_for_committed(&[(0, 1)]);
    let stderr = stop(host);
    let said = said_by("puppet", &stderr);

    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        !stderr
            .lines()
            .any(|line| line.starts_with("{\"level\":\"ERROR\""))
    );
}

#[test]
fn a_plugin_that_never_comes_back_is_interrupted() {
    let pipeline = Pipeline::new("loop", 1);
    pipeline.feed_at_once(["1", "2", "loop", "3"]);

    let mut host = pipeline.start(&guest("puppet"), &["--set", "plugin.time=200ms"]);
    let error = error_of(&mut host, 1);

    assert_says(
        &error,
        &[
            "stage transform",
            "offset 2",
            "plugin.time",
            "plugin puppet@",
        ],
    );
    assert_eq!(texts(&pipeline.outputs()), ["1", "2"]);
    pipeline.wait_for_committed(&[(0, 2)]);
}

#[test]
fn a_plugin_that_sleeps_too_long_is_interrupted() {
    let pipeline = Pipeline::new("sleep", 1);
    // The virtual clock stands still, so only the host's own can end this.
    pipeline.feed_at_once(["1", "sleep 3600000"]);

    let mut host = pipeline.start(&guest("puppet"), &["--set", "plugin.time=200ms"]);
    let error = error_of(&mut host, 1);

    assert_says(&error, &["stage transform", "offset 1", "plugin.time"]);
}

#[test]
fn a_plugin_that_sleeps_by_the_real_clock_is_interrupted_too() {
    let pipeline = Pipeline::new("real-sleep", 1);
    pipeline.feed_at_once(["1", "sleep 3600000"]);

    let flags = ["--set", "plugin.time=200ms", "--allow", "clock"];
    let mut host = pipeline.start(&guest("puppet"), &flags);
    let error = error_of(&mut host, 1);

    assert_says(&error, &["stage transform", "offset 1", "plugin.time"]);
}

#[test]
fn a_plugin_without_end_of_memory_is_stopped() {
    let pipeline = Pipeline::new("alloc", 1);
    pipeline.feed_at_once(["1", "alloc", "2"]);

    let mut host = pipeline.start(&guest("puppet"), &["--set", "plugin.memory=32MiB"]);
    let error = error_of(&mut host, 1);

    assert_says(
        &error,
        &[
            "stage transform",
            "offset 1",
            "plugin.memory",
            "plugin puppet@",
        ],
    );
    assert_eq!(texts(&pipeline.outputs()), ["1"]);
}

#[test]
fn a_full_stack_and_an_exit_are_faults_of_the_record() {
    for (command, says) in [
        ("recurse", "used up its stack"),
        ("trap", "trapped: wasm `unreachable` instruction executed"),
        ("exit 3", "exited in the middle of a call"),
    ] {
        let pipeline = Pipeline::new("broken", 1);
        pipeline.feed_at_once(["1", command, "2"]);

        let mut host = pipeline.start(&guest("puppet"), &[]);
        let error = error_of(&mut host, 1);

        assert_says(
            &error,
            &["stage transform", "offset 1", "plugin puppet@", says],
        );
        assert_eq!(texts(&pipeline.outputs()), ["1"]);
        pipeline.wait_for_committed(&[(0, 1)]);
    }
}

#[test]
fn a_wrong_number_of_verdicts_is_a_fault_of_the_record_that_causes_it() {
    for (guest_name, counts) in [
        ("too_few_verdicts", "0 verdicts for 1"),
        ("too_many_verdicts", "2 verdicts for 1"),
    ] {
        let pipeline = Pipeline::new("miscount", 1);
        pipeline.feed_at_once(["1", "2", "poison", "3"]);

        let mut host = pipeline.start(&guest(guest_name), &[]);
        let error = error_of(&mut host, 1);

        let position = format!("topic {}, partition 0, offset 2", pipeline.input);
        assert_says(
            &error,
            &[
                "stage transform",
                &position,
                guest_name,
                counts,
                "exactly one",
            ],
        );
        assert_eq!(texts(&pipeline.outputs()), ["1", "2"]);
        pipeline.wait_for_committed(&[(0, 2)]);
    }
}
