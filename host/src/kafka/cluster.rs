//! Questions to a cluster that are not a worker's: is it there, which topics
//! does it have, make these topics.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::types::RDKafkaErrorCode;

use super::context::Context;
use super::topics::{Topic, nearest};
use crate::pipeline::ports::Fatal;

/// How long a cluster that can't be reached is waited for at the start.
pub const REACH: Duration = Duration::from_secs(8);

/// More events than gather while a cluster can't be reached.
const EVENTS: usize = 64;

/// One connection to a cluster, without a group.
pub struct Cluster {
    client: BaseConsumer<Context>,
    config: ClientConfig,
    brokers: String,
}

impl Cluster {
    /// Makes the client. It connects with the first question.
    pub fn new(config: &ClientConfig) -> Result<Self, Fatal> {
        Ok(Self {
            client: config.create_with_context(Context::default())?,
            config: config.clone(),
            brokers: config
                .get("bootstrap.servers")
                .unwrap_or_default()
                .to_owned(),
        })
    }

    /// Every topic and its number of partitions.
    pub fn topics(&self, timeout: Duration) -> Result<BTreeMap<String, i32>, Fatal> {
        let metadata = self.metadata(None, timeout)?;
        Ok(metadata
            .topics()
            .iter()
            .map(|topic| (topic.name().to_owned(), count(topic)))
            .collect())
    }

    /// One topic. It is not created by being asked for.
    pub fn topic(&self, name: &str, timeout: Duration) -> Result<Topic, Fatal> {
        let metadata = self.metadata(Some(name), timeout)?;
        let topic = metadata
            .topics()
            .iter()
            .find(|topic| topic.name() == name)
            .context("the cluster's answer leaves the topic out")?;
        match topic.error().map(RDKafkaErrorCode::from) {
            None => Ok(Topic::Exists(count(topic))),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::InvalidTopic) => {
                let names = self.topics(timeout)?;
                Ok(Topic::Missing {
                    nearest: nearest(name, names.keys().map(String::as_str)).map(str::to_owned),
                })
            }
            Some(code) => Err(anyhow!("topic {name}: {code}")),
        }
    }

    fn metadata(
        &self,
        topic: Option<&str>,
        timeout: Duration,
    ) -> Result<rdkafka::metadata::Metadata, Fatal> {
        let begun = Instant::now();
        self.client.fetch_metadata(topic, timeout).map_err(|error| {
            // librdkafka's own answer is only ever "timed out" or "transport
            // failure"; why stands in the events that gathered meanwhile.
            for _ in 0..EVENTS {
                drop(self.client.poll(Duration::ZERO));
            }
            let why = self
                .client
                .context()
                .last_trouble()
                .unwrap_or_else(|| error.to_string());
            anyhow!(
                "no broker of {} could be reached within {:.1?}: {why}",
                self.brokers,
                begun.elapsed()
            )
        })
    }

    /// Makes topics that do not exist yet. One that came into being meanwhile is
    /// as good.
    pub fn create(&self, topics: &[(String, i32)]) -> Result<(), Fatal> {
        let admin: AdminClient<Context> = self.config.create_with_context(Context::default())?;
        let new: Vec<NewTopic<'_>> = topics
            .iter()
            // -1: the broker's default.
            .map(|(name, partitions)| NewTopic::new(name, *partitions, TopicReplication::Fixed(-1)))
            .collect();
        let options = AdminOptions::new().operation_timeout(Some(REACH));
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let results = runtime.block_on(admin.create_topics(&new, &options))?;
        for result in results {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => bail!("topic {name} could not be created: {code}"),
            }
        }
        Ok(())
    }
}

fn count(topic: &rdkafka::metadata::MetadataTopic) -> i32 {
    i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX)
}
