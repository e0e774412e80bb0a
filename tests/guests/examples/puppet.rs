//! Does what each record's value tells it to; the README lists the commands.
//! What it does not know, it forwards.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use millrace_sdk::log::{self, Level};
use millrace_sdk::{
    Header, Message, Output, Payload, Result, Source, Timestamp, Transform, Verdict,
};

struct Puppet {
    config: String,
    seen: u64,
}

impl Transform for Puppet {
    fn new(config: &str) -> Result<Self> {
        Ok(Puppet {
            config: config.into(),
            seen: 0,
        })
    }

    fn transform(&mut self, message: Message, source: &Source<'_>) -> Result<Verdict> {
        self.seen += 1;
        let Ok(line) = message.value_str() else {
            return Ok(Verdict::Forward);
        };
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        let output = match command {
            // Verdicts.
            "drop" => return Ok(Verdict::Drop),
            "fail" => return Err(rest.into()),
            "expand" => {
                let values = 0..rest.parse::<u32>()?;
                let outputs: Vec<_> = values.map(|i| Output::value(i.to_string())).collect();
                return Ok(outputs.into());
            }

            // Outputs.
            "replace" => Output::source(),
            "value" => Output::value(rest),
            "null" => Output::tombstone(),
            "bytes" => Output::value(vec![b'x'; rest.parse()?]),
            "returns" => Output::value(vec![b'x'; rest.parse::<usize>()? << 20]),
            "key" => Output::source().with_key(rest),
            "key-null" => Output::source().with_key(Payload::Null),
            "reheader" => {
                let header = rest.split_once('=').ok_or("reheader takes name=value")?;
                Output::source().with_only_headers([header])
            }
            "header" => {
                let header = rest.split_once('=').ok_or("header takes name=value")?;
                Output::source().with_header(header)
            }
            "timestamp" => Output::source().with_timestamp(rest.parse()?),
            "topic" => Output::source().to_topic(rest),
            "topics" => {
                let outputs: Vec<_> = rest
                    .split(' ')
                    .map(|t| Output::source().to_topic(t))
                    .collect();
                return Ok(outputs.into());
            }
            "partition" => Output::source().to_partition(rest.parse()?),
            "topic-partition" => {
                let (topic, partition) = rest.split_once(' ').ok_or("it takes NAME N")?;
                Output::source()
                    .to_topic(topic)
                    .to_partition(partition.parse()?)
            }

            // What it sees.
            "config" => Output::value(&*self.config),
            "count" => Output::value(self.seen.to_string()),
            "source" => Output::value(position(&message, source)),
            "headers" => Output::value(rendered(&message.headers)),
            "env" => Output::value(std::env::var(rest).ok()),
            "args" => Output::value(std::env::args().collect::<Vec<_>>().join(" ")),
            "time" => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
                Output::value(now.as_millis().to_string())
            }
            "random" => Output::value(getrandom::u64()?.to_string()),
            "hash-seed" => Output::value(RandomState::new().hash_one(0).to_string()),

            // What it says.
            "log" => {
                let (level, text) = rest.split_once(' ').unwrap_or((rest, ""));
                log::log(level_of(level)?, format_args!("{text}"));
                return Ok(Verdict::Forward);
            }
            #[expect(clippy::print_stdout, reason = "that is what it is for")]
            "print" => {
                println!("{rest}");
                return Ok(Verdict::Forward);
            }
            "eprint" => {
                eprintln!("{rest}");
                return Ok(Verdict::Forward);
            }

            #[expect(clippy::print_stdout, reason = "that is what it is for")]
            "flood" => {
                for n in 0..rest.parse::<u64>()? {
                    println!("line {n} of a flood");
                }
                return Ok(Verdict::Forward);
            }

            // What it should not do.
            "leak" => {
                black_box(vec![1u8; rest.parse()?].leak());
                return Ok(Verdict::Forward);
            }
            "trap" => trap(),
            "panic" => panic!("{rest}"),
            "exit" => std::process::exit(rest.parse()?),
            "recurse" => return recurse(),
            "sleep" => {
                std::thread::sleep(Duration::from_millis(rest.parse()?));
                return Ok(Verdict::Forward);
            }
            #[expect(clippy::print_stdout, reason = "that is what it is for")]
            "print-loop" => loop {
                println!("without end");
            },
            "loop" => loop {
                spin_loop();
            },
            "alloc" => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(black_box(vec![1u8; 1 << 20]));
                }
            }
            _ => return Ok(Verdict::Forward),
        };
        Ok(output.into())
    }
}

/// `topic/partition/offset/timestamp`.
fn position(message: &Message, source: &Source<'_>) -> String {
    let timestamp = match message.timestamp {
        Timestamp::NotAvailable => "not-available".into(),
        Timestamp::CreateTime(millis) => format!("create-time {millis}"),
        Timestamp::LogAppendTime(millis) => format!("log-append-time {millis}"),
    };
    format!(
        "{}/{}/{}/{timestamp}",
        source.topic, source.partition, message.offset
    )
}

/// `name=value,name=null`; bytes that are not UTF-8 show U+FFFD.
fn rendered(headers: &[Header]) -> String {
    let render = |Header { name, value }: &Header| match value {
        Some(value) => format!("{name}={}", String::from_utf8_lossy(value)),
        None => format!("{name}=null"),
    };
    headers.iter().map(render).collect::<Vec<_>>().join(",")
}

fn level_of(name: &str) -> Result<Level> {
    Ok(match name {
        "trace" => Level::Trace,
        "debug" => Level::Debug,
        "info" => Level::Info,
        "warn" => Level::Warn,
        "error" => Level::Error,
        _ => return Err(format!("no such level: {name}").into()),
    })
}

fn trap() -> ! {
    #[cfg(target_arch = "wasm32")]
    std::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort();
}

/// Fills the Wasm stack. What is counted keeps it from becoming a loop, and it
/// keeps nothing in linear memory, whose own stack would else be full first.
#[expect(unconditional_recursion, reason = "that is what it is for")]
#[inline(never)]
fn recurse() -> Result<Verdict> {
    static DEPTH: AtomicU64 = AtomicU64::new(0);
    DEPTH.fetch_add(1, Ordering::Relaxed);
    let verdict = recurse();
    DEPTH.fetch_sub(1, Ordering::Relaxed);
    verdict
}

millrace_sdk::plugin!(Puppet);
