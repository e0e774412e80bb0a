//! Which schema an output is written with, and under which subject it is found or
//! registered.

use std::fs;

use millrace_tests::registry::{framed, unframed};
use millrace_tests::topics::unique;
use millrace_tests::{Record, eventually, plugin, shared_registry};
use serde_json::json;

use super::{
    ENCODE, POINT, POINT_2, RECODE, jsons, long, point, point_2, reasons, start, start_with,
    string, wait_for_letters,
};
use crate::pipeline::{Pipeline, SOON, stop};

/// The schema's id and the datum of each value.
#[track_caller]
fn frames(records: &[Record]) -> Vec<(u32, Vec<u8>)> {
    let frame = |record: &Record| {
        let (id, datum) = unframed(record.value.as_deref().expect("a value"));
        (id, datum.to_vec())
    };
    records.iter().map(frame).collect()
}

/// A record schema of one long, in a namespace of the test's own, whose subjects
/// nobody else has, and its full name.
fn own_point(stem: &str) -> (String, String) {
    let namespace = unique(stem).replace('-', "_");
    let schema = POINT.replace(r#""geo""#, &format!("{namespace:?}"));
    (schema, format!("{namespace}.Point"))
}

#[test]
fn the_schema_is_the_latest_of_the_output_topic() {
    let registry = shared_registry();
    let pipeline = Pipeline::with_dead_letters("topic-name", 1);
    let subject = format!("{}-value", pipeline.output);
    registry.register(&subject, POINT);
    let latest = registry.register(&subject, POINT_2);
    let key = registry.register(&format!("{}-key", pipeline.output), r#"{"type":"string"}"#);
    pipeline.feed([
        Record::value(r#"{"x":1,"y":2}"#)
            .key(r#""k""#)
            .to_partition(0),
        Record::value(r#"{"x":3}"#).key(r#""l""#).to_partition(0),
    ]);

    let flags = [ENCODE, &["--decode-key", "json", "--encode-key", "avro"]].concat();
    let host = start(&pipeline, &registry.url(), &flags);
    pipeline.wait_for_committed(&[(0, 2)]);
    stop(host);

    let outputs = pipeline.outputs();
    let expected = [[long(1), long(2)], [long(3), long(7)]];
    assert_eq!(
        frames(&outputs),
        expected.map(|datum| (latest, datum.concat()))
    );
    let keys: Vec<_> = outputs
        .iter()
        .map(|output| unframed(output.key.as_deref().expect("a key")))
        .collect();
    assert_eq!(keys, [(key, &*string("k")), (key, &*string("l"))]);
}

#[test]
fn a_topic_that_the_plugin_names_has_its_own_schema() {
    let order = |kind: &str| {
        format!(
            r#"{{"type":"record","name":"Order","fields":[
            {{"name":"customer","type":"string"}},
            {{"name":"currency","type":"string"}},
            {{"name":"amount","type":"{kind}"}}]}}"#
        )
    };
    let registry = shared_registry();
    let pipeline = Pipeline::with_dead_letters("by-currency", 1);
    let (eur, usd) = (
        format!("{}-eur", pipeline.output),
        format!("{}-usd", pipeline.output),
    );
    for topic in [&eur, &usd] {
        pipeline.client.create_topic(topic, 1);
    }
    let as_long = registry.register(&format!("{eur}-value"), &order("long"));
    let as_string = registry.register(&format!("{usd}-value"), &order("string"));
    pipeline.feed_at_once([
        r#"{"customer":"a","currency":"EUR","amount":5}"#,
        r#"{"customer":"b","currency":"USD","amount":"6"}"#,
    ]);

    let config = format!("plugin.config={}", pipeline.output);
    let allow = format!("output.allow={}-*", pipeline.output);
    let flags = [ENCODE, &["--set", &config, "--set", &allow]].concat();
    let host = start_with(&plugin("route"), &pipeline, &registry.url(), &flags);
    pipeline.wait_for_committed(&[(0, 2)]);
    stop(host);

    assert_eq!(pipeline.letters(), []);
    let read = |topic| frames(&pipeline.client.read_all(topic));
    let in_eur = [string("a"), string("EUR"), long(5)].concat();
    assert_eq!(read(&eur), [(as_long, in_eur)]);
    let in_usd = [string("b"), string("USD"), string("6")].concat();
    assert_eq!(read(&usd), [(as_string, in_usd)]);
}

#[test]
fn what_a_plugin_made_of_avro_is_avro_again() {
    let order = |more: &str| {
        format!(
            r#"{{"type":"record","name":"Order","fields":[
            {{"name":"id","type":"long"}},
            {{"name":"customer","type":"string"}},
            {{"name":"amount","type":"double"}},
            {{"name":"currency","type":"string"}},
            {{"name":"status","type":{{"type":"enum","name":"S","symbols":["paid","void"]}}}}{more}]}}"#
        )
    };
    let registry = shared_registry();
    let pipeline = Pipeline::with_dead_letters("avro-orders", 1);
    let id = registry.register(&format!("{}-value", pipeline.input), &order(""));
    let more = r#",{"name":"total_cents","type":"long"}"#;
    let out = registry.register(&format!("{}-value", pipeline.output), &order(more));
    let datum = |status: i64| {
        let amount = 12.5_f64.to_le_bytes().to_vec();
        let rest = [string("EUR"), long(status)].concat();
        [long(1), string("c"), amount, rest].concat()
    };
    pipeline.feed([0, 1].map(|status| Record::value(framed(id, &datum(status))).to_partition(0)));

    let host = start_with(&plugin("orders"), &pipeline, &registry.url(), RECODE);
    pipeline.wait_for_committed(&[(0, 2)]);
    stop(host);
    assert_eq!(pipeline.letters(), []);
    let expected = [datum(0), long(1250)].concat();
    assert_eq!(frames(&pipeline.outputs()), [(out, expected)]);
}

