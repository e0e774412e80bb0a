//! What aborts a transaction, or makes its records be done again, and comes of
//! the records themselves or of their plugin.

use std::sync::mpsc;

use millrace_tests::proxy::Api;
use millrace_tests::{Record, eventually, guest, shared_broker};

use super::mix::{COMPRESSED, Mix, noise};
use super::{EXACTLY_ONCE, SHORT_TRANSACTION, finish, open_ends, start};
use crate::feeder::{assert_all_once_in_order, record};
use crate::pipeline::{LONG, Pipeline, SOON, origin, stop, texts, told};

#[test]
fn records_that_break_the_plugin_are_found_and_nothing_is_doubled() {
    let pipeline = Pipeline::with_dead_letters("poison-once", 1);
    let value = |n: usize| match n {
        50 => "loop".to_owned(),
        120 | 121 => "trap".to_owned(),
        200 => "exit 3".to_owned(),
        250 => "sleep 3600000".to_owned(),
        299 => "panic at the end".to_owned(),
        _ => n.to_string(),
    };
    pipeline.feed_at_once((0..300).map(value));
    let host = start(&pipeline, &["--set", "plugin.time=200ms"]);
    pipeline.wait_for_committed(&[(0, 300)]);
    stop(host);

    let is_number = |n: &usize| value(*n) == n.to_string();
    let numbers: Vec<_> = (0..300).filter(is_number).map(value).collect();
    let poison: Vec<_> = (0..300).filter(|n| !is_number(n)).map(value).collect();
    assert_eq!(texts(&pipeline.outputs()), numbers);
    assert_eq!(texts(&pipeline.letters()), poison);
}

#[test]
fn an_output_that_only_the_broker_refuses_is_one_dead_letter_and_doubles_nothing() {
    let pipeline = Pipeline::bare(shared_broker(), "late-once").and_dead_letters(1);
    let client = &pipeline.client;
    client.create_topic(&pipeline.input, 1);
    client.create_topic_with(&pipeline.output, 1, &[("max.message.bytes", "3000")]);
    let large = Record::value(noise()).key("c");
    let is_large = |n: &usize| n % 100 == 50 || n % 100 == 51;
    let value = |n: usize| match is_large(&n) {
        true => large.clone(),
        false => Record::value(n.to_string()).key("k"),
    };
    pipeline.feed((0..500).map(|n| value(n).to_partition(0)));

    let host = start(&pipeline, COMPRESSED);
    pipeline.wait_for_committed(&[(0, 500)]);
    stop(host);

    let letters = pipeline.letters();
    let at = letters.iter().map(|letter| origin(letter).1);
    let expected = (0..500)
        .filter(is_large)
        .map(|n| i64::try_from(n).expect("small"));
    assert_eq!(at.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    for letter in &letters {
        assert_eq!(letter.value, large.value);
        assert_eq!(told(letter, "stage"), "produce");
    }
    let numbers = (0..500).filter(|n| !is_large(n)).map(|n| n.to_string());
    assert_eq!(texts(&pipeline.outputs()), numbers.collect::<Vec<_>>());
}

#[test]
fn late_refusals_among_all_kinds_of_records_double_nothing() {
    let pipeline = Pipeline::with_dead_letters("late-mix", 4);
    let mix = Mix::with_late_refusals(&pipeline);
    pipeline.feed((0..2000).map(|number| mix.record(number, 4)));
    let host = start(&pipeline, &[&["--workers", "2"], COMPRESSED].concat());
    finish(&pipeline, &mix, host, 2000);
}

/// Calls of the plugin take so long that little fits into one transaction.
#[test]
fn a_slow_plugin_gets_through_with_a_short_transaction() {
    let pipeline = Pipeline::with_dead_letters("slow", 4);
    let sleep = |n: i32| Record::value(format!("sleep 2{n:02}")).to_partition(n % 4);
    pipeline.feed((0..24).map(sleep));
    let more = ["--allow", "clock", "--set", "plugin.time=500ms"];
    let host = start(&pipeline, &[SHORT_TRANSACTION, &more].concat());
    pipeline.wait_for_committed_total(24, LONG);
    stop(host);
    let outputs = pipeline.outputs();
    let mut done = texts(&outputs);
    done.sort_unstable();
    let all = (0..24).map(|n| format!("sleep 2{n:02}"));
    assert_eq!(done, all.collect::<Vec<_>>());
    assert_eq!(pipeline.letters(), []);
}

/// The transaction's end is on its way for so long that the broker has aborted
/// the transaction when it arrives.
#[test]
fn a_transaction_that_ends_too_late_is_done_again() {
    let proxy = shared_broker().proxy();
    let pipeline = Pipeline::new("too-late", 2).behind(proxy);
    pipeline.feed((0..1000).map(|n| record(n, 2)));
    let (looking, group) = (pipeline.clone(), pipeline.group.clone());
    let (aborted, was_aborted) = mpsc::channel();
    proxy.before(
        move |request| {
            let id = request.transactional_id.as_deref();
            request.api == Api::END_TXN && id.is_some_and(|id| id.starts_with(&group))
        },
        move || {
            eventually(SOON, "the broker to abort it", || {
                open_ends(&looking, &looking.output).is_none().then_some(())
            });
            let _ = aborted.send(());
        },
    );
    let host = pipeline.start(
        &guest("puppet"),
        &[EXACTLY_ONCE, SHORT_TRANSACTION].concat(),
    );
    pipeline.wait_for_committed_total(1000, LONG);
    stop(host);
    assert_eq!(was_aborted.try_recv(), Ok(()));
    assert_all_once_in_order(&pipeline.outputs(), 1000);
}
