//! The defaults that users see, each with its reason.

use std::time::Duration;

use crate::pipeline::policy::Breaker;

/// Kafka's own habit.
pub const BROKERS: &str = "localhost:9092";

/// Bytewax's default. `cargo bench -p millrace-host` shows what smaller calls cost.
pub const MAX_RECORDS: u64 = 1000;

/// Bytes of keys and values in one call: what a fetch brings of one partition
/// by default (librdkafka's `fetch.message.max.bytes`).
pub const MAX_BYTES: u64 = 1024 * 1024;

/// How long a record waits for others on its way out: librdkafka's own
/// `linger.ms`, below what people notice.
pub const LINGER: Duration = Duration::from_millis(5);

/// How much is read again after a crash, at most: one second's records.
pub const COMMIT_INTERVAL: Duration = Duration::from_secs(1);

/// How long a transaction is open: what a reader of committed records waits for
/// them at the most, and what is done again after an abort. Kafka Streams' own.
pub const TRANSACTION: Duration = Duration::from_millis(100);

/// How long nothing may move before it is said: longer than any call of a plugin
/// may take, and than a coordinator takes to move.
pub const STALL: Duration = Duration::from_secs(60);

/// Shorter than librdkafka's `session.timeout.ms` (45 s) and than the 30 s that
/// Kubernetes gives a process to end.
pub const DRAIN: Duration = Duration::from_secs(20);

/// How soon a new partition is found. librdkafka's 5 minutes leave its records
/// unread for as long.
pub const DISCOVER: Duration = Duration::from_secs(10);

/// How long the latest schema of a subject counts before it is looked at again:
/// long beside what a look costs, short beside how often schemas change.
pub const REFRESH: Duration = Duration::from_secs(5 * 60);

/// Several times what an instance takes in a language that brings a runtime along.
pub const PLUGIN_MEMORY: u64 = 256 * 1024 * 1024;

/// How much worse a version that is tried may do: above what a machine's other load
/// makes of times.
pub const CANARY_TOLERANCE: f64 = 0.1;

/// How long a version is tried: some hundred batches of a busy topic.
pub const CANARY_FOR: Duration = Duration::from_secs(60);

/// The most time for one record: far above what any small one takes.
pub const PLUGIN_TIME: Duration = Duration::from_secs(1);

/// The most time for one call of all plugins, each of which has an equal part of it:
/// far below `max.poll.interval.ms` (300 s), and below the time that a transaction
/// has (60 s).
const CALL: Duration = Duration::from_secs(30);

/// The most time for one call of one of so many plugins.
pub fn plugin_call(plugins: usize) -> Duration {
    CALL / u32::try_from(plugins).unwrap_or(u32::MAX).max(1)
}

/// A topic of which so many records in a row fail is the wrong one, or the plugin
/// is: nobody wants all of it as dead letters. One record that passes shows that
/// the plugin works at all.
pub const BREAKER: Breaker = Breaker {
    failed: 1000,
    of: 1000,
};
