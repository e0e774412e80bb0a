//! `host demo`: the main job with nothing installed.

use std::fs;
use std::path::Path;

use millrace_tests::{Host, guest, plugin};

use crate::pipeline::{assert_says, error_of, expect_exit};

fn demo(plugin: &Path, seconds: &str) -> Host {
    let mut command = Host::command();
    command.args(["demo", "--seconds", seconds, "--plugin"]);
    command.arg(plugin);
    Host::spawn(command)
}

/// The number that stands before these words.
#[track_caller]
fn number(text: &str, words: &str) -> u64 {
    let at = text
        .find(words)
        .unwrap_or_else(|| panic!("no {words:?} in {text}"));
    let word = text[..at].split_whitespace().next_back();
    let digits = word.expect("something stands before").replace(',', "");
    digits
        .parse()
        .unwrap_or_else(|_| panic!("no number before {words:?} in {text}"))
}

#[test]
fn the_demo_shows_orders_and_its_numbers_add_up() {
    let plugin = plugin("orders");
    let mut host = demo(&plugin, "2");
    expect_exit(&mut host, 0);
    let stdout = host.stdout();

    let written = number(&stdout, " orders written");
    let judged = number(&stdout, " through the plugin");
    let dropped = number(&stdout, " dropped as void");
    let out = number(&stdout, " written to orders-clean");
    let acknowledged = number(&stdout, " acknowledged");
    // 5,000 orders a second, of which every ninth is void.
    assert_eq!(written, 10_000);
    assert_eq!(judged, written);
    assert_eq!(dropped, written / 9);
    assert_eq!(out, written - dropped);
    assert_eq!(acknowledged, out);
    assert_says(
        &stdout,
        &[
            // Which plugin, what went in and came out, and how to go on.
            "orders@",
            "\"status\":\"paid\"",
            "\"total_cents\":",
            "(dropped: void)",
            &format!("host run --plugin {}", plugin.display()),
        ],
    );
    assert!(
        !stdout.contains('\x1b'),
        "colour is for terminals: {stdout}"
    );
    assert_eq!(host.stderr(), "", "nothing went wrong, so nothing is said");
}

#[test]
fn the_demo_says_which_plugin_is_missing() {
    let mut host = demo(Path::new("/no/such.wasm"), "2");
    assert_says(&error_of(&mut host, 2), &["/no/such.wasm", "can't be read"]);
}

#[test]
fn the_demo_without_a_plugin_says_where_it_looked_and_how_to_get_one() {
    // Where `make` never left anything.
    let folder = tempfile::tempdir().expect("a folder can be made");
    let folder = folder.path().join("bin/deep");
    fs::create_dir_all(&folder).expect("a folder can be made");
    let program = folder.join("host");
    let original = Host::command().get_program().to_owned();
    fs::copy(original, &program).expect("it can be copied");

    // `Host::command` with another program.
    let mut command = std::process::Command::new(program);
    command.arg("demo").stdin(std::process::Stdio::null());
    let mut host = Host::spawn(command);

    let looked = folder.join("plugins/orders.wasm");
    assert_says(
        &error_of(&mut host, 2),
        &[
            looked.to_str().expect("it is UTF-8"),
            "make plugins",
            "--plugin",
        ],
    );
}

#[test]
fn the_demo_refuses_a_plugin_that_is_none() {
    let mut host = demo(&guest("dials_out"), "2");
    assert_says(&error_of(&mut host, 2), &["dials_out.wasm is no plugin"]);
}

#[test]
fn the_demo_ends_with_the_reason_when_the_plugin_fails() {
    let mut host = demo(&guest("too_few_verdicts"), "60");
    let error = error_of(&mut host, 1);
    assert_says(
        &error,
        &["stage transform", "topic orders", "too_few_verdicts@"],
    );
}

#[test]
fn the_demo_stops_at_a_signal_with_its_numbers() {
    let mut host = demo(&plugin("orders"), "3600");
    let at_work = || host.stdout().contains("out  ");
    millrace_tests::eventually(crate::pipeline::SOON, "the first order", || {
        at_work().then_some(())
    });
    host.signal(millrace_tests::Signal::INT);
    expect_exit(&mut host, 0);

    let stdout = host.stdout();
    let out = number(&stdout, " written to orders-clean");
    assert!(out > 0);
    assert_eq!(number(&stdout, " acknowledged"), out);
}

#[test]
fn the_demo_refuses_a_length_that_is_none() {
    for seconds in ["0", "-1", "soon", "3601"] {
        let mut host = Host::run(["demo", &format!("--seconds={seconds}")]);
        assert_says(&error_of(&mut host, 2), &["--seconds", seconds]);
    }
}
