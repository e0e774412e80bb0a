//! Avro to JSON and back: a record of ten fields, by our own conversion, and beside it
//! by apache-avro to and from its `Value`, which is no text yet.

use std::hint::black_box;

use apache_avro::types::Value;
use criterion::{Criterion, criterion_group, criterion_main};
use millrace_host::codec::avro::{Decoder, Schema};

const SCHEMA: &str = r#"{"type": "record", "name": "shop.Order", "fields": [
    {"name": "customer", "type": "string"},
    {"name": "id", "type": "long"},
    {"name": "quantity", "type": "int"},
    {"name": "weight", "type": "double"},
    {"name": "paid", "type": "boolean"},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["OPEN", "SENT", "DONE"]}},
    {"name": "note", "type": ["null", "string"], "default": null},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
    {"name": "tags", "type": {"type": "array", "items": "string"}}]}"#;

const JSON: &str = r#"{"customer":"c00042 Ada Lovelace","id":1234567890123,"quantity":3,"weight":12.375,"paid":true,"state":"SENT","note":"leave it at the door","at":"2024-02-29T13:45:00.123Z","amount":"1299.90","tags":["fragile","express","gift"]}"#;

fn record_of_ten_fields(c: &mut Criterion) {
    let schema = Schema::parse(SCHEMA, &[]).expect("a schema");
    let decoder = Decoder::new(&schema, None).expect("its own schema");
    let theirs = apache_avro::Schema::parse_str(SCHEMA).expect("a schema");
    let mut bytes = Vec::new();
    schema
        .encode(JSON.as_bytes(), &mut bytes)
        .expect("JSON of the schema");
    let read = |bytes: &[u8]| -> Value {
        apache_avro::from_avro_datum(&theirs, &mut &*bytes, None).expect("a datum")
    };
    let value = read(&bytes);

    let mut group = c.benchmark_group("avro, 10 fields");
    let mut into = Vec::new();
    group.bench_function("decode", |b| {
        b.iter(|| {
            into.clear();
            decoder
                .decode(black_box(&bytes), &mut into)
                .expect("a datum");
        });
    });
    assert_eq!(into, JSON.as_bytes());
    group.bench_function("decode, apache-avro to Value", |b| {
        b.iter(|| read(black_box(&bytes)))
    });
    let mut into = Vec::new();
    group.bench_function("encode", |b| {
        b.iter(|| {
            into.clear();
            schema
                .encode(black_box(JSON.as_bytes()), &mut into)
                .expect("JSON");
        });
    });
    assert_eq!(into, bytes);
    group.bench_function("encode, apache-avro from Value", |b| {
        b.iter(|| apache_avro::to_avro_datum(&theirs, black_box(value.clone())).expect("a value"));
    });
    group.finish();
}

criterion_group!(benches, record_of_ten_fields);
criterion_main!(benches);
