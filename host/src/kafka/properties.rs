//! librdkafka's properties: ours, the user's, and those that would break the
//! promise and are refused.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;

use super::context::Context;

use crate::config::{ConfigError, Connection, Guarantee, Pipeline, Settings, plugin_section};

/// What a user may not set, and why.
const REFUSED: &[(&str, &str)] = &[
    ("enable.auto.commit", COMMITS),
    ("auto.commit.enable", COMMITS),
    ("auto.commit.interval.ms", COMMITS),
    ("enable.auto.offset.store", COMMITS),
    (
        "auto.offset.reset",
        "a position that is gone must never be a silent jump; input.start says where a partition begins",
    ),
    (
        "enable.partition.eof",
        "librdkafka (2.12) goes on behind the record after an end when a rebalance is over, which \
         loses that record",
    ),
    ("acks", ACKS),
    ("request.required.acks", ACKS),
    (
        "enable.idempotence",
        "without idempotence a retry could change the order or double records",
    ),
    (
        "delivery.report.only.error",
        "a record is done only when its acknowledgement was seen",
    ),
    ("message.timeout.ms", TIMEOUT),
    ("delivery.timeout.ms", TIMEOUT),
    ("message.send.max.retries", TIMEOUT),
    ("retries", TIMEOUT),
    (
        "transactional.id",
        "with delivery.guarantee = \"exactly-once\" each worker has its own, by its group and \
         input.instance_id",
    ),
    ("bootstrap.servers", "use --brokers (kafka.brokers)"),
    ("metadata.broker.list", "use --brokers (kafka.brokers)"),
    ("group.id", "use --group (input.group)"),
    (
        "group.instance.id",
        "each worker has one of its own; use --instance-id (input.instance_id)",
    ),
    (
        "statistics.interval.ms",
        "this version does not read librdkafka's statistics",
    ),
    ("linger.ms", "use --linger (batch.linger)"),
    ("queue.buffering.max.ms", "use --linger (batch.linger)"),
    ("topic.metadata.refresh.interval.ms", "use input.discover"),
];

const COMMITS: &str = "offsets are committed only when everything that a record led to is \
                       acknowledged; delivery.commit_interval says how often";
const ACKS: &str = "a record is done only when all in-sync replicas have its outputs";
const TIMEOUT: &str =
    "an output that librdkafka gives up is a lost record; an outage is waited out";

/// How long librdkafka waits, once its local queue is full, before it fetches
/// again. With its default of 1 s a worker that keeps its queue full stands still
/// for most of each second.
const FETCH_BACKOFF_MS: &str = "2";

/// How many records librdkafka reads ahead, all partitions of a worker together,
/// as long as each has its least. With its default of 100,000 a partition the
/// queues alone take over 100 MB for small records; and what is read far ahead has
/// left the processor's cache when it is used.
const AHEAD_RECORDS: i32 = 20_000;
const LEAST_AHEAD_RECORDS: i32 = 2_000;

/// How many KiB librdkafka reads ahead, all partitions of a worker together, as
/// long as each has its least.
const AHEAD_KIB: i32 = 32 * 1024;

/// The least that one partition reads ahead: librdkafka asks brokers for 1 MiB
/// a partition and request.
const LEAST_AHEAD_KIB: i32 = 1024;

/// The largest output: as large as brokers can be set to take in practice. The
/// broker's own limit decides.
const LARGEST_OUTPUT: &str = "16777216";

const POLL_INTERVAL: &str = "max.poll.interval.ms";

/// librdkafka's default for it.
const DEFAULT_POLL_INTERVAL: Duration = Duration::from_secs(300);

const SOCKET_TIMEOUT: &str = "socket.timeout.ms";

/// The longest that a transaction's producer waits for an answer: half of the
/// default `shutdown.drain`.
const SOCKET_TIME: Duration = Duration::from_secs(10);

/// How much shorter than a transaction librdkafka wants a request to be.
const SOCKET_MARGIN: Duration = Duration::from_millis(100);

const TRANSACTION_TIMEOUT: &str = "transaction.timeout.ms";

/// librdkafka's default for it.
const DEFAULT_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Outputs on their way: at most so many KiB and records a producer.
const IN_FLIGHT_KIB: &str = "32768";
const IN_FLIGHT_RECORDS: &str = "50000";

/// Names a reader's clients, and the group that it never joins.
const READER: &str = "reader";

/// How long a broker holds a fetch back that has nothing to bring: what the end
/// of a partition takes to be seen, where a transaction's marker is its last.
const READER_WAIT_MS: &str = "50";

