//! Lines like `sensor=a1 celsius=21.5` to the JSON that a transform reads:
//! `{"sensor":"a1","celsius":"21.5"}`.

use millrace_sdk::{Deserializer, Place, Result};
use serde_json::{Map, Value};

struct Plugin;

impl Deserializer for Plugin {
    /// Once, at the start. An error refuses the plugin.
    fn new(config: &str) -> Result<Self> {
        match config {
            "" => Ok(Plugin),
            text => {
                Err(format!("there is nothing to configure, and this was given: {text}").into())
            }
        }
    }

    /// For each payload. An error rejects its record alone, and says why.
    fn deserialize(&mut self, payload: &[u8], _place: &Place<'_>) -> Result<Vec<u8>> {
        let mut fields = Map::new();
        for pair in std::str::from_utf8(payload)?.split_whitespace() {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| format!("there is no = in {pair:?}"))?;
            fields.insert(name.to_owned(), Value::from(value));
        }
        Ok(serde_json::to_vec(&fields)?)
    }
}

millrace_sdk::plugin!(deserializer: Plugin);

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_sdk::Field;

    fn decode(line: &str) -> Result<String> {
        let place = Place {
            topic: "readings",
            field: Field::Value,
        };
        let json = Plugin::new("")?.deserialize(line.as_bytes(), &place)?;
        Ok(String::from_utf8(json)?)
    }

    #[test]
    fn a_line_becomes_an_object() {
        let json = decode("sensor=a1 celsius=21.5\n").unwrap();
        assert_eq!(json, r#"{"sensor":"a1","celsius":"21.5"}"#);
    }

    #[test]
    fn what_is_no_pair_fails_with_the_reason() {
        let error = decode("sensor=a1 hot").unwrap_err();
        assert_eq!(error.to_string(), r#"there is no = in "hot""#);
    }

    #[test]
    fn a_configuration_refuses_the_plugin() {
        assert!(Plugin::new("upper").is_err());
    }
}
