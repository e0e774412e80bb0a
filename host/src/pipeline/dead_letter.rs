//! What a dead letter looks like: the original key, value and headers, byte for
//! byte, and behind them headers that say why it is there. Pure.

use std::time::SystemTime;

use crate::record::{
    Header, Origin, Output, OutputHeaders, OwnedHeader, Payload, Position, Record, Rejected, Stage,
    Timestamp, TopicPartition,
};

/// What every header of ours begins with.
pub const PREFIX: &str = "millrace.";

/// The names of the headers. Their values are UTF-8 text.
pub mod header {
    pub const STAGE: &str = "millrace.stage";
    pub const REASON: &str = "millrace.reason";
    pub const TOPIC: &str = "millrace.topic";
    pub const PARTITION: &str = "millrace.partition";
    pub const OFFSET: &str = "millrace.offset";
    /// The original's, in milliseconds since the epoch; absent if it had none.
    pub const TIMESTAMP: &str = "millrace.timestamp";
    pub const PIPELINE: &str = "millrace.pipeline";
    pub const PLUGIN: &str = "millrace.plugin";
    /// SHA-256 of the plugin's file, in hexadecimal.
    pub const PLUGIN_DIGEST: &str = "millrace.plugin-digest";
    pub const CONTRACT: &str = "millrace.contract";
    /// How often the record was rejected, from 1.
    pub const ATTEMPTS: &str = "millrace.attempts";
    /// The host's.
    pub const VERSION: &str = "millrace.version";
    /// When it was rejected (RFC 3339).
    pub const TIME: &str = "millrace.time";
    /// The size of the original's value in bytes, where it had no room.
    pub const VALUE_OMITTED: &str = "millrace.value-omitted";
}

/// The longest reason, in bytes; the rest is cut off.
pub const LONGEST_REASON: usize = 2048;

/// Who rejects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    pub pipeline: String,
    pub plugin: String,
    /// SHA-256 of the plugin's file, in hexadecimal.
    pub digest: String,
    /// The contract between the host and the plugin, with its version.
    pub contract: String,
    /// The host's version.
    pub version: String,
}

/// The dead letter of a rejected record, to be sent to the dead-letter topic
/// `topic`. One that was a dead letter before keeps its first origin, and counts
/// one attempt more.
pub fn write(
    topic: &str,
    record: &dyn Record,
    rejected: &Rejected,
    by: &Provenance,
    now: SystemTime,
) -> Output {
    let headers = record.headers();
    let earlier = match record.origin() {
        Some(origin) => Some(origin.clone()),
        None => Letter::read(&headers).map(|letter| letter.origin),
    };
    let is_first = earlier.is_none();
    let origin = match earlier {
        Some(origin) => Origin {
            attempts: origin.attempts.saturating_add(1),
            ..origin
        },
        None => Origin {
            position: rejected.position.clone(),
            timestamp: record.timestamp().millis(),
            attempts: 1,
            value_omitted: None,
            stage: String::new(),
            reason: String::new(),
        },
    };
    let Position { partition, offset } = &origin.position;
    let mut context = Vec::with_capacity(13);
    let mut put = |name: &str, value: &str| context.push(OwnedHeader::new(name, value));
    put(header::STAGE, rejected.stage.name());
    put(header::REASON, cut(&rejected.reason));
    put(header::TOPIC, &partition.topic);
    put(header::PARTITION, &partition.partition.to_string());
    put(header::OFFSET, &offset.to_string());
    if let Some(ms) = origin.timestamp {
        put(header::TIMESTAMP, &ms.to_string());
    }
    put(header::PIPELINE, &by.pipeline);
    put(header::PLUGIN, &by.plugin);
    put(header::PLUGIN_DIGEST, &by.digest);
    put(header::CONTRACT, &by.contract);
    put(header::ATTEMPTS, &origin.attempts.to_string());
    put(header::VERSION, &by.version);
    put(
        header::TIME,
        &humantime::format_rfc3339_millis(now).to_string(),
    );
    if let Some(bytes) = origin.value_omitted {
        put(header::VALUE_OMITTED, &bytes.to_string());
    }
    Output {
        topic: Some(topic.to_owned()),
        headers: match is_first {
            true => OutputHeaders::Append(context),
            false => OutputHeaders::Only(owned(original(&headers)).chain(context).collect()),
        },
        ..Output::FORWARD
    }
}

