//! Readings of sensors: `{"timestamp": …, "celsius": 21.5}` gets `fahrenheit`, and a
//! reading that no sensor can have made fails. It reads and writes JSON, whatever the
//! records are on the wire: the pipeline files beside this folder say that.

use millrace_sdk::{Message, Output, Result, Source, Transform, Verdict};
use serde_json::{Map, Value};

/// What the sensors can measure, in degrees Celsius.
const RANGE: std::ops::RangeInclusive<f64> = -60.0..=150.0;

struct Sensors;

impl Transform for Sensors {
    fn new(_config: &str) -> Result<Self> {
        Ok(Sensors)
    }

    fn transform(&mut self, message: Message, _source: &Source<'_>) -> Result<Verdict> {
        if message.value.is_none() {
            return Ok(Verdict::Forward);
        }
        let mut reading: Map<String, Value> = serde_json::from_slice(message.value_bytes()?)?;
        let celsius = reading
            .get("celsius")
            .and_then(Value::as_f64)
            .ok_or("a reading has a number in celsius")?;
        if !RANGE.contains(&celsius) {
            return Err(format!("{celsius} °C is out of the sensor's range").into());
        }
        reading.insert("fahrenheit".to_owned(), (celsius * 1.8 + 32.0).into());
        Ok(Output::value(serde_json::to_vec(&reading)?).into())
    }
}

millrace_sdk::plugin!(Sensors);

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: Source<'static> = Source {
        topic: "sensors",
        partition: 0,
    };

    fn reading(message: Message) -> Result<Verdict> {
        Sensors.transform(message, &SOURCE)
    }

    #[test]
    fn a_reading_gets_its_temperature_in_fahrenheit() {
        let verdict = reading(Message::new(r#"{"timestamp":"t","celsius":20}"#)).unwrap();
        let expected = r#"{"timestamp":"t","celsius":20,"fahrenheit":68.0}"#;
        assert_eq!(verdict, Output::value(expected).into());
    }

    #[test]
    fn a_tombstone_goes_on() {
        assert_eq!(reading(Message::tombstone()).unwrap(), Verdict::Forward);
    }

    #[test]
    fn what_no_sensor_measures_fails() {
        for (value, wanted) in [
            (r#"{"celsius":1000}"#, "out of the sensor's range"),
            (r#"{"celsius":"20"}"#, "a number in celsius"),
            ("[]", "invalid type"),
        ] {
            let error = reading(Message::new(value)).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
