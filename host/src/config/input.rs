//! What a pipeline reads, from where on, and up to where.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::pipeline::{parsed, positive};
use super::settings::START_OF;
use super::{ConfigError, Settings, defaults};
use crate::names::illegal_name;
use crate::record::TopicPartition;

#[derive(Debug, Clone)]
pub struct Input {
    pub topics: Vec<String>,
    pub group: String,
    /// Of static membership (KIP-345): each worker adds its number.
    pub instance_id: Option<String>,
    pub starts: Starts,
    pub on_gap: OnGap,
    pub until: Until,
    pub discover: Duration,
    /// Which partitions of each topic are this process's; all of them where a
    /// group gives them out.
    pub share: Share,
}

impl Input {
    pub(super) fn from_settings(settings: &Settings, name: &str) -> Result<Self, ConfigError> {
        let topics = topics(settings)?;
        let starts = Starts::from_settings(settings, &topics)?;
        let group = settings
            .text("input.group")?
            .unwrap_or_else(|| format!("millrace-{name}"));
        if group.is_empty() {
            return Err(ConfigError(format!(
                "{}: a group's name can't be empty",
                settings.place("input.group")
            )));
        }
        let instance_id = settings.text("input.instance_id")?;
        if let Some(id) = &instance_id
            && let Some(why) = illegal_name(id)
        {
            // Kafka's rule for both (KIP-345).
            return Err(ConfigError(format!(
                "{}: as a topic's name would be, {why}",
                settings.place("input.instance_id")
            )));
        }
        let until = parsed(settings, "input.until")?.unwrap_or(Until::Forever);
        if let Until::Timestamp(time) = until
            && time > now()
        {
            return Err(ConfigError(format!(
                "{}: that time lies in the future, and ends are looked up when the run starts",
                settings.place("input.until")
            )));
        }
        Ok(Self {
            topics,
            group,
            instance_id,
            starts,
            on_gap: parsed(settings, "input.on_gap")?.unwrap_or(OnGap::Stop),
            until,
            discover: positive(settings, "input.discover")?.unwrap_or(defaults::DISCOVER),
            share: parsed(settings, "input.partitions")?.unwrap_or(Share::ALL),
        })
    }
}

fn topics(settings: &Settings) -> Result<Vec<String>, ConfigError> {
    let mut topics: Vec<String> = Vec::new();
    for topic in settings.texts("input.topics")?.unwrap_or_default() {
        if let Some(why) = illegal_name(&topic) {
            let place = settings.place("input.topics");
            return Err(ConfigError(format!("{place}: {why}")));
        }
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    if topics.is_empty() {
        return Err(ConfigError::new(
            "no input topic is given: --input TOPIC, or [input] topics in the file",
        ));
    }
    Ok(topics)
}

/// Where a partition begins that has no stored position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    Earliest,
    Latest,
    /// Nowhere: it is an error.
    Stored,
    /// At this offset.
    Offset(i64),
    /// At the first record of this time or a later one: milliseconds since the
    /// epoch.
    Timestamp(i64),
}

impl FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            "stored" => Ok(Self::Stored),
            _ => match place(text) {
                Some(Ok(Place::Offset(offset))) => Ok(Self::Offset(offset)),
                Some(Ok(Place::Timestamp(time))) => Ok(Self::Timestamp(time)),
                Some(Err(why)) => Err(why),
                None => Err(format!(
                    "{text:?} is no start: there are earliest, latest, stored, offset:N and \
                     timestamp:T"
                )),
            },
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Earliest => f.write_str("earliest"),
            Self::Latest => f.write_str("latest"),
            Self::Stored => f.write_str("stored"),
            Self::Offset(offset) => write!(f, "offset:{offset}"),
            Self::Timestamp(time) => write!(f, "timestamp:{time}"),
        }
    }
}

/// What stands for every partition that has no start of its own.
const EVERY: &str = "*";

/// Where each partition begins that has no stored position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Starts {
    every: Start,
    topics: BTreeMap<String, Start>,
    partitions: BTreeMap<(String, i32), Start>,
}

impl From<Start> for Starts {
    fn from(every: Start) -> Self {
        Self {
            every,
            topics: BTreeMap::new(),
            partitions: BTreeMap::new(),
        }
    }
}

impl Starts {
    fn from_settings(settings: &Settings, topics: &[String]) -> Result<Self, ConfigError> {
        let every = parsed(settings, "input.start")?.unwrap_or(Start::Earliest);
        let mut this = Self::from(every);
        for (name, text) in settings.named(START_OF)? {
            let wrong = |why: String| {
                ConfigError(format!(
                    "{}: {why}",
                    settings.place(&format!("{START_OF}{name}"))
                ))
            };
            let start = text.parse().map_err(wrong)?;
            if name == EVERY {
                this.every = start;
                continue;
            }
            let (topic, partition) = match name.split_once('/') {
                Some((topic, number)) => (topic, Some(number)),
                None => (&*name, None),
            };
            if !topics.iter().any(|known| known == topic) {
                return Err(wrong(format!(
                    "{topic} is no input topic: write \"TOPIC/PARTITION\", \"TOPIC\", or \
                     \"{EVERY}\" for all others"
                )));
            }
            match partition.map(str::parse::<i32>) {
                None => {
                    this.topics.insert(topic.to_owned(), start);
                }
                Some(Ok(number)) if number >= 0 => {
                    this.partitions.insert((topic.to_owned(), number), start);
                }
                Some(_) => {
                    return Err(wrong(
                        "what stands behind the / is no partition's number".to_owned(),
                    ));
                }
            }
        }
        Ok(this)
    }

