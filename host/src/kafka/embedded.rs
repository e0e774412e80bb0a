//! A Kafka cluster inside the process: librdkafka's mock, which speaks the real
//! protocol to any client. It keeps about the last 5 MB of each partition and
//! writes nothing to disk: right for a demo, and for nothing more.

use std::time::Duration;

use anyhow::Context as _;
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};

use crate::pipeline::ports::Fatal;

/// See the module's words. It ends when it is dropped.
pub struct EmbeddedCluster {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl EmbeddedCluster {
    pub fn start() -> Result<Self, Fatal> {
        Ok(Self {
            cluster: MockCluster::new(1).context("the embedded broker could not be started")?,
        })
    }

    /// `host:port` of its brokers.
    pub fn brokers(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), Fatal> {
        self.cluster
            .create_topic(name, partitions, 1)
            .with_context(|| format!("topic {name} could not be created"))
    }

    /// A producer of made-up records.
    pub fn writer(&self) -> Result<Writer, Fatal> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", self.brokers())
            .set("linger.ms", "5")
            .create()?;
        Ok(Writer(producer))
    }
}

pub struct Writer(BaseProducer);

impl Writer {
    /// Writes one record, and waits while the buffer is full.
    pub fn write(&self, topic: &str, key: &str, value: &str) -> Result<(), Fatal> {
        let mut record = BaseRecord::to(topic).key(key).payload(value);
        loop {
            match self.0.send(record) {
                Ok(()) => {
                    self.0.poll(Duration::ZERO);
                    return Ok(());
                }
                Err((error, back))
                    if error.rdkafka_error_code()
                        == Some(rdkafka::types::RDKafkaErrorCode::QueueFull) =>
                {
                    record = back;
                    self.0.poll(Duration::from_millis(10));
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
    }

    /// Waits until everything is written.
    pub fn flush(&self) -> Result<(), Fatal> {
        Ok(self.0.flush(Duration::from_secs(10))?)
    }
}
