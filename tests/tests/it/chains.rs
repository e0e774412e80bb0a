//! Several plugins, one after the other: the outputs of one are the messages of the
//! next.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use millrace_tests::proxy::{Api, Request};
use millrace_tests::topics::unique;
use millrace_tests::{Host, Record, eventually, guest, plugin, shared_broker};

use crate::pipeline::{
    LONG, Pipeline, SOON, assert_says, error_of, expect_exit, origin, said_by, stop, texts, told,
};

/// Splits a value into lines, each of which is the second plugin's message.
fn lines() -> PathBuf {
    guest("splits_lines")
}

fn start(pipeline: &Pipeline, [first, second]: [&Path; 2], more: &[&str]) -> Host {
    let second = second.to_str().expect("the target folder is UTF-8");
    let more = [&["--plugin", second], more].concat();
    pipeline.start_with_dead_letters(first, &more)
}

/// Runs all that was fed, one partition of so many records.
fn run(pipeline: &Pipeline, plugins: [&Path; 2], more: &[&str], count: i64) -> String {
    let host = start(pipeline, plugins, more);
    pipeline.wait_for_committed(&[(0, count)]);
    stop(host)
}

fn order(id: u32, status: &str) -> String {
    format!(
        r#"{{"id":{id},"customer":"c","amount":1.5,"currency":"EUR","status":"{status}","note":""}}"#
    )
}

