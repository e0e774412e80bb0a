//! `host dlq replay`: a pipeline's dead letters through it again, up to the end
//! that their topic has now.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use clap::Args;
use console::style;
use indicatif::HumanCount;
use serde_json::{Value, json};

use super::{answer, counted, one_line};
use crate::cli::logging::{self, LogFormat};
use crate::cli::pipeline::PipelineArguments;
use crate::cli::status::StatusLine;
use crate::cli::{Failed, json, signals};
use crate::config::{self, Choice, ConfigError, Pipeline};
use crate::pipeline::ports::{Outcome, Tap};
use crate::pipeline::replay::Skipped;
use crate::record::{Origin, Output, Record, TopicPartition, Verdict};
use crate::runner::{Feed, Prepared, Purpose, Replay};
use crate::stop::Stop;
use crate::telemetry::{Counters, Totals};

#[derive(Args)]
pub struct ReplayArguments {
    /// The dead-letter topic
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// Say what would become of each dead letter, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Write every output there, whatever topic it names
    #[arg(long, value_name = "TOPIC")]
    to: Option<String>,
    /// With --dry-run: one JSON line a dead letter
    #[arg(long, requires = "dry_run")]
    json: bool,
    /// How log lines look [default: text on a terminal, else json]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    #[command(flatten)]
    pipeline: PipelineArguments,
}

/// Flags of `host run` that a replay can't follow.
const MEANINGLESS: [(&str, &str); 4] = [
    (
        "input.start",
        "a replay begins at the first dead letter that was not replayed",
    ),
    (
        "input.until",
        "a replay ends where the dead-letter topic ends when it begins",
    ),
    (
        "recovery.dir",
        "a replay keeps in a consumer group what it replayed",
    ),
    ("workers", "a replay has one worker"),
];

pub fn run(arguments: &ReplayArguments) -> Result<(), Failed> {
    let settings = arguments.pipeline.settings_of_the_same_name()?;
    for (key, why) in MEANINGLESS {
        if let Some(origin @ config::Origin::Flag(_)) = settings.origin(key) {
            return Err(ConfigError(format!("{origin}: {why}")).into());
        }
    }
    let mut pipeline = Pipeline::from_settings(&settings)?;
    check(arguments, &pipeline)?;
    if pipeline.errors.topic().is_none() && settings.origin("errors.policy").is_none() {
        pipeline.errors.policy = Choice::DeadLetter(arguments.topic.clone());
    }
    let area = match arguments.dry_run {
        true => logging::quiet_about_records(arguments.log_format),
        false => logging::start(arguments.log_format),
    };
    let stop = Arc::new(Stop::default());
    signals::listen(&stop, None).map_err(Failed::before)?;
    let skipped = Skipped::default();
    let feed = Feed::Letters(Replay {
        topic: arguments.topic.clone(),
        to: arguments.to.clone(),
        dry_run: arguments.dry_run,
        skipped: skipped.clone(),
    });
    let purpose = match arguments.dry_run {
        true => Purpose::Check,
        false => Purpose::Run,
    };
    let shown = Shown {
        json: arguments.json,
        letters: arguments.topic.clone(),
        place: arguments.to.clone().or(pipeline.output.topic.clone()),
        redirected: arguments.to.is_some(),
    };
    let Some(prepared) =
        Prepared::unless_stopped(pipeline, feed, purpose, &stop).map_err(Failed::before)?
    else {
        return Ok(());
    };
    let counters = Arc::new(Counters::default());
    let what = format!("{} ({})", prepared.pipeline.name, prepared.plugins);
    let status = StatusLine::start(&area, what, &counters);
    let name = prepared.pipeline.name.clone();
    let outcome = prepared.run(&stop, &counters, || {
        arguments.dry_run.then(|| shown.clone().tap())
    });
    drop(status);
    outcome.map_err(Failed::while_running)?;
    if !arguments.json {
        let summary = Summary {
            pipeline: &name,
            topic: &arguments.topic,
            dry_run: arguments.dry_run,
            interrupted: stop.was_by_signal(),
            totals: counters.totals(),
            skipped: skipped.counts(),
        };
        answer(&summary.text()).map_err(Failed::while_running)?;
    }
    Ok(())
}

/// What a replay writes must not come back to it, or to the pipeline.
fn check(arguments: &ReplayArguments, pipeline: &Pipeline) -> Result<(), ConfigError> {
    let topic = &arguments.topic;
    if pipeline.input.topics.contains(topic) {
        return Err(ConfigError(format!(
            "topic {topic} is an input of the pipeline, and no dead-letter topic of its"
        )));
    }
    if pipeline.output.topic.as_ref() == Some(topic) {
        return Err(ConfigError(format!(
            "topic {topic} is the pipeline's output, and no dead-letter topic of its"
        )));
    }
    let Some(to) = &arguments.to else {
        return Ok(());
    };
    if pipeline.input.topics.contains(to) {
        return Err(ConfigError(format!(
            "--to: topic {to} is an input of the pipeline: what is written there would come back"
        )));
    }
    if to == topic || pipeline.errors.topic() == Some(to) {
        return Err(ConfigError(format!(
            "--to: topic {to} holds dead letters: what is written there would be read by the next \
             replay"
        )));
    }
    Ok(())
}

/// How a dry run shows what would become of a dead letter.
#[derive(Clone)]
struct Shown {
    json: bool,
    /// The dead-letter topic.
    letters: String,
    /// Where outputs go that name no topic.
    place: Option<String>,
    /// Whether all of them do.
    redirected: bool,
}