/// Reads the user's properties and refuses what would break the promise.
pub fn read(settings: &Settings) -> Result<crate::config::Properties, ConfigError> {
    let section = |name: &str| -> Result<BTreeMap<String, String>, ConfigError> {
        let properties = settings.named(name)?;
        for property in properties.keys() {
            let why = match REFUSED.iter().find(|(refused, _)| refused == property) {
                Some((_, why)) => why,
                None if property.starts_with("test.") => "it puts a test in the cluster's place",
                None => continue,
            };
            return Err(ConfigError(format!(
                "{}: {property} can't be set: {why}",
                settings.place(&format!("{name}{property}"))
            )));
        }
        Ok(properties)
    };
    Ok(crate::config::Properties {
        common: section("kafka.properties.")?,
        consumer: section("kafka.consumer.")?,
        producer: section("kafka.producer.")?,
    })
}

/// Has librdkafka check every name and value of the user's, and how they fit
/// together.
pub fn check(pipeline: &Pipeline, settings: &Settings) -> Result<(), ConfigError> {
    let consumer = alone(consumer(pipeline, 0, 1))
        .create_with_context::<_, BaseConsumer<_>>(Context::default());
    refused(consumer.map(drop), "kafka.consumer.", settings)?;
    time_for_a_call(pipeline, settings)?;
    if pipeline.guarantee == Guarantee::ExactlyOnce {
        only_committed(pipeline, settings)?;
        late_requests_end(pipeline, settings)?;
        time_for_a_transaction(pipeline, settings)?;
    }
    room_for_the_largest(&producer(pipeline, 0), settings)?;
    let producer = super::producer::check(&alone(producer(pipeline, 0)));
    refused(producer, "kafka.producer.", settings)
}

/// Like [`check`], for a reader.
pub fn check_reader(connection: &Connection, settings: &Settings) -> Result<(), ConfigError> {
    let reader =
        alone(reader(connection, 1)).create_with_context::<_, BaseConsumer<_>>(Context::default());
    refused(reader.map(drop), "kafka.consumer.", settings)
}

/// Without brokers and a group, a client only looks at its configuration.
fn alone(mut config: ClientConfig) -> ClientConfig {
    config.remove("bootstrap.servers");
    config.remove("group.id");
    config
}

/// A worker in a call does not poll: a plugin that uses up its time must not cost
/// the membership, after which the same records would do so again.
fn time_for_a_call(pipeline: &Pipeline, settings: &Settings) -> Result<(), ConfigError> {
    let interval = poll_interval(pipeline);
    let call = pipeline.longest_call();
    // After a fault, the next call has an instance's init before it. A chain counts
    // all of them but that of the call that comes on top.
    let init = pipeline.longest_of_one();
    if call.saturating_add(init) < interval {
        return Ok(());
    }
    Err(ConfigError(format!(
        "{}: a call of {} may take {call:?}, and {init:?} more where it needs a fresh instance: \
         {POLL_INTERVAL} ({interval:?}) must be longer than both together, or the group gives the \
         partitions away meanwhile",
        settings.place(&longest(pipeline)),
        called(pipeline),
    )))
}

/// The key of the longest `plugin.call`.
fn longest(pipeline: &Pipeline) -> String {
    let calls = pipeline.plugins.iter().map(|plugin| plugin.call);
    // Of equal ones the first.
    let number = calls
        .enumerate()
        .max_by_key(|(n, call)| (*call, Reverse(*n)));
    format!("{}call", plugin_section(number.map_or(0, |(n, _)| n)))
}

/// Whose calls are limited by `plugin.call`.
fn called(pipeline: &Pipeline) -> &'static str {
    match pipeline.plugins.len() {
        1 => "the plugin",
        _ => "the plugins, all together,",
    }
}

/// Records of aborted transactions are none.
fn only_committed(pipeline: &Pipeline, settings: &Settings) -> Result<(), ConfigError> {
    const PROPERTY: &str = "isolation.level";
    match consumer(pipeline, 0, 1).get(PROPERTY) {
        None | Some("read_committed") => Ok(()),
        Some(other) => {
            let key = set_by_user(settings, "kafka.consumer.", PROPERTY);
            Err(ConfigError(format!(
                "{}: {PROPERTY} can't be {other} with {}: what is read must count itself",
                settings.place(key.as_deref().unwrap_or(PROPERTY)),
                settings.place("delivery.guarantee")
            )))
        }
    }
}

/// What a request that was late may still do is known by its closed connection.
fn late_requests_end(pipeline: &Pipeline, settings: &Settings) -> Result<(), ConfigError> {
    const PROPERTY: &str = "socket.max.fails";
    match producer(pipeline, 0).get(PROPERTY) {
        Some("0") => Err(ConfigError(format!(
            "{PROPERTY} can't be 0 with {}: a request that timed out must close its connection, or \
             it could still end a later transaction",
            settings.place("delivery.guarantee")
        ))),
        _ => Ok(()),
    }
}

