//! What a plugin may take, say and hand over, and what happens to one that
//! takes more.

use millrace_tests::{Record, guest};
use serde_json::Value;

use crate::pipeline::{LONG, Pipeline, assert_says, error_of, log, said_by, stop, texts};

/// The texts of the host's own log lines.
fn messages(log: &[Value]) -> impl Iterator<Item = &str> {
    log.iter()
        .filter(|line| line["target"] != "plugin")
        .filter_map(|line| line["message"].as_str())
}

#[test]
fn a_plugin_that_leaks_is_replaced_and_loses_no_record() {
    let pipeline = Pipeline::new("leaks", 1);
    const RECORDS: usize = 5000;
    pipeline.feed((0..RECORDS).map(|n| Record::value(n.to_string()).to_partition(0)));

    // Each record takes 100 KiB: five hundred MiB in all.
    let flags = ["--set", "plugin.memory=64MiB"];
    let host = pipeline.start(&guest("leaks"), &flags);
    pipeline.wait_for_count(RECORDS, LONG);
    pipeline.wait_for_committed(&[(0, 5000)]);
    let log = log(&host);
    stop(host);

    let read = pipeline.outputs();
    assert!(
        texts(&read)
            .into_iter()
            .eq((0..RECORDS).map(|n| n.to_string()))
    );
    let replaced = log
        .iter()
        .find(|line| line["so_far"].is_u64())
        .expect("it is logged");
    assert_says(
        replaced["message"].as_str().expect("a text"),
        &["plugin.memory", "replaced"],
    );
    assert_says(replaced["plugin"].as_str().expect("a name"), &["leaks@"]);
}

#[test]
fn a_record_that_leaks_more_than_there_is_does_not_take_its_neighbours_along() {
    let pipeline = Pipeline::new("leak", 1);
    pipeline.feed_at_once([
        "1",
        "leak 40000000",
        "2",
        "leak 40000000",
        "3",
        "leak 80000000",
    ]);

    let mut host = pipeline.start(&guest("puppet"), &["--set", "plugin.memory=64MiB"]);
    let error = error_of(&mut host, 1);

    assert_says(
        &error,
        &[
            "stage transform",
            "offset 5",
            "wanted more memory than plugin.memory allows (67108864 bytes)",
        ],
    );
    let read = pipeline.outputs();
    assert_eq!(
        texts(&read),
        ["1", "leak 40000000", "2", "leak 40000000", "3"]
    );
}

#[test]
fn a_flood_of_lines_is_cut_and_counted() {
    let pipeline = Pipeline::new("flood", 1);
    pipeline.feed_at_once(["before", "flood 100000", "after"]);

    let host = pipeline.start(&guest("puppet"), &["--set", "plugin.time=30s"]);
    let read = pipeline.wait_for_outputs(3);
    assert_eq!(texts(&read), ["before", "flood 100000", "after"]);
    // Behind its last line, when the instance goes.
    let stderr = stop(host);

    let lines = |text: &str| stderr.lines().filter(|line| line.contains(text)).count();
    let logged = lines("of a flood");
    assert!((1000..=50_000).contains(&logged), "{logged}");
    let left_out: usize = stderr
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| {
            let text = line["message"].as_str().unwrap_or_default();
            text.ends_with("more lines of the plugin were left out")
        })
        .filter_map(|line| line["lines"].as_u64())
        .map(|lines| usize::try_from(lines).expect("small"))
        .sum();
    assert_eq!(logged + left_out, 100_000);
}

#[test]
fn a_plugin_that_prints_without_end_is_interrupted_and_its_last_lines_are_told() {
    let pipeline = Pipeline::new("print-loop", 1);
    pipeline.feed_at_once(["1", "print-loop"]);

    let mut host = pipeline.start(&guest("puppet"), &["--set", "plugin.time=300ms"]);
    let error = error_of(&mut host, 1);

    assert_says(
        &error,
        &[
            "stage transform",
            "offset 1",
            "took longer than the 300ms that it may",
            "printed: without end",
        ],
    );
    let said = said_by("puppet", &host.stderr()).len();
    assert!(said < 20_000, "{said} lines");
    assert!(messages(&log(&host)).any(|text| text.contains("were left out")));
}

#[test]
fn a_plugin_that_returns_too_much_is_stopped() {
    let pipeline = Pipeline::new("returns", 1);
    pipeline.feed_at_once(["1", "returns 200", "2"]);

    let flags = ["--set", "plugin.memory=1GiB", "--set", "plugin.time=10s"];
    let mut host = pipeline.start(&guest("puppet"), &flags);
    let error = error_of(&mut host, 1);

    let position = format!("topic {}, partition 0, offset 1", pipeline.input);
    assert_says(
        &error,
        &[
            "stage transform",
            &position,
            "plugin puppet@",
            "returned more than 134217728 bytes",
        ],
    );
    assert_eq!(texts(&pipeline.outputs()), ["1"]);
}

#[test]
fn a_trap_tells_what_was_printed_and_which_functions_it_was_in() {
    let pipeline = Pipeline::new("backtrace", 1);
    pipeline.feed_at_once(["1", "panic for a good reason"]);

    let mut host = pipeline.start(&guest("puppet"), &[]);
    let error = error_of(&mut host, 1);

    let lines: Vec<_> = error.lines().collect();
    let at = |text: &str| {
        lines
            .iter()
            .position(|line| line.contains(text))
            .unwrap_or_else(|| panic!("no {text:?} in {error}"))
    };
    assert!(lines[0].ends_with("trapped: wasm `unreachable` instruction executed"));
    assert!(at("printed: for a good reason") < at("  at core::panicking::panic_fmt"));
    assert!(at("  at core::panicking::panic_fmt") < at("millrace:plugin/transform@0.1.0#process"));
}

#[test]
fn a_full_stack_names_the_function_that_filled_it() {
    let pipeline = Pipeline::new("recurse", 1);
    pipeline.feed_at_once(["1", "recurse"]);

    let mut host = pipeline.start(&guest("puppet"), &[]);
    let error = error_of(&mut host, 1);

    assert_says(&error, &["used up its stack", "\n  at puppet::recurse\n"]);
}

/// A run whose second record hangs like this ends when it is told to.
fn stops_while_it_hangs(stem: &str, hanging: &str) {
    let pipeline = Pipeline::new(stem, 1);
    let commands = ["value a", hanging, "value b"];
    pipeline.feed(commands.map(|command| Record::value(command).to_partition(0)));
    let settings = ["plugin.time=100s", "plugin.call=100s", "shutdown.drain=20s"];
    let mut flags = vec!["--batch-size", "1"];
    for setting in settings {
        flags.extend(["--set", setting]);
    }
    let host = pipeline.start(&guest("puppet"), &flags);
    pipeline.wait_for_outputs(1);
    // The call of the second record runs, or begins right after.
    stop(host);
    pipeline.wait_for_committed(&[(0, 1)]);
    assert_eq!(texts(&pipeline.outputs()), ["a"]);
}

#[test]
fn a_stop_does_not_wait_for_a_plugin_that_computes_for_ever() {
    stops_while_it_hangs("computes-at-the-stop", "loop");
}

#[test]
fn a_stop_does_not_wait_for_a_plugin_that_sleeps_for_long() {
    stops_while_it_hangs("sleeps-at-the-stop", "sleep 90000");
}
