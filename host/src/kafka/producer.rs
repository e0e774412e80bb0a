//! One librdkafka producer, with a limit on the size of its batches, and the
//! queue where its acknowledgements arrive.

use std::collections::BTreeSet;
use std::ffi::{c_int, c_void};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::ptr::{self, NonNull};

use anyhow::{Context as _, bail};
use rdkafka::bindings as sys;
use rdkafka::client::Client;
use rdkafka::error::KafkaError;
use rdkafka::types::{RDKafka, RDKafkaErrorCode, RDKafkaQueue, RDKafkaTopic, RDKafkaType};
use rdkafka::{ClientConfig, ClientContext as _};

use super::context::Context;
use super::queue::{self, Event, EventKind};
use crate::doorbell::Doorbell;
use crate::pipeline::ports::{Ack, Fatal, Outgoing, Refusal, Ticket};
use crate::record::{OutputHeaders, OwnedHeader, Record};

/// librdkafka's `RD_KAFKA_PARTITION_UA`: the partitioner chooses.
const PARTITION_UA: i32 = -1;

/// The most events that are served at once: the worker has other things to do.
const MOST_EVENTS: usize = 10_000;

/// See the module's words.
pub struct Producer {
    /// librdkafka's `batch.size`.
    pub batch: usize,
    // Before the client, whose queue it is.
    queue: MainQueue,
    client: Client<Context>,
}

/// Has librdkafka check a producer's configuration.
pub fn check(config: &ClientConfig) -> Result<(), KafkaError> {
    client(config).map(drop)
}

/// rdkafka's own producer reports deliveries to a callback, one at a time and
/// behind a lock; here they are events, as everything else is.
fn client(config: &ClientConfig) -> Result<Client<Context>, KafkaError> {
    let native = config.create_native_config()?;
    // SAFETY: a live configuration, which is the client's from here on.
    unsafe {
        sys::rd_kafka_conf_set_events(
            native.ptr(),
            sys::RD_KAFKA_EVENT_DR | sys::RD_KAFKA_EVENT_ERROR,
        );
        sys::rd_kafka_conf_set_closesocket_cb(native.ptr(), Some(close_native));
    }
    Client::new(
        config,
        native,
        RDKafkaType::RD_KAFKA_PRODUCER,
        Context::default(),
    )
}

/// Closes a connection, and counts it: what was sent on it may still arrive.
unsafe extern "C" fn close_native(socket: c_int, opaque: *mut c_void) -> c_int {
    // SAFETY: the opaque is the client's context (`Client::new`), which outlives it.
    let context = unsafe { &*opaque.cast::<Context>() };
    context.a_connection_closed();
    // SAFETY: librdkafka hands the socket over for good.
    drop(unsafe { OwnedFd::from_raw_fd(socket) });
    0
}

impl Producer {
    pub fn new(config: &ClientConfig, batch: usize, bell: &Doorbell) -> Result<Self, Fatal> {
        let mut config = config.clone();
        config.set("batch.size", batch.to_string());
        let client = client(&config).context("the producer could not be made")?;
        let queue = MainQueue::of(&client, bell).context("librdkafka has no producer's queue")?;
        Ok(Self {
            batch,
            queue,
            client,
        })
    }

    pub fn native(&self) -> *mut RDKafka {
        self.client.native_ptr()
    }

    /// Why the producer can't go on at all, if it can't.
    pub fn fatal_error(&self) -> Option<String> {
        self.client.fatal_error().map(|(_, why)| why)
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

    /// How many of its connections were closed so far.
    pub fn connections_closed(&self) -> u64 {
        self.client.context().connections_closed()
    }

    /// Gives up everything that waits to be sent: it is answered as refused.
    pub fn purge(&self) {
        // SAFETY: the client lives. The only error is of flags that there are not.
        unsafe { sys::rd_kafka_purge(self.native(), sys::RD_KAFKA_PURGE_F_QUEUE) };
    }

    /// Sends what waits for others to go with it, for at most `ms` milliseconds.
    pub fn flush(&self, ms: c_int) {
        // SAFETY: the client lives. A time-out is no error here.
        unsafe { sys::rd_kafka_flush(self.native(), ms) };
    }

    /// Adds what was acknowledged since the last call, and the topics that could
    /// not be written to. Never blocks.
    pub fn acks(&self, into: &mut Vec<Ack>, troubled: &mut BTreeSet<String>) {
        for _ in 0..MOST_EVENTS {
            let Some(event) = self.queue.event() else {
                return;
            };
            match event.kind() {
                EventKind::Deliveries => event.deliveries(|opaque, code, topic| {
                    let result = match code {
                        RDKafkaErrorCode::NoError => Ok(()),
                        code => Err(refusal(code)),
                    };
                    if matches!(result, Err(Refusal::Itself(_) | Refusal::Surroundings(_))) {
                        troubled.insert(topic());
                    }
                    let ticket = Ticket::from_bits(opaque.addr() as u64);
                    into.push(Ack { ticket, result });
                }),
                EventKind::Error { code, text, .. } => {
                    self.client.context().error(KafkaError::Global(code), &text);
                }
                EventKind::Log {
                    level,
                    facility,
                    message,
                } => self.client.context().log(level, &facility, &message),
                _ => {}
            }
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // Nobody hears any more what becomes of it.
        // SAFETY: the client lives.
        unsafe {
            sys::rd_kafka_purge(
                self.native(),
                sys::RD_KAFKA_PURGE_F_QUEUE | sys::RD_KAFKA_PURGE_F_INFLIGHT,
            );
        }
    }
}

/// Whose fault it is that the broker did not take an output.
fn refusal(code: RDKafkaErrorCode) -> Refusal {
    use RDKafkaErrorCode as of;
    match code {
        of::InvalidDifferentRecord | of::PurgeQueue | of::PurgeInflight => {
            Refusal::Neighbour(code.to_string())
        }
        of::MessageSizeTooLarge
        | of::MessageBatchTooLarge
        | of::InvalidMessageSize
        | of::InvalidRecord
        | of::InvalidTimestamp
        | of::InvalidMessage
        | of::PolicyViolation => Refusal::Itself(code.to_string()),
        _ => Refusal::Surroundings(code.to_string()),
    }
}

// SAFETY: librdkafka's queues are thread-safe, as its clients are.
unsafe impl Send for MainQueue {}

/// A producer's own queue, where acknowledgements, errors and log lines arrive.
struct MainQueue {
    native: NonNull<RDKafkaQueue>,
    /// What rings lives as long as what it is given to.
    _bell: Doorbell,
}

impl MainQueue {
    /// Rings from now on when something arrives.
    fn of(client: &Client<Context>, bell: &Doorbell) -> Option<Self> {
        // SAFETY: the client lives; the answer is a new reference or null.
        let native = unsafe { sys::rd_kafka_queue_get_main(client.native_ptr()) };
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

    /// The next event, if there is one.
    fn event(&self) -> Option<Event> {
        // SAFETY: a live queue; the answer is ours to destroy, or null.
        unsafe { Event::next(self.native.as_ptr(), 0) }
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

/// The opaque of a delivery holds a whole ticket.
const _: () = assert!(usize::BITS == 64, "a delivery's opaque must hold 64 bits");

/// The ticket in a delivery's opaque.
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
