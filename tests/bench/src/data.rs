//! The records: orders of about 110 bytes, the same in every run.

use std::time::Duration;

use millrace_tests::client::Client;
use millrace_tests::topics::unique;
use rdkafka::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

pub const PARTITIONS: i32 = 4;

/// A topic that is filled once and read by every contestant.
pub struct Input {
    pub topic: String,
    pub records: u64,
    /// How many the orders job lets through.
    pub kept: u64,
}

pub fn write_orders(client: &Client, brokers: &str, records: u64) -> anyhow::Result<Input> {
    let topic = unique("orders");
    client.create_topic(&topic, PARTITIONS);
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("linger.ms", "50")
        .set("queue.buffering.max.messages", "200000")
        .create()?;
    let mut kept = 0;
    for id in 0..records {
        let status = match id % 10 {
            0 => "void",
            1..=3 => "open",
            _ => "paid",
        };
        kept += u64::from(status != "void");
        let customer = format!("c{:05}", id % 10_000);
        let order = format!(
            r#"{{"id":{id},"customer":"{customer}","amount":{}.{:02},"currency":"EUR","status":"{status}","note":"at the door"}}"#,
            id % 300,
            id % 100
        );
        write(&producer, &topic, &customer, order.as_bytes())?;
    }
    producer.flush(Duration::from_secs(60))?;
    Ok(Input {
        topic,
        records,
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
