//! Readings of sensors, as JSON: `{"sensor":"a1","celsius":21.5}` gets its `fahrenheit`.
//! The plugin's configuration is the least temperature that goes on (none: all do).

use millrace_sdk::{Message, Output, Result, Source, Transform, Verdict};
use serde_json::{Map, Value};

struct Plugin {
    least: f64,
}

impl Transform for Plugin {
    /// Once, at the start. An error refuses the plugin.
    fn new(config: &str) -> Result<Self> {
        let least = match config {
            "" => f64::NEG_INFINITY,
            text => text
                .parse()
                .ok()
                .filter(|least: &f64| least.is_finite())
                .ok_or_else(|| format!("the configuration is no temperature: {text}"))?,
        };
        Ok(Plugin { least })
    }

    /// For each record. An error rejects this one alone, and says why.
    fn transform(&mut self, message: Message, _source: &Source<'_>) -> Result<Verdict> {
        let mut reading: Map<String, Value> = serde_json::from_slice(message.value_bytes()?)?;
        let celsius = reading
            .get("celsius")
            .and_then(Value::as_f64)
            .ok_or("a reading has a number in celsius")?;
        if celsius < self.least {
            return Ok(Verdict::Drop);
        }
        reading.insert("fahrenheit".to_owned(), (celsius * 1.8 + 32.0).into());
        Ok(Output::value(serde_json::to_vec(&reading)?).into())
    }
}

millrace_sdk::plugin!(Plugin);

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_sdk::Payload;

    fn judge(config: &str, value: &str) -> Result<Verdict> {
        let source = Source {
            topic: "readings",
            partition: 0,
        };
        Plugin::new(config)?.transform(Message::new(value), &source)
    }

    /// The new value, as text.
    fn value(verdict: Verdict) -> String {
        match verdict {
            Verdict::Replace(Output {
                value: Payload::Bytes(bytes),
                ..
            }) => String::from_utf8(bytes).unwrap(),
            other => panic!("there is no new value: {other:?}"),
        }
    }

    #[test]
    fn a_reading_gets_its_fahrenheit() {
        let verdict = judge("", r#"{"sensor":"a1","celsius":20}"#).unwrap();
        let expected = r#"{"sensor":"a1","celsius":20,"fahrenheit":68.0}"#;
        assert_eq!(value(verdict), expected);
    }

    #[test]
    fn a_reading_below_the_least_temperature_is_dropped() {
        assert_eq!(judge("5", r#"{"celsius":4.9}"#).unwrap(), Verdict::Drop);
        assert_ne!(judge("5", r#"{"celsius":5}"#).unwrap(), Verdict::Drop);
    }

    #[test]
    fn what_is_no_reading_fails_with_the_reason() {
        let reason = |value| judge("", value).unwrap_err().to_string();
        assert_eq!(
            reason(r#"{"celsius":"hot"}"#),
            "a reading has a number in celsius"
        );
        assert!(reason("hot").starts_with("expected value"));
    }

    #[test]
    fn a_configuration_that_is_no_temperature_refuses_the_plugin() {
        for config in ["warm", "NaN", "1e999"] {
            assert!(Plugin::new(config).is_err(), "{config}");
        }
    }
}
