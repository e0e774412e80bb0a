//! What fuzzing drives, by libFuzzer (`fuzz_targets/`) and by a seeded mutator in the
//! unit tests of `codec::avro`: input that nobody meant well with, and what has to hold
//! for each. Whoever includes it has `Schema` and `Decoder` in the module around it.

use super::{Decoder, Schema};

/// The schemas that the data is of; an input's first byte chooses.
pub const SCHEMAS: [&str; 7] = [
    r#"{"type": "record", "name": "All", "fields": [
        {"name": "n", "type": "null"}, {"name": "b", "type": "boolean"},
        {"name": "i", "type": "int"}, {"name": "l", "type": "long"},
        {"name": "f", "type": "float"}, {"name": "d", "type": "double"},
        {"name": "y", "type": "bytes"}, {"name": "s", "type": "string"},
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}},
        {"name": "x", "type": {"type": "fixed", "name": "F", "size": 2}}]}"#,
    r#"{"type": "record", "name": "Logical", "fields": [
        {"name": "a", "type": {"type": "int", "logicalType": "date"}},
        {"name": "b", "type": {"type": "int", "logicalType": "time-millis"}},
        {"name": "c", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "d", "type": {"type": "long", "logicalType": "local-timestamp-nanos"}},
        {"name": "e", "type": {"type": "bytes", "logicalType": "decimal", "precision": 50, "scale": 20}},
        {"name": "f", "type": {"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"}},
        {"name": "g", "type": {"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}}]}"#,
    r#"{"type": "record", "name": "Node", "fields": [
        {"name": "next", "type": ["null", "Node", "string"]},
        {"name": "more", "type": {"type": "array", "items": "Node"}, "default": []},
        {"name": "map", "type": {"type": "map", "values": "Node"}, "default": {}}]}"#,
    r#"{"type": "array", "items": "null"}"#,
    r#"{"type": "array", "items": {"type": "array", "items": {"type": "record", "name": "Nothing",
        "fields": []}}}"#,
    r#"["null", "int", "long", "double", "string", {"type": "map", "values": ["null", "bytes"]}]"#,
    r#"{"type": "record", "name": "Endless", "fields": [
        {"name": "a", "type": "Endless"}, {"name": "b", "type": "Endless"}]}"#,
];

/// What a reader with another schema passes over.
const NOTHING: &str = r#"{"type": "record", "name": "NAME", "fields": []}"#;

/// So much text at most, for so many bytes; the second as in `decode`, with room for
/// what stood there when the limit was looked at.
fn most(bytes: usize) -> usize {
    (64 * bytes).max(1 << 20) + 8 * bytes + 4096
}

fn chosen(data: &[u8]) -> Option<(Schema, &[u8])> {
    let (first, rest) = data.split_first()?;
    let text = SCHEMAS[usize::from(*first) % SCHEMAS.len()];
    Some((Schema::parse(text, &[]).expect("it is one"), rest))
}

/// Bytes as a datum: refused, or text of a bounded length that encodes and decodes to
/// itself.
pub fn avro_decode(data: &[u8]) {
    let Some((schema, bytes)) = chosen(data) else {
        return;
    };
    let decoder = Decoder::new(&schema, None).expect("its own schema");
    if let Some(name) = schema.name() {
        let reader = Schema::parse(&NOTHING.replace("NAME", name), &[]).expect("it is one");
        let skipping = Decoder::new(&schema, Some(&reader)).expect("it takes nothing");
        let mut json = Vec::new();
        if skipping.decode(bytes, &mut json).is_ok() {
            assert_eq!(json, b"{}");
        }
    }
    let mut json = Vec::new();
    let outcome = decoder.decode(bytes, &mut json);
    assert!(
        json.capacity() <= 2 * most(bytes.len()),
        "{}",
        json.capacity()
    );
    if let Err(error) = outcome {
        assert!(json.is_empty() && error.len() < 20_000, "{error}");
        return;
    }
    let mut again = Vec::new();
    match schema.encode(&json, &mut again) {
        Ok(()) => {
            let mut same = Vec::new();
            decoder.decode(&again, &mut same).expect("what was encoded");
            assert_eq!(json, same);
        }
        // Whoever wrote it was not bound by the precision.
        Err(error) => assert!(error.contains("precision"), "{error}"),
    }
}

/// Text as the JSON of a datum: refused, or bytes that decode and encode to themselves.
pub fn avro_encode(data: &[u8]) {
    let Some((schema, json)) = chosen(data) else {
        return;
    };
    let mut bytes = Vec::new();
    if schema.encode(json, &mut bytes).is_err() {
        assert!(bytes.is_empty());
        return;
    }
    assert!(bytes.len() <= 16 * json.len() + 1024);
    let decoder = Decoder::new(&schema, None).expect("its own schema");
    let (mut text, mut again) = (Vec::new(), Vec::new());
    decoder.decode(&bytes, &mut text).expect("what was encoded");
    schema.encode(&text, &mut again).expect("what was decoded");
    assert_eq!(bytes, again);
}

/// Text as a writer's and a reader's schema (with a zero byte between them), and a
/// datum behind a second one: refused, or something of a bounded length.
pub fn avro_schema(data: &[u8]) {
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let mut schema = || {
        let text = std::str::from_utf8(parts.next()?).ok()?;
        Schema::parse(text, &[]).ok()
    };
    let Some(writer) = schema() else {
        return;
    };
    let reader = schema();
    let Ok(decoder) = Decoder::new(&writer, reader.as_ref()) else {
        return;
    };
    let datum = parts.next().unwrap_or_default();
    let _ = decoder.decode(datum, &mut Vec::new());
    let _ = writer.encode(datum, &mut Vec::new());
}