/// Leaves the value out of a dead letter, because it had no room. The letter
/// says so, with the value's size; its position finds the source.
pub fn omit_value(letter: &mut Output, record: &dyn Record) {
    let size = record.value().map_or(0, <[u8]>::len);
    letter.value = Payload::Null;
    if let OutputHeaders::Append(own) | OutputHeaders::Only(own) = &mut letter.headers {
        own.push(OwnedHeader::new(header::VALUE_OMITTED, size.to_string()));
    }
}

/// Whether nothing more can be left out of a dead letter.
pub fn is_bare(letter: &Output, record: &dyn Record) -> bool {
    letter.value.resolve(record.value()).is_none()
}

/// The headers that a dead letter's record had itself.
pub fn original<'a>(headers: &'a [Header<'a>]) -> impl Iterator<Item = Header<'a>> {
    headers.iter().copied().filter(is_original)
}

fn is_original(header: &Header<'_>) -> bool {
    !header.name.starts_with(PREFIX.as_bytes())
}

fn owned<'a>(headers: impl Iterator<Item = Header<'a>>) -> impl Iterator<Item = OwnedHeader> {
    headers.map(|header| OwnedHeader {
        name: header.name.to_vec(),
        value: header.value.map(<[u8]>::to_vec),
    })
}

/// The beginning of a reason that fits its header.
pub fn cut(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(LONGEST_REASON)]
}

/// What the headers of a dead letter say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub origin: Origin,
    pub by: Provenance,
    /// When it was rejected (RFC 3339).
    pub time: String,
}

impl Letter {
    /// `None`: the record is no dead letter, for it does not say where it is from.
    pub fn read(headers: &[Header<'_>]) -> Option<Self> {
        // A letter's own headers stand behind the original's, which may have
        // any name.
        let find = |name: &str| {
            let found = headers.iter().rev().find(|h| h.name == name.as_bytes())?;
            std::str::from_utf8(found.value?).ok()
        };
        let text = |name| find(name).unwrap_or_default().to_owned();
        // A letter need not have these, so the original's must not be taken for them.
        let named = |name: &str| headers.iter().rposition(|h| h.name == name.as_bytes());
        let own = |name: &str| {
            let own = named(name) > named(header::TOPIC);
            own.then(|| find(name)).flatten()
        };
        let partition = find(header::PARTITION)?.parse().ok()?;
        let offset = find(header::OFFSET)?.parse().ok()?;
        Some(Self {
            origin: Origin {
                stage: text(header::STAGE),
                reason: text(header::REASON),
                position: TopicPartition::new(find(header::TOPIC)?, partition).at(offset),
                timestamp: own(header::TIMESTAMP).and_then(|ms| ms.parse().ok()),
                attempts: find(header::ATTEMPTS)
                    .and_then(|n| n.parse().ok())
                    .unwrap_or(1),
                value_omitted: own(header::VALUE_OMITTED).and_then(|n| n.parse().ok()),
            },
            by: Provenance {
                pipeline: text(header::PIPELINE),
                plugin: text(header::PLUGIN),
                digest: text(header::PLUGIN_DIGEST),
                contract: text(header::CONTRACT),
                version: text(header::VERSION),
            },
            time: text(header::TIME),
        })
    }
}

/// A dead letter, read as the record that it was made from: key, value, headers,
/// offset and timestamp are that one's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original<R> {
    dead: R,
    pub letter: Letter,
}

impl<R: Record> Original<R> {
    /// Gives the record back if it is no dead letter.
    pub fn of(dead: R) -> Result<Self, R> {
        match Letter::read(&dead.headers()) {
            Some(letter) => Ok(Self { dead, letter }),
            None => Err(dead),
        }
    }

    /// The dead letter itself, as it stands in its topic.
    pub fn dead(&self) -> &R {
        &self.dead
    }

    pub fn into_dead(self) -> R {
        self.dead
    }
}

impl<R: Record> Record for Original<R> {
    fn key(&self) -> Option<&[u8]> {
        self.dead.key()
    }

    fn value(&self) -> Option<&[u8]> {
        self.dead.value()
    }

    fn headers(&self) -> Vec<Header<'_>> {
        let mut headers = self.dead.headers();
        headers.retain(is_original);
        headers
    }

    fn offset(&self) -> i64 {
        self.letter.origin.position.offset
    }

    fn timestamp(&self) -> Timestamp {
        let ms = self.letter.origin.timestamp;
        ms.map_or(Timestamp::NotAvailable, Timestamp::Create)
    }

    fn origin(&self) -> Option<&Origin> {
        Some(&self.letter.origin)
    }
}

impl std::str::FromStr for Stage {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|stage| stage.name() == name);
        known.copied().ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|stage| stage.name()).collect();
            format!("{name:?} is no stage: there are {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests;
