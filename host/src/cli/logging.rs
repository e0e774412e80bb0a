//! Logs on stderr: text for people, JSON lines for machines. Where a status line
//! stands on the terminal, log lines go above it.

use std::io::{self, IsTerminal as _, Write};

use clap::ValueEnum;
use indicatif::{MultiProgress, ProgressDrawTarget};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// What to log where `RUST_LOG` does not say. rdkafka's own crate only repeats
/// what librdkafka says through our contexts.
const DEFAULT_FILTER: &str = "info,rdkafka=off";

/// Starts logging for a command whose answer is the show: only what is wrong.
pub fn quiet() -> MultiProgress {
    with_filter(None, "warn,rdkafka=off")
}

/// The same for a command that shows rejected records itself.
pub fn quiet_about_records(format: Option<LogFormat>) -> MultiProgress {
    with_filter(
        format,
        "warn,rdkafka=off,millrace_host::telemetry::failures=off",
    )
}

/// The same, with what plugins print and log.
pub fn quiet_but_for_plugins(format: Option<LogFormat>) -> MultiProgress {
    with_filter(
        format,
        "warn,rdkafka=off,millrace_host::telemetry::failures=off,plugin=info",
    )
}

/// Starts logging. The answer is where a status line may be drawn.
pub fn start(format: Option<LogFormat>) -> MultiProgress {
    with_filter(format, DEFAULT_FILTER)
}

fn with_filter(format: Option<LogFormat>, filter: &str) -> MultiProgress {
    let terminal = io::stderr().is_terminal();
    let format = format.unwrap_or(if terminal {
        LogFormat::Text
    } else {
        LogFormat::Json
    });
    let area = MultiProgress::with_draw_target(if terminal && format == LogFormat::Text {
        ProgressDrawTarget::stderr_with_hz(4)
    } else {
        ProgressDrawTarget::hidden()
    });
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| filter.into());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Above(area.clone()))
        .with_ansi(terminal);
    match format {
        LogFormat::Text => builder.compact().with_target(false).init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .init(),
    }
    area
}

/// Writes above the status line.
#[derive(Clone)]
struct Above(MultiProgress);

impl<'a> MakeWriter<'a> for Above {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
