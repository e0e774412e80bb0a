//! One record as tests write and read it.

use rdkafka::Timestamp;
use rdkafka::message::{BorrowedMessage, Message};

use crate::headers::{Header, from_native};

/// A record to produce, or one that was read.
///
/// To produce: `partition` none is the partitioner's choice, `timestamp` none
/// (or 0, which librdkafka takes for none) is now, and the offset is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<Header>,
    pub timestamp: Timestamp,
    pub partition: Option<i32>,
    pub offset: i64,
}

/// Key, value, headers and timestamp of a record.
pub type Content<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, &'a [Header], Timestamp);

impl Record {
    /// Key and value null, no headers.
    pub fn null() -> Record {
        Record {
            key: None,
            value: None,
            headers: Vec::new(),
            timestamp: Timestamp::NotAvailable,
            partition: None,
            offset: -1,
        }
    }

    /// A value without a key.
    pub fn value(value: impl AsRef<[u8]>) -> Record {
        Record {
            value: Some(value.as_ref().to_vec()),
            ..Record::null()
        }
    }

    pub fn key(self, key: impl AsRef<[u8]>) -> Record {
        Record {
            key: Some(key.as_ref().to_vec()),
            ..self
        }
    }

    /// Adds a header with a value.
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Record {
        self.headers
            .push((name.as_ref().to_vec(), Some(value.as_ref().to_vec())));
        self
    }

    /// Adds a header whose value is null.
    pub fn null_header(mut self, name: impl AsRef<[u8]>) -> Record {
        self.headers.push((name.as_ref().to_vec(), None));
        self
    }

    /// Milliseconds since 1970, as the creation time.
    pub fn at(self, ms: i64) -> Record {
        Record {
            timestamp: Timestamp::CreateTime(ms),
            ..self
        }
    }

    pub fn to_partition(self, partition: i32) -> Record {
        Record {
            partition: Some(partition),
            ..self
        }
    }

    /// All that a forward keeps.
    pub fn content(&self) -> Content<'_> {
        (
            self.key.as_deref(),
            self.value.as_deref(),
            &self.headers,
            self.timestamp,
        )
    }

    /// The value as text, for a readable assertion.
    #[track_caller]
    pub fn text(&self) -> &str {
        let value = self.value.as_deref().expect("the value is not null");
        std::str::from_utf8(value).expect("the value is UTF-8")
    }

    pub(super) fn read(message: &BorrowedMessage<'_>) -> Record {
        Record {
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: message.headers().map(from_native).unwrap_or_default(),
            timestamp: message.timestamp(),
            partition: Some(message.partition()),
            offset: message.offset(),
        }
    }
}
