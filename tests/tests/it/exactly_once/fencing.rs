//! Producers with the same transactional id: the later one fences the earlier.
//! Who is fenced begins again, and where two have one identity, one ends.

use std::sync::mpsc;

use millrace_tests::proxy::Api;
use millrace_tests::{Record, eventually, plugin, shared_broker};

use super::mix::Mix;
use super::{EXACTLY_ONCE, INSTANCE, finish, start, wait_for_flow};
use crate::feeder::{Feeder, assert_all_once_in_order};
use crate::pipeline::{LONG, Pipeline, SOON, assert_says, error_of, stop};

/// The first worker's transactional id.
fn id_of(pipeline: &Pipeline) -> String {
    format!("{}-one-0", pipeline.group)
}

/// Hears of the next producer that registers through the proxy, which the test's
/// own do not use.
fn begins_again(pipeline: &Pipeline) -> mpsc::Receiver<()> {
    let id = id_of(pipeline);
    let (again, begun) = mpsc::channel();
    shared_broker().proxy().before(
        move |request| request.is(Api::INIT_PRODUCER_ID, &id),
        move || {
            // Nobody may be waiting any more.
            let _ = again.send(());
        },
    );
    begun
}

#[test]
fn a_fenced_producer_is_replaced_and_doubles_nothing() {
    let proxy = shared_broker().proxy();
    let pipeline = Pipeline::with_dead_letters("fenced", 2).behind(proxy);
    let mix = Mix::of(&pipeline);
    let feeder = mix.feed(&pipeline, 700);
    let host = start(&pipeline, INSTANCE);
    for _ in 0..3 {
        wait_for_flow(&pipeline, &feeder, 200);
        let again = begins_again(&pipeline);
        drop(pipeline.client.transactional(&id_of(&pipeline)));
        again.recv_timeout(SOON).expect("host takes a new producer");
    }
    wait_for_flow(&pipeline, &feeder, 200);
    let written = feeder.finish();
    finish(&pipeline, &mix, host, written);
}

/// Somebody else uses its name: it says so, and does not fence the other one off
/// on its way out.
#[test]
fn a_producer_that_is_fenced_again_and_again_ends_the_run_and_leaves_the_other_alone() {
    let proxy = shared_broker().proxy();
    let pipeline = Pipeline::with_dead_letters("fenced-off", 2).behind(proxy);
    let feeder = Feeder::start(&pipeline, 500);
    let mut host = start(&pipeline, INSTANCE);
    wait_for_flow(&pipeline, &feeder, 50);
    // It takes it for another process when it comes four times within a minute.
    let other = eventually(LONG, "the run's end", || {
        let again = begins_again(&pipeline);
        let other = pipeline.client.transactional(&id_of(&pipeline));
        eventually(SOON, "a new producer, or the run's end", || {
            (again.try_recv().is_ok() || !host.is_running()).then_some(())
        });
        (!host.is_running()).then_some(other)
    });
    let error = error_of(&mut host, 1);
    assert_says(
        &error,
        &[&id_of(&pipeline), "two processes", "--instance-id"],
    );
    feeder.finish();
    other.begin();
    other.produce(&pipeline.output, [Record::value("the other's")]);
    assert_eq!(other.commit(), Ok(()));
}

#[test]
fn of_two_processes_with_one_instance_id_one_ends_and_says_why() {
    let pipeline = Pipeline::new("two-of-one", 2);
    let feeder = Feeder::start(&pipeline, 700);
    let join = || pipeline.start(&plugin("passthrough"), &[EXACTLY_ONCE, INSTANCE].concat());
    let mut hosts = [join(), {
        wait_for_flow(&pipeline, &feeder, 300);
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
    wait_for_flow(&pipeline, &feeder, 300);
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    assert!(other.is_running());
    stop(other);
    assert_all_once_in_order(&pipeline.outputs(), written);
}
