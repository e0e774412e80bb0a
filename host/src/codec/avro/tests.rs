//! The conversion by its table (docs/avro.md), by generated schemas and values, and by
//! input that nobody meant well with.

mod errors;
mod generated;
mod hostile;
mod resolution;
mod round_trip;
mod schemas;
mod table;

use super::{Decoder, Schema};

fn schema(text: &str) -> Schema {
    Schema::parse(text, &[]).unwrap()
}

fn encoded(schema: &Schema, json: &str) -> Result<Vec<u8>, String> {
    let mut bytes = b"before".to_vec();
    let outcome = schema.encode(json.as_bytes(), &mut bytes);
    assert_eq!(bytes[..6], *b"before");
    if outcome.is_err() {
        assert_eq!(bytes.len(), 6, "restored");
    }
    outcome.map(|()| bytes.split_off(6))
}

fn decoded_by(decoder: &Decoder, bytes: &[u8]) -> Result<String, String> {
    let mut json = b"before".to_vec();
    let outcome = decoder.decode(bytes, &mut json);
    assert_eq!(json[..6], *b"before");
    if outcome.is_err() {
        assert_eq!(json.len(), 6, "restored");
    }
    outcome.map(|()| String::from_utf8(json.split_off(6)).unwrap())
}

fn decoded(schema: &Schema, bytes: &[u8]) -> Result<String, String> {
    decoded_by(&Decoder::new(schema, None).unwrap(), bytes)
}

/// A record of one field `v` of this type.
fn record_of(of: &str) -> Schema {
    schema(&format!(
        r#"{{"type": "record", "name": "R", "fields": [{{"name": "v", "type": {of}}}]}}"#
    ))
}

/// The independent writer's integers.
fn varint(value: impl TryInto<i64, Error: std::fmt::Debug>) -> Vec<u8> {
    let value = i128::from(value.try_into().unwrap());
    let mut rest = if value < 0 { -2 * value - 1 } else { 2 * value };
    let mut bytes = Vec::new();
    while rest > 127 {
        bytes.push(u8::try_from(rest % 128 + 128).unwrap());
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes
}
