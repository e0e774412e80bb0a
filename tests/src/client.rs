//! What goes into topics and comes out of them, byte for byte, and what the
//! broker knows of a group. Topics themselves are made in `topics.rs`.

mod consume;
mod groups;
mod produce;
mod record;
mod transactions;

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

pub use consume::Isolation;
pub use record::Record;
pub use transactions::{Transaction, Transactional};

/// For one request to a broker that is up.
pub(crate) const REQUEST: Duration = Duration::from_secs(30);

/// For a question that is asked until it is answered: a machine that stalls keeps a
/// broker that is up from answering, and fences it for a while.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Talks to one broker. Cheap to make and to clone.
#[derive(Debug, Clone)]
pub struct Client {
    brokers: String,
}

impl Client {
    /// `brokers` as in `bootstrap.servers`.
    pub fn new(brokers: &str) -> Client {
        Client {
            brokers: brokers.to_owned(),
        }
    }

    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    /// A consumer that joins no group and reads nothing by itself.
    pub(crate) fn observer(&self) -> BaseConsumer {
        self.config().create().expect("the configuration is valid")
    }

    /// Whether the broker on this port answers within `deadline` and is a
    /// member of its cluster.
    pub fn broker_is_up(&self, port: u16, deadline: Duration) -> Result<(), String> {
        let metadata = self
            .observer()
            .fetch_metadata(None, deadline)
            .map_err(|error| error.to_string())?;
        let mut brokers = metadata.brokers().iter();
        brokers
            .any(|broker| broker.port() == i32::from(port))
            .then_some(())
            .ok_or_else(|| "it answers, and is fenced still".to_owned())
    }

    /// How many partitions the topic has.
    pub fn partitions(&self, topic: &str) -> Result<i32, String> {
        let metadata = self
            .observer()
            .fetch_metadata(Some(topic), REQUEST)
            .map_err(|error| error.to_string())?;
        match metadata.topics() {
            [found] if found.error().is_none() => {
                Ok(i32::try_from(found.partitions().len()).expect("a count of partitions"))
            }
            _ => Err(format!("there is no topic {topic}")),
        }
    }

    /// First and next offset of every partition, as far as no transaction is
    /// open.
    pub fn watermarks(&self, topic: &str) -> Result<Vec<(i64, i64)>, String> {
        self.watermarks_with(topic, Isolation::Committed)
    }

    /// Like [`Client::watermarks`], where what is still open matters.
    pub fn watermarks_with(
        &self,
        topic: &str,
        isolation: Isolation,
    ) -> Result<Vec<(i64, i64)>, String> {
        let observer: BaseConsumer = self
            .config()
            .set("isolation.level", isolation.level())
            .create()
            .expect("the configuration is valid");
        (0..self.partitions(topic)?)
            .map(|partition| observer.fetch_watermarks(topic, partition, REQUEST))
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())
    }
}
