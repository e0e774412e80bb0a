//! With clients that share no code with Millrace: what Python's confluent-kafka and
//! fastavro write is decoded as the table says, and what Millrace encodes of the same
//! JSON is read by them as the same Python values.

mod table;

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use millrace_tests::registry::{Language, Reference};
use millrace_tests::topics::unique;
use millrace_tests::{Record, plugin, python, shared_registry};
use serde_json::{Value, json};

use super::{DECODE, ENCODE, POINT, RECODE, jsons, start};
use crate::pipeline::{Pipeline, stop};

/// A job of Python's for this topic, whose values have this format.
fn job(pipeline: &Pipeline, topic: &str, value: Value) -> Value {
    json!({
        "brokers": pipeline.brokers,
        "registry": shared_registry().url(),
        "topic": topic,
        "value": value,
    })
}

/// Has Python write these values, in this format, and returns what Millrace makes of
/// them.
#[track_caller]
fn written_by_python(format: Value, flags: &[&str], values: &[Value]) -> Vec<Value> {
    let pipeline = Pipeline::with_dead_letters("python-writes", 1);
    let mut job = job(&pipeline, &pipeline.input, format);
    job["records"] = values
        .iter()
        .map(|value| json!({ "value": value }))
        .collect();
    python::write(&job);
    serve(&pipeline, flags, values.len());
    jsons(&pipeline.outputs())
}

/// Has Millrace encode these values, and returns what Python makes of them in this
/// format.
#[track_caller]
fn read_by_python(
    pipeline: &Pipeline,
    format: Value,
    flags: &[&str],
    values: &[Value],
) -> Vec<Value> {
    pipeline.feed_at_once(values.iter().map(Value::to_string));
    serve(pipeline, flags, values.len());
    let read = python::read(&job(pipeline, &pipeline.output, format));
    read.iter().map(|record| record["value"].clone()).collect()
}

/// `host run` until so many records are done, none of them as a dead letter.
#[track_caller]
fn serve(pipeline: &Pipeline, flags: &[&str], count: usize) {
    let host = start(pipeline, &shared_registry().url(), flags);
    let count = i64::try_from(count).expect("small");
    pipeline.wait_for_committed(&[(0, count)]);
    stop(host);
    assert_eq!(pipeline.letters(), []);
}

/// Compares row by row and field by field: all of them in one message are too much
/// to read.
#[track_caller]
fn assert_same(found: &[Value], wanted: &[Value]) {
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(wanted) {
        let names = |value: &Value| -> Vec<String> {
            let object = value.as_object().expect("a record");
            let mut names: Vec<_> = object.keys().cloned().collect();
            names.sort_unstable();
            names
        };
        assert_eq!(names(found), names(wanted));
        for name in names(wanted) {
            assert_eq!(found[&name], wanted[&name], "{name}");
        }
    }
}

/// The table's rows: Python's, and Millrace's.
fn rows() -> (Vec<Value>, Vec<Value>) {
    table::rows().into_iter().unzip()
}

#[test]
fn what_pythons_avro_serializer_writes_is_decoded() {
    let (python, millrace) = rows();
    let format = json!({ "name": "avro", "schema": table::schema() });
    assert_same(&written_by_python(format, DECODE, &python), &millrace);
}

#[test]
fn what_is_encoded_is_read_by_pythons_avro_deserializer() {
    let (python, millrace) = rows();
    let pipeline = Pipeline::with_dead_letters("python-reads", 1);
    let subject = format!("{}-value", pipeline.output);
    shared_registry().register(&subject, &table::schema());
    let format = json!({ "name": "avro", "branches": true });
    let read = read_by_python(&pipeline, format, ENCODE, &millrace);
    assert_same(&read, &python);
}

#[test]
fn what_fastavro_writes_and_reads_is_plain_avro() {
    let (python, millrace) = rows();
    let subject = unique("fastavro");
    shared_registry().register(&subject, &table::schema());
    let format = json!({ "name": "avro-plain", "schema": table::schema(), "branches": true });

    let schema = format!("decode.value_schema=subject:{subject}");
    let mut flags = vec!["--decode-value", "avro-plain", "--encode-value", "json"];
    flags.extend(["--set", &schema]);
    let decoded = written_by_python(format.clone(), &flags, &python);
    assert_same(&decoded, &millrace);

    let schema = format!("encode.value_schema=subject:{subject}");
    let mut flags = vec!["--decode-value", "json", "--encode-value", "avro-plain"];
    flags.extend(["--set", &schema]);
    let pipeline = Pipeline::with_dead_letters("fastavro-reads", 1);
    let read = read_by_python(&pipeline, format, &flags, &millrace);
    assert_same(&read, &python);
}

