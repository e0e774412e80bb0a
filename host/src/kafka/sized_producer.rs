//! One librdkafka producer, with a limit on the size of its batches, and the
//! queue where its acknowledgements arrive.

use std::ptr::{self, NonNull};
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::ClientConfig;
use rdkafka::bindings as sys;
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::types::{RDKafka, RDKafkaQueue};

use super::context::Context;
use super::queue;
use crate::doorbell::Doorbell;
use crate::pipeline::ports::{Ack, Fatal};

/// The most events that are served at once: the worker has other things to do.
const MOST_EVENTS: usize = 10_000;

/// See the module's words.
pub struct SizedProducer {
    /// librdkafka's `batch.size`.
    pub batch: usize,
    // Before the producer, whose queue it is.
    queue: MainQueue,
    producer: BaseProducer<Context>,
}

impl SizedProducer {
    pub fn new(config: &ClientConfig, batch: usize, bell: &Doorbell) -> Result<Self, Fatal> {
        let mut config = config.clone();
        config.set("batch.size", batch.to_string());
        let producer: BaseProducer<Context> = config
            .create_with_context(Context::default())
            .context("the producer could not be made")?;
        let queue = MainQueue::of(&producer, bell).context("librdkafka has no producer's queue")?;
        Ok(Self {
            batch,
            queue,
            producer,
        })
    }

    pub fn native(&self) -> *mut RDKafka {
        self.producer.client().native_ptr()
    }

    /// Why the producer can't go on at all, if it can't.
    pub fn fatal_error(&self) -> Option<String> {
        self.producer.client().fatal_error().map(|(_, why)| why)
    }

    /// Adds what was acknowledged since the last call. Never blocks.
    pub fn acks(&self, into: &mut Vec<Ack>) {
        // Each poll serves one event, which holds the acknowledgements of one
        // response, an error, or a log line.
        for _ in 0..MOST_EVENTS {
            if self.queue.is_empty() {
                break;
            }
            self.producer.poll(Duration::ZERO);
        }
        self.producer.context().take_acks(into);
    }
}

/// A producer's own queue, where acknowledgements, errors and log lines arrive.
struct MainQueue {
    native: NonNull<RDKafkaQueue>,
    /// What rings lives as long as what it is given to.
    _bell: Doorbell,
}

impl MainQueue {
    /// Rings from now on when something arrives.
    fn of(producer: &BaseProducer<Context>, bell: &Doorbell) -> Option<Self> {
        // SAFETY: the client lives; the answer is a new reference or null.
        let native = unsafe { sys::rd_kafka_queue_get_main(producer.client().native_ptr()) };
        let native = NonNull::new(native)?;
        // SAFETY: the bell that the opaque points into is kept beside the queue,
        // and `drop` switches the callback off first.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(
                native.as_ptr(),
                Some(queue::ring_native),
                queue::opaque(bell),
            );
        }
        Some(Self {
            native,
            _bell: bell.clone(),
        })
    }

    fn is_empty(&self) -> bool {
        // SAFETY: a live queue.
        unsafe { sys::rd_kafka_queue_length(self.native.as_ptr()) == 0 }
    }
}

impl Drop for MainQueue {
    fn drop(&mut self) {
        // SAFETY: a live queue, not used after this.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.native.as_ptr(), None, ptr::null_mut());
            sys::rd_kafka_queue_destroy(self.native.as_ptr());
        }
    }
}
