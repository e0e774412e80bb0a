//! A record with bytes of its own, such as a copy of one whose bytes live elsewhere.

use super::{Header, OwnedHeader, Record, Timestamp};

/// See the module's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<OwnedHeader>,
    offset: i64,
    timestamp: Timestamp,
}

impl Held {
    pub fn new(
        (key, value): (Option<Vec<u8>>, Option<Vec<u8>>),
        headers: Vec<OwnedHeader>,
        offset: i64,
        timestamp: Timestamp,
    ) -> Self {
        Self {
            key,
            value,
            headers,
            offset,
            timestamp,
        }
    }

    pub fn copy(record: &dyn Record) -> Self {
        let headers = record.headers().into_iter().map(|header| OwnedHeader {
            name: header.name.to_vec(),
            value: header.value.map(<[u8]>::to_vec),
        });
        Self {
            key: record.key().map(<[u8]>::to_vec),
            value: record.value().map(<[u8]>::to_vec),
            headers: headers.collect(),
            offset: record.offset(),
            timestamp: record.timestamp(),
        }
    }
}

impl Record for Held {
    fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    fn value(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }

    fn headers(&self) -> Vec<Header<'_>> {
        self.headers.iter().map(OwnedHeader::borrowed).collect()
    }

    fn offset(&self) -> i64 {
        self.offset
    }

    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }
}
