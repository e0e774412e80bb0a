//! Processes that share a group come and go, one way or the other, and one is
//! frozen while the others go on.

use millrace_tests::{Host, Signal, eventually, eventually_ok};

use super::mix::Mix;
use super::{SHORT_TRANSACTION, finish, open_ends, start, wait_for_flow};
use crate::pipeline::{LONG, Pipeline, SHORT_SESSION, SOON, stop};

/// What a process that is killed and never comes back leaves open is so for so
/// long.
const LEFT_OPEN: &[&str] = &[
    "--set",
    "kafka.producer.transaction.timeout.ms=8000",
    "--set",
    "plugin.call=2s",
];

#[test]
fn processes_that_join_and_leave_by_any_signal_lose_and_double_nothing() {
    let pipeline = Pipeline::with_dead_letters("come-and-go", 6);
    let mix = Mix::of(&pipeline);
    let feeder = mix.feed(&pipeline, 700);
    let more = [SHORT_SESSION, LEFT_OPEN].concat();
    let join = || start(&pipeline, &more);
    let flows = || wait_for_flow(&pipeline, &feeder, 300);

    let first = join();
    flows();
    let mut second = join();
    pipeline.wait_for_members(2);
    flows();
    let mut third = join();
    pipeline.wait_for_members(3);
    flows();
    stop(first);
    flows();
    second.kill();
    let fourth = join();
    pipeline.wait_for_members(2);
    flows();
    third.kill();
    // While that one is missed, another comes and one leaves.
    let fifth = join();
    stop(fourth);
    pipeline.wait_for_members(1);
    flows();
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    for topic in mix.topics() {
        eventually(SOON, "no transaction to be open", || {
            open_ends(&pipeline, topic).is_none().then_some(())
        });
    }
    finish(&pipeline, &mix, fifth, written);
}

#[test]
fn a_process_that_was_frozen_beyond_its_session_doubles_nothing() {
    let pipeline = Pipeline::with_dead_letters("frozen", 4);
    let mix = Mix::of(&pipeline);
    let feeder = mix.feed(&pipeline, 700);
    let mut frozen = start(&pipeline, SHORT_SESSION);
    wait_for_flow(&pipeline, &feeder, 300);
    let other = start(&pipeline, SHORT_SESSION);
    pipeline.wait_for_members(2);
    wait_for_flow(&pipeline, &feeder, 300);

    for _ in 0..2 {
        frozen.signal(Signal::STOP);
        // The other one has all of them.
        pipeline.wait_for_members(1);
        wait_for_flow(&pipeline, &feeder, 300);
        frozen.signal(Signal::CONT);
        pipeline.wait_for_members(2);
        wait_for_flow(&pipeline, &feeder, 300);
    }
    stop(frozen);
    finish(&pipeline, &mix, other, feeder.finish());
}

/// Its transaction is aborted under it, and nobody else takes its place.
#[test]
fn a_process_that_was_frozen_beyond_its_transaction_doubles_nothing() {
    let pipeline = Pipeline::with_dead_letters("out-of-time", 1);
    let mix = Mix::of(&pipeline);
    let mut host = start(&pipeline, SHORT_TRANSACTION);
    let mut written = 0;
    for _ in 0..2 {
        freeze_in_a_transaction(&pipeline, &mix, &mut host, &mut written);
        eventually_ok(
            SOON,
            "the broker to end the transaction",
            || match open_ends(&pipeline, &pipeline.output) {
                None => Ok(()),
                Some(ends) => Err(format!("{ends:?}")),
            },
        );
        host.signal(Signal::CONT);
        pipeline.wait_for_committed_total(written, SOON);
    }
    finish(&pipeline, &mix, host, written);
}

/// Feeds records until `host` stands still while some of their outputs are
/// written and not yet committed.
#[track_caller]
fn freeze_in_a_transaction(pipeline: &Pipeline, mix: &Mix, host: &mut Host, written: &mut usize) {
    let is_open = || open_ends(pipeline, &pipeline.output).is_some();
    eventually_ok(LONG, "a freeze in a transaction", || {
        pipeline.feed((*written..*written + 20).map(|number| mix.record(number, 1)));
        *written += 20;
        eventually_ok(SOON, "an open transaction, or its end", || {
            match is_open() || pipeline.committed_total() == *written {
                true => Ok(()),
                false => Err("neither"),
            }
        });
        host.signal(Signal::STOP);
        if is_open() {
            return Ok(());
        }
        host.signal(Signal::CONT);
        Err("it was over already")
    });
}
