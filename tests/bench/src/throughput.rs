//! One throughput run: a contestant reads the whole input into a new topic.
//! Nothing may be missing there, and nothing be too much.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow, ensure};
use millrace_tests::broker::Broker;
use millrace_tests::client::Client;
use millrace_tests::topics::unique;
use millrace_tests::wait::eventually_ok;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

use crate::contestant::{Contestant, Job, Usage, stop};
use crate::data::{Input, PARTITIONS};

/// The longest that a run may take.
const DEADLINE: Duration = Duration::from_secs(180);

/// What one run took.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Input records a second, from the first output to the last.
    pub rate: f64,
    /// Microseconds of CPU an input record, the start included.
    pub cpu: f64,
    /// Bytes.
    pub peak: u64,
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

pub fn run(broker: &Broker, contestant: &Contestant, input: &Input) -> anyhow::Result<Run> {
    let client = broker.client();
    let output = unique("out");
    client.create_topic_with(
        &output,
        PARTITIONS,
        &[("message.timestamp.type", "LogAppendTime")],
    );
    let expected = i64::try_from(match contestant.job {
        Job::Passthrough => input.records,
        Job::Orders => input.kept,
    })?;
    let begun = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let mut process = contestant.start(&broker.address(), &input.topic, &output, &unique("group"));
    eventually_ok(DEADLINE, "all outputs", || {
        if let Some(status) = process.try_wait() {
            return Ok(Err(anyhow!("{} ended: {status}", contestant.name())));
        }
        let written = written(&client, &output)?;
        if written < expected {
            return Err(format!("{written} of {expected} outputs"));
        }
        Ok(Ok(()))
    })?;
    let usage = Usage::of(&process)?;
    stop(process);
    let written = written(&client, &output).map_err(|error| anyhow!(error))?;
    ensure!(
        written == expected,
        "{}: {written} outputs, and {expected} are right",
        contestant.name()
    );
    let (first, last) = appended(&broker.address(), &output)?;
    client.delete_topic(&output);
    ensure!(last > first, "a run this short measures nothing");
    let records = input.records as f64;
    Ok(Run {
        rate: records / (last - first).as_secs_f64(),
        cpu: usage.cpu.as_secs_f64() * 1e6 / records,
        peak: usage.peak,
        first: first.saturating_sub(begun).as_secs_f64(),
    })
}

/// How many records a topic has.
fn written(client: &Client, topic: &str) -> Result<i64, String> {
    let watermarks = client.watermarks(topic)?;
    Ok(watermarks.iter().map(|(low, high)| high - low).sum())
}

/// When the broker appended the first and the last record of a topic.
fn appended(brokers: &str, topic: &str) -> anyhow::Result<(Duration, Duration)> {
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
    let first = times.iter().min().context("no output")?;
    let last = times.iter().max().context("no output")?;
    Ok((*first, *last))
}
