//! Records as JSON lines: bytes are text where they are UTF-8, and
//! `{"base64":"…"}` where they are not; null is null.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::pipeline::ports::{Outcome, Tap};
use crate::record::{
    Header, Output, OutputHeaders, OwnedHeader, Payload, Record, TopicPartition, Verdict,
};

/// One record, and where it is.
pub fn record(partition: &TopicPartition, record: &dyn Record) -> Value {
    json!({
        "topic": &*partition.topic,
        "partition": partition.partition,
        "offset": record.offset(),
        "timestamp": record.timestamp().millis(),
        "key": bytes(record.key()),
        "value": bytes(record.value()),
        "headers": headers(&record.headers()),
    })
}

/// Prints a line for every record that passes.
pub fn tap() -> Tap {
    Box::new(|partition, record, outcome| {
        let mut line = serde_json::to_vec(&passed(partition, record, outcome))?;
        line.push(b'\n');
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&line)?;
        stdout.flush()
    })
}

/// One record that passed, and what became of it.
pub fn passed(partition: &TopicPartition, record: &dyn Record, outcome: Outcome<'_>) -> Value {
    let mut line = self::record(partition, record);
    let verdict = match outcome {
        Outcome::Judged(verdict) => verdict,
        Outcome::Rejected(rejected) => {
            line["verdict"] = "fail".into();
            line["stage"] = rejected.stage.name().into();
            line["reason"] = rejected.reason.as_str().into();
            return line;
        }
    };
    line["verdict"] = verdict.name().into();
    match verdict {
        Verdict::Replace(_) | Verdict::Expand(_) => {
            line["outputs"] = verdict
                .outputs()
                .unwrap_or_default()
                .iter()
                .map(output)
                .collect();
        }
        Verdict::Fail(reason) => line["reason"] = reason.as_str().into(),
        Verdict::Forward | Verdict::Drop => {}
    }
    line
}

/// What an output leaves to the pipeline or its source is left out.
fn output(output: &Output) -> Value {
    let mut line = serde_json::Map::new();
    if let Some(topic) = &output.topic {
        line.insert("topic".to_owned(), topic.as_str().into());
    }
    if let Some(partition) = output.partition {
        line.insert("partition".to_owned(), partition.into());
    }
    if let Some(timestamp) = output.timestamp {
        line.insert("timestamp".to_owned(), timestamp.into());
    }
    for (field, payload) in [("key", &output.key), ("value", &output.value)] {
        match payload {
            Payload::Source => {}
            Payload::Null => {
                line.insert(field.to_owned(), Value::Null);
            }
            Payload::Bytes(own) => {
                line.insert(field.to_owned(), bytes(Some(own)));
            }
        }
    }
    let field = match &output.headers {
        OutputHeaders::Source => None,
        OutputHeaders::Append(_) => Some("append_headers"),
        OutputHeaders::Only(_) => Some("headers"),
    };
    if let Some(field) = field {
        let own = output.headers.own();
        let own: Vec<Header<'_>> = own.iter().map(OwnedHeader::borrowed).collect();
        line.insert(field.to_owned(), headers(&own));
    }
    Value::Object(line)
}

fn headers(list: &[Header<'_>]) -> Value {
    list.iter().map(header).collect()
}

/// A header's name and value.
pub fn header(header: &Header<'_>) -> Value {
    json!([bytes(Some(header.name)), bytes(header.value)])
}

/// A key or a value.
pub fn bytes(bytes: Option<&[u8]>) -> Value {
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => Value::Null,
        Some((_, Ok(text))) => text.into(),
        Some((bytes, Err(_))) => json!({ "base64": STANDARD.encode(bytes) }),
    }
}
