//! `host test`: a plugin without a broker. Records come in as JSON lines and go
//! through the worker's own loop; verdicts go out as the lines of `--inspect`.

mod difference;
mod lines;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};
use serde_json::Value;

use self::difference::Differences;
use super::code::CodeArguments;
use super::connection::layers;
use super::logging::{self, LogFormat};
use super::text::counted;
use super::{Failed, answer, is_broken_pipe, json};
use crate::config::{ConfigError, Origin, Pipeline, Settings};
use crate::pipeline::given::Given;
use crate::pipeline::ports::{Failure, Judge, Tap};
use crate::plugin::{self, Kind};
use crate::runner::trial::Trial;

#[derive(Args)]
pub struct TestArguments {
    /// The plugin, in the place of the file's: a component
    #[arg(value_name = "FILE")]
    plugin: Option<PathBuf>,
    /// A pipeline file; it needs no brokers, input or output
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set any key of the file by its path, such as plugin.time=5s
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// The lines that must come out: a difference is printed, and the exit status 1
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// Which of its interfaces is tried; a codec gets the values [default: transform, or the only
    /// one that there is]
    #[arg(long = "as", value_name = "KIND")]
    kind: Option<KindArgument>,
    #[command(flatten)]
    code: CodeArguments,
    /// How log lines look [default: text on a terminal, else json]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KindArgument {
    Transform,
    Deserializer,
    Serializer,
}

impl From<KindArgument> for Kind {
    fn from(kind: KindArgument) -> Self {
        match kind {
            KindArgument::Transform => Self::Transform,
            KindArgument::Deserializer => Self::Deserializer,
            KindArgument::Serializer => Self::Serializer,
        }
    }
}

/// What a pipeline must have and a test has no use for. A file that names its inputs is
/// taken as it is, so that it fails here where it would fail there.
const NEEDED: [(&str, &str); 2] = [("input.topics", lines::TOPIC), ("output.topic", "output")];

/// What has no meaning where a codec stands alone.
const AROUND: [&str; 4] = ["decode.key", "decode.value", "encode.key", "encode.value"];

pub fn run(arguments: &TestArguments) -> Result<(), Failed> {
    let settings = arguments.settings()?;
    let pipeline = Pipeline::from_settings(&settings)?;
    let Some(first) = pipeline.plugins.first() else {
        return Err(ConfigError::new("no plugin is given").into());
    };
    let kind = arguments.kind(&settings, &first.path)?;
    let expected = arguments.expect.as_deref().map(lines::expected);
    let expected = expected.transpose()?;
    logging::quiet_but_for_plugins(arguments.log_format);
    let mut input = Vec::new();
    std::io::stdin()
        .read_to_end(&mut input)
        .context("stdin can't be read")
        .map_err(Failed::before)?;
    let records = lines::records("stdin", &input)?;
    let outcome = match kind {
        Kind::Transform => {
            let trial = Trial::of_transform(pipeline).map_err(Failed::before)?;
            arguments.test(trial, records, expected)
        }
        Kind::Deserializer | Kind::Serializer => {
            let trial = Trial::of_codec(pipeline, kind).map_err(Failed::before)?;
            arguments.test(trial, records, expected)
        }
    };
    match outcome {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        outcome => outcome.map_err(Failed::while_running),
    }
}

impl TestArguments {
    fn settings(&self) -> Result<Settings, ConfigError> {
        let mut settings = layers(self.config.as_deref(), None, &self.set)?;
        self.code.put(&mut settings);
        if let Some(path) = &self.plugin {
            let path = path.to_string_lossy().into_owned();
            settings.put_plugins(&[path])?;
        }
        if settings.origin("plugin.path").is_none() {
            return Err(ConfigError::new(
                "no plugin is given: host test FILE, or [[plugin]] path in the file of --config",
            ));
        }
        if settings.origin("input.topics").is_none() {
            for (key, value) in NEEDED {
                if settings.origin(key).is_none() {
                    settings.put(key, value, Origin::Flag("host test"));
                }
            }
        }
        // The file's stem may be no legal one.
        if settings.origin("name").is_none() {
            settings.put("name", "test", Origin::Flag("host test"));
        }
        Ok(settings)
    }

    /// Which face of the file is tried. What is no plugin is said when it is loaded.
    fn kind(&self, settings: &Settings, path: &Path) -> Result<Kind, ConfigError> {
        let kind = match self.kind {
            Some(kind) => kind.into(),
            None => match plugin::kinds(path).unwrap_or_default()[..] {
                [kind] => kind,
                [Kind::Deserializer, Kind::Serializer] => {
                    return Err(ConfigError(format!(
                        "{} is a deserializer and a serializer: --as deserializer or --as \
                         serializer says which is tried",
                        path.display()
                    )));
                }
                _ => Kind::Transform,
            },
        };
        let around = AROUND.map(|key| (key, settings.origin(key)));
        for (key, origin) in around {
            if let Some(Origin::Flag(_)) = origin
                && kind != Kind::Transform
            {
                return Err(ConfigError(format!(
                    "{}: nothing stands around a {kind}: it is given the values as they are",
                    settings.place(key)
                )));
            }
        }
        Ok(kind)
    }

    fn test<J: Judge + Send>(
        &self,
        trial: Trial<J>,
        records: Vec<Given>,
        expected: Option<Vec<Value>>,
    ) -> anyhow::Result<()> {
        let Some((file, expected)) = self.expect.as_deref().zip(expected) else {
            return match trial.run(records, json::tap()) {
                Err(Failure::TapClosed) => Ok(()),
                outcome => Ok(outcome?),
            };
        };
        let got = Arc::<Mutex<Vec<Value>>>::default();
        trial.run(records, gathering(Arc::clone(&got)))?;
        let got = got.lock().unwrap_or_else(PoisonError::into_inner);
        let differences = Differences::between(&expected, &got);
        if differences.is_empty() {
            said(got.len(), file);
            return Ok(());
        }
        answer(&differences.text())?;
        Err(anyhow!(
            "{} of what was expected in {}",
            differences.summary(),
            file.display()
        ))
    }
}

/// A short sentence, beside the answer.
fn said(lines: usize, file: &Path) {
    // Nobody is left to tell if stderr is closed.
    let _ = writeln!(
        std::io::stderr(),
        "{} as expected in {}",
        counted(lines, "line"),
        file.display()
    );
}

/// Keeps the lines instead of printing them.
fn gathering(into: Arc<Mutex<Vec<Value>>>) -> Tap {
    Box::new(move |partition, record, outcome| {
        let line = json::passed(partition, record, outcome);
        into.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line);
        Ok(())
    })
}
