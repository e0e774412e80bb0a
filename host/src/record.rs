//! What flows through a pipeline: records, verdicts, outputs and the words for
//! where they are. Plain data: no rdkafka, no wasmtime, no I/O.

mod decoded;
mod held;

use std::fmt;
use std::sync::Arc;

pub use decoded::{Decoded, Field, Seen, Shown};
pub use held::Held;

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    pub topic: Arc<str>,
    /// From 0.
    pub partition: i32,
}

impl TopicPartition {
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self {
            topic: topic.into(),
            partition,
        }
    }

    /// The place of one record in this partition.
    pub fn at(&self, offset: i64) -> Position {
        Position {
            partition: self.clone(),
            offset,
        }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// A topic's id, as Kafka's tools write it: a topic that was deleted and made again
/// has another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicId(Arc<str>);

impl TopicId {
    /// Brokers before 2.8 give none, which reads as zero.
    const ZERO: &str = "AAAAAAAAAAAAAAAAAAAAAA";

    /// From what [`Display`](fmt::Display) writes.
    pub fn read(text: &str) -> Option<Self> {
        (!text.is_empty() && text != Self::ZERO).then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The place of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub partition: TopicPartition,
    pub offset: i64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "topic {}, partition {}, offset {}",
            self.partition.topic, self.partition.partition, self.offset
        )
    }
}

/// The offset of the next record to read, which is what Kafka's committed
/// offsets mean. A type of its own, so that nobody commits the offset of a
/// record instead of the one after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NextOffset(pub i64);

impl NextOffset {
    /// What to commit once the record at `offset` is done.
    pub fn after(offset: i64) -> Self {
        Self(offset + 1)
    }
}

impl fmt::Display for NextOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, and who set them
/// (Kafka's `message.timestamp.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timestamp {
    NotAvailable,
    Create(i64),
    LogAppend(i64),
}

impl Timestamp {
    pub fn millis(self) -> Option<i64> {
        match self {
            Self::NotAvailable => None,
            Self::Create(ms) | Self::LogAppend(ms) => Some(ms),
        }
    }
}

/// One header as it was consumed. Kafka promises that the name is UTF-8, but
/// nothing checks it, so it is bytes here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    pub name: &'a [u8],
    /// `None` is Kafka's null.
    pub value: Option<&'a [u8]>,
}

/// One consumed record, wherever its bytes live.
pub trait Record {
    /// `None` is Kafka's null, which is not an empty key.
    fn key(&self) -> Option<&[u8]>;
    /// `None` is Kafka's null: a tombstone.
    fn value(&self) -> Option<&[u8]>;
    /// In order; names may repeat. No allocation where there are none.
    fn headers(&self) -> Vec<Header<'_>>;
    fn offset(&self) -> i64;
    fn timestamp(&self) -> Timestamp;

    /// Where it was first read, if it is a dead letter on its way again; then
    /// key, value, headers and timestamp are that first record's.
    fn origin(&self) -> Option<&Origin> {
        None
    }

    /// The bytes of the key or of the value.
    fn field(&self, field: Field) -> Option<&[u8]> {
        match field {
            Field::Key => self.key(),
            Field::Value => self.value(),
        }
    }

    /// The bytes of key and value, which is what batches are measured by.
    fn size(&self) -> usize {
        self.key().map_or(0, <[u8]>::len) + self.value().map_or(0, <[u8]>::len)
    }
}

/// What a dead letter tells of the record that it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Where the record was first read.
    pub position: Position,
    /// The record's own, in milliseconds.
    pub timestamp: Option<i64>,
    /// How often it was rejected so far, from 1.
    pub attempts: u32,
    /// The size of its value in bytes, where the letter had no room for it.
    pub value_omitted: Option<u64>,
    /// The name of the [`Stage`] at which it was rejected last, perhaps of
    /// another version's.
    pub stage: String,
    /// Why it was rejected last.
    pub reason: String,
}

/// A key or a value that goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// The source record's own.
    Source,
    Null,
    Bytes(Vec<u8>),
}

impl Payload {
    /// The bytes to send, given the source record's.
    pub fn resolve<'a>(&'a self, source: Option<&'a [u8]>) -> Option<&'a [u8]> {
        match self {
            Self::Source => source,
            Self::Null => None,
            Self::Bytes(bytes) => Some(bytes),
        }
    }
}

/// A header that a plugin or the host wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedHeader {
    /// As [`Header::name`].
    pub name: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

