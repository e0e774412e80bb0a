//! `avro-plain`: Avro without a frame, whose schema stands in a file, is a subject's
//! latest, or one of its versions.

use std::fs;

use millrace_tests::topics::unique;
use millrace_tests::{Host, Record, plugin, shared_registry};
use serde_json::json;

use super::{POINT, POINT_2, jsons, long, reasons, start};
use crate::pipeline::{Pipeline, assert_says, error_of, stop};

const DECODE: &[&str] = &["--decode-value", "avro-plain", "--encode-value", "json"];
const ENCODE: &[&str] = &["--decode-value", "json", "--encode-value", "avro-plain"];

/// A record whose value is these longs one after another.
fn plain(longs: &[i64]) -> Record {
    let bytes: Vec<u8> = longs.iter().flat_map(|number| long(*number)).collect();
    Record::value(bytes).to_partition(0)
}

#[test]
fn a_schema_from_a_file_needs_no_registry() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("point.avsc");
    fs::write(&path, POINT).expect("it can be written");
    let source = format!("file:{}", path.display());
    let pipeline = Pipeline::with_dead_letters("plain-file", 1);
    // The second one lacks its datum, the third has more than it.
    pipeline.feed([plain(&[1]), plain(&[]), plain(&[2, 3]), plain(&[-1])]);

    let schema = format!("decode.value_schema={source}");
    let flags = [DECODE, &["--set", &schema]].concat();
    let host = pipeline.start_with_dead_letters(&plugin("passthrough"), &flags);
    pipeline.wait_for_committed(&[(0, 4)]);
    stop(host);

    assert_eq!(
        jsons(&pipeline.outputs()),
        [json!({ "x": 1 }), json!({ "x": -1 })]
    );
    let letters = pipeline.letters();
    let stages: Vec<_> = reasons(&letters).iter().map(|(stage, _)| *stage).collect();
    assert_eq!(stages, ["decode-value", "decode-value"]);

    // And back.
    let pipeline = Pipeline::with_dead_letters("plain-file-back", 1);
    pipeline.feed_at_once([r#"{"x":1}"#, r#"{"x":-1}"#]);
    let schema = format!("encode.value_schema={source}");
    let flags = [ENCODE, &["--set", &schema]].concat();
    let host = pipeline.start_with_dead_letters(&plugin("passthrough"), &flags);
    pipeline.wait_for_committed(&[(0, 2)]);
    stop(host);
    let values: Vec<_> = pipeline.outputs().into_iter().map(|o| o.value).collect();
    assert_eq!(values, [plain(&[1]).value, plain(&[-1]).value]);
}

#[test]
fn a_subject_gives_its_latest_schema_or_the_version_that_is_named() {
    let registry = shared_registry();
    let subject = unique("plain");
    registry.register(&subject, POINT);
    registry.register(&subject, POINT_2);
    let decoded = |source: String, record: Record| {
        let pipeline = Pipeline::with_dead_letters("plain-subject", 1);
        pipeline.feed([record]);
        let schema = format!("decode.value_schema={source}");
        let flags = [DECODE, &["--set", &schema]].concat();
        run_one(&pipeline, start(&pipeline, &registry.url(), &flags));
        jsons(&pipeline.outputs())
    };
    let latest = decoded(format!("subject:{subject}"), plain(&[1, 2]));
    assert_eq!(latest, [json!({ "x": 1, "y": 2 })]);
    let first = decoded(format!("subject:{subject}@1"), plain(&[1]));
    assert_eq!(first, [json!({ "x": 1 })]);
    let second = decoded(format!("subject:{subject}@2"), plain(&[3, 4]));
    assert_eq!(second, [json!({ "x": 3, "y": 4 })]);

    let encoded = |source: String| {
        let pipeline = Pipeline::with_dead_letters("plain-subject-back", 1);
        pipeline.feed_at_once([r#"{"x":1}"#]);
        let schema = format!("encode.value_schema={source}");
        let flags = [ENCODE, &["--set", &schema]].concat();
        run_one(&pipeline, start(&pipeline, &registry.url(), &flags));
        pipeline.outputs().remove(0).value
    };
    let first = encoded(format!("subject:{subject}@1"));
    assert_eq!(first, plain(&[1]).value);
    let latest = encoded(format!("subject:{subject}"));
    assert_eq!(latest, plain(&[1, 7]).value);
}

/// Until the one record is done.
#[track_caller]
fn run_one(pipeline: &Pipeline, host: Host) {
    pipeline.wait_for_committed(&[(0, 1)]);
    stop(host);
    assert_eq!(pipeline.letters(), []);
}

#[test]
fn keys_have_a_schema_of_their_own() {
    let registry = shared_registry();
    let subject = unique("plain-keys");
    registry.register(&subject, r#"{"type":"long"}"#);
    let pipeline = Pipeline::with_dead_letters("plain-keys", 1);
    pipeline.feed([Record::value("v").key(long(300)).to_partition(0)]);
    let schema = format!("decode.key_schema=subject:{subject}");
    let mut flags = vec!["--decode-key", "avro-plain", "--encode-key", "json"];
    flags.extend(["--set", &schema]);
    run_one(&pipeline, start(&pipeline, &registry.url(), &flags));
    let outputs = pipeline.outputs();
    assert_eq!(outputs[0].key.as_deref(), Some(b"300".as_slice()));
    assert_eq!(outputs[0].text(), "v");
}

#[test]
fn plain_to_plain_by_another_schema_is_written_anew() {
    let registry = shared_registry();
    let subject = unique("plain-both");
    registry.register(&subject, POINT);
    registry.register(&subject, POINT_2);
    let pipeline = Pipeline::with_dead_letters("plain-both", 1);
    pipeline.feed([plain(&[5])]);
    let (from, to) = (
        format!("decode.value_schema=subject:{subject}@1"),
        format!("encode.value_schema=subject:{subject}@2"),
    );
    let flags = [
        "--decode-value",
        "avro-plain",
        "--encode-value",
        "avro-plain",
        "--set",
        &from,
        "--set",
        &to,
    ];
    run_one(&pipeline, start(&pipeline, &registry.url(), &flags));
    assert_eq!(pipeline.outputs()[0].value, plain(&[5, 7]).value);
}

#[test]
fn a_file_that_is_no_schema_is_refused_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("broken.avsc");
    let schema = format!("decode.value_schema=file:{}", path.display());
    let flags = [DECODE, &["--set", &schema]].concat();
    let pipeline = Pipeline::with_dead_letters("plain-refused", 1);
    let refused = || {
        let mut host = pipeline.start_with_dead_letters(&plugin("passthrough"), &flags);
        error_of(&mut host, 2)
    };
    assert_says(&refused(), &["decode.value_schema", "broken.avsc"]);
    for text in [
        "",
        "{\"type\":",
        r#"{"type":"record","name":"R"}"#,
        "\"Nobody\"",
    ] {
        fs::write(&path, text).expect("it can be written");
        assert_says(&refused(), &["decode.value_schema", "broken.avsc"]);
    }
}