/// The broker aborts a transaction that is open for too long, with everything in
/// it: a call of the plugin must find its end before.
fn time_for_a_transaction(pipeline: &Pipeline, settings: &Settings) -> Result<(), ConfigError> {
    let timeout = transaction_timeout(&producer(pipeline, 0));
    let (call, interval) = (pipeline.longest_call(), pipeline.commit_interval);
    if call + interval < timeout {
        return Ok(());
    }
    Err(ConfigError(format!(
        "{} and {}: a transaction is open for {interval:?}, and for one call of {} more, which \
         may take {call:?}: both together must be shorter than {TRANSACTION_TIMEOUT} \
         ({timeout:?}), after which the broker aborts it",
        settings.place("delivery.commit_interval"),
        settings.place(&longest(pipeline)),
        called(pipeline),
    )))
}

/// How long the broker lets a transaction of this producer be open.
pub fn transaction_timeout(config: &ClientConfig) -> Duration {
    config
        .get(TRANSACTION_TIMEOUT)
        .and_then(|value| value.parse().ok())
        .map_or(DEFAULT_TRANSACTION_TIMEOUT, Duration::from_millis)
}

/// How long a member may work without serving its group.
fn poll_interval(pipeline: &Pipeline) -> Duration {
    consumer(pipeline, 0, 1)
        .get(POLL_INTERVAL)
        .and_then(|value| value.parse().ok())
        .map_or(DEFAULT_POLL_INTERVAL, Duration::from_millis)
}

/// How long a group may give a member nothing while it answers. A rebalance waits
/// for every member as long as that one may work without serving it, which is most
/// likely as long as this pipeline's own: so long for one that is under way, and
/// once more for the one that follows it.
pub fn patience(pipeline: &Pipeline) -> Duration {
    poll_interval(pipeline)
        .saturating_mul(2)
        .max(pipeline.stall_timeout)
}

/// An output that is larger than the whole queue would wait for ever.
fn room_for_the_largest(config: &ClientConfig, settings: &Settings) -> Result<(), ConfigError> {
    let number = |name| config.get(name).and_then(|value| value.parse::<u64>().ok());
    match (
        number("message.max.bytes"),
        number("queue.buffering.max.kbytes"),
    ) {
        (Some(largest), Some(queue)) if queue.saturating_mul(1024) < largest => {
            Err(ConfigError(format!(
                "{}: message.max.bytes is {largest}, and queue.buffering.max.kbytes is {queue}: an \
                 output that fills the producer's whole queue would wait for ever",
                settings.place("kafka.producer.message.max.bytes")
            )))
        }
        _ => Ok(()),
    }
}

/// Where the user set a property: for one client, or for both.
fn set_by_user(settings: &Settings, section: &str, name: &str) -> Option<String> {
    [section, "kafka.properties."]
        .map(|section| format!("{section}{name}"))
        .into_iter()
        .find(|key| settings.origin(key).is_some())
}

fn refused(
    created: Result<(), KafkaError>,
    section: &str,
    settings: &Settings,
) -> Result<(), ConfigError> {
    let set_by_user = |name: &str| set_by_user(settings, section, name);
    match created {
        Ok(()) => Ok(()),
        Err(KafkaError::ClientConfig(_, description, name, value)) => {
            let key = set_by_user(&name).unwrap_or_else(|| name.clone());
            Err(ConfigError(format!(
                "{}: librdkafka does not take {name} = {value:?}: {description}",
                settings.place(&key)
            )))
        }
        Err(error) => {
            // What does not fit together: librdkafka's text names the properties.
            let text = error.to_string();
            let named = text
                .split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_')))
                .find_map(set_by_user);
            let place = named.map_or(String::new(), |key| format!("{}: ", settings.place(&key)));
            Err(ConfigError(format!(
                "{place}librdkafka refuses its configuration: {text}"
            )))
        }
    }
}

/// For questions to the cluster: how to connect, and nothing else.
pub fn client(pipeline: &Pipeline) -> ClientConfig {
    let common = &pipeline.properties.common;
    connecting(&pipeline.brokers, &pipeline.name, common)
}

fn connecting(brokers: &str, name: &str, common: &BTreeMap<String, String>) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", format!("millrace-{name}"))
        // An outage is told once, by the question that met it.
        .set("log.connection.close", "false");
    // librdkafka says only what `debug` asks for, so nothing is held back here:
    // the log's own filter (RUST_LOG, target librdkafka) decides.
    config.set_log_level(RDKafkaLogLevel::Debug);
    extend(&mut config, common);
    config
}