impl OwnedHeader {
    pub fn new(name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            value: Some(value.into()),
        }
    }

    pub fn borrowed(&self) -> Header<'_> {
        Header {
            name: &self.name,
            value: self.value.as_deref(),
        }
    }
}

/// The headers of what goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputHeaders {
    /// The source record's, byte for byte.
    Source,
    /// The source record's, byte for byte, and these after them.
    Append(Vec<OwnedHeader>),
    /// These alone.
    Only(Vec<OwnedHeader>),
}

impl OutputHeaders {
    /// Whether the source record's go out.
    pub fn keep_source(&self) -> bool {
        !matches!(self, Self::Only(_))
    }

    /// The plugin's own.
    pub fn own(&self) -> &[OwnedHeader] {
        match self {
            Self::Source => &[],
            Self::Append(own) | Self::Only(own) => own,
        }
    }
}

/// One record that goes out, as a plugin put it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// `None`: the pipeline's default topic.
    pub topic: Option<String>,
    /// `None`: by the key's hash.
    pub partition: Option<i32>,
    /// Milliseconds; `None`: the source record's.
    pub timestamp: Option<i64>,
    pub key: Payload,
    pub value: Payload,
    pub headers: OutputHeaders,
}

impl Output {
    /// The source record itself, to the default topic.
    pub const FORWARD: Self = Self {
        topic: None,
        partition: None,
        timestamp: None,
        key: Payload::Source,
        value: Payload::Source,
        headers: OutputHeaders::Source,
    };
}

impl Output {
    pub fn payload(&self, field: Field) -> &Payload {
        match field {
            Field::Key => &self.key,
            Field::Value => &self.value,
        }
    }

    pub fn payload_mut(&mut self, field: Field) -> &mut Payload {
        match field {
            Field::Key => &mut self.key,
            Field::Value => &mut self.value,
        }
    }
}

/// What a plugin says of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Forward,
    Drop,
    Replace(Output),
    Expand(Vec<Output>),
    Fail(String),
}

impl Verdict {
    /// What goes out; `None` where the record failed.
    pub fn outputs(&self) -> Option<&[Output]> {
        match self {
            Self::Forward => Some(std::slice::from_ref(&Output::FORWARD)),
            Self::Drop => Some(&[]),
            Self::Replace(output) => Some(std::slice::from_ref(output)),
            Self::Expand(outputs) => Some(outputs),
            Self::Fail(_) => None,
        }
    }

    /// The verdict's name in the contract.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Drop => "drop",
            Self::Replace(_) => "replace",
            Self::Expand(_) => "expand",
            Self::Fail(_) => "fail",
        }
    }
}

/// A record's verdict, and how it came to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    pub verdict: Verdict,
    /// Where it failed, if it did.
    pub stage: Stage,
    /// What the plugin was shown.
    pub decoded: Decoded,
    /// What it said, before that was encoded, where somebody looks at it.
    pub said: Option<Box<Verdict>>,
}

impl Judged {
    /// The record failed before or after the plugin.
    pub fn failed(stage: Stage, reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Fail(reason.into()),
            stage,
            decoded: Decoded::default(),
            said: None,
        }
    }
}

impl From<Verdict> for Judged {
    fn from(verdict: Verdict) -> Self {
        Self {
            verdict,
            stage: Stage::Transform,
            decoded: Decoded::default(),
            said: None,
        }
    }
}

/// The step of a record's way at which it was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    DecodeKey,
    DecodeValue,
    Transform,
    EncodeKey,
    EncodeValue,
    Produce,
}

impl Stage {
    pub const ALL: [Self; 6] = [
        Self::DecodeKey,
        Self::DecodeValue,
        Self::Transform,
        Self::EncodeKey,
        Self::EncodeValue,
        Self::Produce,
    ];

    pub fn decode(field: Field) -> Self {
        match field {
            Field::Key => Self::DecodeKey,
            Field::Value => Self::DecodeValue,
        }
    }

    pub fn encode(field: Field) -> Self {
        match field {
            Field::Key => Self::EncodeKey,
            Field::Value => Self::EncodeValue,
        }
    }

    /// As dead letters and logs write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::DecodeKey => "decode-key",
            Self::DecodeValue => "decode-value",
            Self::Transform => "transform",
            Self::EncodeKey => "encode-key",
            Self::EncodeValue => "encode-value",
            Self::Produce => "produce",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A record that can't go on, by a failure of its own (never of its
/// surroundings).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    pub stage: Stage,
    pub position: Position,
    pub reason: String,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a record was rejected at stage {} ({}): {}",
            self.stage, self.position, self.reason
        )
    }
}

impl std::error::Error for Rejected {}
