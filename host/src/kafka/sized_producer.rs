//! One librdkafka producer, with a limit on the size of its batches, and the
//! queue where its acknowledgements arrive.

use std::collections::BTreeSet;
use std::ptr::{self, NonNull};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rdkafka::ClientConfig;
use rdkafka::bindings as sys;
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::types::{RDKafka, RDKafkaErrorCode, RDKafkaQueue, RDKafkaTopic};

use super::context::Context;
use super::queue;
use crate::doorbell::Doorbell;
use crate::pipeline::ports::{Ack, Fatal, Outgoing, Ticket};
use crate::record::{OutputHeaders, OwnedHeader, Record};

/// librdkafka's `RD_KAFKA_PARTITION_UA`: the partitioner chooses.
const PARTITION_UA: i32 = -1;

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

    /// Hands one output over, by the handle that its topic has in this producer.
    /// Never blocks.
    pub fn send<R: Record>(
        &self,
        topic: NonNull<RDKafkaTopic>,
        outgoing: &Outgoing<'_>,
        source: &R,
        ticket: Ticket,
    ) -> Result<RDKafkaErrorCode, Fatal> {
        let headers = native_headers(outgoing.headers, source)?;
        let raw = |bytes: Option<&[u8]>| {
            bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr(), bytes.len()))
        };
        let (value, value_len) = raw(outgoing.value);
        let (key, key_len) = raw(outgoing.key);
        use sys::rd_kafka_vtype_t as v;
        // SAFETY: every tag is followed by the types that librdkafka's
        // documentation of `rd_kafka_vtype_t` gives for it; all pointers live
        // for the call; with MSG_F_COPY key and value are copied; the headers
        // are librdkafka's if, and only if, the call succeeds.
        let error = unsafe {
            sys::rd_kafka_producev(
                self.native(),
                v::RD_KAFKA_VTYPE_RKT,
                topic.as_ptr(),
                v::RD_KAFKA_VTYPE_PARTITION,
                outgoing.partition.unwrap_or(PARTITION_UA),
                v::RD_KAFKA_VTYPE_MSGFLAGS,
                sys::RD_KAFKA_MSG_F_COPY,
                v::RD_KAFKA_VTYPE_VALUE,
                value,
                value_len,
                v::RD_KAFKA_VTYPE_KEY,
                key,
                key_len,
                v::RD_KAFKA_VTYPE_OPAQUE,
                ptr::without_provenance_mut::<std::ffi::c_void>(opaque(ticket)),
                v::RD_KAFKA_VTYPE_TIMESTAMP,
                // 0 is librdkafka's "now".
                outgoing.timestamp.unwrap_or(0),
                v::RD_KAFKA_VTYPE_HEADERS,
                headers,
                v::RD_KAFKA_VTYPE_END,
            )
        };
        let code = RDKafkaErrorCode::from(error);
        if code != RDKafkaErrorCode::NoError && !headers.is_null() {
            // SAFETY: the call failed, so they are still ours.
            unsafe { sys::rd_kafka_headers_destroy(headers) };
        }
        Ok(code)
    }

    /// Adds what was acknowledged since the last call, and says which topics
    /// could not be written to. Never blocks.
    pub fn acks(&self, into: &mut Vec<Ack>) -> BTreeSet<String> {
        // Each poll serves one event, which holds the acknowledgements of one
        // response, an error, or a log line.
        for _ in 0..MOST_EVENTS {
            if self.queue.is_empty() {
                break;
            }
            self.producer.poll(Duration::ZERO);
        }
        self.producer.context().take_acks(into)
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

/// The ticket in a delivery's opaque, which `context` asserts to be wide enough.
fn opaque(ticket: Ticket) -> usize {
    usize::from_ne_bytes(ticket.to_bits().to_ne_bytes())
}

/// The headers to send, ours until librdkafka takes them; null for none.
fn native_headers<R: Record>(
    headers: &OutputHeaders,
    source: &R,
) -> Result<*mut sys::rd_kafka_headers_t, Fatal> {
    let kept = match headers.keep_source() {
        true => source.headers(),
        false => Vec::new(),
    };
    let own = headers.own();
    if kept.is_empty() && own.is_empty() {
        return Ok(ptr::null_mut());
    }
    // SAFETY: the answer is ours.
    let native = unsafe { sys::rd_kafka_headers_new(kept.len() + own.len()) };
    for header in kept
        .into_iter()
        .chain(own.iter().map(OwnedHeader::borrowed))
    {
        // A null value has the length -1.
        let (value, len) = header
            .value
            .map_or((ptr::null(), -1), |v| (v.as_ptr(), v.len().cast_signed()));
        // SAFETY: name and value live for the call and are copied, by their lengths.
        let error = unsafe {
            sys::rd_kafka_header_add(
                native,
                header.name.as_ptr().cast(),
                header.name.len().cast_signed(),
                value.cast(),
                len,
            )
        };
        let code = RDKafkaErrorCode::from(error);
        if code != RDKafkaErrorCode::NoError {
            // SAFETY: ours, and not used after this.
            unsafe { sys::rd_kafka_headers_destroy(native) };
            bail!(
                "librdkafka does not take header {:?}: {code}",
                String::from_utf8_lossy(header.name)
            );
        }
    }
    Ok(native)
}
