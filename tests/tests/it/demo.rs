//! `host demo`: the main job with nothing installed.

use std::process::Command;

use millrace_tests::{Host, plugin};

use crate::pipeline::{assert_says, error_of, expect_exit};

/// The number before `what` in `text`, such as `10,000 orders written`.
#[track_caller]
fn number(text: &str, what: &str) -> u64 {
    let at = text
        .find(what)
        .unwrap_or_else(|| panic!("no {what:?} in {text}"));
    let (before, _) = text.split_at(at);
    let word = before.split_whitespace().next_back().expect("a number");
    word.replace(',', "").parse().expect("a number")
}

#[test]
fn the_demo_runs_and_its_numbers_add_up() {
    let plugin = plugin("orders");
    let plugin = plugin.to_str().expect("UTF-8");
    let mut host = Host::run(["demo", "--seconds", "10", "--plugin", plugin]);
    expect_exit(&mut host, 0);

    let said = host.stdout();
    let done = said.lines().find(|line| line.contains("orders written"));
    let done = done.unwrap_or_else(|| panic!("no end in {said}"));
    let [written, through, dropped, out, dead] = [
        " orders written",
        " through the plugin",
        " dropped as void",
        " written to orders-clean",
        " broken ones to orders-dead",
    ]
    .map(|what| number(done, what));
    assert!(written > 0);
    assert_eq!(through, written);
    assert_eq!(through, out + dropped + dead);
    // Every thousandth one is broken until the mended plugin takes over, and every ninth
    // one void: one that is both is broken first.
    assert!((1..=written / 1000).contains(&dead), "{dead} of {written}");
    assert!(
        dropped.abs_diff(written / 9) <= written / 9000,
        "{dropped} of {written}"
    );
    assert_says(done, &["the plugin swapped under way"]);
    // What became of an order is shown.
    assert_says(
        &said,
        &[
            "  in   {\"id\":",
            "  out  {\"id\":",
            "total_cents",
            "(dropped: void)",
            "(a dead letter: not an order: ",
            "orders.wasm is built anew",
            r#""amount":"12,50""#,
            r#""amount":12.5,"#,
        ],
    );
    // No colours where nobody sees them.
    assert!(!said.contains('\u{1b}'), "{said:?}");
}

#[test]
fn a_demo_without_its_plugin_says_where_it_looked() {
    let mut host = Host::run(["demo", "--plugin", "/nowhere/orders.wasm"]);
    assert_says(&error_of(&mut host, 2), &["/nowhere/orders.wasm"]);
}

#[test]
fn a_demo_whose_reader_went_away_ends_quietly() {
    let plugin = plugin("orders");
    let host = Host::command();
    let mut command = Command::new("bash");
    command
        .args(["-c", "set -o pipefail; \"$@\" | head -n 1", "bash"])
        .arg(host.get_program())
        .args(["demo", "--seconds", "5", "--plugin"])
        .arg(plugin);
    for (name, value) in host.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut host = Host::spawn(command);
    expect_exit(&mut host, 0);
    assert_eq!(host.stderr(), "");
}
