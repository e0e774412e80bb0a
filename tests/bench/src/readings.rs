//! Records of ten fields, as Avro behind Confluent's frame and as the JSON that the
//! host makes of it.

use anyhow::Context as _;
use apache_avro::types::Value;
use apache_avro::{Decimal, Schema, to_avro_datum};

pub const SCHEMA: &str = r#"{"type": "record", "name": "Reading", "fields": [
    {"name": "sensor", "type": "string"},
    {"name": "id", "type": "long"},
    {"name": "floor", "type": "int"},
    {"name": "celsius", "type": "double"},
    {"name": "valid", "type": "boolean"},
    {"name": "unit", "type": {"type": "enum", "name": "Unit", "symbols": ["C", "F", "K"]}},
    {"name": "note", "type": ["null", "string"]},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
    {"name": "tags", "type": {"type": "array", "items": "string"}}]}"#;

/// What makes the records, all of one schema.
pub struct Readings {
    schema: Schema,
    /// The registry's.
    id: u32,
}

impl Readings {
    pub fn new(id: u32) -> anyhow::Result<Self> {
        let schema = Schema::parse_str(SCHEMA)?;
        Ok(Self { schema, id })
    }

    /// The frame and the datum.
    pub fn avro(&self, number: u64) -> anyhow::Result<Vec<u8>> {
        let field = |name: &str, value| (name.to_owned(), value);
        let n = i32::try_from(number % 100_000)?;
        let units = ["C", "F", "K"];
        let unit = usize::try_from(number % 3)?;
        let note = match number % 2 {
            0 => Value::Union(0, Box::new(Value::Null)),
            _ => Value::Union(1, Box::new(Value::String("at the door".to_owned()))),
        };
        let value = Value::Record(vec![
            field("sensor", Value::String(sensor(number))),
            field("id", Value::Long(i64::try_from(number)?)),
            field("floor", Value::Int(n % 40)),
            field("celsius", Value::Double(f64::from(n % 500) / 10.0)),
            field("valid", Value::Boolean(n % 7 > 0)),
            field(
                "unit",
                Value::Enum(u32::try_from(unit)?, units[unit].to_owned()),
            ),
            field("note", note),
            field("at", Value::TimestampMillis(AT + i64::from(n))),
            field("price", Value::Decimal(Decimal::from(n.to_be_bytes()))),
            field(
                "tags",
                Value::Array(vec![
                    Value::String("a".to_owned()),
                    Value::String("bc".to_owned()),
                ]),
            ),
        ]);
        let mut framed = vec![0];
        framed.extend_from_slice(&self.id.to_be_bytes());
        framed.extend(to_avro_datum(&self.schema, value)?);
        Ok(framed)
    }

    /// The same as JSON.
    pub fn json(&self, number: u64) -> anyhow::Result<Vec<u8>> {
        let n = i64::try_from(number % 100_000)?;
        let note = match number % 2 {
            0 => "null",
            _ => "\"at the door\"",
        };
        let unit = ["C", "F", "K"][usize::try_from(number % 3)?];
        let (seconds, millis) = (n / 1000, n % 1000);
        Ok(format!(
            r#"{{"sensor":"{}","id":{number},"floor":{},"celsius":{:?},"valid":{},"unit":"{unit}","note":{note},"at":"2026-01-01T00:{:02}:{:02}.{millis:03}Z","price":"{}.{:02}","tags":["a","bc"]}}"#,
            sensor(number),
            n % 40,
            (n % 500) as f64 / 10.0,
            n % 7 > 0,
            seconds / 60,
            seconds % 60,
            n / 100,
            n % 100,
        )
        .into_bytes())
    }

    /// What a native program does with a record: apache-avro's own values.
    pub fn decode(&self, framed: &[u8]) -> anyhow::Result<Value> {
        let mut datum = framed.get(5..).context("a frame")?;
        Ok(apache_avro::from_avro_datum(
            &self.schema,
            &mut datum,
            None,
        )?)
    }
}

/// 2026-01-01T00:00:00Z, in milliseconds.
const AT: i64 = 1_767_225_600_000;

pub fn sensor(number: u64) -> String {
    format!("s{:05}", number % 10_000)
}
