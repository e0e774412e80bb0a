//! A member that has lost its partitions and does not know it: what it still
//! wants to commit, their next owner has done meanwhile.

use millrace_tests::proxy::{Api, Request};
use millrace_tests::{eventually, shared_broker};

use super::mix::Mix;
use super::{finish, start};
use crate::pipeline::{LONG, Pipeline, SHORT_SESSION, SOON, stop};

/// It can't reach the coordinator of its transaction while its partitions go to
/// another member, and when it can, it is a member again, of a later generation.
#[track_caller]
fn come_back_in_a_commit(stem: &str, how: Loss) {
    let proxy = shared_broker().proxy();
    let pipeline = Pipeline::with_dead_letters(stem, 2);
    let mix = Mix::of(&pipeline);
    let feed = |numbers: std::ops::Range<usize>| {
        pipeline.feed(numbers.map(|number| mix.record(number, 2)));
    };
    let start = |pipeline: &Pipeline, more: &[&str]| {
        // The eager strategy takes one generation to share, and the other one two.
        let eager = [
            "--set",
            "kafka.consumer.partition.assignment.strategy=range",
        ];
        start(pipeline, &[SHORT_SESSION, &eager, more].concat())
    };
    // A name for its requests, and little patience.
    let own = [
        "--name",
        &pipeline.group,
        "--set",
        "kafka.producer.socket.timeout.ms=3000",
        "--set",
        "shutdown.drain=2s",
    ];
    let zombie = start(&pipeline.clone().behind(proxy), &own);
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
    let other = match how {
        Loss::Unheard => {
            let client = format!("millrace-{}-0", pipeline.group);
            let heartbeats = proxy.block(move |request: &Request| {
                request.api == Api::HEARTBEAT && request.client_id == client
            });
            let other = start(&pipeline, &[]);
            pipeline.wait_for_committed_total(40, LONG);
            heartbeats.open();
            other
        }
        Loss::Asked => {
            let other = start(&pipeline, &[]);
            // One of the two partitions is the other's.
            eventually(LONG, "the other's share", || {
                (pipeline.committed_total() >= 32).then_some(())
            });
            other
        }
    };
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

/// How a member loses its partitions.
enum Loss {
    /// Its session is over and nobody told it.
    Unheard,
    /// Another member joins, and it is asked to give some up.
    Asked,
}

#[test]
fn a_member_that_was_given_up_in_its_commit_commits_nothing_that_it_lost() {
    come_back_in_a_commit("unheard", Loss::Unheard);
}

#[test]
fn a_member_that_gives_partitions_up_in_its_commit_commits_nothing_of_them_later() {
    come_back_in_a_commit("asked", Loss::Asked);
}