fn cleaned(id: u32) -> String {
    order(id, "paid").replace('}', r#","total_cents":150}"#)
}

fn sha256(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output();
    let text = String::from_utf8(output.expect("sha256sum is there").stdout);
    let text = text.expect("it is text");
    text.split(' ').next().expect("a digest").to_owned()
}

#[test]
fn each_output_of_the_first_is_a_message_of_the_second() {
    let pipeline = Pipeline::with_dead_letters("chain-expand", 1);
    let values = [
        [order(1, "paid"), order(2, "void"), order(3, "paid")].join("\n"),
        // Dropped by the first one, and by the second one.
        String::new(),
        order(4, "void"),
        order(5, "paid"),
    ];
    let at = 1_700_000_000_000;
    pipeline.feed(values.iter().map(|value| {
        Record::value(value)
            .key("k")
            .header(b"\xff", "1")
            .at(at)
            .to_partition(0)
    }));
    run(&pipeline, [&lines(), &plugin("orders")], &[], 4);
    let outputs = pipeline.outputs();
    assert_eq!(texts(&outputs), [cleaned(1), cleaned(3), cleaned(5)]);
    for output in outputs {
        let expected = Record::value(output.text())
            .key("k")
            .header(b"\xff", "1")
            .at(at);
        assert_eq!(output.content(), expected.content());
    }
    assert_eq!(pipeline.letters(), []);
}

#[test]
fn what_both_leave_alone_goes_out_byte_for_byte() {
    let pipeline = Pipeline::with_dead_letters("chain-bytes", 1);
    let records = [
        Record::value([0, 255, 254]).key([255, 0]),
        Record::null().key("tombstone"),
        Record::value("").header([255], [254]).null_header("h"),
    ];
    let records = records.map(|record| record.at(1_700_000_000_000).to_partition(0));
    pipeline.feed(records.clone());
    let both = plugin("passthrough");
    run(&pipeline, [&both, &both], &[], 3);
    let sent = pipeline.outputs();
    assert_eq!(sent.len(), records.len());
    for (sent, record) in sent.iter().zip(&records) {
        assert_eq!(sent.content(), record.content());
    }
}

#[test]
fn a_failure_in_the_second_keeps_the_original_and_names_it() {
    let pipeline = Pipeline::with_dead_letters("chain-fails", 1);
    let broken = [&order(2, "paid"), "no order", &order(3, "paid")].join("\n");
    let values = [&order(1, "paid"), &broken, &order(4, "paid")];
    pipeline.feed(values.map(|value| Record::value(value).key("k").header("h", "1")));
    let (first, second) = (lines(), plugin("orders"));
    run(&pipeline, [&first, &second], &[], 3);

    // Nothing of the record went out, and its neighbours did.
    assert_eq!(texts(&pipeline.outputs()), [cleaned(1), cleaned(4)]);
    let letters = pipeline.letters();
    let [letter] = &letters[..] else {
        panic!("{} dead letters", letters.len());
    };
    assert_eq!(letter.text(), broken);
    assert_eq!(letter.key.as_deref(), Some(&b"k"[..]));
    assert_eq!(letter.headers[0], (b"h".to_vec(), Some(b"1".to_vec())));
    assert_eq!(origin(letter), (0, 1));
    assert_eq!(told(letter, "stage"), "transform");
    let reason = told(letter, "reason");
    assert!(reason.starts_with("plugin orders: not JSON: "), "{reason}");
    assert_eq!(told(letter, "pipeline"), "splits_lines");
    assert_eq!(told(letter, "plugin"), "splits_lines,orders");
    let digests = [sha256(&first), sha256(&second)];
    assert_eq!(told(letter, "plugin-digest"), digests.join(","));

    // It can be replayed through another chain.
    let mut replay = vec!["dlq".to_owned(), "replay".to_owned(), pipeline.dead.clone()];
    replay.extend(pipeline.arguments(&first).into_iter().skip(1));
    let mended = plugin("passthrough");
    let mended = mended.to_str().expect("the target folder is UTF-8");
    replay.extend(["--plugin", mended].map(str::to_owned));
    let mut host = Host::run(replay);
    expect_exit(&mut host, 0);
    let outputs = pipeline.outputs();
    assert_eq!(texts(&outputs[2..]), broken.lines().collect::<Vec<_>>());
}

#[test]
fn a_trap_in_the_second_costs_the_culprit_alone() {
    let pipeline = Pipeline::with_dead_letters("chain-traps", 1);
    let culprits = [0, 63, 64, 500, 999];
    let value = |n: i64| match culprits.contains(&n) {
        true => format!("{n} a\npoison\n{n} b"),
        false => format!("{n} a\n{n} b"),
    };
    pipeline.feed((0..1000).map(|n| Record::value(value(n)).to_partition(0)));
    run(&pipeline, [&lines(), &guest("traps_on_poison")], &[], 1000);
    let letters = pipeline.letters();
    let found: Vec<_> = letters.iter().map(|letter| origin(letter).1).collect();
    assert_eq!(found, culprits);
    for letter in &letters {
        assert_eq!(letter.text(), value(origin(letter).1));
        assert_says(
            told(letter, "reason"),
            &["plugin traps_on_poison@", "trapped", "printed: poison"],
        );
    }
    let innocent = (0..1000).filter(|n| !culprits.contains(n));
    let expected: Vec<_> = innocent
        .flat_map(|n| [format!("{n} a"), format!("{n} b")])
        .collect();
    assert_eq!(texts(&pipeline.outputs()), expected);
}

#[test]
fn a_topic_that_the_first_names_is_carried_on() {
    let pipeline = Pipeline::with_dead_letters("chain-topic", 1);
    let elsewhere = format!("{}-elsewhere", pipeline.output);
    pipeline.client.create_topic(&elsewhere, 3);
    pipeline.feed_at_once([format!("topic-partition {elsewhere} 2"), "stays".to_owned()]);
    run(
        &pipeline,
        [&guest("puppet"), &plugin("passthrough")],
        &[],
        2,
    );
    assert_eq!(texts(&pipeline.outputs()), ["stays"]);
    let moved = pipeline.client.read_all(&elsewhere);
    assert_eq!(moved.len(), 1);
    assert_eq!(moved[0].partition, Some(2));
}

#[test]
fn a_plugin_may_stand_there_twice_with_settings_of_its_own() {
    let pipeline = Pipeline::with_dead_letters("chain-twice", 1);
    let puppet = guest("puppet");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pipeline.toml");
    let section = |config| format!("[[plugin]]\npath = {puppet:?}\nconfig = {config:?}\n");
    let text = format!("name = 'twice'\n{}{}", section("one"), section("two"));
    std::fs::write(&file, text).expect("it can be written");
    let config = ["--config", file.to_str().expect("UTF-8")];
    pipeline.feed_at_once([
        "config",
        "value config",
        "value fail here",
        "value print it",
    ]);

    let host = start(&pipeline, [&puppet, &puppet], &config);
    pipeline.wait_for_committed(&[(0, 4)]);
    let said = said_by("puppet[2]", &stop(host));
    assert!(said.iter().any(|(_, text)| text == "it"), "{said:?}");
    assert_eq!(texts(&pipeline.outputs()), ["one", "two", "print it"]);
    let letters = pipeline.letters();
    assert_eq!(told(&letters[0], "reason"), "plugin puppet[2]: here");
    assert_eq!(told(&letters[0], "plugin"), "puppet[1],puppet[2]");

    let check = [&config[..], &["--check"]].concat();
    let mut host = start(&pipeline, [&puppet, &puppet], &check);
    expect_exit(&mut host, 0);
    let digest = &sha256(&puppet)[..8];
    let plugins = format!("pipeline twice, plugins puppet[1]@{digest}, puppet[2]@{digest}, from ");
    assert_says(&host.stdout(), &[&plugins]);
}

#[test]
fn what_a_chain_makes_of_a_record_is_there_once_whatever_is_killed() {
    const COUNT: usize = 20_000;
    let lines_of = |n: usize| ["a", "b", "c", "d", "e"].map(|line| format!("{n} {line}"));
    let more = ["--guarantee", "exactly-once", "--instance-id", "one"];
    let pipeline = Pipeline::with_dead_letters("chain-once", 1);
    pipeline.feed((0..COUNT).map(|n| Record::value(lines_of(n).join("\n")).to_partition(0)));
    let (first, second) = (lines(), guest("works_20_us"));

    // Killed in the end of its second transaction, with more to come.
    let ends = AtomicUsize::new(0);
    let group = pipeline.group.clone();
    let proxy = shared_broker().proxy();
    let second_end = proxy.block(move |request: &Request| {
        let id = request.transactional_id.as_deref();
        request.api == Api::END_TXN
            && id.is_some_and(|id| id.starts_with(&group))
            && ends.fetch_add(1, Ordering::Relaxed) > 0
    });
    let mut host = start(&pipeline.clone().behind(proxy), [&first, &second], &more);
    eventually(SOON, "the second transaction's end", || {
        (second_end.arrived() > 0).then_some(())
    });
    host.kill();
    second_end.open();
    let committed = pipeline.committed_total();
    assert!(committed > 0 && committed < COUNT, "{committed}");
    let host = start(&pipeline, [&first, &second], &more);
    pipeline.wait_for_committed_total(COUNT, LONG);
    stop(host);
    let outputs = pipeline.outputs();
    assert!(
        texts(&outputs)
            .into_iter()
            .eq((0..COUNT).flat_map(lines_of)),
        "{} outputs are not each line once and in order",
        outputs.len()
    );
}

#[test]
fn the_example_sends_clean_orders_to_the_topic_of_their_currency() {
    const FILE: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/orders-by-currency.toml"
    );
    let pipeline = Pipeline::with_dead_letters("chain-example", 1);
    let currency = unique("chain");
    let topic = format!("orders-{}", currency.to_lowercase());
    pipeline.client.create_topic(&topic, 1);
    let of = |order: String| order.replace("EUR", &currency);
    pipeline.feed_at_once([order(1, "paid"), order(2, "void"), "none".to_owned()].map(of));
    let config = ["--config", FILE];
    run(&pipeline, [&plugin("orders"), &plugin("route")], &config, 3);
    assert_eq!(texts(&pipeline.client.read_all(&topic)), [of(cleaned(1))]);
    let letters = pipeline.letters();
    assert_says(told(&letters[0], "reason"), &["plugin orders: not JSON"]);
    assert_eq!(letters.len(), 1);
}

#[test]
fn a_plugin_of_a_chain_that_can_not_be_loaded_is_named() {
    let pipeline = Pipeline::with_dead_letters("chain-unloaded", 1);
    let mut host = start(
        &pipeline,
        [&lines(), Path::new("/nowhere/second.wasm")],
        &[],
    );
    assert_says(&error_of(&mut host, 2), &["/nowhere/second.wasm"]);
    let mut host = start(&pipeline, [&lines(), &guest("init_fails")], &[]);
    assert_says(
        &error_of(&mut host, 2),
        &["plugin init_fails@", "its init refused"],
    );
}