/// Like [`client`], for what needs no pipeline.
pub fn connected(connection: &Connection) -> ClientConfig {
    connecting(&connection.brokers, READER, &connection.properties.common)
}

/// For a reader of a topic with so many partitions: it joins no group and stores
/// nothing.
pub fn reader(connection: &Connection, partitions: i32) -> ClientConfig {
    let properties = &connection.properties;
    let mut config = connected(connection);
    read_ahead(&mut config, partitions);
    config.set("fetch.wait.max.ms", READER_WAIT_MS);
    extend(&mut config, &properties.common);
    extend(&mut config, &properties.consumer);
    config
        // librdkafka assigns nothing without one.
        .set("group.id", format!("millrace-{READER}"))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // Retention may move a partition's beginning while it is read.
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed");
    config
}

/// For the consumer of a worker that shares `partitions` input partitions.
pub fn consumer(pipeline: &Pipeline, worker: usize, partitions: i32) -> ClientConfig {
    let mut config = client(pipeline);
    read_ahead(&mut config, partitions);
    config
        .set("client.id", format!("millrace-{}-{worker}", pipeline.name))
        .set("group.id", &pipeline.input.group)
        .set(
            "topic.metadata.refresh.interval.ms",
            millis(pipeline.input.discover),
        );
    extend(&mut config, &pipeline.properties.common);
    extend(&mut config, &pipeline.properties.consumer);
    // KIP-848's protocol has the broker assign, and refuses a strategy.
    if config.get("partition.assignment.strategy").is_none() && !speaks_new_protocol(&config) {
        config.set("partition.assignment.strategy", "cooperative-sticky");
    }
    config
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error");
    config
}

/// Whether a consumer speaks KIP-848's group protocol.
pub(super) fn speaks_new_protocol(config: &ClientConfig) -> bool {
    let protocol = config.get("group.protocol");
    protocol.is_some_and(|protocol| protocol.eq_ignore_ascii_case("consumer"))
}

/// For the producer of a worker.
pub fn producer(pipeline: &Pipeline, worker: usize) -> ClientConfig {
    let mut config = client(pipeline);
    config
        .set("client.id", format!("millrace-{}-{worker}", pipeline.name))
        // Java's, so that joins with other writers line up.
        .set("partitioner", "murmur2_random")
        .set("message.max.bytes", LARGEST_OUTPUT)
        .set("queue.buffering.max.kbytes", IN_FLIGHT_KIB)
        .set("queue.buffering.max.messages", IN_FLIGHT_RECORDS)
        .set(
            "topic.metadata.refresh.interval.ms",
            millis(pipeline.input.discover),
        )
        .set("linger.ms", millis(pipeline.linger));
    extend(&mut config, &pipeline.properties.common);
    extend(&mut config, &pipeline.properties.producer);
    config.set("enable.idempotence", "true");
    match pipeline.guarantee {
        Guarantee::AtLeastOnce => config.set("message.timeout.ms", "0"),
        // An output that is late fails its transaction, which is done again:
        // librdkafka takes the transaction's time-out for it.
        Guarantee::ExactlyOnce => config.set("transactional.id", &pipeline.input.group),
    };
    config
}

/// For the producer of a worker whose outputs and positions are one.
pub fn transactional_producer(pipeline: &Pipeline, worker: usize, id: &str) -> ClientConfig {
    let mut config = producer(pipeline, worker);
    config.set("transactional.id", id);
    if config.get(SOCKET_TIMEOUT).is_none() {
        // librdkafka's own is nearly the transaction's, and a worker that waits for a
        // coordinator that hangs does nothing else meanwhile.
        let most = transaction_timeout(&config).saturating_sub(SOCKET_MARGIN);
        config.set(SOCKET_TIMEOUT, millis(most.min(SOCKET_TIME)));
    }
    config
}

/// How far a client reads ahead that has so many partitions.
fn read_ahead(config: &mut ClientConfig, partitions: i32) {
    let each = |all: i32, least: i32| (all / partitions.max(1)).max(least).to_string();
    config
        .set("fetch.queue.backoff.ms", FETCH_BACKOFF_MS)
        .set(
            "queued.min.messages",
            each(AHEAD_RECORDS, LEAST_AHEAD_RECORDS),
        )
        .set(
            "queued.max.messages.kbytes",
            each(AHEAD_KIB, LEAST_AHEAD_KIB),
        );
}

fn extend(config: &mut ClientConfig, properties: &BTreeMap<String, String>) {
    for (name, value) in properties {
        config.set(name, value);
    }
}

/// librdkafka takes fractions of a millisecond for `linger.ms` only, and whole
/// ones serve everywhere.
fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}
