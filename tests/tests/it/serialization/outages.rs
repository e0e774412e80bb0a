//! A registry that is not well is no record's fault: the partition waits, says so,
//! and goes on by itself; nothing becomes a dead letter.

use std::time::Duration;

use millrace_tests::registry::{Behaviour, Credentials, FakeRegistry};
use millrace_tests::topics::unique;
use millrace_tests::{Host, Registry, eventually_ok, shared_registry};
use serde_json::json;

use super::{
    DECODE, ENCODE, POINT, POINT_2, jsons, point, point_2, start, wait_for_recovery,
    wait_for_trouble,
};
use crate::pipeline::{Pipeline, SOON, stop};

/// Before the shared registry, a pipeline that begins to read while the registry is
/// in this state: says that it waits, for this reason, and goes on once it is well.
#[track_caller]
fn waits_out(behaviour: Behaviour, why: &str) {
    let registry = shared_registry();
    let id = registry.register(&unique("outage"), POINT);
    let fake = FakeRegistry::before(registry);
    fake.behave(behaviour);
    let pipeline = Pipeline::with_dead_letters("outage", 1);
    pipeline.feed([point(id, 1), point(id, 2)]);

    let mut host = start(&pipeline, &fake.url(), DECODE);
    wait_for_trouble(&host, why);
    assert_eq!(pipeline.committed_total(), 0);
    fake.behave(Behaviour::Pass);
    goes_on(&pipeline, &mut host);
}

/// Two records come, none of them as a dead letter.
#[track_caller]
fn goes_on(pipeline: &Pipeline, host: &mut Host) {
    pipeline.wait_for_committed(&[(0, 2)]);
    wait_for_recovery(host);
    assert!(host.is_running());
    assert_eq!(
        jsons(&pipeline.outputs()),
        [json!({ "x": 1 }), json!({ "x": 2 })]
    );
    assert_eq!(pipeline.letters(), []);
}

#[test]
fn one_that_answers_500_is_waited_for() {
    waits_out(Behaviour::Fail(500), "500");
}

#[test]
fn one_that_is_too_busy_is_waited_for() {
    waits_out(Behaviour::Fail(429), "429");
}

#[test]
fn one_that_lets_nobody_in_is_waited_for() {
    waits_out(Behaviour::Fail(401), "401");
    waits_out(Behaviour::Fail(403), "403");
}

#[test]
fn one_that_hangs_up_is_waited_for() {
    waits_out(Behaviour::HangUp, "");
}

#[test]
fn one_that_talks_nonsense_is_waited_for() {
    waits_out(Behaviour::Say(200, "<html>".to_owned()), "");
    // What stands there is no registry: nothing is missing in it.
    waits_out(Behaviour::Say(404, "<html>".to_owned()), "404");
    waits_out(Behaviour::Say(200, "{}".to_owned()), "");
}

#[test]
fn one_that_is_down_at_the_start_is_waited_for() {
    let registry = shared_registry();
    let id = registry.register(&unique("down"), POINT);
    let mut fake = FakeRegistry::before(registry);
    fake.go_down();
    let pipeline = Pipeline::with_dead_letters("down", 1);
    pipeline.feed([point(id, 1), point(id, 2)]);

    let mut host = start(&pipeline, &fake.url(), DECODE);
    wait_for_trouble(&host, "refused");
    assert_eq!(pipeline.committed_total(), 0);
    fake.come_back();
    goes_on(&pipeline, &mut host);
    stop(host);
}

#[test]
fn what_is_known_goes_on_while_the_registry_is_down() {
    let mut registry = Registry::start();
    let mut fake = FakeRegistry::before(&registry);
    let id = registry.register("points", POINT);
    let pipeline = Pipeline::with_dead_letters("known", 1);
    pipeline.feed([point(id, 1)]);
    let mut host = start(&pipeline, &fake.url(), DECODE);
    pipeline.wait_for_committed(&[(0, 1)]);

    fake.go_down();
    registry.kill();
    pipeline.feed((2..=10).map(|x| point(id, x)));
    pipeline.wait_for_committed(&[(0, 10)]);

    // A schema that came to be meanwhile. The registry gives the same ids again.
    registry.restart();
    assert_eq!(registry.register("points", POINT), id);
    let new = registry.register("points", POINT_2);
    pipeline.feed([point_2(new, 11, 0), point(id, 12)]);
    wait_for_trouble(&host, "refused");
    // Behind one that waits, order is kept.
    assert_eq!(pipeline.committed_total(), 10);
    fake.come_back();
    pipeline.wait_for_committed(&[(0, 12)]);
    wait_for_recovery(&mut host);
    stop(host);

    let xs: Vec<_> = jsons(&pipeline.outputs())
        .iter()
        .map(|value| value["x"].as_i64())
        .collect();
    assert_eq!(xs, (1..=12).map(Some).collect::<Vec<_>>());
    assert_eq!(pipeline.letters(), []);
}

