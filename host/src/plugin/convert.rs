//! Records into the contract's form, which borrows them, and verdicts out of it.

use std::borrow::Cow;

use super::bindings::millrace::plugin::types as wit;
use crate::record::{
    Header, Output, OutputHeaders, OwnedHeader, Payload, Record, Timestamp, Verdict,
};

/// The headers of a batch in the contract's form, which librdkafka's memory does
/// not hold: the messages borrow from here.
pub struct Headers<'a> {
    /// Of all records, one after the other. Names are text here, whatever they were.
    names: Vec<Cow<'a, str>>,
    values: Vec<Option<&'a [u8]>>,
    /// How many each record has. Empty where none has any, the common case.
    counts: Vec<usize>,
}

impl<'a> Headers<'a> {
    pub fn of<R: Record>(records: &'a [R]) -> Self {
        let mut this = Self {
            names: Vec::new(),
            values: Vec::new(),
            counts: Vec::new(),
        };
        for (i, record) in records.iter().enumerate() {
            let headers = record.headers();
            if headers.is_empty() && this.counts.is_empty() {
                continue;
            }
            this.counts.resize(i, 0);
            this.counts.push(headers.len());
            for Header { name, value } in headers {
                this.names.push(String::from_utf8_lossy(name));
                this.values.push(value);
            }
        }
        this
    }

    pub fn lowered(&self) -> Vec<wit::HeaderParam<'_>> {
        self.names
            .iter()
            .zip(&self.values)
            .map(|(name, value)| wit::HeaderParam {
                name,
                value: *value,
            })
            .collect()
    }
}

/// The messages of a batch, with the headers that [`Headers::lowered`] made.
pub fn messages<'a, R: Record>(
    records: &'a [R],
    headers_of_each: &Headers<'_>,
    mut headers: &'a [wit::HeaderParam<'a>],
) -> Vec<wit::Message<'a>> {
    records
        .iter()
        .enumerate()
        .map(|(i, record)| {
            let (own, rest) = headers.split_at(headers_of_each.counts.get(i).copied().unwrap_or(0));
            headers = rest;
            wit::Message {
                key: record.key(),
                value: record.value(),
                headers: own,
                offset: record.offset(),
                timestamp: match record.timestamp() {
                    Timestamp::NotAvailable => wit::Timestamp::NotAvailable,
                    Timestamp::Create(ms) => wit::Timestamp::CreateTime(ms),
                    Timestamp::LogAppend(ms) => wit::Timestamp::LogAppendTime(ms),
                },
            }
        })
        .collect()
}

impl From<wit::Verdict> for Verdict {
    fn from(verdict: wit::Verdict) -> Self {
        match verdict {
            wit::Verdict::Forward => Self::Forward,
            wit::Verdict::Drop => Self::Drop,
            wit::Verdict::Replace(output) => Self::Replace(output.into()),
            wit::Verdict::Expand(outputs) => {
                Self::Expand(outputs.into_iter().map(Output::from).collect())
            }
            wit::Verdict::Fail(reason) => Self::Fail(reason),
        }
    }
}

impl From<wit::Output> for Output {
    fn from(output: wit::Output) -> Self {
        Self {
            topic: output.topic,
            partition: output.partition,
            timestamp: output.timestamp,
            key: output.key.into(),
            value: output.value.into(),
            headers: match output.headers {
                wit::OutputHeaders::Source => OutputHeaders::Source,
                wit::OutputHeaders::Append(own) => OutputHeaders::Append(owned(own)),
                wit::OutputHeaders::Only(own) => OutputHeaders::Only(owned(own)),
            },
        }
    }
}

fn owned(headers: Vec<wit::HeaderResult>) -> Vec<OwnedHeader> {
    headers
        .into_iter()
        .map(|header| OwnedHeader {
            name: header.name.into_bytes(),
            value: header.value,
        })
        .collect()
}

impl From<wit::Payload> for Payload {
    fn from(payload: wit::Payload) -> Self {
        match payload {
            wit::Payload::Source => Self::Source,
            wit::Payload::Null => Self::Null,
            wit::Payload::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}
