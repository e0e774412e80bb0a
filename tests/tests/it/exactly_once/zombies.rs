//! A member that has lost its partitions and does not know it: what it still
//! wants to commit, their next owner has done meanwhile.

use millrace_tests::proxy::{Api, Request};
use millrace_tests::{eventually, shared_broker};

use super::mix::Mix;
use super::{finish, start};
use crate::pipeline::{LONG, Pipeline, SHORT_SESSION, SOON, stop};

/// It loses its partitions while it can't reach the coordinator of its
/// transaction, and is a member again, of a later generation, when it can.
#[test]
fn a_member_that_comes_back_in_the_middle_of_its_commit_commits_nothing_that_it_lost() {
    let proxy = shared_broker().proxy();
    let pipeline = Pipeline::with_dead_letters("zombie", 2);
    let mix = Mix::of(&pipeline);
    let feed = |numbers: std::ops::Range<usize>| {
        pipeline.feed(numbers.map(|number| mix.record(number, 2)));
    };
    // A name for its requests, and patience for one of its producer's.
    let own = [
        "--name",
        &pipeline.group,
        "--set",
        "kafka.producer.socket.timeout.ms=3000",
    ];
    // The eager strategy takes one generation to share, and the other one two.
    let eager = [
        SHORT_SESSION,
        &[
            "--set",
            "kafka.consumer.partition.assignment.strategy=range",
        ],
    ]
    .concat();
    let named = [&eager[..], &own].concat();
    let zombie = start(&pipeline.clone().behind(proxy), &named);
    feed(0..24);
    pipeline.wait_for_committed_total(24, SOON);

    let group = pipeline.group.clone();
    let commits = proxy.block(move |request: &Request| {
        let id = request.transactional_id.as_deref();
        request.api == Api::ADD_OFFSETS_TO_TXN && id.is_some_and(|id| id.starts_with(&group))
    });
    // None of these breaks the plugin, which would end a transaction early.
    feed(24..40);
    eventually(SOON, "it to commit", || {
        (commits.arrived() > 0).then_some(())
    });
    let client = format!("millrace-{}-0", pipeline.group);
    let heartbeats = proxy.block(move |request: &Request| {
        request.api == Api::HEARTBEAT && request.client_id == client
    });
    let other = start(&pipeline, &eager);
    pipeline.wait_for_committed_total(40, LONG);

    heartbeats.open();
    pipeline.wait_for_members(2);
    // Two requests are of the try that began before; the next one would be of a
    // member again.
    let before = commits.arrived();
    eventually(SOON, "it to try again, or to give up", || {
        let gave_up = zombie.stderr().contains("a transaction was aborted");
        (gave_up || commits.arrived() > before + 2).then_some(())
    });
    commits.open();
    feed(40..60);
    pipeline.wait_for_committed_total(60, LONG);
    stop(zombie);
    finish(&pipeline, &mix, other, 60);
}
