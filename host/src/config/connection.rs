//! How to reach a cluster, for what needs no pipeline.

use super::{ConfigError, Properties, Settings, defaults};
use crate::kafka::properties;

/// The settings of a client, and nothing else of a pipeline file.
#[derive(Debug, Clone)]
pub struct Connection {
    /// `host:port`, comma-separated.
    pub brokers: String,
    pub properties: Properties,
}

impl Connection {
    /// Checks what can be checked without a broker. Other settings may be missing.
    pub fn from_settings(settings: &Settings) -> Result<Self, ConfigError> {
        let connection = Self {
            brokers: brokers(settings)?,
            properties: properties::read(settings)?,
        };
        properties::check_reader(&connection, settings)?;
        Ok(connection)
    }
}

/// The brokers, of which there is at least one.
pub(super) fn brokers(settings: &Settings) -> Result<String, ConfigError> {
    let brokers = settings
        .text("kafka.brokers")?
        .unwrap_or_else(|| defaults::BROKERS.to_owned());
    if brokers.split(',').all(|broker| broker.trim().is_empty()) {
        return Err(ConfigError(format!(
            "{}: no broker is named: write HOST:PORT[,HOST:PORT]",
            settings.place("kafka.brokers")
        )));
    }
    Ok(brokers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(assignments: &[&str]) -> Result<Connection, String> {
        let mut settings = Settings::default();
        for assignment in assignments {
            settings.set(assignment).unwrap();
        }
        Connection::from_settings(&settings).map_err(|error| error.to_string())
    }

    #[test]
    fn a_connection_needs_no_plugin_and_no_input() {
        assert_eq!(connection(&[]).unwrap().brokers, "localhost:9092");
        let secured = connection(&[
            "kafka.brokers=b:1,c:2",
            "kafka.properties.client.rack=r",
            "kafka.consumer.fetch.min.bytes=2",
        ])
        .unwrap();
        assert_eq!(secured.brokers, "b:1,c:2");
        assert_eq!(secured.properties.common["client.rack"], "r");
        assert_eq!(secured.properties.consumer["fetch.min.bytes"], "2");
    }

    #[test]
    fn what_a_pipeline_refuses_a_connection_refuses_too() {
        let error = connection(&["kafka.brokers= ,"]).unwrap_err();
        assert!(error.contains("no broker is named"), "{error}");
        let error = connection(&["kafka.consumer.group.id=g"]).unwrap_err();
        assert!(error.contains("group.id can't be set"), "{error}");
        let error = connection(&["kafka.consumer.fetch.min.bytes=some"]).unwrap_err();
        assert!(
            error.starts_with("kafka.consumer.fetch.min.bytes (--set): librdkafka does not take"),
            "{error}"
        );
    }
}
