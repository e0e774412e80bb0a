//! Does what each payload tells it to, as a deserializer and as a serializer; the
//! README lists the commands. What it does not know, it hands back.

use std::hint::{black_box, spin_loop};
use std::time::{SystemTime, UNIX_EPOCH};

use millrace_sdk::{Deserializer, Field, Place, Result, Serializer};

/// As in `stamps_version`: what a test looks for, and the digits behind it.
static VERSION: [u8; 22] = *b"version-of-this:000000";

struct Puppet {
    kind: &'static str,
    config: String,
    seen: u64,
}

impl Puppet {
    fn told(kind: &'static str, config: &str) -> Result<Self> {
        if config == "refuse" {
            return Err("told to refuse".into());
        }
        Ok(Puppet {
            kind,
            config: config.into(),
            seen: 0,
        })
    }

    fn convert(&mut self, payload: &[u8], place: &Place<'_>) -> Result<Vec<u8>> {
        self.seen += 1;
        let Ok(line) = std::str::from_utf8(payload) else {
            return Ok(payload.into());
        };
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        Ok(match command {
            "upper" => rest.to_uppercase().into(),
            "fail" => return Err(rest.into()),

            // Both kinds put their version behind it.
            "stamp" => {
                let version = str::from_utf8(&black_box(&VERSION)[16..])?;
                assert_ne!(version, "broken", "this version is broken");
                match self.kind {
                    "deserializer" => format!("{line} {version}").into(),
                    _ => format!("{rest} {version}").into(),
                }
            }

            // What it sees.
            "kind" => self.kind.into(),
            "config" => self.config.clone().into(),
            "count" => self.seen.to_string().into(),
            "place" => {
                let field = match place.field {
                    Field::Key => "key",
                    Field::Value => "value",
                };
                format!("{}/{field}", place.topic).into()
            }
            "time" => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
                now.as_millis().to_string().into()
            }

            // What it should not do.
            "panic" => panic!("{rest}"),
            "loop" => loop {
                spin_loop();
            },
            "alloc" => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(black_box(vec![1u8; 1 << 20]));
                }
            }
            _ => payload.into(),
        })
    }

    fn convert_batch(&mut self, payloads: &[Vec<u8>], place: &Place<'_>) -> Vec<Result<Vec<u8>>> {
        let mut results: Vec<_> = payloads.iter().map(|it| self.convert(it, place)).collect();
        if payloads.iter().any(|payload| payload == b"too-few") {
            results.pop();
        }
        results
    }
}

impl Deserializer for Puppet {
    fn new(config: &str) -> Result<Self> {
        Self::told("deserializer", config)
    }

    fn deserialize(&mut self, payload: &[u8], place: &Place<'_>) -> Result<Vec<u8>> {
        self.convert(payload, place)
    }

    fn deserialize_batch(
        &mut self,
        payloads: &[Vec<u8>],
        place: &Place<'_>,
    ) -> Vec<Result<Vec<u8>>> {
        self.convert_batch(payloads, place)
    }
}

impl Serializer for Puppet {
    fn new(config: &str) -> Result<Self> {
        Self::told("serializer", config)
    }

    fn serialize(&mut self, payload: &[u8], place: &Place<'_>) -> Result<Vec<u8>> {
        self.convert(payload, place)
    }

    fn serialize_batch(&mut self, payloads: &[Vec<u8>], place: &Place<'_>) -> Vec<Result<Vec<u8>>> {
        self.convert_batch(payloads, place)
    }
}

millrace_sdk::plugin!(deserializer: Puppet, serializer: Puppet);
