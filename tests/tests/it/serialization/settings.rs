//! Settings that contradict each other, or lack what they need, are refused before
//! anything is read: each error names the setting.

use crate::pipeline::{Pipeline, assert_says, error_of};
use millrace_tests::plugin;

/// What `host run` says of these flags; nothing is read.
#[track_caller]
fn refused(flags: &[&str]) -> String {
    let pipeline = Pipeline::new("refused", 1);
    let mut host = pipeline.start(&plugin("passthrough"), flags);
    let error = error_of(&mut host, 2);
    assert_eq!(pipeline.committed().len(), 0);
    error
}

const REGISTRY: &[&str] = &["--schema-registry", "http://127.0.0.1:9/api"];

#[test]
fn to_decode_and_not_to_say_how_it_goes_out_is_refused() {
    for field in ["key", "value"] {
        let flag = format!("--decode-{field}");
        let error = refused(&[REGISTRY, &[&flag, "avro"]].concat());
        assert_says(&error, &[&flag, &format!("encode.{field}"), "json"]);
    }
}

#[test]
fn a_framed_format_needs_a_registry() {
    let error = refused(&["--decode-value", "avro", "--encode-value", "json"]);
    assert_says(&error, &["--decode-value", "--schema-registry"]);
    let error = refused(&["--encode-key", "json-schema"]);
    assert_says(&error, &["--encode-key", "--schema-registry"]);
}

#[test]
fn a_plain_format_needs_a_schema() {
    let error = refused(&["--decode-value", "avro-plain", "--encode-value", "json"]);
    assert_says(&error, &["decode.value_schema", "file:", "subject:"]);
}

#[test]
fn a_format_that_nobody_knows_is_refused_with_a_better_word() {
    let error = refused(&["--decode-value", "avor"]);
    assert_says(&error, &["--decode-value", "avor", "avro"]);
}

#[test]
fn a_schema_that_nothing_names_is_refused() {
    let flags = [super::ENCODE, REGISTRY, &["--set", "encode.register=true"]].concat();
    assert_says(
        &refused(&flags),
        &["encode.register", "encode.value_schema"],
    );
    let by_record = ["--set", "encode.subject=record-name"];
    let flags = [super::ENCODE, REGISTRY, &by_record].concat();
    assert_says(&refused(&flags), &["encode.subject", "encode.value_schema"]);
}

#[test]
fn a_registry_is_a_url_and_has_one_way_to_be_asked() {
    let error = refused(&[super::DECODE, &["--schema-registry", "registry:8081"]].concat());
    assert_says(&error, &["--schema-registry", "http://"]);
    let both = [
        "--set",
        "schema_registry.username=u",
        "--set",
        "schema_registry.token=very-secret",
    ];
    let error = refused(&[super::DECODE, REGISTRY, &both].concat());
    assert_says(&error, &["schema_registry.token", "username"]);
    assert!(!error.contains("very-secret"), "{error}");
}
