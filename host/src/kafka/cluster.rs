//! Questions to a cluster that are not a worker's: is it there, which topics
//! does it have, make these topics.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use super::context::{Consumer, Context};
use super::topic_ids::{Meaning, meanings};
use crate::names::nearest;
use crate::pipeline::ports::Fatal;

/// How long a cluster that can't be reached is waited for at the start.
pub const REACH: Duration = Duration::from_secs(8);

/// How long a topic's settings are waited for. A broker that does not know the
/// request at all never answers it.
const SETTINGS: Duration = Duration::from_secs(2);

/// How long nobody asks again after that.
const SETTINGS_AGAIN: Duration = Duration::from_secs(30);

/// What a topic takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub partitions: i32,
    /// The largest batch of records, in bytes (`max.message.bytes`), where it
    /// is known.
    pub batch: Option<usize>,
    /// How many milliseconds a record's timestamp may be before and after the
    /// broker's time (`message.timestamp.before.max.ms`, `….after.max.ms`), where
    /// that is known and the broker does not set the timestamp itself.
    pub timestamps: Option<(i64, i64)>,
    /// Whether it is compacted (`cleanup.policy`), as far as is known.
    pub compacted: bool,
    /// Whether the cluster told the topic's settings.
    pub are_known: bool,
}

/// What is known of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topic {
    Exists(Limits),
    /// It does not exist, and this one's name is the nearest to it.
    Missing {
        nearest: Option<String>,
    },
    /// The answer is on its way.
    Asked,
}

/// More events than gather while a cluster can't be reached.
const EVENTS: usize = 64;

/// One connection to a cluster, without a group.
pub struct Cluster {
    client: Consumer,
    config: ClientConfig,
    /// Made when it is first needed.
    admin: OnceLock<AdminClient<Context>>,
    /// When a question for settings had no answer.
    unanswered: Mutex<Option<Instant>>,
    brokers: String,
}

impl Cluster {
    /// Makes the client. It connects with the first question.
    pub fn new(config: &ClientConfig) -> Result<Self, Fatal> {
        Ok(Self {
            client: config.create_with_context(Context::default())?,
            config: config.clone(),
            admin: OnceLock::new(),
            unanswered: Mutex::new(None),
            brokers: config
                .get("bootstrap.servers")
                .unwrap_or_default()
                .to_owned(),
        })
    }

    /// The cluster's id, as its brokers give it; brokers before 0.10.1 have none.
    pub fn id(&self, timeout: Duration) -> Result<String, Fatal> {
        self.client
            .client()
            .fetch_cluster_id(timeout)
            .context("the cluster does not say its id")
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
            // On its way in or out.
            None if count(topic) == 0 => Err(anyhow!("topic {name} has no partitions yet")),
            None => Ok(Topic::Exists(self.limits(name, count(topic)))),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::InvalidTopic) => {
                let names = self.topics(timeout)?;
                Ok(Topic::Missing {
                    nearest: nearest(name, names.keys().map(String::as_str)).map(str::to_owned),
                })
            }
            Some(code) => Err(anyhow!("topic {name}: {code}")),
        }
    }

    /// How many partitions a topic has; `None`: it is not there.
    pub fn partitions(&self, topic: &str, timeout: Duration) -> Result<Option<i32>, Fatal> {
        let metadata = self.metadata(Some(topic), timeout)?;
        let mut found = metadata.topics().iter();
        let Some(found) = found.find(|found| found.name() == topic) else {
            return Ok(None);
        };
        match found.error().map(RDKafkaErrorCode::from) {
            None => Ok(Some(count(found))),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition) => Ok(None),
            Some(code) => Err(anyhow!("topic {topic}: {code}")),
        }
    }

    /// What the topic's settings say. They may be hidden from this user; then
    /// the broker's answers to what is written have to tell.
    fn limits(&self, topic: &str, partitions: i32) -> Limits {
        let answer = self.settings(topic);
        let are_known = answer.is_ok();
        let settings = answer.unwrap_or_else(|error| {
            tracing::debug!(
                topic,
                error = format!("{error:#}"),
                "the topic's settings are not known"
            );
            HashMap::new()
        });
        let number = |name: &str| settings.get(name)?.parse::<i64>().ok();
        let by_producer = settings
            .get("message.timestamp.type")
            .is_some_and(|kind| kind == "CreateTime");
        Limits {
            partitions,
            are_known,
            // A batch must fit a segment, too.
            batch: [number("max.message.bytes"), number("segment.bytes")]
                .into_iter()
                .flatten()
                .min()
                .and_then(|bytes| usize::try_from(bytes).ok()),
            timestamps: number("message.timestamp.before.max.ms")
                .zip(number("message.timestamp.after.max.ms"))
                .filter(|_| by_producer),
            compacted: settings
                .get("cleanup.policy")
                .is_some_and(|policy| policy.contains("compact")),
        }
    }

    fn settings(&self, topic: &str) -> Result<HashMap<String, String>, Fatal> {
        let mut unanswered = self
            .unanswered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if unanswered.is_some_and(|since| since.elapsed() < SETTINGS_AGAIN) {
            bail!("the cluster does not answer what topics' settings are");
        }
        let options = AdminOptions::new().request_timeout(Some(SETTINGS));
        let asked = [ResourceSpecifier::Topic(topic)];
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let answer = runtime.block_on(self.admin()?.describe_configs(&asked, &options));
        let timed_out = answer
            .as_ref()
            .err()
            .and_then(KafkaError::rdkafka_error_code)
            == Some(RDKafkaErrorCode::OperationTimedOut);
        *unanswered = timed_out.then(Instant::now);
        drop(unanswered);
        let answer = answer?
            .pop()
            .context("the cluster's answer leaves the topic out")??;
        Ok(answer
            .entries
            .into_iter()
            .filter_map(|entry| Some((entry.name, entry.value?)))
            .collect())
    }

    /// Serves what librdkafka has to say: log lines and errors, which would
    /// gather otherwise.
    pub fn drain(&self) {
        for _ in 0..EVENTS {
            drop(self.client.poll(Duration::ZERO));
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
            self.drain();
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

    fn admin(&self) -> Result<&AdminClient<Context>, Fatal> {
        if let Some(admin) = self.admin.get() {
            return Ok(admin);
        }
        let admin = self.config.create_with_context(Context::default())?;
        Ok(self.admin.get_or_init(|| admin))
    }

    /// For questions about offsets.
    pub(super) fn consumer(&self) -> &Consumer {
        &self.client
    }

    /// What each of these topics' names means now.
    pub(super) fn meanings(
        &self,
        topics: &[String],
        timeout: Duration,
    ) -> Result<Vec<Meaning>, String> {
        let admin = self.admin().map_err(|error| format!("{error:#}"))?;
        meanings(admin.inner(), topics, timeout)
    }

    /// Whether a topic is compacted; `None` where its settings are hidden.
    pub fn is_compacted(&self, topic: &str) -> Option<bool> {
        let settings = self.settings(topic).ok()?;
        Some(settings.get("cleanup.policy")?.contains("compact"))
    }

    /// Makes a topic that does not exist yet, whose records are not compacted
    /// away. One that came into being meanwhile is as good.
    pub fn create(&self, topic: &str, partitions: i32) -> Result<(), Fatal> {
        // -1: the broker's default.
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1))
            .set("cleanup.policy", "delete");
        let options = AdminOptions::new().operation_timeout(Some(REACH));
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let results = runtime.block_on(self.admin()?.create_topics(&[new], &options))?;
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
