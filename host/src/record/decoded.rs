//! What a plugin is shown in place of a record's own bytes.

use super::{Header, Origin, Record, Timestamp};

/// Which part of a record a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    Key,
    Value,
}

impl Field {
    /// As Kafka's subjects and our settings write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Value => "value",
        }
    }
}

/// A decoded payload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Shown {
    /// The record's own bytes, or its null.
    #[default]
    AsItIs,
    Made {
        bytes: Vec<u8>,
        /// The registry's id of the schema that the record's own bytes were
        /// written with, where there is one.
        schema: Option<u32>,
    },
}

impl Shown {
    fn or<'a>(&'a self, own: Option<&'a [u8]>) -> Option<&'a [u8]> {
        match self {
            Self::AsItIs => own,
            Self::Made { bytes, .. } => Some(bytes),
        }
    }

    /// The registry's id of the schema that the record was written with.
    pub fn schema(&self) -> Option<u32> {
        match self {
            Self::AsItIs => None,
            Self::Made { schema, .. } => *schema,
        }
    }
}

/// A record's key and value as the plugin sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decoded {
    pub key: Shown,
    pub value: Shown,
}

impl Decoded {
    pub fn of(&self, field: Field) -> &Shown {
        match field {
            Field::Key => &self.key,
            Field::Value => &self.value,
        }
    }

    pub fn of_mut(&mut self, field: Field) -> &mut Shown {
        match field {
            Field::Key => &mut self.key,
            Field::Value => &mut self.value,
        }
    }
}

/// A record with what stands for its key and value.
pub struct Seen<'a, R: ?Sized> {
    pub record: &'a R,
    pub decoded: &'a Decoded,
}

impl<R: Record + ?Sized> Record for Seen<'_, R> {
    fn key(&self) -> Option<&[u8]> {
        self.decoded.key.or(self.record.key())
    }

    fn value(&self) -> Option<&[u8]> {
        self.decoded.value.or(self.record.value())
    }

    fn headers(&self) -> Vec<Header<'_>> {
        self.record.headers()
    }

    fn offset(&self) -> i64 {
        self.record.offset()
    }

    fn timestamp(&self) -> Timestamp {
        self.record.timestamp()
    }

    fn origin(&self) -> Option<&Origin> {
        self.record.origin()
    }
}
