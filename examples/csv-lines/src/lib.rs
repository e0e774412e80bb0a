//! A deserializer of one's own: a payload is one line of comma-separated values
//! (RFC 4180), and the transform sees a JSON object. The plugin's configuration names
//! the columns: `timestamp,celsius`. What looks like a number is one.

use millrace_sdk::{Deserializer, Place, Result};
use serde_json::{Map, Value};

struct Csv {
    columns: Vec<String>,
}

impl Deserializer for Csv {
    fn new(config: &str) -> Result<Self> {
        let columns: Vec<String> = config
            .split(',')
            .map(|column| column.trim().to_owned())
            .collect();
        if columns.iter().any(String::is_empty) {
            return Err("the configuration names the columns, such as timestamp,celsius".into());
        }
        Ok(Csv { columns })
    }

    fn deserialize(&mut self, payload: &[u8], _place: &Place<'_>) -> Result<Vec<u8>> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(payload);
        let mut line = csv::StringRecord::new();
        if !reader.read_record(&mut line)? {
            return Err("there is no line".into());
        }
        if line.len() != self.columns.len() {
            let (found, wanted) = (line.len(), self.columns.len());
            return Err(format!("it has {found} values, and there are {wanted} columns").into());
        }
        if reader.read_record(&mut csv::StringRecord::new())? {
            return Err("it is more than one line".into());
        }
        let columns = self.columns.iter().cloned();
        let object: Map<String, Value> = columns.zip(line.iter().map(value)).collect();
        Ok(serde_json::to_vec(&object)?)
    }
}

fn value(text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(number @ Value::Number(_)) => number,
        _ => text.into(),
    }
}

millrace_sdk::plugin!(deserializer: Csv);

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_sdk::Field;

    fn decode(columns: &str, line: &str) -> Result<String> {
        let place = Place {
            topic: "sensors",
            field: Field::Value,
        };
        let json = Csv::new(columns)?.deserialize(line.as_bytes(), &place)?;
        Ok(String::from_utf8(json)?)
    }

    #[test]
    fn a_line_becomes_an_object() {
        let json = decode("timestamp,celsius", "\"a \"\"b\"\", c\",21.50\n").unwrap();
        assert_eq!(
            json,
            r#"{"timestamp":"a \"b\", c","celsius":21.50}"#.replace("21.50", "21.5")
        );
    }

    #[test]
    fn what_does_not_fit_says_why() {
        for (line, wanted) in [
            ("", "no line"),
            ("a", "1 values"),
            ("a,1\nb,2", "more than one line"),
        ] {
            let error = decode("timestamp,celsius", line).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        assert!(decode("", "a").is_err());
    }
}
