//! What is the record's own fault: it becomes a dead letter as it came, and those
//! around it go on.

use millrace_tests::registry::framed;
use millrace_tests::topics::unique;
use millrace_tests::{Record, plugin, shared_registry};
use serde_json::json;

use super::{DECODE, ENCODE, POINT, jsons, long, point, reasons, start, string, wait_for_letters};
use crate::pipeline::{Pipeline, assert_says, error_of, origin, stop, texts};

/// No registry of a test gives so many.
const NOBODYS: u32 = 1_999_999_999;

#[test]
fn a_schema_that_the_registry_does_not_know_is_the_records_fault() {
    let registry = shared_registry();
    let id = registry.register(&unique("known"), POINT);
    let pipeline = Pipeline::with_dead_letters("wrong-id", 1);
    let written = [point(id, 1), point(NOBODYS, 2).key("k"), point(id, 3)];
    pipeline.feed(written.clone());

    let host = start(&pipeline, &registry.url(), DECODE);
    pipeline.wait_for_committed(&[(0, 3)]);
    stop(host);

    assert_eq!(
        jsons(&pipeline.outputs()),
        [json!({ "x": 1 }), json!({ "x": 3 })]
    );
    let letters = pipeline.letters();
    let [(stage, reason)] = reasons(&letters)[..] else {
        panic!("{letters:?}")
    };
    assert_eq!(stage, "decode-value");
    assert_says(reason, &["1999999999"]);
    assert_eq!(letters[0].key, written[1].key);
    assert_eq!(letters[0].value, written[1].value);
    assert_eq!(origin(&letters[0]), (0, 1));
}

#[test]
fn a_key_may_be_at_fault_as_a_value_may() {
    let registry = shared_registry();
    let id = registry.register(&unique("keys"), POINT);
    let pipeline = Pipeline::with_dead_letters("wrong-key", 1);
    let good = framed(id, &long(5));
    let bad = framed(NOBODYS, &long(5));
    pipeline.feed([
        Record::value("1").key(&good).to_partition(0),
        Record::value("2").key(&bad).to_partition(0),
        Record::value("3").key("no frame").to_partition(0),
    ]);

    let flags = ["--decode-key", "avro", "--encode-key", "json"];
    let host = start(&pipeline, &registry.url(), &flags);
    pipeline.wait_for_committed(&[(0, 3)]);
    stop(host);

    let outputs = pipeline.outputs();
    assert_eq!(outputs.len(), 1);
    assert_eq!(outputs[0].key.as_deref(), Some(br#"{"x":5}"#.as_slice()));
    let letters = pipeline.letters();
    for (letter, key) in letters.iter().zip([&bad[..], b"no frame"]) {
        assert_eq!(letter.key.as_deref(), Some(key));
    }
    let stages: Vec<_> = reasons(&letters).iter().map(|(stage, _)| *stage).collect();
    assert_eq!(stages, ["decode-key", "decode-key"]);
}

#[test]
fn without_a_dead_letter_topic_it_stops_the_run() {
    let registry = shared_registry();
    let id = registry.register(&unique("stops"), POINT);
    let pipeline = Pipeline::new("stop-on-decode", 1);
    pipeline.feed([point(id, 1), point(NOBODYS, 2), point(id, 3)]);

    let url = registry.url();
    let flags = [&["--schema-registry", url.as_str()], DECODE].concat();
    let mut host = pipeline.start(&plugin("passthrough"), &flags);
    let error = error_of(&mut host, 1);

    assert_says(&error, &["decode-value", "offset 1", "1999999999"]);
    assert_eq!(jsons(&pipeline.outputs()), [json!({ "x": 1 })]);
    pipeline.wait_for_committed(&[(0, 1)]);
}

#[test]
fn what_is_no_frame_or_no_datum_is_a_dead_letter_as_it_came() {
    let registry = shared_registry();
    let id = registry.register(&unique("frames"), POINT);
    let pipeline = Pipeline::with_dead_letters("no-frame", 1);
    let bad: Vec<Vec<u8>> = vec![
        vec![],
        vec![0],
        vec![0, 0, 0, 0],
        framed(id, &[])[..4].to_vec(),
        b"{\"x\":1}".to_vec(),
        [vec![1], framed(id, &long(1))[1..].to_vec()].concat(),
        // Without its datum, half of it, and with more behind it.
        framed(id, &[]),
        framed(id, &[0x80]),
        framed(id, &[0xff; 11]),
        framed(id, &[long(1), vec![0]].concat()),
    ];
    let count = i64::try_from(bad.len()).expect("small");
    pipeline.feed(bad.iter().map(|value| Record::value(value).to_partition(0)));
    pipeline.feed([point(id, 4)]);

    let host = start(&pipeline, &registry.url(), DECODE);
    pipeline.wait_for_committed(&[(0, count + 1)]);
    stop(host);

    let letters = pipeline.letters();
    let values: Vec<_> = letters.iter().filter_map(|l| l.value.clone()).collect();
    assert_eq!(values, bad);
    for (stage, reason) in reasons(&letters) {
        assert_eq!(stage, "decode-value");
        assert!(!reason.is_empty());
    }
    assert_eq!(jsons(&pipeline.outputs()), [json!({ "x": 4 })]);
}

#[test]
fn a_payload_that_claims_what_it_has_not_costs_nothing() {
    let registry = shared_registry();
    let schema = r#"{"type":"record","name":"Tree","fields":[
        {"name":"name","type":"string"},
        {"name":"kids","type":{"type":"array","items":"Tree"}}]}"#;
    let id = registry.register(&unique("trees"), schema);
    let pipeline = Pipeline::with_dead_letters("hostile", 1);
    let huge_string = long(i64::from(i32::MAX));
    let huge_array = [string(""), long(i64::MAX / 2)].concat();
    // As deep as it is long: the name is empty, and the array has one tree.
    let deep = [0, 2].repeat(200_000);
    let hostile = [huge_string, huge_array, deep];
    pipeline.feed(hostile.iter().map(|datum| {
        let value = framed(id, datum);
        Record::value(value).to_partition(0)
    }));
    let small = [string("root"), long(1), string("leaf"), long(0), long(0)].concat();
    pipeline.feed([Record::value(framed(id, &small)).to_partition(0)]);

    let host = start(&pipeline, &registry.url(), DECODE);
    pipeline.wait_for_committed(&[(0, 4)]);
    stop(host);

    assert_eq!(pipeline.letters().len(), hostile.len());
    let tree = json!({ "name": "root", "kids": [{ "name": "leaf", "kids": [] }] });
    assert_eq!(jsons(&pipeline.outputs()), [tree]);
}

