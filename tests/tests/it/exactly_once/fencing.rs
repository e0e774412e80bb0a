//! Producers with the same transactional id: the later one fences the earlier.
//! Who is fenced begins again, and where two have one identity, one ends.

use std::sync::mpsc;

use millrace_tests::proxy::{Api, Request};
use millrace_tests::{eventually, plugin, shared_broker};

use super::mix::Mix;
use super::{EXACTLY_ONCE, finish, start};
use crate::feeder::{Feeder, assert_all_once_in_order};
use crate::pipeline::{LONG, Pipeline, SOON, assert_says, error_of, stop};

const INSTANCE: &[&str] = &["--instance-id", "one"];

#[test]
fn a_fenced_producer_is_replaced_and_doubles_nothing() {
    let proxy = shared_broker().proxy();
    let pipeline = Pipeline::with_dead_letters("fenced", 2).behind(proxy);
    let mix = Mix::of(&pipeline);
    let feeder = mix.feed(&pipeline, 700);
    let host = start(&pipeline, INSTANCE);
    let id = format!("{}-one-0", pipeline.group);
    // Four times within a minute would be two processes of one name.
    for _ in 0..3 {
        pipeline.wait_for_more(200);
        let (again, begun) = mpsc::channel();
        let own = id.clone();
        let is_begin = move |request: &Request| request.is(Api::INIT_PRODUCER_ID, &own);
        proxy.before(is_begin, move || {
            let _ = again.send(());
        });
        // The test's own, which does not go through the proxy.
        drop(pipeline.client.transactional(&id));
        let begun = begun.recv_timeout(SOON);
        begun.expect("host takes a new producer");
    }
    pipeline.wait_for_more(200);
    let written = feeder.finish();
    finish(&pipeline, &mix, host, written);
}

#[test]
fn of_two_processes_with_one_instance_id_one_ends_and_says_why() {
    let pipeline = Pipeline::new("two-of-one", 2);
    let feeder = Feeder::start(&pipeline, 700);
    let join = || pipeline.start(&plugin("passthrough"), &[EXACTLY_ONCE, INSTANCE].concat());
    let mut hosts = [join(), {
        pipeline.wait_for_more(300);
        join()
    }];
    let ended = eventually(SOON, "one of the two to end", || {
        hosts.iter_mut().position(|host| !host.is_running())
    });
    let [first, second] = hosts;
    let (mut ended, mut other) = match ended {
        0 => (first, second),
        _ => (second, first),
    };
    assert_says(&error_of(&mut ended, 1), &["instance"]);
    pipeline.wait_for_more(300);
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    assert!(other.is_running());
    stop(other);
    assert_all_once_in_order(&pipeline.outputs(), written);
}
