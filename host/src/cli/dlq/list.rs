//! `host dlq list`: a topic's dead letters, those with the same stage, plugin and
//! first line of the reason counted together.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::SystemTime;

use anyhow::Context as _;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use console::Term;
use serde_json::{Value, json};

use super::{answer, counted, millis, moment, one_line, rfc3339, to_the_second};
use crate::cli::Failed;
use crate::cli::connection::ConnectionArguments;
use crate::cli::table::table;
use crate::config::Connection;
use crate::kafka::reader::{Begin, Reader};
use crate::pipeline::dead_letter::Letter;
use crate::record::{Record, Stage};

#[derive(Debug, Args)]
pub struct ListArguments {
    /// The dead-letter topic
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// Only those of this stage
    #[arg(long, value_name = "STAGE", value_parser = PossibleValuesParser::new(Stage::ALL.map(Stage::name)).try_map(|name| name.parse::<Stage>()))]
    stage: Option<Stage>,
    /// Only those written since this time: RFC 3339, milliseconds since the epoch, or how long
    /// ago, such as 2h
    #[arg(long, value_name = "TIME", value_parser = |text: &str| since(text, SystemTime::now()))]
    since: Option<i64>,
    /// One JSON object a line and group
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArguments,
}

pub fn run(arguments: &ListArguments) -> Result<(), Failed> {
    let connection = arguments.connection.connection()?;
    let list = read(arguments, &connection).map_err(Failed::while_running)?;
    let text = match arguments.json {
        true => list.json().map_err(Failed::while_running)?,
        false => list.text(&arguments.topic, width()),
    };
    answer(&text).map_err(Failed::while_running)
}

fn read(arguments: &ListArguments, connection: &Connection) -> anyhow::Result<List> {
    let mut list = List {
        stage: arguments.stage,
        since: arguments.since,
        ..List::default()
    };
    let begin = arguments.since.map_or(Begin::Earliest, Begin::Time);
    Reader::open(connection, &arguments.topic)?.read(begin, |partition, record| {
        list.add(partition.partition, record);
        Ok(())
    })?;
    Ok(list)
}

/// The terminal's width, where stdout is one.
fn width() -> Option<usize> {
    let terminal = Term::stdout();
    let (_, columns) = terminal.is_term().then(|| terminal.size_checked())??;
    Some(columns.into())
}

/// Milliseconds since the epoch.
fn since(text: &str, now: SystemTime) -> Result<i64, String> {
    let ago = || {
        let ago = humantime::parse_duration(text).ok()?;
        Some(now.checked_sub(ago).and_then(millis).unwrap_or(0))
    };
    let number = || {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    number().or_else(ago).or_else(|| rfc3339(text)).ok_or_else(|| {
        format!(
            "{text:?} is no time: write 2025-11-24T16:00:00Z, milliseconds since the epoch, or how \
             long ago, such as 2h"
        )
    })
}

/// What the letters of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    stage: String,
    plugin: String,
    digest: String,
    /// Its first line.
    reason: String,
}

#[derive(Debug)]
struct Group {
    count: usize,
    /// When the first one was rejected, in milliseconds.
    first: Option<i64>,
    newest: Newest,
    /// The newest one's.
    pipeline: String,
}

/// The newest letter of a group. Of two with the same time it is the one of the
/// higher partition and offset, so that the answer is the same each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Newest {
    time: Option<i64>,
    partition: i32,
    offset: i64,
}

/// What was found.
#[derive(Debug, Default)]
struct List {
    stage: Option<Stage>,
    since: Option<i64>,
    groups: HashMap<Key, Group>,
    letters: usize,
    /// Records that are no dead letters.
    others: usize,
}