    /// Where this partition begins.
    pub fn of(&self, partition: &TopicPartition) -> Start {
        let own = (partition.topic.to_string(), partition.partition);
        let topic = || self.topics.get(&*partition.topic);
        *self
            .partitions
            .get(&own)
            .or_else(topic)
            .unwrap_or(&self.every)
    }

    /// Gives a partition a start of its own.
    pub fn set(&mut self, partition: &TopicPartition, start: Start) {
        let own = (partition.topic.to_string(), partition.partition);
        self.partitions.insert(own, start);
    }

    /// The partitions that have a start of their own.
    pub fn named(&self) -> impl Iterator<Item = (&str, i32)> {
        self.partitions
            .keys()
            .map(|(topic, number)| (topic.as_str(), *number))
    }

    /// Whether some partition would begin nowhere.
    pub fn may_be_stored(&self) -> bool {
        let named = self.topics.values().chain(self.partitions.values());
        self.every == Start::Stored || named.into_iter().any(|start| *start == Start::Stored)
    }
}

/// Before which record a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    Forever,
    /// Each partition's end when the run starts.
    End,
    /// Before this offset.
    Offset(i64),
    /// Before the first record of this time or a later one: milliseconds since
    /// the epoch, not in the future.
    Timestamp(i64),
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "forever" => Ok(Self::Forever),
            "end" => Ok(Self::End),
            _ => match place(text) {
                Some(Ok(Place::Offset(offset))) => Ok(Self::Offset(offset)),
                Some(Ok(Place::Timestamp(time))) => Ok(Self::Timestamp(time)),
                Some(Err(why)) => Err(why),
                None => Err(format!(
                    "{text:?} is no end: there are forever, end, offset:N and timestamp:T"
                )),
            },
        }
    }
}

/// What to do where the broker no longer has the record that is to be read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnGap {
    /// The run fails.
    Stop,
    /// It goes on with the first record that is there.
    Earliest,
    /// It goes on with the next one that comes.
    Latest,
}

impl FromStr for OnGap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "stop" => Ok(Self::Stop),
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            _ => Err(format!(
                "{text:?} is no answer to a gap: there are stop, earliest and latest"
            )),
        }
    }
}

/// How all partitions are written.
const ALL: &str = "all";

/// Some partitions of each topic, by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    single: BTreeSet<i32>,
    /// Both ends included.
    ranges: Vec<(i32, i32)>,
}

impl Share {
    pub const ALL: Self = Self {
        single: BTreeSet::new(),
        ranges: Vec::new(),
    };

    pub fn holds(&self, partition: i32) -> bool {
        *self == Self::ALL
            || self.single.contains(&partition)
            || self
                .ranges
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&partition))
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} names no partitions: write numbers and ranges, such as \"0-3,8\", or \
                 \"4-\" for the fifth and all after it"
            )
        };
        let number = |text: &str| {
            let number = text.trim().parse::<i32>().ok();
            number.filter(|n| *n >= 0).ok_or_else(wrong)
        };
        let mut share = Self::ALL;
        if text == ALL {
            return Ok(share);
        }
        for part in text.split(',') {
            match part.split_once('-') {
                None => {
                    share.single.insert(number(part)?);
                }
                Some((first, last)) => {
                    let first = number(first)?;
                    let last = match last.trim() {
                        "" => i32::MAX,
                        last => number(last)?,
                    };
                    if last < first {
                        return Err(wrong());
                    }
                    share.ranges.push((first, last));
                }
            }
        }
        Ok(share)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ALL {
            return f.write_str(ALL);
        }
        let single = self.single.iter().map(i32::to_string);
        let ranges = self.ranges.iter().map(|range| match range {
            (first, i32::MAX) => format!("{first}-"),
            (first, last) => format!("{first}-{last}"),
        });
        let parts: Vec<String> = single.chain(ranges).collect();
        f.write_str(&parts.join(","))
    }
}

/// A place in a partition.
enum Place {
    Offset(i64),
    Timestamp(i64),
}

/// `offset:N` and `timestamp:T`; `None` for anything else.
fn place(text: &str) -> Option<Result<Place, String>> {
    if let Some(number) = text.strip_prefix("offset:") {
        let offset = number.parse::<i64>().ok().filter(|offset| *offset >= 0);
        let wrong = || format!("{text:?}: an offset is a whole number from 0");
        return Some(offset.map(Place::Offset).ok_or_else(wrong));
    }
    let time = text.strip_prefix("timestamp:")?;
    let millis = time.parse::<i64>().ok().filter(|ms| *ms >= 0);
    let written = || time.parse::<jiff::Timestamp>().ok();
    let wrong = || {
        format!(
            "{text:?}: a timestamp is milliseconds since the epoch, or RFC 3339 such as \
             2026-11-24T16:00:00Z"
        )
    };
    Some(
        millis
            .or_else(|| written().map(jiff::Timestamp::as_millisecond))
            .map(Place::Timestamp)
            .ok_or_else(wrong),
    )
}

/// Milliseconds since the epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests;
