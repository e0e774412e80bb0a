//! `host recovery`: a store made, printed and changed without a broker.

use millrace_tests::Host;
use serde_json::json;

use crate::pipeline::{assert_says, error_of, expect_exit};
use crate::recovery::Store;

fn run(arguments: &[&str]) -> Host {
    Host::run([&["recovery"], arguments].concat())
}

/// Of a command that works.
#[track_caller]
fn answer(arguments: &[&str]) -> String {
    let mut host = run(arguments);
    expect_exit(&mut host, 0);
    host.stdout()
}

#[track_caller]
fn assert_refused(arguments: &[&str], status: i32, parts: &[&str]) {
    let mut host = run(arguments);
    assert_says(&error_of(&mut host, status), parts);
    assert_eq!(host.stdout(), "");
}

#[test]
fn a_store_is_made_printed_and_changed() {
    let store = Store::new();
    let path = store.path();
    assert_says(&answer(&["init", &path]), &[&path]);
    assert_says(&answer(&["show", &path]), &["the first one's that uses it"]);
    let empty = json!({"pipeline": null, "partitions": null, "topics": [], "positions": []});
    assert_eq!(store.show(), empty);

    store.reset(&["--name", "clean", "--input", "a,b", "--partitions", "0-3"]);
    let topics = json!([{"topic": "a", "partitions": 0}, {"topic": "b", "partitions": 0}]);
    let changed = json!({
        "pipeline": "clean", "partitions": "0-3", "topics": topics, "positions": []
    });
    assert_eq!(store.show(), changed);
}

#[test]
fn what_cannot_be_done_is_said_with_the_place() {
    let store = Store::new();
    let path = store.path();
    for missing in [
        &["show", &*path][..],
        &["reset", &path, "--forget"],
        &["reset", &path, "a/0", "1"],
    ] {
        assert_refused(missing, 1, &[&path, "holds no recovery store"]);
    }
    answer(&["init", &path]);
    assert_refused(&["init", &path], 1, &[&path, "already"]);
    assert_refused(
        &["reset", &path, "a", "--forget"],
        1,
        &[&path, "no topic a"],
    );
    assert_refused(&["reset", &path, "a/0", "1"], 1, &[&path, "partition 0"]);
    let below = format!("{path}/lock/store");
    assert_refused(&["init", &below], 1, &[&below]);
}

#[test]
fn wrong_usage_is_told_from_failure() {
    let path = Store::new().path();
    for wrong in [
        &["reset", &*path][..],
        &["reset", &path, "a"],
        &["reset", &path, "a", "5"],
        &["reset", &path, "a/0"],
        &["reset", &path, "a/0", "-1"],
        &["reset", &path, "a/0", "5", "--forget"],
        &["reset", &path, "--partitions", "x"],
        &["show"],
    ] {
        let mut host = run(wrong);
        expect_exit(&mut host, 2);
    }
}