#[test]
fn keys_and_values_have_schemas_of_their_own_and_null_is_null() {
    let key = r#"{"type":"record","name":"Key","fields":[{"name":"id","type":"long"}]}"#;
    let records = json!([
        { "key": { "id": 1 }, "value": { "x": 10 } },
        { "key": { "id": 2 }, "value": null },
        { "key": null, "value": { "x": 30 } },
    ]);
    let pipeline = Pipeline::with_dead_letters("python-keys", 1);
    let mut write = job(
        &pipeline,
        &pipeline.input,
        json!({ "name": "avro", "schema": POINT }),
    );
    write["key"] = json!({ "name": "avro", "schema": key });
    write["records"] = records.clone();
    python::write(&write);
    // What was decoded is encoded again: by the same schemas, under other subjects.
    let flags = [
        RECODE,
        &["--decode-key", "avro", "--encode-key", "avro"],
        &["--set", "encode.register=true"],
    ];
    serve(&pipeline, &flags.concat(), 3);

    let mut read = job(&pipeline, &pipeline.output, json!({ "name": "avro" }));
    read["key"] = json!({ "name": "avro" });
    assert_eq!(json!(python::read(&read)), records);
    for field in ["key", "value"] {
        let subject = format!("{}-{field}", pipeline.output);
        assert!(shared_registry().latest(&subject).is_some(), "{subject}");
    }
}

#[test]
fn keys_of_primitive_types_go_both_ways() {
    let pipeline = Pipeline::with_dead_letters("python-long-keys", 1);
    let long_key = json!({ "name": "avro", "schema": r#"{"type":"long"}"# });
    let records = json!([{ "key": i64::MAX, "value": "v" }, { "key": -1, "value": null }]);
    let mut write = job(&pipeline, &pipeline.input, json!({ "name": "string" }));
    write["key"] = long_key.clone();
    write["records"] = records.clone();
    python::write(&write);
    let flags = ["--decode-key", "avro", "--encode-key", "json"];
    serve(&pipeline, &flags, 2);
    let keys: Vec<_> = pipeline.outputs().into_iter().map(|o| o.key).collect();
    assert_eq!(
        keys,
        ["9223372036854775807", "-1"].map(|key| Some(key.as_bytes().to_vec()))
    );

    // And back, from those.
    let back = Pipeline {
        input: pipeline.output.clone(),
        output: pipeline.dead.clone(),
        group: unique("back"),
        dead: unique("back-dead"),
        ..pipeline
    }
    .and_dead_letters(1);
    shared_registry().register(&format!("{}-key", back.output), r#"{"type":"long"}"#);
    serve(&back, &["--decode-key", "json", "--encode-key", "avro"], 2);
    let mut read = job(&back, &back.output, json!({ "name": "string" }));
    read["key"] = long_key;
    assert_eq!(json!(python::read(&read)), records);
}

#[test]
fn references_are_followed_by_both() {
    let registry = shared_registry();
    let (points, lines) = (unique("points"), unique("lines"));
    let line = r#"{"type":"record","name":"Line","namespace":"geo","fields":[
        {"name":"from","type":"geo.Point"},{"name":"to","type":"geo.Point"}]}"#;
    let way = r#"{"type":"record","name":"Way","namespace":"geo","fields":[
        {"name":"lines","type":{"type":"array","items":"geo.Line"}}]}"#;
    registry.register(&points, POINT);
    let to_points = Reference::new("geo.Point", &points, 1);
    registry.register_with(&lines, line, Language::Avro, &[to_points]);
    let values = [json!({ "lines": [{ "from": { "x": 1 }, "to": { "x": 2 } }] })];

    // Python registers it itself, with its references.
    let references = json!([["geo.Line", lines, 1]]);
    let format = json!({ "name": "avro", "schema": way, "references": references });
    assert_eq!(written_by_python(format, DECODE, &values), values);

    let pipeline = Pipeline::with_dead_letters("python-references", 1);
    let to_lines = Reference::new("geo.Line", &lines, 1);
    let subject = format!("{}-value", pipeline.output);
    registry.register_with(&subject, way, Language::Avro, &[to_lines]);
    let read = read_by_python(&pipeline, json!({ "name": "avro" }), ENCODE, &values);
    assert_eq!(read, values);
}