#[test]
fn one_that_hangs_is_waited_for_and_its_answer_comes_in_time() {
    let mut registry = Registry::start();
    let id = registry.register("points", POINT);
    let pipeline = Pipeline::with_dead_letters("hangs", 1);
    let mut host = start(&pipeline, &registry.url(), DECODE);
    pipeline.wait_for_members(1);

    registry.freeze();
    pipeline.feed([point(id, 1), point(id, 2)]);
    wait_for_trouble(&host, "");
    registry.thaw();
    goes_on(&pipeline, &mut host);
    stop(host);
}

#[test]
fn one_that_is_slow_is_no_trouble() {
    let registry = shared_registry();
    let id = registry.register(&unique("slow"), POINT);
    let fake = FakeRegistry::before(registry);
    fake.behave(Behaviour::Slow(Duration::from_millis(700)));
    let pipeline = Pipeline::with_dead_letters("slow", 1);
    pipeline.feed([point(id, 1), point(id, 2)]);

    let host = start(&pipeline, &fake.url(), DECODE);
    pipeline.wait_for_committed(&[(0, 2)]);
    let said = stop(host);
    assert!(!said.contains("waiting: the schema registry"));
    assert_eq!(pipeline.outputs().len(), 2);
    assert_eq!(pipeline.letters(), []);
    // One answer is enough for all records of a schema, and for good.
    assert_eq!(fake.count(&format!("/schemas/ids/{id}")), 1);
}

#[test]
fn other_partitions_go_on_while_one_waits() {
    let registry = shared_registry();
    let subject = unique("partitions");
    let id = registry.register(&subject, POINT);
    let new = registry.register(&subject, POINT_2);
    let fake = FakeRegistry::before(registry);
    let pipeline = Pipeline::with_dead_letters("others", 2);
    pipeline.feed([point(id, 0), point(id, 0).to_partition(1)]);
    let host = start(&pipeline, &fake.url(), DECODE);
    pipeline.wait_for_committed(&[(0, 1), (1, 1)]);

    fake.behave(Behaviour::Hold);
    pipeline.feed([point_2(new, 1, 0)]);
    fake.wait_for_count(&format!("/schemas/ids/{new}"), 1, SOON);
    for x in 1..=3 {
        pipeline.feed([point(id, x).to_partition(1)]);
        pipeline.wait_for_committed(&[(0, 1), (1, x + 1)]);
    }
    fake.behave(Behaviour::Pass);
    pipeline.wait_for_committed(&[(0, 2), (1, 4)]);
    stop(host);
    assert_eq!(pipeline.outputs().len(), 6);
    assert_eq!(pipeline.letters(), []);
}

#[test]
fn a_stop_need_not_wait_for_the_registry() {
    let registry = shared_registry();
    let id = registry.register(&unique("stop"), POINT);
    let fake = FakeRegistry::before(registry);
    let pipeline = Pipeline::with_dead_letters("stop-waiting", 1);
    fake.behave(Behaviour::Hold);
    pipeline.feed([point(id, 1), point(id, 2)]);

    let host = start(&pipeline, &fake.url(), DECODE);
    fake.wait_for_count(&format!("/schemas/ids/{id}"), 1, SOON);
    stop(host);
    assert_eq!(pipeline.committed_total(), 0);
    fake.behave(Behaviour::Pass);
    let host = start(&pipeline, &fake.url(), DECODE);
    pipeline.wait_for_committed(&[(0, 2)]);
    stop(host);
    assert_eq!(pipeline.outputs().len(), 2);
}

