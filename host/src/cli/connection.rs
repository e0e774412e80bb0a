//! The flags of a command that needs a cluster and no pipeline.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::{ConfigError, Connection, Origin, Settings};

/// As `host run` has them: flags beat `--set`, which beats the environment,
/// which beats the file, which beats the defaults.
#[derive(Debug, Args)]
pub struct ConnectionArguments {
    /// Kafka's brokers, HOST:PORT[,HOST:PORT] [default: localhost:9092]
    #[arg(long)]
    brokers: Option<String>,
    /// A pipeline file, for its brokers and librdkafka properties
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set any key of the file by its path, such as kafka.properties.security.protocol=ssl
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl ConnectionArguments {
    /// What they say of the cluster. The rest of the file may be incomplete.
    pub fn connection(&self) -> Result<Connection, ConfigError> {
        let brokers = std::env::var("MILLRACE_BROKERS").ok();
        Connection::from_settings(&self.settings(brokers)?)
    }

    fn settings(&self, environment: Option<String>) -> Result<Settings, ConfigError> {
        let mut settings = layers(self.config.as_deref(), environment, &self.set)?;
        if let Some(brokers) = &self.brokers {
            settings.put("kafka.brokers", brokers, Origin::Flag("--brokers"));
        }
        Ok(settings)
    }
}

/// What stands below the flags: the file, the environment, `--set`.
pub fn layers(
    file: Option<&Path>,
    brokers: Option<String>,
    set: &[String],
) -> Result<Settings, ConfigError> {
    let mut settings = match file {
        Some(file) => Settings::read(file)?,
        None => Settings::default(),
    };
    if let Some(brokers) = brokers {
        settings.put(
            "kafka.brokers",
            brokers,
            Origin::Environment("MILLRACE_BROKERS"),
        );
    }
    for assignment in set {
        settings.set(assignment)?;
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        arguments: ConnectionArguments,
    }

    fn brokers(environment: Option<&str>, flags: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pipeline.toml");
        std::fs::write(&file, "[kafka]\nbrokers = 'file:1'").unwrap();
        let flags = ["command", "--config", file.to_str().unwrap()]
            .into_iter()
            .chain(flags.iter().copied());
        let arguments = Command::parse_from(flags).arguments;
        let settings = arguments.settings(environment.map(str::to_owned)).unwrap();
        Connection::from_settings(&settings).unwrap().brokers
    }

    #[test]
    fn the_flag_beats_set_which_beats_the_environment_which_beats_the_file() {
        let (set, flag) = ("--set=kafka.brokers=set:1", "--brokers=flag:1");
        let environment = Some("environment:1");
        assert_eq!(brokers(None, &[]), "file:1");
        assert_eq!(brokers(environment, &[]), "environment:1");
        assert_eq!(brokers(environment, &[set]), "set:1");
        assert_eq!(brokers(environment, &[flag, set]), "flag:1");
    }
}
