//! Requests of one transaction that come in the next: a connection breaks while
//! they are on their way, librdkafka sends them again, and much later the first
//! ones arrive. Without KIP-890 nothing in them says which transaction they are
//! of: see `plain_librdkafka_shows_an_aborted_record_…` in `proxy.rs`.

use std::sync::mpsc;

use millrace_tests::proxy::{Api, Request};
use millrace_tests::shared_broker;

use super::mix::{COMPRESSED, Mix};
use super::{finish, start, wait_for_flow};
use crate::crashes::Random;
use crate::pipeline::{Pipeline, SOON};

/// How many requests come late.
const TIMES: usize = 8;

/// Holds requests of one kind back, again and again, each until a random moment
/// in the next transaction of its producer.
#[track_caller]
fn survive(late: Api, stem: &str) {
    let mut random = Random::seeded();
    let proxy = shared_broker().proxy();
    let pipeline = Pipeline::with_dead_letters(stem, 2).behind(proxy);
    let mix = Mix::with_late_refusals(&pipeline);
    let feeder = mix.feed(&pipeline, 400);
    let more = ["--workers", "2", "--commit-interval", "200ms"];
    let host = start(&pipeline, &[&more, COMPRESSED].concat());
    wait_for_flow(&pipeline, &feeder, 200);

    let mut answers = Vec::new();
    for _ in 0..TIMES {
        let group = pipeline.group.clone();
        let of_group = move |request: &Request| {
            let id = request.transactional_id.as_deref();
            request.api == late && id.is_some_and(|id| id.starts_with(&group))
        };
        let held = proxy.hold(of_group).wait(SOON);
        let id = held.request().transactional_id.clone();
        let id = id.expect("it has one");
        let of_producer = |api| {
            let id = id.clone();
            move |request: &Request| request.is(api, &id)
        };
        // That transaction ends, and the next one has begun.
        proxy.wait_for(of_producer(Api::END_TXN), SOON);
        proxy.wait_for(of_producer(Api::PRODUCE), SOON);
        let moment = match random.below(4) {
            0 => Api::ADD_OFFSETS_TO_TXN,
            1 => Api::TXN_OFFSET_COMMIT,
            _ => Api::END_TXN,
        };
        let (answer, answered) = mpsc::channel();
        proxy.before(of_producer(moment), move || {
            let _ = answer.send(held.let_through());
        });
        let answer = answered.recv_timeout(SOON).expect("it is let through");
        answers.push((moment, answer));
    }
    eprintln!("{late:?} late, before what, and the broker's answer: {answers:?}");
    // Error 0 is none, and only some requests have one for all of it.
    let taken = answers.iter().any(|(_, answer)| *answer == Some(0));
    assert!(!taken, "the broker took a late request: {answers:?}");
    let written = feeder.finish();
    finish(&pipeline, &mix, host, written);
}

#[test]
fn the_end_of_a_transaction_that_comes_late_ends_no_other() {
    survive(Api::END_TXN, "late-ends");
}

#[test]
fn the_positions_of_a_transaction_that_come_late_move_no_other_back() {
    survive(Api::TXN_OFFSET_COMMIT, "late-positions");
}

#[test]
fn records_that_come_late_are_in_no_other_transaction() {
    survive(Api::PRODUCE, "late-records");
}
