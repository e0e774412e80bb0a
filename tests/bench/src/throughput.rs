//! One throughput run: a contestant reads the whole input into a new topic, and
//! into one for dead letters where it has one. Nothing may be missing there, and
//! nothing be too much.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow, ensure};
use millrace_tests::broker::Broker;
use millrace_tests::client::Client;
use millrace_tests::topics::unique;
use millrace_tests::wait::eventually_ok;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

use crate::contestant::{Contestant, Topics, Usage, recycled, stop};
use crate::data::{Input, PARTITIONS};

/// The longest that a run may take.
const DEADLINE: Duration = Duration::from_secs(180);

/// What one run took.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Input records a second, from the first output to the last; a dead letter
    /// counts as one.
    pub rate: f64,
    /// Microseconds of CPU an input record, the start included.
    pub cpu: f64,
    /// Bytes.
    pub peak: u64,
    /// How many instances of the plugin gave way to a fresh one.
    pub recycled: u64,
    /// Seconds from the start of the process to its first output.
    pub first: f64,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:9.0} records/s  {:5.2} µs CPU/record  {:4.0} MB  first after {:.2} s",
            self.rate,
            self.cpu,
            self.peak as f64 / 1e6,
            self.first
        )
    }
}

pub fn run(
    broker: &Broker,
    contestant: &Contestant,
    input: &Input,
    registry: &str,
) -> anyhow::Result<Run> {
    let client = broker.client();
    let output = new_topic(&client, "out");
    let letters = contestant.flaws.map(|_| new_topic(&client, "dead"));
    let topics = Topics {
        input: &input.topic,
        output: &output,
        dead_letter: letters.as_deref(),
        registry,
    };
    let expected = input.yields(contestant.job)?;
    let mut wanted = vec![(&output, expected.outputs)];
    wanted.extend(letters.as_ref().map(|letters| (letters, expected.letters)));
    let begun = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let group = unique("group");
    let folder = tempfile::tempdir()?;
    let mut process = contestant.start(&broker.address(), &topics, &group, folder.path());
    eventually_ok(DEADLINE, "all outputs", || {
        if let Some(status) = process.try_wait() {
            return Ok(Err(anyhow!("{} ended: {status}", contestant.name())));
        }
        if contestant.is_transactional() {
            // Its markers are no records, and look like some from outside.
            let done: i64 = client.committed(&group, &input.topic).values().sum();
            return match u64::try_from(done) == Ok(input.records) {
                true => Ok(Ok(())),
                false => Err(format!("{done} of {} records are done", input.records)),
            };
        }
        for (topic, count) in &wanted {
            let written = written(&client, topic)?;
            if written < *count {
                return Err(format!("{written} of {count} records in {topic}"));
            }
        }
        Ok(Ok(()))
    })?;
    let usage = Usage::of(&process)?;
    stop(process);
    let mut times = Vec::new();
    for (topic, count) in wanted {
        let written = match contestant.is_transactional() {
            true => read(&broker.address(), topic, &mut times)?,
            false => {
                times.extend(appended(&broker.address(), topic)?);
                written(&client, topic).map_err(|error| anyhow!(error))?
            }
        };
        ensure!(
            written == count,
            "{}: {written} records in {topic}, and {count} are right",
            contestant.name()
        );
        client.delete_topic(topic);
    }
    let first = *times.iter().min().context("no output")?;
    let last = *times.iter().max().context("no output")?;
    ensure!(last > first, "a run this short measures nothing");
    let records = input.records as f64;
    Ok(Run {
        rate: records / (last - first).as_secs_f64(),
        cpu: usage.cpu.as_secs_f64() * 1e6 / records,
        peak: usage.peak,
        recycled: recycled(folder.path())?,
        first: first.saturating_sub(begun).as_secs_f64(),
    })
}

/// With the broker's clock in its records.
pub fn new_topic(client: &Client, stem: &str) -> String {
    let topic = unique(stem);
    let settings = [("message.timestamp.type", "LogAppendTime")];
    client.create_topic_with(&topic, PARTITIONS, &settings);
    topic
}

/// How many records a topic has.
pub fn written(client: &Client, topic: &str) -> Result<i64, String> {
    let watermarks = client.watermarks(topic)?;
    Ok(watermarks.iter().map(|(low, high)| high - low).sum())
}

/// How many committed records a topic has, and when the broker appended them.
fn read(brokers: &str, topic: &str, times: &mut Vec<Duration>) -> anyhow::Result<i64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "none")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    let (mut count, mut ended) = (0, 0);
    while ended < PARTITIONS {
        match consumer
            .poll(DEADLINE)
            .context("a topic could not be read")?
        {
            Err(KafkaError::PartitionEOF(_)) => ended += 1,
            message => {
                let millis = message?.timestamp().to_millis().context("no append time")?;
                times.push(Duration::from_millis(u64::try_from(millis)?));
                count += 1;
            }
        }
    }
    Ok(count)
}

/// When the broker appended the first and the last record of each partition.
fn appended(brokers: &str, topic: &str) -> anyhow::Result<Vec<Duration>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "none")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut times = Vec::new();
    for partition in 0..PARTITIONS {
        let (low, high) = consumer.fetch_watermarks(topic, partition, DEADLINE)?;
        if high == low {
            continue;
        }
        for offset in [low, high - 1] {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(topic, partition, Offset::Offset(offset))?;
            consumer.assign(&list)?;
            let message = consumer
                .poll(Duration::from_secs(10))
                .context("an output could not be read")??;
            let millis = message.timestamp().to_millis().context("no append time")?;
            times.push(Duration::from_millis(u64::try_from(millis)?));
        }
    }
    Ok(times)
}
