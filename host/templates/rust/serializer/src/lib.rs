//! The JSON that a transform wrote, `{"sensor":"a1","celsius":21.5}`, to lines like
//! `sensor=a1 celsius=21.5`.

use millrace_sdk::{Place, Result, Serializer};
use serde_json::{Map, Value};

struct Plugin;

impl Serializer for Plugin {
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
    fn serialize(&mut self, payload: &[u8], _place: &Place<'_>) -> Result<Vec<u8>> {
        let fields: Map<String, Value> = serde_json::from_slice(payload)?;
        let mut pairs = Vec::new();
        for (name, value) in &fields {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Array(_) | Value::Object(_) => {
                    return Err(format!("{name} holds more than one value").into());
                }
                other => other.to_string(),
            };
            let pair = format!("{name}={text}");
            if pair.contains(char::is_whitespace) {
                return Err(format!("{name} has a space in it").into());
            }
            pairs.push(pair);
        }
        Ok(pairs.join(" ").into())
    }
}

millrace_sdk::plugin!(serializer: Plugin);

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_sdk::Field;

    fn encode(json: &str) -> Result<String> {
        let place = Place {
            topic: "readings",
            field: Field::Value,
        };
        let line = Plugin::new("")?.serialize(json.as_bytes(), &place)?;
        Ok(String::from_utf8(line)?)
    }

    #[test]
    fn an_object_becomes_a_line() {
        let line = encode(r#"{"sensor":"a1","celsius":21.5,"ok":true}"#).unwrap();
        assert_eq!(line, "sensor=a1 celsius=21.5 ok=true");
    }

    #[test]
    fn what_fits_into_no_line_fails_with_the_reason() {
        let reason = |json| encode(json).unwrap_err().to_string();
        assert_eq!(reason(r#"{"a":[1]}"#), "a holds more than one value");
        assert_eq!(reason(r#"{"a":"b c"}"#), "a has a space in it");
        assert!(reason("21.5").contains("expected a map"));
    }

    #[test]
    fn a_configuration_refuses_the_plugin() {
        assert!(Plugin::new("upper").is_err());
    }
}