impl Shown {
    fn tap(self) -> Tap {
        Box::new(move |partition, record, outcome| {
            let Some(origin) = record.origin() else {
                return Ok(());
            };
            let text = match self.json {
                true => format!("{}\n", self.line(partition, record, origin, outcome)),
                false => self.difference(partition, record, origin, outcome),
            };
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(text.as_bytes())?;
            stdout.flush()
        })
    }

    /// What the letter said, and what would come instead.
    fn difference(
        &self,
        partition: &TopicPartition,
        record: &dyn Record,
        origin: &Origin,
        outcome: Outcome<'_>,
    ) -> String {
        let why = |stage: &str, reason: &str| {
            let first = reason.lines().next().unwrap_or_default();
            format!("{stage}: {}", one_line(first))
        };
        let was = why(&origin.stage, &origin.reason);
        let now: Vec<String> = match outcome {
            Outcome::Rejected(rejected) => vec![format!(
                "a dead letter again: {}",
                why(rejected.stage.name(), &rejected.reason)
            )],
            Outcome::Judged(Verdict::Drop) => vec!["dropped".to_owned()],
            Outcome::Judged(verdict) => verdict
                .outputs()
                .unwrap_or_default()
                .iter()
                .map(|output| one_line(&self.output(record, output).to_string()))
                .collect(),
        };
        let mut text = format!(
            "{} {}:{}, from {} at {} (attempt {})\n",
            self.letters,
            partition.partition,
            record.offset(),
            origin.position.partition,
            origin.position.offset,
            origin.attempts,
        );
        text += &format!("{}\n", style(format!("- {was}")).red());
        for line in now {
            let line = format!("+ {line}");
            let line = match outcome {
                Outcome::Rejected(_) => style(line).yellow(),
                Outcome::Judged(_) => style(line).green(),
            };
            text += &format!("{line}\n");
        }
        text
    }

    /// The same for programs: the line of `--inspect`, at the place where the
    /// record was first read, and the letter that it was taken from.
    fn line(
        &self,
        partition: &TopicPartition,
        record: &dyn Record,
        origin: &Origin,
        outcome: Outcome<'_>,
    ) -> Value {
        let mut line = json::passed(&origin.position.partition, record, outcome);
        line["offset"] = origin.position.offset.into();
        if let Outcome::Judged(verdict) = outcome {
            line["outputs"] = verdict
                .outputs()
                .unwrap_or_default()
                .iter()
                .map(|output| self.output(record, output))
                .collect();
        }
        line["dead_letter"] = json!({
            "topic": self.letters,
            "partition": partition.partition,
            "offset": record.offset(),
            "stage": origin.stage,
            "reason": origin.reason,
            "attempts": origin.attempts,
        });
        line
    }

    /// An output with everything that it leaves to the pipeline or its source.
    fn output(&self, record: &dyn Record, output: &Output) -> Value {
        let topic = match self.redirected {
            true => self.place.as_deref(),
            false => output.topic.as_deref().or(self.place.as_deref()),
        };
        let mut line = json!({ "topic": topic });
        if let Some(partition) = output.partition.filter(|_| !self.redirected) {
            line["partition"] = partition.into();
        }
        line["key"] = json::bytes(output.key.resolve(record.key()));
        line["value"] = json::bytes(output.value.resolve(record.value()));
        let kept = match output.headers.keep_source() {
            true => record.headers(),
            false => Vec::new(),
        };
        let own = output.headers.own().iter();
        line["headers"] = kept
            .iter()
            .map(json::header)
            .chain(own.map(|header| json::header(&header.borrowed())))
            .collect();
        line
    }
}

struct Summary<'a> {
    pipeline: &'a str,
    topic: &'a str,
    dry_run: bool,
    interrupted: bool,
    totals: Totals,
    skipped: BTreeMap<String, u64>,
}

impl Summary<'_> {
    fn text(&self) -> String {
        let Totals {
            records_in,
            records_out,
            dead_letters,
            ..
        } = self.totals;
        let skipped: u64 = self.skipped.values().sum();
        let replayed = records_in.saturating_sub(skipped);
        let interrupted = match self.interrupted {
            true => "interrupted: ",
            false => "",
        };
        let mut text = match (replayed, self.dry_run) {
            (0, _) if self.interrupted => "interrupted before the first dead letter".to_owned(),
            (0, _) => format!(
                "no dead letter of pipeline {} in {} is left to replay",
                self.pipeline, self.topic
            ),
            (_, false) => format!(
                "{interrupted}{} of pipeline {} replayed: {} written, {} failed again",
                number(replayed, "dead letter"),
                self.pipeline,
                number(records_out, "output"),
                HumanCount(dead_letters),
            ),
            (_, true) => format!(
                "{interrupted}{} of pipeline {} would be replayed: {}, {} would fail again; nothing was written",
                number(replayed, "dead letter"),
                self.pipeline,
                number(records_out, "output"),
                HumanCount(dead_letters),
            ),
        };
        for (pipeline, count) in &self.skipped {
            text += &match pipeline.as_str() {
                "" => format!(
                    "; left alone: {} without a dead letter's headers",
                    number(*count, "record")
                ),
                pipeline => format!(
                    "; left alone: {} of pipeline {} (--name says whose are replayed)",
                    number(*count, "dead letter"),
                    one_line(pipeline)
                ),
            };
        }
        text + "\n"
    }
}

fn number(n: u64, what: &str) -> String {
    counted(usize::try_from(n).unwrap_or(usize::MAX), what)
}

#[cfg(test)]
mod tests;
