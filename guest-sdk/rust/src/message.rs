//! What comes in: reading a [`Message`], and making one for a unit test.

use crate::{Batch, Header, Message, Result, Timestamp};

impl Message {
    /// A message with this value, a null key, no headers, offset 0 and no
    /// timestamp: where a unit test begins.
    pub fn new(value: impl Into<Vec<u8>>) -> Self {
        Message {
            value: Some(value.into()),
            ..Message::tombstone()
        }
    }

    /// As [`Message::new`], with a null value.
    pub fn tombstone() -> Self {
        Message {
            key: None,
            value: None,
            headers: Vec::new(),
            offset: 0,
            timestamp: Timestamp::NotAvailable,
        }
    }

    /// The same with this key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The same with this header after those that it has.
    #[must_use]
    pub fn with_header(mut self, header: impl Into<Header>) -> Self {
        self.headers.push(header.into());
        self
    }

    /// The same at this offset.
    #[must_use]
    pub fn with_offset(mut self, offset: i64) -> Self {
        self.offset = offset;
        self
    }

    /// The same, written by its producer at `millis` since the epoch.
    #[must_use]
    pub fn with_create_time(mut self, millis: i64) -> Self {
        self.timestamp = Timestamp::CreateTime(millis);
        self
    }

    /// The key's bytes, or an error that says that it is null.
    pub fn key_bytes(&self) -> Result<&[u8]> {
        Ok(self.key.as_deref().ok_or("the key is null")?)
    }

    /// The key as text, or an error that says why it is none.
    pub fn key_str(&self) -> Result<&str> {
        let text = std::str::from_utf8(self.key_bytes()?);
        Ok(text.map_err(|error| format!("the key is not UTF-8: {error}"))?)
    }

    /// The value's bytes, or an error that says that it is null.
    pub fn value_bytes(&self) -> Result<&[u8]> {
        Ok(self.value.as_deref().ok_or("the value is null")?)
    }

    /// The value as text, or an error that says why it is none.
    pub fn value_str(&self) -> Result<&str> {
        let text = std::str::from_utf8(self.value_bytes()?);
        Ok(text.map_err(|error| format!("the value is not UTF-8: {error}"))?)
    }

    /// The value of the last header of this name (as Kafka's `lastHeader`):
    /// `None` where there is none, or where it is null.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let header = self
            .headers
            .iter()
            .rev()
            .find(|header| header.name == name)?;
        header.value.as_deref()
    }
}

impl Header {
    /// A header with a value. A null one is `Header { name, value: None }`.
    pub fn new(name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        Header {
            name: name.into(),
            value: Some(value.into()),
        }
    }
}

impl<N: Into<String>, V: Into<Vec<u8>>> From<(N, V)> for Header {
    fn from((name, value): (N, V)) -> Self {
        Header::new(name, value)
    }
}

impl Timestamp {
    /// Milliseconds since the epoch, whoever set them.
    pub fn millis(&self) -> Option<i64> {
        match *self {
            Timestamp::NotAvailable => None,
            Timestamp::CreateTime(millis) | Timestamp::LogAppendTime(millis) => Some(millis),
        }
    }
}

impl Batch {
    /// A batch for a unit test.
    pub fn new(
        topic: impl Into<String>,
        partition: i32,
        messages: impl IntoIterator<Item = Message>,
    ) -> Self {
        Batch {
            topic: topic.into(),
            partition,
            messages: messages.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_value_and_one_that_is_not_utf8_say_so() {
        let reason = |message: Message| message.value_str().unwrap_err().to_string();
        assert_eq!(reason(Message::tombstone()), "the value is null");
        assert_eq!(
            reason(Message::new([b'a', 0xff])),
            "the value is not UTF-8: invalid utf-8 sequence of 1 bytes from index 1",
        );
        assert_eq!(Message::new("").value_str().unwrap(), "");
    }

    #[test]
    fn the_last_header_of_a_name_wins() {
        let message = Message::new("")
            .with_header(("trace", "1"))
            .with_header(("trace", "2"));
        assert_eq!(message.header("trace"), Some(&b"2"[..]));
        assert_eq!(message.header("Trace"), None);
    }

    #[test]
    fn a_timestamp_that_is_not_available_has_no_millis() {
        assert_eq!(Message::new("").timestamp.millis(), None);
        assert_eq!(
            Message::new("").with_create_time(-1).timestamp.millis(),
            Some(-1)
        );
        assert_eq!(Timestamp::LogAppendTime(5).millis(), Some(5));
    }
}
