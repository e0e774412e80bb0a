//! The native contestant: what an expert writes with rdkafka alone, with the
//! host's librdkafka settings. At least once: every second it commits what was
//! acknowledged. This is the limit that `host run` is held against.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::{ClientConfig, ClientContext, Message as _};
use signal_hook::consts::SIGTERM;

use crate::readings::Readings;

#[derive(Args)]
pub struct Arguments {
    #[arg(long)]
    job: String,
    #[arg(long)]
    brokers: String,
    #[arg(long)]
    input: String,
    #[arg(long)]
    output: String,
    #[arg(long)]
    group: String,
    /// Decode each value, which is framed Avro, and send it as it came
    #[arg(long)]
    decode: bool,
}

/// Counts what the broker acknowledged.
#[derive(Default)]
struct Acknowledged(AtomicU64);

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            panic!("a record was not delivered: {error}");
        }
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

const COMMIT_INTERVAL: Duration = Duration::from_secs(1);

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGTERM, Arc::clone(&stop))?;
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &arguments.brokers)
        .set("group.id", &arguments.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("fetch.queue.backoff.ms", "2")
        .set("queued.min.messages", "20000")
        .set("queued.max.messages.kbytes", "32768")
        .create()?;
    consumer.subscribe(&[&arguments.input])?;
    let producer: BaseProducer<Acknowledged> = ClientConfig::new()
        .set("bootstrap.servers", &arguments.brokers)
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", "0")
        .set("partitioner", "murmur2_random")
        .set("queue.buffering.max.kbytes", "32768")
        .set("queue.buffering.max.messages", "50000")
        .set("linger.ms", "5")
        .create_with_context(Acknowledged::default())?;
    let orders = arguments.job == "orders";
    let readings = arguments.decode.then(|| Readings::new(0)).transpose()?;
    let (mut sent, mut commit) = (0u64, Instant::now() + COMMIT_INTERVAL);
    // Positions as they were when `sent` was so high: committed once that many
    // are acknowledged.
    let mut due = None;
    while !stop.load(Ordering::Relaxed) {
        // A long poll only if there is nothing to acknowledge either.
        let wait = if producer.in_flight_count() > 0 {
            1
        } else {
            50
        };
        if let Some(message) = consumer.poll(Duration::from_millis(wait)) {
            let message = message?;
            let cleaned = match (orders, message.payload()) {
                (true, Some(value)) => match orders::clean(value) {
                    Ok(cleaned) => cleaned,
                    Err(error) => anyhow::bail!("offset {}: {error}", message.offset()),
                },
                _ => None,
            };
            if let (Some(readings), Some(value)) = (&readings, message.payload()) {
                black_box(readings.decode(value)?);
            }
            if cleaned.is_some() || !orders {
                let mut record = BaseRecord::to(&arguments.output);
                record.key = message.key();
                record.payload = cleaned.as_deref().or_else(|| message.payload());
                record.timestamp = message.timestamp().to_millis();
                loop {
                    match producer.send(record) {
                        Ok(()) => break,
                        Err((error, back))
                            if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) =>
                        {
                            record = back;
                            producer.poll(Duration::from_millis(1));
                        }
                        Err((error, _)) => return Err(error.into()),
                    }
                }
                sent += 1;
            }
        }
        if sent.is_multiple_of(256) || wait > 1 {
            producer.poll(Duration::ZERO);
        }
        if Instant::now() >= commit {
            commit = Instant::now() + COMMIT_INTERVAL;
            let acknowledged = producer.context().0.load(Ordering::Relaxed);
            if due.as_ref().is_some_and(|(at, _)| *at <= acknowledged)
                && let Some((_, positions)) = due.take()
            {
                consumer.commit(&positions, CommitMode::Async)?;
            }
            if due.is_none() {
                due = Some((sent, consumer.position()?));
            }
        }
    }
    producer.flush(Duration::from_secs(10))?;
    consumer.commit(&consumer.position()?, CommitMode::Sync)?;
    Ok(())
}