impl List {
    fn add(&mut self, partition: i32, record: &dyn Record) {
        let written = record.timestamp().millis();
        // The reader began at the first one that is late enough.
        if self
            .since
            .is_some_and(|since| written.is_none_or(|ms| ms < since))
        {
            return;
        }
        let Some(letter) = Letter::read(&record.headers()) else {
            self.others += 1;
            return;
        };
        if self
            .stage
            .is_some_and(|stage| stage.name() != letter.origin.stage)
        {
            return;
        }
        self.letters += 1;
        let time = rfc3339(&letter.time).or(written);
        let newest = Newest {
            time,
            partition,
            offset: record.offset(),
        };
        let key = Key {
            stage: letter.origin.stage,
            plugin: letter.by.plugin,
            digest: letter.by.digest,
            reason: letter
                .origin
                .reason
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        };
        let group = self.groups.entry(key).or_insert_with(|| Group {
            count: 0,
            first: time,
            newest,
            pipeline: letter.by.pipeline.clone(),
        });
        group.count += 1;
        group.first = [group.first, time].into_iter().flatten().min();
        if newest > group.newest {
            group.newest = newest;
            group.pipeline = letter.by.pipeline;
        }
    }

    /// The largest groups first.
    fn sorted(&self) -> Vec<(&Key, &Group)> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by_key(|(key, group)| (Reverse(group.count), Reverse(group.newest), *key));
        groups
    }

    fn json(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        for (key, group) in self.sorted() {
            let line: Value = json!({
                "count": group.count,
                "first": group.first.map(moment),
                "last": group.newest.time.map(moment),
                "stage": key.stage,
                "plugin": key.plugin,
                "digest": key.digest,
                "pipeline": group.pipeline,
                "reason": key.reason,
                "partition": group.newest.partition,
                "offset": group.newest.offset,
            });
            writeln!(text, "{line}").context("a group could not be written")?;
        }
        Ok(text)
    }

    /// For people: a table, cut to the terminal's `width`, and the totals.
    fn text(&self, topic: &str, width: Option<usize>) -> String {
        if self.letters == 0 {
            return format!(
                "no dead letters in {topic}{}{}\n",
                self.asked(),
                self.rest()
            );
        }
        let rows: Vec<_> = self
            .sorted()
            .into_iter()
            .map(|(key, group)| row(key, group))
            .collect();
        table(COLUMNS, &rows, width)
            + &format!(
                "{} in {}{}{}\n",
                counted(self.letters, "dead letter"),
                counted(rows.len(), "group"),
                self.asked(),
                self.rest()
            )
    }

    /// What the list is limited to.
    fn asked(&self) -> String {
        let mut asked = String::new();
        if let Some(stage) = self.stage {
            asked += &format!(" of stage {stage}");
        }
        if let Some(since) = self.since {
            asked += &format!(" since {}", moment(since));
        }
        asked
    }

    fn rest(&self) -> String {
        match self.others {
            0 => String::new(),
            1 => ", and 1 record that is no dead letter".to_owned(),
            n => format!(", and {n} records that are no dead letters"),
        }
    }
}

const COLUMNS: [&str; 7] = [
    "COUNT", "NEWEST", "FIRST", "LAST", "STAGE", "PLUGIN", "REASON",
];

/// How much of a digest people need to tell two apart.
const DIGEST: usize = 8;

fn row(key: &Key, group: &Group) -> [String; COLUMNS.len()] {
    let time = |ms: Option<i64>| ms.map_or("-".to_owned(), to_the_second);
    [
        group.count.to_string(),
        format!("{}:{}", group.newest.partition, group.newest.offset),
        time(group.first),
        time(group.newest.time),
        one_line(&key.stage),
        one_line(&plugins(key)),
        one_line(&key.reason),
    ]
}

/// The plugin and its digest, of a chain each with its own.
fn plugins(key: &Key) -> String {
    let with = |(name, digest): (&str, &str)| {
        let digest: String = digest.chars().take(DIGEST).collect();
        format!("{name}@{digest}")
    };
    let (names, digests) = (key.plugin.split(','), key.digest.split(','));
    if names.clone().count() != digests.clone().count() {
        return with((&key.plugin, &key.digest));
    }
    let all: Vec<_> = names.zip(digests).map(with).collect();
    all.join(",")
}

#[cfg(test)]
mod tests;