#[test]
fn an_encoder_waits_for_the_registry_too() {
    let registry = shared_registry();
    let fake = FakeRegistry::before(registry);
    let pipeline = Pipeline::with_dead_letters("encode-outage", 1);
    registry.register(&format!("{}-value", pipeline.output), POINT);
    fake.behave(Behaviour::Fail(503));
    pipeline.feed_at_once([r#"{"x":1}"#, r#"{"x":2}"#]);

    let mut host = start(&pipeline, &fake.url(), ENCODE);
    wait_for_trouble(&host, "503");
    assert_eq!(pipeline.committed_total(), 0);
    fake.behave(Behaviour::Pass);
    pipeline.wait_for_committed(&[(0, 2)]);
    wait_for_recovery(&mut host);
    stop(host);
    assert_eq!(pipeline.outputs().len(), 2);
    assert_eq!(pipeline.letters(), []);
}

#[test]
fn a_transaction_does_not_stay_open_for_the_registry() {
    let registry = shared_registry();
    let subject = unique("exactly");
    let id = registry.register(&subject, POINT);
    let new = registry.register(&subject, POINT_2);
    let fake = FakeRegistry::before(registry);
    let pipeline = Pipeline::with_dead_letters("exactly-once-outage", 2);
    let exactly_once = [DECODE, &["--guarantee", "exactly-once"]].concat();
    pipeline.feed([point(id, 0), point(id, 0).to_partition(1)]);
    let host = start(&pipeline, &fake.url(), &exactly_once);
    pipeline.wait_for_committed(&[(0, 1), (1, 1)]);

    fake.behave(Behaviour::Hold);
    pipeline.feed([point_2(new, 1, 0), point(id, 2)]);
    fake.wait_for_count(&format!("/schemas/ids/{new}"), 1, SOON);
    // The other partition's are committed, and so they are seen.
    pipeline.feed([point(id, 1).to_partition(1)]);
    pipeline.wait_for_committed(&[(0, 1), (1, 2)]);
    let outputs = |wanted: usize| {
        let found = eventually_ok(SOON, "the outputs", || match pipeline.outputs().len() {
            found if found < wanted => Err(format!("{found} of {wanted}")),
            found => Ok(found),
        });
        assert_eq!(found, wanted);
    };
    // The end of a transaction is answered before it stands in each topic.
    outputs(3);
    fake.behave(Behaviour::Pass);
    pipeline.wait_for_committed(&[(0, 3), (1, 2)]);
    stop(host);
    outputs(5);
    assert_eq!(pipeline.letters(), []);
}

#[test]
fn who_asks_is_told_in_each_of_both_ways() {
    let registry = shared_registry();
    let id = registry.register(&unique("who"), POINT);
    let basic = Credentials::Basic {
        username: "mill".to_owned(),
        password: "very secret".to_owned(),
    };
    let ways: [(_, &[&str]); 2] = [
        (
            basic,
            &[
                "--set",
                "schema_registry.username=mill",
                "--set",
                "schema_registry.password=very secret",
            ],
        ),
        (
            Credentials::Bearer("very.secret".to_owned()),
            &["--set", "schema_registry.token=very.secret"],
        ),
    ];
    for (credentials, flags) in ways {
        let fake = FakeRegistry::before(registry);
        fake.demand(Some(credentials));
        let pipeline = Pipeline::with_dead_letters("who", 1);
        pipeline.feed([point(id, 1), point(id, 2)]);

        // Without them nobody is let in, and that is waited out.
        let host = start(&pipeline, &fake.url(), DECODE);
        wait_for_trouble(&host, "401");
        stop(host);
        assert_eq!(pipeline.committed_total(), 0);
        let host = start(&pipeline, &fake.url(), &[DECODE, flags].concat());
        pipeline.wait_for_committed(&[(0, 2)]);
        fake.demand(Some(Credentials::Bearer("another".to_owned())));
        pipeline.feed([point(id, 3)]);
        pipeline.wait_for_committed(&[(0, 3)]);
        let said = stop(host);
        assert!(!said.contains("secret"), "{said}");
        assert_eq!(pipeline.letters(), []);
    }
}

#[test]
fn of_several_registries_one_that_is_well_is_enough() {
    let registry = shared_registry();
    let id = registry.register(&unique("several"), POINT);
    let new = registry.register(&unique("several"), POINT_2);
    let mut first = FakeRegistry::before(registry);
    let second = FakeRegistry::before(registry);
    first.go_down();
    let pipeline = Pipeline::with_dead_letters("several", 1);
    pipeline.feed([point(id, 1)]);

    let urls = format!("{},{}", first.url(), second.url());
    let mut host = start(&pipeline, &urls, DECODE);
    pipeline.wait_for_committed(&[(0, 1)]);
    second.behave(Behaviour::Fail(500));
    first.come_back();
    pipeline.feed([point_2(new, 2, 0)]);
    pipeline.wait_for_committed(&[(0, 2)]);
    assert!(host.is_running());
    stop(host);
    assert_eq!(pipeline.letters(), []);
    assert!(first.count(&format!("/schemas/ids/{new}")) > 0);
}

#[test]
fn a_registry_behind_a_wrong_path_is_said_at_once() {
    // Whether it waits or ends is its own affair: it names the setting, and nothing
    // is lost.
    let registry = shared_registry();
    let id = registry.register(&unique("path"), POINT);
    let pipeline = Pipeline::with_dead_letters("path", 1);
    pipeline.feed([point(id, 1)]);
    let url = registry.url().replace("ccompat", "nowhere");
    let mut host = start(&pipeline, &url, DECODE);
    host.wait_for_log("schema_registry.url", SOON);
    assert_eq!(pipeline.committed_total(), 0);
    assert_eq!(pipeline.letters(), []);
    host.kill();
}

#[test]
fn an_authority_of_ones_own_is_trusted_where_it_is_named() {
    let registry = Registry::start_with_tls();
    let id = registry.register("points", POINT);
    let pipeline = Pipeline::with_dead_letters("tls", 1);
    pipeline.feed([point(id, 1)]);

    let host = start(&pipeline, &registry.tls_url(), DECODE);
    wait_for_trouble(&host, "certificate");
    stop(host);
    assert_eq!(pipeline.committed_total(), 0);
    let ca = format!("schema_registry.ca={}", registry.ca().display());
    let flags = [DECODE, &["--set", &ca]].concat();
    let host = start(&pipeline, &registry.tls_url(), &flags);
    pipeline.wait_for_committed(&[(0, 1)]);
    stop(host);
    assert_eq!(pipeline.outputs().len(), 1);
    assert_eq!(pipeline.letters(), []);
}
