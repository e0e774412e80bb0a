//! One latency run: records written at a steady rate, and the time until each
//! can be read from the output.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use millrace_tests::broker::Broker;
use millrace_tests::topics::unique;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

use crate::contestant::{Contestant, Topics, stop};
use crate::data::{PARTITIONS, write};

/// Records a second.
pub const RATE: u64 = 2_000;

/// How long the contestant may take to join and to warm up.
const WARM: Duration = Duration::from_secs(30);

/// How long the last records may take.
const LAST: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy)]
pub struct Delay {
    pub p50: Duration,
    pub p99: Duration,
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {:.1?}, p99 {:.1?}", self.p50, self.p99)
    }
}

pub fn run(broker: &Broker, contestant: &Contestant, seconds: u64) -> anyhow::Result<Delay> {
    let client = broker.client();
    let (input, output) = (unique("steady"), unique("out"));
    client.create_topic(&input, PARTITIONS);
    client.create_topic(&output, PARTITIONS);
    let brokers = broker.address();
    let topics = Topics {
        input: &input,
        output: &output,
        dead_letter: None,
        registry: "",
    };
    let folder = tempfile::tempdir()?;
    let process = contestant.start(&brokers, &topics, &unique("group"), folder.path());
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &brokers)
        .set("linger.ms", "0")
        .create()?;
    let reader: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &brokers)
        .set("group.id", "none")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(&output, partition, Offset::Beginning)?;
    }
    reader.assign(&list)?;
    warm_up(&producer, &reader, &input)?;

    let clock = Instant::now();
    let total = RATE * seconds;
    let delays = thread::scope(|scope| {
        let reading = scope.spawn(|| read(&reader, clock, total, Duration::from_secs(seconds)));
        for n in 0..total {
            let due = Duration::from_micros(n * 1_000_000 / RATE);
            thread::sleep(due.saturating_sub(clock.elapsed()));
            // The time of writing, as text, in a value of about 110 bytes.
            let value = format!("{:020}{:90}", clock.elapsed().as_nanos(), "");
            write(&producer, &input, &format!("k{n}"), value.as_bytes())?;
        }
        producer.flush(LAST)?;
        reading
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    stop(process);
    client.delete_topic(&input);
    client.delete_topic(&output);
    let at = |share: usize| delays[(delays.len() - 1) * share / 100];
    Ok(Delay {
        p50: at(50),
        p99: at(99),
    })
}

/// A record in every partition, out and in again.
fn warm_up(producer: &BaseProducer, reader: &BaseConsumer, input: &str) -> anyhow::Result<()> {
    let wanted = 200;
    for n in 0..wanted {
        write(producer, input, &format!("w{n}"), b"")?;
    }
    producer.flush(LAST)?;
    let (begun, mut seen) = (Instant::now(), 0);
    while seen < wanted {
        ensure!(
            begun.elapsed() < WARM,
            "{seen} of {wanted} records came through"
        );
        if let Some(message) = reader.poll(Duration::from_millis(100)) {
            message?;
            seen += 1;
        }
    }
    Ok(())
}

/// The delays of all records, sorted.
fn read(
    reader: &BaseConsumer,
    clock: Instant,
    total: u64,
    writing: Duration,
) -> anyhow::Result<Vec<Duration>> {
    let mut delays = Vec::new();
    while (delays.len() as u64) < total {
        ensure!(
            clock.elapsed() < writing + LAST,
            "{} of {total} records came through",
            delays.len()
        );
        if let Some(message) = reader.poll(Duration::from_millis(100)) {
            let now = clock.elapsed();
            let message = message?;
            let written = message.payload().context("a value")?;
            let nanos: u64 = std::str::from_utf8(&written[..20])?.parse()?;
            delays.push(now.saturating_sub(Duration::from_nanos(nanos)));
        }
    }
    delays.sort();
    Ok(delays)
}
