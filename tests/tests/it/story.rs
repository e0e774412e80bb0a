//! The README's story of a record that fails: its commands, as they stand there.

use std::path::PathBuf;

use millrace_tests::{Host, Record, plugin, shared_broker};
use serde_json::Value;

use crate::pipeline::{Pipeline, assert_says, expect_exit, stop};

/// The orders whose amounts have a comma.
const BROKEN: [u64; 2] = [2, 5];

fn order(id: u64) -> Record {
    let amount = match BROKEN.contains(&id) {
        true => "\"12,50\"",
        false => "1.25",
    };
    Record::value(format!(
        r#"{{"id":{id},"customer":"c{id}","amount":{amount},"currency":"EUR","status":"paid","note":"n"}}"#
    ))
    .key(format!("c{id}"))
    .header("trace", id.to_string())
    .to_partition(0)
}

/// The repository's root, where a reader of the README stands.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The section's commands, without the word `host`.
fn commands() -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("it is there");
    let (_, section) = readme
        .split_once("## When a record fails\n")
        .expect("the section");
    let (section, _) = section.split_once("\n## ").expect("the next section");
    section
        .split("```")
        .skip(1)
        .step_by(2)
        .flat_map(|block| {
            block
                .replace("\\\n", "")
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter(|line| !line.is_empty())
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(words[0], "host", "{line}");
            words[1..].join(" ")
        })
        .collect()
}

/// Starts a command on the tests' broker, with the plugins where the tests have
/// them.
fn start(command: &str) -> Host {
    let mut host = Host::command();
    host.current_dir(root())
        .env("MILLRACE_BROKERS", shared_broker().address());
    for word in command.split(' ') {
        match word.strip_prefix("target/plugins/") {
            Some(file) => host.arg(plugin(file.strip_suffix(".wasm").expect("a plugin"))),
            None => host.arg(word),
        };
    }
    if command.starts_with("run") {
        let orders = plugin("orders");
        host.arg(format!("--set=plugin.path={}", orders.display()));
    }
    Host::spawn(host)
}

fn answer(command: &str) -> String {
    let mut host = start(command);
    expect_exit(&mut host, 0);
    host.stdout()
}

fn ids(records: &[Record]) -> Vec<u64> {
    records
        .iter()
        .map(|record| {
            let value = record.value.as_deref().expect("a value");
            let order: Value = serde_json::from_slice(value).expect("it is JSON");
            order["id"].as_u64().expect("an id")
        })
        .collect()
}

#[test]
fn broken_orders_are_found_mended_and_replayed_until_nothing_is_left() {
    let commands = commands();
    let [run, list, show, dry_run, replay] = &commands[..] else {
        panic!("the story has other commands now: {commands:#?}");
    };
    // The names of examples/orders.toml.
    let pipeline = Pipeline {
        input: "orders".to_owned(),
        output: "orders-clean".to_owned(),
        group: "millrace-orders".to_owned(),
        ..Pipeline::bare(shared_broker(), "story")
    };
    pipeline.client.create_topic(&pipeline.input, 1);
    pipeline.feed((1..=6).map(order));

    let host = start(run);
    pipeline.wait_for_committed(&[(0, 6)]);
    stop(host);
    assert_eq!(ids(&pipeline.outputs()), [1, 3, 4, 6]);
    assert_eq!(ids(&pipeline.client.read_all("orders-dead")), BROKEN);

    assert_says(
        &answer(list),
        &[
            "2 dead letters in ",
            r#"invalid type: string "12,50", expected f64"#,
        ],
    );
    let shown = answer(show);
    assert_says(
        &shown,
        &["topic orders, partition 0, offset 4", r#""amount":"12,50""#],
    );

    assert_says(
        &answer(dry_run),
        &[
            "orders-dead 0:0, from orders/0 at 1 (attempt 1)\n- transform: not an order: ",
            r#"+ {"topic":"orders-clean","key":"c2","value":"{\"id\":2,"#,
            r#"\"total_cents\":1250"#,
            "2 dead letters of pipeline orders would be replayed: 2 outputs, 0 would fail again; \
             nothing was written",
        ],
    );
    assert_eq!(pipeline.count(), Ok(4), "a dry run writes nothing");

    assert_eq!(
        answer(replay),
        "2 dead letters of pipeline orders replayed: 2 outputs written, 0 failed again\n"
    );
    let outputs = pipeline.outputs();
    assert_eq!(ids(&outputs), [1, 3, 4, 6, 2, 5]);
    let written = order(5);
    assert_eq!(outputs[5].key, written.key);
    assert_eq!(
        outputs[5].headers, written.headers,
        "and none of the letter's"
    );

    let nothing = "no dead letter of pipeline orders in orders-dead is left to replay\n";
    assert_eq!(answer(replay), nothing);
    assert_eq!(answer(dry_run), nothing);
}
