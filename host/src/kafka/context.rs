//! What librdkafka says by itself: its log lines, and the last thing that went
//! wrong, which is what an error about an unreachable cluster has to name.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

/// A consumer of ours.
pub type Consumer = BaseConsumer<Context>;

/// The context of every client of ours.
#[derive(Clone, Default)]
pub struct Context {
    trouble: Arc<Mutex<Option<String>>>,
    /// How many of the client's connections were closed, where somebody counts.
    closed: Arc<AtomicU64>,
}

impl Context {
    /// The last thing that librdkafka complained of.
    pub fn last_trouble(&self) -> Option<String> {
        self.trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub fn a_connection_closed(&self) {
        self.closed.fetch_add(1, Ordering::Relaxed);
    }

    pub fn connections_closed(&self) -> u64 {
        self.closed.load(Ordering::Relaxed)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};
        match level {
            Emerg | Alert | Critical | Error => {
                *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(message.to_owned());
                // A lost connection is librdkafka's to mend, and it does.
                tracing::warn!(target: "librdkafka", facility, "{message}");
            }
            // A property of the other kind of client, which the common
            // [kafka.properties] hand to both.
            Warning if facility == "CONFWARN" => {
                tracing::debug!(target: "librdkafka", facility, "{message}");
            }
            Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
            Notice | Info => tracing::debug!(target: "librdkafka", facility, "{message}"),
            Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // "All brokers down" says less than the failure before it.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        }
        tracing::debug!(target: "librdkafka", %error, "{reason}");
    }
}

impl ConsumerContext for Context {}