#[test]
fn what_does_not_fit_the_schema_of_the_output_is_a_dead_letter_as_it_came() {
    let registry = shared_registry();
    let pipeline = Pipeline::with_dead_letters("misfits", 1);
    let schema = r#"{"type":"record","name":"Order","fields":[{"name":"lines","type":{
        "type":"array","items":{"type":"record","name":"Line","fields":[
        {"name":"count","type":"int"}]}}}]}"#;
    registry.register(&format!("{}-value", pipeline.output), schema);
    let bad = [
        r#"{"lines":[{"count":1},{"count":"two"}]}"#,
        r#"{"lines":[{"count":2147483648}]}"#,
        r#"{"lines":[{}]}"#,
        r#"{}"#,
        r#"[]"#,
    ];
    pipeline.feed_at_once(bad);
    pipeline.feed_at_once([r#"{ "lines" : [] }"#]);

    let host = start(&pipeline, &registry.url(), ENCODE);
    pipeline.wait_for_committed(&[(0, 6)]);
    stop(host);

    let letters = pipeline.letters();
    assert_eq!(texts(&letters), bad);
    let reasons = reasons(&letters);
    assert!(reasons.iter().all(|(stage, _)| *stage == "encode-value"));
    // Where in the record it is.
    assert_says(reasons[0].1, &["lines", "1", "count"]);
    assert_says(reasons[1].1, &["lines", "0", "count"]);
    assert_eq!(pipeline.outputs().len(), 1);
}

#[test]
fn an_output_whose_subject_nobody_registered_is_the_records_fault() {
    let registry = shared_registry();
    let pipeline = Pipeline::with_dead_letters("no-subject", 1);
    pipeline.feed_at_once([r#"{"x":1}"#]);

    let host = start(&pipeline, &registry.url(), ENCODE);
    let letters = wait_for_letters(&pipeline, 1);
    stop(host);

    let [(stage, reason)] = reasons(&letters)[..] else {
        panic!("{letters:?}")
    };
    assert_eq!(stage, "encode-value");
    assert_says(reason, &[&format!("{}-value", pipeline.output)]);
    assert_eq!(texts(&letters), [r#"{"x":1}"#]);
}

#[test]
fn what_is_no_json_and_no_text_is_the_records_fault() {
    let pipeline = Pipeline::with_dead_letters("checked", 1);
    pipeline.feed([
        Record::value(r#"{"a": 1}"#).key("text").to_partition(0),
        Record::value(r#"{"a": 1"#).key("text").to_partition(0),
        Record::value("1").key([0xff]).to_partition(0),
        Record::value([b'"', 0xff, b'"']).to_partition(0),
    ]);
    let flags = ["--decode-key", "string", "--decode-value", "json"];
    let host = pipeline.start_with_dead_letters(&plugin("passthrough"), &flags);
    pipeline.wait_for_committed(&[(0, 4)]);
    stop(host);

    assert_eq!(pipeline.outputs().len(), 1);
    let letters = pipeline.letters();
    let stages: Vec<_> = reasons(&letters).iter().map(|(stage, _)| *stage).collect();
    assert_eq!(stages, ["decode-value", "decode-key", "decode-value"]);
    assert_eq!(letters[1].key.as_deref(), Some([0xff].as_slice()));
}