#[test]
fn the_subject_may_be_the_records_name() {
    let registry = shared_registry();
    let (schema, name) = own_point("by-name");
    let pipeline = Pipeline::with_dead_letters("record-name", 1);
    let id = registry.register(&name, &schema);
    let newer = POINT_2.replace(
        r#""geo""#,
        &format!("{:?}", name.trim_end_matches(".Point")),
    );
    let latest = registry.register(&name, &newer);
    pipeline.feed([point(id, 1)]);

    let flags = [RECODE, &["--set", "encode.subject=record-name"]].concat();
    let host = start(&pipeline, &registry.url(), &flags);
    pipeline.wait_for_committed(&[(0, 1)]);
    stop(host);
    assert_eq!(pipeline.letters(), []);
    let expected = [long(1), long(7)].concat();
    assert_eq!(frames(&pipeline.outputs()), [(latest, expected)]);
}

#[test]
fn a_schema_that_is_not_there_is_registered_where_that_is_asked_for() {
    let registry = shared_registry();
    let folder = tempfile::tempdir().expect("a folder");
    for strategy in ["topic-name", "record-name", "topic-record-name"] {
        let (schema, name) = own_point("registered");
        let path = folder.path().join("point.avsc");
        fs::write(&path, &schema).expect("it can be written");
        let pipeline = Pipeline::with_dead_letters("registers", 1);
        let subject = match strategy {
            "topic-name" => format!("{}-value", pipeline.output),
            "record-name" => name,
            _ => format!("{}-{name}", pipeline.output),
        };
        assert_eq!(registry.latest(&subject), None);
        pipeline.feed_at_once([r#"{"x":1}"#, r#"{"x":2}"#]);

        let by = format!("encode.subject={strategy}");
        let file = format!("encode.value_schema=file:{}", path.display());
        let register = "encode.register=true";
        let flags = [ENCODE, &["--set", &by, "--set", &file, "--set", register]].concat();
        let host = start(&pipeline, &registry.url(), &flags);
        pipeline.wait_for_committed(&[(0, 2)]);
        stop(host);

        assert_eq!(pipeline.letters(), []);
        let registered = registry.latest(&subject).expect("it is registered now");
        assert_eq!(registered.version, 1, "{strategy}");
        let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(parsed(&registered.schema), parsed(&schema));
        let expected = [1, 2].map(|x| (registered.id, long(x)));
        assert_eq!(frames(&pipeline.outputs()), expected);
    }
}

#[test]
fn a_records_own_schema_is_registered_for_the_output() {
    let registry = shared_registry();
    let pipeline = Pipeline::with_dead_letters("own-schema", 1);
    let id = registry.register(&format!("{}-value", pipeline.input), POINT);
    let subject = format!("{}-value", pipeline.output);
    pipeline.feed([point(id, 1)]);

    let flags = [RECODE, &["--set", "encode.register=true"]].concat();
    let host = start(&pipeline, &registry.url(), &flags);
    pipeline.wait_for_committed(&[(0, 1)]);
    stop(host);
    let registered = registry.latest(&subject).expect("it is registered now");
    // Apicurio knows a text by one id, whatever the subject.
    assert_eq!(registered.id, id);
    assert_eq!(pipeline.outputs()[0].value, point(id, 1).value);
}

#[test]
fn without_that_nothing_is_registered() {
    let registry = shared_registry();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("point.avsc");
    let (schema, _) = own_point("unregistered");
    fs::write(&path, &schema).expect("it can be written");
    let pipeline = Pipeline::with_dead_letters("unregistered", 1);
    pipeline.feed_at_once([r#"{"x":1}"#]);

    let file = format!("encode.value_schema=file:{}", path.display());
    let flags = [ENCODE, &["--set", &file]].concat();
    let host = start(&pipeline, &registry.url(), &flags);
    let letters = wait_for_letters(&pipeline, 1);
    stop(host);
    assert_eq!(reasons(&letters)[0].0, "encode-value");
    assert_eq!(jsons(&letters), [json!({ "x": 1 })]);
    assert_eq!(registry.latest(&format!("{}-value", pipeline.output)), None);
}

#[test]
fn what_the_registry_refuses_to_register_is_the_records_fault() {
    let registry = shared_registry();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("point.avsc");
    fs::write(&path, POINT.replace("\"x\"", "\"other\"")).expect("it can be written");
    let pipeline = Pipeline::with_dead_letters("incompatible", 1);
    let subject = format!("{}-value", pipeline.output);
    registry.register(&subject, POINT);
    registry.set_compatibility(&subject, "FULL");
    pipeline.feed_at_once([r#"{"other":1}"#]);

    let file = format!("encode.value_schema=file:{}", path.display());
    let flags = [ENCODE, &["--set", &file, "--set", "encode.register=true"]].concat();
    let host = start(&pipeline, &registry.url(), &flags);
    let letters = wait_for_letters(&pipeline, 1);
    stop(host);
    assert_eq!(reasons(&letters)[0].0, "encode-value");
    assert_eq!(registry.latest(&subject).expect("it is there").version, 1);
}

#[test]
fn a_subject_and_a_version_may_be_named() {
    let registry = shared_registry();
    let subject = unique("named");
    let first = registry.register(&subject, POINT);
    let second = registry.register(&subject, POINT_2);
    for (source, frame) in [
        (format!("subject:{subject}@1"), (first, long(1))),
        (
            format!("subject:{subject}"),
            (second, [long(1), long(7)].concat()),
        ),
    ] {
        let pipeline = Pipeline::with_dead_letters("named-subject", 1);
        pipeline.feed_at_once([r#"{"x":1}"#]);
        let schema = format!("encode.value_schema={source}");
        let flags = [ENCODE, &["--set", &schema]].concat();
        let host = start(&pipeline, &registry.url(), &flags);
        pipeline.wait_for_committed(&[(0, 1)]);
        stop(host);
        assert_eq!(frames(&pipeline.outputs()), [frame]);
    }
}

#[test]
fn the_latest_schema_is_looked_at_again() {
    let registry = shared_registry();
    let pipeline = Pipeline::with_dead_letters("refresh", 1);
    let subject = format!("{}-value", pipeline.output);
    let old = registry.register(&subject, POINT);
    pipeline.feed_at_once([r#"{"x":1}"#]);
    let flags = [ENCODE, &["--set", "encode.refresh=100ms"]].concat();
    let host = start(&pipeline, &registry.url(), &flags);
    assert_eq!(frames(&pipeline.wait_for_outputs(1)), [(old, long(1))]);

    let new = registry.register(&subject, POINT_2);
    let mut count = 1;
    let last = eventually(SOON, "an output by the new schema", || {
        pipeline.feed_at_once([r#"{"x":1}"#]);
        count += 1;
        let last = pipeline
            .wait_for_outputs(count)
            .pop()
            .expect("there is one");
        let (id, _) = unframed(last.value.as_deref().expect("a value"));
        (id == new).then_some(last)
    });
    stop(host);
    assert_eq!(last.value, point_2(new, 1, 7).value);
    assert_eq!(pipeline.letters(), []);
}
