//! The records: orders of about 110 bytes, the same in every run, some of them
//! flawed where an input is made so, and records of ten fields; and what is to come
//! of them.

use std::time::Duration;

use anyhow::ensure;
use millrace_tests::client::Client;
use millrace_tests::topics::unique;
use rdkafka::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::contestant::Job;
use crate::readings::{Readings, sensor};

pub const PARTITIONS: i32 = 4;

/// So many of so many records are such that a plugin fails them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flaws {
    pub flaw: Flaw,
    pub count: u64,
    pub of: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// An amount that is a text: `orders` fails it.
    BrokenOrder,
    /// `traps_on_poison` traps at it.
    Poison,
}

impl Flaws {
    /// The same without any.
    pub fn none(self) -> Self {
        Self { count: 0, ..self }
    }

    /// One record in each stretch, and in the next stretch one place later: else
    /// all had the same few keys, and stood in a partition or two. Not the first
    /// of all records: what happens before the first output is not measured.
    fn hit(self, id: u64) -> bool {
        match self.of.checked_div(self.count) {
            Some(stretch) => id % stretch == (id / stretch + stretch / 2) % stretch,
            None => false,
        }
    }
}

/// What an input holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Orders(Option<Flaws>),
    /// Records of ten fields.
    Avro,
    /// The same.
    Json,
}

/// A topic that is filled once and read by every contestant that it is for.
pub struct Input {
    pub topic: String,
    pub records: u64,
    flawed: u64,
    /// Neither flawed nor void.
    kept: u64,
}

/// How many records a job makes of an input.
#[derive(Debug, Clone, Copy)]
pub struct Yield {
    pub outputs: i64,
    pub letters: i64,
}

impl Input {
    pub fn yields(&self, job: Job) -> anyhow::Result<Yield> {
        let (outputs, letters) = match job {
            Job::Passthrough | Job::Works | Job::Avro | Job::Json => (self.records, 0),
            Job::Orders | Job::OrdersIn(_) => (self.kept, self.flawed),
            Job::TrapsOnPoison => (self.records - self.flawed, self.flawed),
        };
        Ok(Yield {
            outputs: outputs.try_into()?,
            letters: letters.try_into()?,
        })
    }
}

/// Fills a topic.
pub fn write_all(
    client: &Client,
    brokers: &str,
    records: u64,
    content: Content,
    readings: &Readings,
) -> anyhow::Result<Input> {
    let topic = unique("input");
    client.create_topic(&topic, PARTITIONS);
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("linger.ms", "50")
        .set("queue.buffering.max.messages", "200000")
        .create()?;
    let flaws = match content {
        Content::Orders(flaws) => flaws,
        Content::Avro | Content::Json => {
            for number in 0..records {
                let value = match content {
                    Content::Avro => readings.avro(number)?,
                    _ => readings.json(number)?,
                };
                write(&producer, &topic, &sensor(number), &value)?;
            }
            producer.flush(Duration::from_secs(60))?;
            return Ok(Input {
                topic,
                records,
                flawed: 0,
                kept: records,
            });
        }
    };
    let (mut flawed, mut kept) = (0, 0);
    for id in 0..records {
        let status = match id % 10 {
            0 => "void",
            1..=3 => "open",
            _ => "paid",
        };
        let customer = format!("c{:05}", id % 10_000);
        let amount = format!("{}.{:02}", id % 300, id % 100);
        let order = |amount: &str| {
            format!(
                r#"{{"id":{id},"customer":"{customer}","amount":{amount},"currency":"EUR","status":"{status}","note":"at the door"}}"#
            )
        };
        let flaw = flaws.filter(|flaws| flaws.hit(id)).map(|flaws| flaws.flaw);
        let value = match flaw {
            None => order(&amount),
            Some(Flaw::BrokenOrder) => order(&format!("\"{amount}\"")),
            Some(Flaw::Poison) => "poison".to_owned(),
        };
        flawed += u64::from(flaw.is_some());
        kept += u64::from(flaw.is_none() && status != "void");
        write(&producer, &topic, &customer, value.as_bytes())?;
    }
    producer.flush(Duration::from_secs(60))?;
    ensure!(
        flawed > 0 || flaws.is_none(),
        "{records} records are too few for one that fails"
    );
    Ok(Input {
        topic,
        records,
        flawed,
        kept,
    })
}

/// Writes one record, and waits while the buffer is full.
pub fn write(producer: &BaseProducer, topic: &str, key: &str, value: &[u8]) -> anyhow::Result<()> {
    let mut record = BaseRecord::to(topic).key(key).payload(value);
    loop {
        match producer.send(record) {
            Ok(()) => {
                producer.poll(Duration::ZERO);
                return Ok(());
            }
            Err((error, back))
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) =>
            {
                record = back;
                producer.poll(Duration::from_millis(5));
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}
