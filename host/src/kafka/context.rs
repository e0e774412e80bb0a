//! What librdkafka says by itself: its log lines, and the last thing that went
//! wrong, which is what an error about an unreachable cluster has to name.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::ClientContext;
use rdkafka::Message as _;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use rdkafka::types::RDKafkaErrorCode;

use crate::pipeline::ports::{Ack, Refusal, Ticket};

/// A consumer of ours.
pub type Consumer = BaseConsumer<Context>;

/// The context of every client of ours.
#[derive(Clone, Default)]
pub struct Context {
    trouble: Arc<Mutex<Option<String>>>,
    answers: Arc<Mutex<Answers>>,
}

/// What the broker said of what was sent.
#[derive(Default)]
struct Answers {
    acks: Vec<Ack>,
    /// The topics that refused an output: they are gone, or take less than is
    /// known.
    troubled: BTreeSet<String>,
}

impl Context {
    /// The last thing that librdkafka complained of.
    pub fn last_trouble(&self) -> Option<String> {
        self.trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Moves the acknowledgements that have come since the last call, and the
    /// names of the topics that could not be written to.
    pub fn take_acks(&self, into: &mut Vec<Ack>) -> BTreeSet<String> {
        let mut answers = self.answers();
        into.append(&mut answers.acks);
        std::mem::take(&mut answers.troubled)
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
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

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        let mut answers = self.answers();
        let result = result.as_ref().map(|_| ()).map_err(|(error, message)| {
            let refusal = refusal(error);
            if !matches!(refusal, Refusal::Neighbour(_)) {
                answers.troubled.insert(message.topic().to_owned());
            }
            refusal
        });
        answers.acks.push(Ack {
            ticket: Ticket::from_bits(opaque as u64),
            result,
        });
    }
}

/// Whose fault it is that the broker did not take an output.
fn refusal(error: &KafkaError) -> Refusal {
    use RDKafkaErrorCode as code;
    match error.rdkafka_error_code() {
        Some(other @ code::InvalidDifferentRecord) => Refusal::Neighbour(other.to_string()),
        Some(
            own @ (code::MessageSizeTooLarge
            | code::MessageBatchTooLarge
            | code::InvalidMessageSize
            | code::InvalidRecord
            | code::InvalidTimestamp
            | code::InvalidMessage
            | code::PolicyViolation),
        ) => Refusal::Itself(own.to_string()),
        Some(other) => Refusal::Surroundings(other.to_string()),
        None => Refusal::Surroundings(error.to_string()),
    }
}

/// The opaque of a delivery holds a whole ticket.
const _: () = assert!(usize::BITS == 64, "a delivery's opaque must hold 64 bits");
