//! The conformance suite's transform (tests/conformance/README.md).

mod common;

use std::fmt::Write as _;

use millrace_sdk::{
    Header, Message, Output, OutputHeaders, Payload, Result, Source, Timestamp, Transform, Verdict,
    log,
};

struct Guest {
    judged: u64,
}

impl Transform for Guest {
    fn new(config: &str) -> Result<Self> {
        common::configure(config).map(|()| Guest { judged: 0 })
    }

    fn transform(&mut self, message: Message, source: &Source<'_>) -> Result<Verdict> {
        self.judged += 1;
        let Some(value) = &message.value else {
            return Ok(Verdict::Forward);
        };
        let (word, argument) = common::split(value);
        let output = match word {
            b"forward" => return Ok(Verdict::Forward),
            b"drop" => return Ok(Verdict::Drop),
            b"same" => Output::source(),
            b"key" => Output::source().with_key(argument.to_vec()),
            b"null-key" => Output::source().with_key(Payload::Null),
            b"value" => Output::value(argument.to_vec()),
            b"null-value" => Output::tombstone(),
            b"timestamp" => Output::source().with_timestamp(number(argument)?),
            b"topic" => Output::source().to_topic(text(argument)?),
            b"partition" => Output::source().to_partition(number(argument)?),
            b"append" => headers(OutputHeaders::Append(four())),
            b"append-none" => headers(OutputHeaders::Append(Vec::new())),
            b"only" => headers(OutputHeaders::Only(four())),
            b"only-none" => headers(OutputHeaders::Only(Vec::new())),
            b"expand" => {
                let outputs = 0..number::<u64>(argument)?;
                let outputs = outputs.map(|n| Output::value(n.to_string()));
                return Ok(Verdict::Expand(outputs.collect()));
            }
            b"each" => {
                return Ok(Verdict::Expand(vec![
                    Output::tombstone(),
                    Output::source().to_topic("other"),
                    headers(OutputHeaders::Only(four())),
                ]));
            }
            b"fail" | b"throw" => return Err(text(argument)?.into()),
            b"log" => {
                let (level, line) = common::split(argument);
                write(level, text(line)?)?;
                return Ok(Verdict::Forward);
            }
            b"describe" => Output::value(describe(&message, source)),
            b"echo" => Output {
                key: message.key.map_or(Payload::Null, Payload::Bytes),
                value: Payload::Bytes(value.clone()),
                headers: OutputHeaders::Only(message.headers),
                ..Output::source()
            },
            b"count" => Output::value(self.judged.to_string()),
            other => {
                let word = String::from_utf8_lossy(other);
                return Err(format!("unknown command: {word}").into());
            }
        };
        Ok(output.into())
    }
}

millrace_sdk::plugin!(Guest);

fn text(argument: &[u8]) -> Result<&str> {
    std::str::from_utf8(argument).map_err(|_| "bad argument".into())
}

fn number<T: std::str::FromStr>(argument: &[u8]) -> Result<T> {
    text(argument)?.parse().map_err(|_| "bad argument".into())
}

fn headers(headers: OutputHeaders) -> Output {
    Output {
        headers,
        ..Output::source()
    }
}

fn four() -> Vec<Header> {
    let header = |name: &str, value: Option<&[u8]>| Header {
        name: name.to_owned(),
        value: value.map(<[u8]>::to_vec),
    };
    vec![
        header("a", Some(b"1")),
        header("a", None),
        header("é", Some(b"\x00\xff")),
        header("b", Some(b"")),
    ]
}

fn write(level: &[u8], line: &str) -> Result<()> {
    match level {
        b"trace" => log::trace!("{line}"),
        b"debug" => log::debug!("{line}"),
        b"info" => log::info!("{line}"),
        b"warn" => log::warn!("{line}"),
        b"error" => log::error!("{line}"),
        _ => return Err("bad argument".into()),
    }
    Ok(())
}

fn describe(message: &Message, source: &Source<'_>) -> String {
    let timestamp = match message.timestamp {
        Timestamp::NotAvailable => "not-available".to_owned(),
        Timestamp::CreateTime(millis) => format!("create-time:{millis}"),
        Timestamp::LogAppendTime(millis) => format!("log-append-time:{millis}"),
    };
    let header = |header: &Header| format!("{}={}", header.name, hex(header.value.as_deref()));
    let headers: Vec<_> = message.headers.iter().map(header).collect();
    format!(
        "topic={} partition={} offset={} timestamp={timestamp} key={} headers=[{}]",
        source.topic,
        source.partition,
        message.offset,
        hex(message.key.as_deref()),
        headers.join(",")
    )
}

fn hex(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else {
        return "null".to_owned();
    };
    bytes.iter().fold("0x".to_owned(), |mut text, byte| {
        // Writing into a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
