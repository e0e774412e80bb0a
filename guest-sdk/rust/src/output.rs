//! What goes out: making an [`Output`], a [`Payload`] and a [`Verdict`].

use crate::{Header, Output, OutputHeaders, Payload, Verdict};

impl Output {
    /// Everything as in the source message, to the default topic.
    pub fn source() -> Self {
        Output {
            topic: None,
            partition: None,
            timestamp: None,
            key: Payload::Source,
            value: Payload::Source,
            headers: OutputHeaders::Source,
        }
    }

    /// This value; the rest as [`Output::source`].
    pub fn value(value: impl Into<Payload>) -> Self {
        Output {
            value: value.into(),
            ..Output::source()
        }
    }

    /// A null value; the rest as [`Output::source`].
    pub fn tombstone() -> Self {
        Output::value(Payload::Null)
    }

    /// The same with this key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Payload>) -> Self {
        self.key = key.into();
        self
    }

    /// The same with this header after those that it has: after the source's,
    /// unless [`with_only_headers`](Output::with_only_headers) left them out.
    #[must_use]
    pub fn with_header(mut self, header: impl Into<Header>) -> Self {
        let header = header.into();
        match &mut self.headers {
            OutputHeaders::Source => self.headers = OutputHeaders::Append(vec![header]),
            OutputHeaders::Append(own) | OutputHeaders::Only(own) => own.push(header),
        }
        self
    }

    /// The same with these headers instead of the source's.
    #[must_use]
    pub fn with_only_headers(
        mut self,
        headers: impl IntoIterator<Item = impl Into<Header>>,
    ) -> Self {
        self.headers = OutputHeaders::Only(headers.into_iter().map(Into::into).collect());
        self
    }

    /// The same with this timestamp, in milliseconds since the epoch.
    #[must_use]
    pub fn with_timestamp(mut self, millis: i64) -> Self {
        self.timestamp = Some(millis);
        self
    }

    /// The same to this topic.
    #[must_use]
    pub fn to_topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// The same to this partition, counted from 0.
    #[must_use]
    pub fn to_partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Payload::Bytes(bytes)
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        Payload::Bytes(bytes.into())
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Payload::Bytes(text.into())
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Payload::Bytes(text.into())
    }
}

/// `None` is Kafka's null.
impl<T: Into<Payload>> From<Option<T>> for Payload {
    fn from(payload: Option<T>) -> Self {
        payload.map_or(Payload::Null, Into::into)
    }
}

impl From<Output> for Verdict {
    fn from(output: Output) -> Self {
        Verdict::Replace(output)
    }
}

impl From<Vec<Output>> for Verdict {
    fn from(outputs: Vec<Output>) -> Self {
        Verdict::Expand(outputs)
    }
}

/// `None` is [`Verdict::Drop`].
impl From<Option<Output>> for Verdict {
    fn from(output: Option<Output>) -> Self {
        output.map_or(Verdict::Drop, Verdict::Replace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_the_sources() {
        let output = Output::value("v")
            .to_topic("t")
            .to_partition(2)
            .with_timestamp(9);
        assert_eq!(
            output,
            Output {
                topic: Some("t".into()),
                partition: Some(2),
                timestamp: Some(9),
                key: Payload::Source,
                value: Payload::Bytes(b"v".to_vec()),
                headers: OutputHeaders::Source,
            },
        );
    }

    #[test]
    fn none_is_null_and_an_empty_value_is_not() {
        assert_eq!(Output::value(None::<&str>), Output::tombstone());
        assert_ne!(Output::value(""), Output::tombstone());
    }

    #[test]
    fn a_header_is_added_to_the_sources_unless_those_are_left_out() {
        let added = Output::source()
            .with_header(("a", "1"))
            .with_header(("b", "2"));
        let both = vec![Header::new("a", "1"), Header::new("b", "2")];
        assert_eq!(added.headers, OutputHeaders::Append(both.clone()));
        let only = Output::source()
            .with_only_headers([("a", "1")])
            .with_header(("b", "2"));
        assert_eq!(only.headers, OutputHeaders::Only(both));
    }

    #[test]
    fn outputs_become_verdicts() {
        let output = Output::value("v");
        assert_eq!(
            Verdict::from(output.clone()),
            Verdict::Replace(output.clone())
        );
        assert_eq!(
            Verdict::from(vec![output.clone()]),
            Verdict::Expand(vec![output])
        );
        assert_eq!(Verdict::from(None::<Output>), Verdict::Drop);
    }
}
