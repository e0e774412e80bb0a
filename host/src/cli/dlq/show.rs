//! `host dlq show`: one dead letter, the original record beside the reason.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use console::Term;
use serde_json::{Value, json};

use super::{answer, counted, lines, moment, one_line};
use crate::cli::connection::ConnectionArguments;
use crate::cli::{Failed, json};
use crate::config::Connection;
use crate::kafka::reader::Reader;
use crate::pipeline::dead_letter::{Letter, Original};
use crate::record::{Record, TopicPartition};

#[derive(Debug, Args)]
pub struct ShowArguments {
    /// The dead-letter topic
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// Where the letter stands in it, such as 0:42
    #[arg(value_name = "PARTITION:OFFSET")]
    place: Place,
    /// The original record as a JSON line, with the field dead_letter
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArguments,
}

/// The place of a record in the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    partition: i32,
    offset: i64,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        text.split_once(':')
            .filter(|(partition, offset)| digits(partition) && digits(offset))
            .and_then(|(partition, offset)| {
                Some(Self {
                    partition: partition.parse().ok()?,
                    offset: offset.parse().ok()?,
                })
            })
            .ok_or_else(|| {
                format!("{text:?} is no place in a topic: write PARTITION:OFFSET, such as 0:42")
            })
    }
}

pub fn run(arguments: &ShowArguments) -> Result<(), Failed> {
    let connection = arguments.connection.connection()?;
    show(arguments, &connection).map_err(Failed::while_running)
}

fn show(arguments: &ShowArguments, connection: &Connection) -> anyhow::Result<()> {
    let Place { partition, offset } = arguments.place;
    let record = Reader::open(connection, &arguments.topic)?.record(partition, offset)?;
    let partition = TopicPartition::new(arguments.topic.as_str(), partition);
    let record = Original::of(record);
    if arguments.json {
        let line = match &record {
            Ok(original) => of_letter(&partition, original),
            Err(record) => of_other(&partition, record),
        };
        return answer(&format!("{line}\n"));
    }
    let screen = match Term::stdout().is_term() {
        true => Screen::Terminal,
        false => Screen::File,
    };
    answer(&match &record {
        Ok(original) => page(&about(&original.letter), original, screen),
        Err(record) => {
            let why = "it does not say where it is from".to_owned();
            let place = partition.at(record.offset()).to_string();
            let mut about = vec![("no dead letter", why), ("at", place)];
            about.extend(timestamp(record.timestamp().millis()));
            page(&about, record, screen)
        }
    })
}

/// The original record's line, and why it is a dead letter.
fn of_letter<R: Record>(partition: &TopicPartition, original: &Original<R>) -> Value {
    let letter = &original.letter;
    let mut line = json::record(&letter.origin.position.partition, original);
    line["dead_letter"] = json!({
        "stage": letter.origin.stage,
        "reason": letter.origin.reason,
        "pipeline": letter.by.pipeline,
        "plugin": letter.by.plugin,
        "digest": letter.by.digest,
        "contract": letter.by.contract,
        "attempts": letter.origin.attempts,
        "version": letter.by.version,
        "time": letter.time,
        "topic": &*partition.topic,
        "partition": partition.partition,
        "offset": original.dead().offset(),
        "value_omitted": letter.origin.value_omitted,
    });
    line
}

fn of_other(partition: &TopicPartition, record: &dyn Record) -> Value {
    let mut line = json::record(partition, record);
    line["dead_letter"] = Value::Null;
    line
}

type Line = (&'static str, String);

fn about(letter: &Letter) -> Vec<Line> {
    let mut about = vec![
        ("stage", letter.origin.stage.clone()),
        ("reason", letter.origin.reason.clone()),
        ("from", letter.origin.position.to_string()),
    ];
    about.extend(timestamp(letter.origin.timestamp));
    about.extend([
        ("time", letter.time.clone()),
        ("pipeline", letter.by.pipeline.clone()),
        ("plugin", letter.by.plugin.clone()),
        ("digest", letter.by.digest.clone()),
        ("contract", letter.by.contract.clone()),
        ("attempts", letter.origin.attempts.to_string()),
        ("host", letter.by.version.clone()),
    ]);
    if let Some(bytes) = letter.origin.value_omitted {
        let omitted = format!("its {bytes} bytes had no room; the source may have them still");
        about.push(("value omitted", omitted));
    }
    about
}

fn timestamp(ms: Option<i64>) -> Option<Line> {
    Some(("timestamp", format!("{} ({})", moment(ms?), ms?)))
}

/// Where a page goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Screen {
    /// What would steer it is escaped in the value too.
    Terminal,
    /// The value is there byte for byte, where it is text.
    File,
}

/// Says what the record is, then the record. Key and headers are as JSON writes
/// them, which tells null, empty and binary ones apart.
fn page(about: &[Line], record: &dyn Record, screen: Screen) -> String {
    let width = about.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let width = width.max("timestamp".len());
    let mut page = String::new();
    let mut put = |name: &str, text: &str| {
        for (n, line) in text.split('\n').enumerate() {
            let name = if n == 0 { name } else { "" };
            let line = format!("{name:width$}  {}", one_line(line));
            page += line.trim_end();
            page.push('\n');
        }
    };
    for (name, text) in about {
        put(name, text);
    }
    put("", "");
    put("key", &json::bytes(record.key()).to_string());
    let headers = record.headers();
    let headers: Vec<_> = headers
        .iter()
        .map(|h| json::header(h).to_string())
        .collect();
    match headers.is_empty() {
        true => put("headers", "none"),
        false => put("headers", &headers.join("\n")),
    }
    match record.value() {
        None => put("value", "null"),
        Some(value) => {
            let size = counted(value.len(), "byte");
            match std::str::from_utf8(value) {
                Ok(text) => {
                    put("value", &format!("{size} of text"));
                    page.push('\n');
                    match screen {
                        Screen::Terminal => page += &lines(text),
                        Screen::File => page += text,
                    }
                }
                Err(_) => {
                    put("value", &format!("{size}, in base64"));
                    page.push('\n');
                    page += &STANDARD.encode(value);
                }
            }
            page.push('\n');
        }
    }
    page
}

#[cfg(test)]
mod tests;
