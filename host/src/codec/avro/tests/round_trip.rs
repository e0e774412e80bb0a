//! For generated schemas and data: what is decoded, encodes to the same bytes; and it
//! says what apache-avro reads there.

use std::str::FromStr as _;

use apache_avro::types::Value as Avro;
use num_bigint::BigInt;
use proptest::prelude::*;
use serde_json::Value;

use super::generated::Generator;
use super::{decoded, decoded_by, encoded, schema};
use crate::codec::avro::Decoder;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_decoded_encodes_to_the_same_bytes(
        seed: u64, types in 1..60_usize, values in 1..200_usize,
    ) {
        let mut generator = Generator::new(seed, false);
        let of = generator.of_size(types);
        let text = generator.schema(&of).to_string();
        let schema = schema(&text);
        for _ in 0..3 {
            let bytes = generator.datum(&of, values);
            let json = decoded(&schema, &bytes).map_err(|error| {
                TestCaseError::fail(format!("{text}\n{bytes:?}\n{error}"))
            })?;
            prop_assert!(serde_json::from_str::<Value>(&json).is_ok(), "{text}\n{json}");
            prop_assert_eq!(encoded(&schema, &json), Ok(bytes.clone()), "{}\n{}", &text, &json);
            // Its own schema as the reader's changes nothing.
            let resolved = Decoder::new(&schema, Some(&schema)).unwrap();
            prop_assert_eq!(decoded_by(&resolved, &bytes), Ok(json));
        }
    }

    #[test]
    fn what_is_decoded_is_what_apache_avro_reads(
        seed: u64, types in 1..40_usize, values in 1..100_usize,
    ) {
        let mut generator = Generator::new(seed, true);
        let of = generator.of_size(types);
        let text = generator.schema(&of).to_string();
        let theirs = apache_avro::Schema::parse_str(&text).unwrap_or_else(|error| {
            panic!("apache-avro refuses {text}: {error}")
        });
        let schema = schema(&text);
        let bytes = generator.datum(&of, values);
        let json = decoded(&schema, &bytes).unwrap();
        let value = apache_avro::from_avro_datum(&theirs, &mut &bytes[..], None).unwrap();
        let json: Value = serde_json::from_str(&json).unwrap();
        prop_assert!(same(&value, &json), "{}\n{:?}\n{}", text, value, json);
    }
}

/// Whether this is how the table writes that value.
fn same(value: &Avro, json: &Value) -> bool {
    match (value, json) {
        (Avro::Null, Value::Null) => true,
        (Avro::Boolean(value), json) => json == value,
        (Avro::Int(value), json) => json == value,
        (Avro::Long(value), json) => json == value,
        (Avro::Float(value), json) => match json {
            Value::Number(json) => json.to_string().parse() == Ok(*value),
            json => json == non_finite(f64::from(*value)),
        },
        (Avro::Double(value), json) => match json {
            Value::Number(json) => json.as_f64().map(f64::to_bits) == Some(value.to_bits()),
            json => json == non_finite(*value),
        },
        (Avro::String(value) | Avro::Enum(_, value), json) => json == value,
        (Avro::Uuid(value), json) => *json == value.to_string(),
        (Avro::Bytes(value) | Avro::Fixed(_, value), json) => {
            use base64::Engine as _;
            *json == base64::engine::general_purpose::STANDARD.encode(value)
        }
        (Avro::Array(values), Value::Array(json)) => {
            values.len() == json.len() && values.iter().zip(json).all(|(v, j)| same(v, j))
        }
        // Keys that come twice are one in both of these; which one counts may differ.
        (Avro::Map(values), Value::Object(json)) => {
            values.len() == json.len() && values.keys().all(|key| json.contains_key(key))
        }
        (Avro::Record(fields), Value::Object(json)) => {
            let named = |((name, value), (key, json)): (&(String, Avro), (&String, &Value))| {
                name == key && same(value, json)
            };
            fields.len() == json.len() && fields.iter().zip(json).all(named)
        }
        (Avro::Union(_, value), json) => {
            let inner = json.as_object().filter(|json| json.len() == 1);
            let wrapped = inner.and_then(|json| json.values().next());
            same(value, json) || wrapped.is_some_and(|json| same(value, json))
        }
        (Avro::Decimal(value), Value::String(json)) => {
            let digits = json.replace('.', "");
            BigInt::from_str(&digits).ok() == Some(BigInt::from(value.clone()))
        }
        (Avro::Duration(value), json) => {
            let number = |name: &str| json[name].as_u64();
            number("months") == Some(u32::from(value.months()).into())
                && number("days") == Some(u32::from(value.days()).into())
                && number("millis") == Some(u32::from(value.millis()).into())
        }
        (Avro::Date(days), json) => same_time(
            i128::from(*days) * 86_400_000_000_000,
            *days,
            json,
            |text| format!("{text}T00:00:00Z"),
        ),
        (Avro::TimeMillis(time), json) => {
            same_time(i128::from(*time) * 1_000_000, *time, json, |text| {
                format!("1970-01-01T{text}Z")
            })
        }
        (Avro::TimeMicros(time), json) => {
            same_time(i128::from(*time) * 1_000, *time, json, |text| {
                format!("1970-01-01T{text}Z")
            })
        }
        (Avro::TimestampMillis(time), json) => {
            same_time(i128::from(*time) * 1_000_000, *time, json, str::to_owned)
        }
        (Avro::TimestampMicros(time), json) => {
            same_time(i128::from(*time) * 1_000, *time, json, str::to_owned)
        }
        (Avro::TimestampNanos(time), json) => {
            same_time(i128::from(*time), *time, json, str::to_owned)
        }
        (Avro::LocalTimestampMillis(time), json) => {
            same_time(i128::from(*time) * 1_000_000, *time, json, |text| {
                format!("{text}Z")
            })
        }
        (Avro::LocalTimestampMicros(time), json) => {
            same_time(i128::from(*time) * 1_000, *time, json, |text| {
                format!("{text}Z")
            })
        }
        (Avro::LocalTimestampNanos(time), json) => {
            same_time(i128::from(*time), *time, json, |text| format!("{text}Z"))
        }
        _ => false,
    }
}

/// A time is a text that jiff reads as that instant, or a number where there is none.
fn same_time(
    nanos: i128,
    number: impl Into<i64>,
    json: &Value,
    instant: impl Fn(&str) -> String,
) -> bool {
    match json {
        Value::String(text) => {
            let instant: jiff::Timestamp = instant(text).parse().unwrap();
            instant.as_nanosecond() == nanos
        }
        json => *json == number.into(),
    }
}

fn non_finite(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}