#[test]
fn subjects_are_called_as_confluents_clients_call_them() {
    let folder = tempfile::tempdir().expect("a folder");
    for strategy in ["topic-name", "record-name", "topic-record-name"] {
        let namespace = unique("named").replace('-', "_");
        let schema = POINT.replace(r#""geo""#, &format!("{namespace:?}"));
        let path = folder.path().join("point.avsc");
        fs::write(&path, &schema).expect("it can be written");
        let pipeline = Pipeline::with_dead_letters("python-subjects", 1);
        let file = format!("encode.value_schema=file:{}", path.display());
        let by = format!("encode.subject={strategy}");
        let mut flags = [ENCODE, &["--set", &file, "--set", &by]].concat();
        flags.extend(["--set", "encode.register=true"]);
        pipeline.feed([Record::value(r#"{"x":1}"#).to_partition(0)]);
        serve(&pipeline, &flags, 1);

        // Python finds what Millrace registered, and registers nothing of its own.
        let mut write = job(
            &pipeline,
            &pipeline.output,
            json!({ "name": "avro", "schema": schema, "subject": strategy, "register": false }),
        );
        write["records"] = json!([{ "value": { "x": 2 } }]);
        python::write(&write);
        let read = job(&pipeline, &pipeline.output, json!({ "name": "avro" }));
        let read: Vec<_> = python::read(&read)
            .iter()
            .map(|r| r["value"].clone())
            .collect();
        assert_eq!(read, [json!({ "x": 1 }), json!({ "x": 2 })], "{strategy}");
        // By the same schema: their frames begin alike.
        let outputs = pipeline.outputs();
        let ids: Vec<_> = outputs
            .iter()
            .filter_map(|o| o.value.as_ref()?.get(..5))
            .collect();
        assert_eq!(ids[0], ids[1], "{strategy}");
    }
}

#[test]
fn json_with_a_schema_goes_both_ways() {
    let schema = r#"{"$schema":"http://json-schema.org/draft-07/schema#","title":"Order",
        "type":"object","properties":{"id":{"type":"integer"},"lines":{"type":"array",
        "items":{"type":"string"}}},"required":["id"]}"#;
    let format = json!({ "name": "json-schema", "schema": schema });
    let values = [json!({ "id": 1, "lines": ["a", "ü"] }), json!({ "id": -2 })];
    let flags = ["--decode-value", "json-schema", "--encode-value", "json"];
    let decoded = written_by_python(format.clone(), &flags, &values);
    assert_eq!(decoded, values);

    let pipeline = Pipeline::with_dead_letters("python-json", 1);
    let subject = format!("{}-value", pipeline.output);
    shared_registry().register_with(&subject, schema, Language::Json, &[]);
    let flags = ["--decode-value", "json", "--encode-value", "json-schema"];
    assert_eq!(read_by_python(&pipeline, format, &flags, &values), values);
}

/// `order.proto` as a FileDescriptorProto:
/// `package shop; message Order { int64 id = 1; string who = 2;
/// message Line { string sku = 1; } }`.
const ORDER_PROTO: &str = "CgtvcmRlci5wcm90bxIEc2hvcCI1CgVPcmRlchIKCgJpZBgBIAEoAxILCgN3aG8YAiABKAka\
                           EwoETGluZRILCgNza3UYASABKAliBnByb3RvMw==";

#[test]
fn protobuf_goes_both_ways_through_its_plugin() {
    let registry = shared_registry();
    let file = STANDARD.decode(ORDER_PROTO).expect("it is base64");
    let length = u8::try_from(file.len()).expect("short");
    assert!(length < 0x80);
    // A FileDescriptorSet of one: its field 1.
    let set = STANDARD.encode([&[0x0a, length], &*file].concat());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("order.json");
    let codec = format!("plugin:{}", plugin("protobuf").display());
    for (message, values) in [
        // 64 bits are text in Protobuf's JSON.
        (
            "shop.Order",
            vec![
                json!({ "id": "9223372036854775807", "who": "ü" }),
                json!({ "who": "x" }),
            ],
        ),
        ("shop.Order.Line", vec![json!({ "sku": "s" })]),
    ] {
        let format = json!({ "name": "protobuf", "file": ORDER_PROTO, "message": message });
        let pipeline = Pipeline::with_dead_letters("python-protobuf", 1);
        let subject = format!("{}-value", pipeline.output);
        let id = registry.register_with(&subject, ORDER_PROTO, Language::Protobuf, &[]);
        let config = json!({ "descriptors": set, "message": message, "id": id });
        fs::write(&path, config.to_string()).expect("it can be written");

        let config = format!("decode.value_config=@{}", path.display());
        let flags = [
            "--decode-value",
            &codec,
            "--encode-value",
            "json",
            "--set",
            &config,
        ];
        let decoded = written_by_python(format.clone(), &flags, &values);
        assert_eq!(decoded, values);

        let config = format!("encode.value_config=@{}", path.display());
        let flags = [
            "--decode-value",
            "json",
            "--encode-value",
            &codec,
            "--set",
            &config,
        ];
        let read = read_by_python(&pipeline, format, &flags, &values);
        assert_eq!(read, values);
    }
}
