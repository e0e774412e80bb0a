//! The lines of `host test`: records that come in, and lines that are expected. Every
//! error names the line and the column.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::config::ConfigError;
use crate::names::illegal_name;
use crate::pipeline::given::Given;
use crate::record::{Held, OwnedHeader, Timestamp, TopicPartition};

/// The topic of a record that names none.
pub const TOPIC: &str = "test";

/// The records of `text`, which is called `what` in errors.
pub fn records(what: &str, text: &[u8]) -> Result<Vec<Given>, ConfigError> {
    // Where the next record of each partition is, unless it says so.
    let mut next = HashMap::<TopicPartition, i64>::new();
    let given = parsed::<Object<Line>>(what, text)?.into_iter();
    let given = given.map(|Object(line)| {
        let partition = TopicPartition::new(line.topic.0, line.partition.0);
        let next = next.entry(partition.clone()).or_default();
        let offset = line.offset.map_or(*next, |offset| offset.0);
        *next = offset.saturating_add(1);
        let timestamp = match line.timestamp {
            Some(Whole(millis)) => Timestamp::Create(millis),
            None => Timestamp::NotAvailable,
        };
        let headers = line.headers.into_iter();
        let headers = headers.map(|(Name(name), Bytes(value))| OwnedHeader { name, value });
        Given {
            partition,
            record: Held::new(
                (line.key.0, line.value.0),
                headers.collect(),
                offset,
                timestamp,
            ),
        }
    });
    Ok(given.collect())
}

/// The lines of a file.
pub fn expected(path: &Path) -> Result<Vec<Value>, ConfigError> {
    let name = path.display();
    let text = std::fs::read(path)
        .map_err(|error| ConfigError(format!("--expect: {name} can't be read: {error}")))?;
    parsed(&name.to_string(), &text)
}

/// One value a line; empty lines are passed over.
fn parsed<T: DeserializeOwned>(what: &str, text: &[u8]) -> Result<Vec<T>, ConfigError> {
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    lines
        .map(|(number, line)| (number + 1, line))
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(number, line)| {
            serde_json::from_slice(line).map_err(|error| {
                let why = error.to_string();
                let place = format!(" at line {} column {}", error.line(), error.column());
                let why = why.strip_suffix(&place).unwrap_or(&why);
                // At the very beginning serde says 0.
                let column = error.column().max(1);
                ConfigError(format!("{what}, line {number}, column {column}: {why}"))
            })
        })
        .collect()
}

/// A record, as `host` prints it. What else `host` prints of one is passed over, so that
/// its own lines can be given to it.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Line {
    topic: Topic,
    partition: Whole<i32>,
    offset: Option<Whole<i64>>,
    timestamp: Option<Whole<i64>>,
    key: Bytes,
    value: Bytes,
    headers: Vec<(Name, Bytes)>,
    #[serde(rename = "verdict")]
    _verdict: IgnoredAny,
    #[serde(rename = "outputs")]
    _outputs: IgnoredAny,
    #[serde(rename = "stage")]
    _stage: IgnoredAny,
    #[serde(rename = "reason")]
    _reason: IgnoredAny,
    #[serde(rename = "dead_letter")]
    _dead_letter: IgnoredAny,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            topic: Topic(TOPIC.to_owned()),
            partition: Whole(0),
            offset: None,
            timestamp: Some(Whole(0)),
            key: Bytes(None),
            value: Bytes(None),
            headers: Vec::new(),
            _verdict: IgnoredAny,
            _outputs: IgnoredAny,
            _stage: IgnoredAny,
            _reason: IgnoredAny,
            _dead_letter: IgnoredAny,
        }
    }
}

/// A JSON object, and not the array that serde would take for one.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnObject<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for AnObject<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a record, such as {\"key\":\"c1\",\"value\":\"text\"}")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(AnObject(PhantomData))
    }
}

struct Topic(String);

impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        match illegal_name(&name) {
            Some(why) => Err(Error::custom(why)),
            None => Ok(Self(name)),
        }
    }
}

/// From 0.
struct Whole<T>(T);

impl<'de, T: TryFrom<i64>> Deserialize<'de> for Whole<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        let fits = Some(number).filter(|n| *n >= 0);
        let fits = fits.and_then(|n| T::try_from(n).ok()).map(Self);
        fits.ok_or_else(|| {
            Error::custom(format!("{number} is out of its range, which begins with 0"))
        })
    }
}

/// Bytes: a text, what `{"base64":"…"}` holds, or null.
struct Bytes(Option<Vec<u8>>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SomeBytes)
    }
}

struct SomeBytes;

impl<'de> Visitor<'de> for SomeBytes {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, {\"base64\":\"…\"} or null")
    }

    fn visit_unit<E: Error>(self) -> Result<Bytes, E> {
        Ok(Bytes(None))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
        Ok(Bytes(Some(text.as_bytes().to_vec())))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Bytes, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Encoded {
            base64: String,
        }

        let Encoded { base64 } = Encoded::deserialize(MapAccessDeserializer::new(map))?;
        let bytes = STANDARD.decode(base64);
        let bytes = bytes.map_err(|why| Error::custom(format!("that is no base64: {why}")))?;
        Ok(Bytes(Some(bytes)))
    }
}

/// The name of a header.
struct Name(Vec<u8>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Bytes(name) = Bytes::deserialize(deserializer)?;
        name.map(Self)
            .ok_or_else(|| Error::custom("the name of a header can't be null"))
    }
}

#[cfg(test)]
mod tests;
