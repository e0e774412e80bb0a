//! librdkafka's queues by their C interface. rdkafka's safe one serves a
//! partition's queue one message at a time, with an allocation each, and runs
//! rebalances inside a callback; the worker wants whole batches and plain events.
//!
//! Everything unsafe of consuming stands here and in `record`.

use std::ffi::{CStr, CString, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::thread::Thread;
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::IsError as _;
use rdkafka::types::{
    RDKafka, RDKafkaErrorCode, RDKafkaEvent, RDKafkaQueue, RDKafkaTopicPartitionList,
};

use super::context::Consumer;
use super::record::Fetched;
use crate::doorbell::Doorbell;
use crate::record::{NextOffset, TopicPartition};

/// One of a consumer's queues.
pub(super) struct Queue {
    native: NonNull<RDKafkaQueue>,
    /// Keeps the client alive for as long as its queue.
    consumer: Arc<Consumer>,
    bell: Option<Doorbell>,
}

// SAFETY: librdkafka's queues are thread-safe (INTRODUCTION.md, "Threads and
// callbacks"); the worker that made one is the only one to use it anyway.
unsafe impl Send for Queue {}

impl Queue {
    /// The queue of the consumer's events.
    pub fn of_events(consumer: &Arc<Consumer>) -> Option<Self> {
        // SAFETY: the client lives; the answer is a new reference or null.
        let native = unsafe { sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        Self::from_native(native, consumer)
    }

    /// The queue of one partition, split from the common one, so that its
    /// records come here and nowhere else. To be called before the partition is
    /// assigned: the split outlives assignments.
    pub fn of_partition(consumer: &Arc<Consumer>, partition: &TopicPartition) -> Option<Self> {
        let topic = CString::new(&*partition.topic).ok()?;
        // SAFETY: the client and the name live for the call; the answer is a new
        // reference or null.
        let native = unsafe {
            sys::rd_kafka_queue_get_partition(
                consumer.client().native_ptr(),
                topic.as_ptr(),
                partition.partition,
            )
        };
        let queue = Self::from_native(native, consumer)?;
        // SAFETY: a live queue; null ends the forwarding to the common one.
        unsafe { sys::rd_kafka_queue_forward(queue.native.as_ptr(), ptr::null_mut()) };
        Some(queue)
    }

    /// A queue of its own, for the answer to one request.
    fn of_replies(consumer: &Arc<Consumer>) -> Option<Self> {
        // SAFETY: the client lives; the answer is a new queue.
        let native = unsafe { sys::rd_kafka_queue_new(consumer.client().native_ptr()) };
        Self::from_native(native, consumer)
    }

    fn from_native(native: *mut RDKafkaQueue, consumer: &Arc<Consumer>) -> Option<Self> {
        Some(Self {
            native: NonNull::new(native)?,
            consumer: Arc::clone(consumer),
            bell: None,
        })
    }

    /// Rings whenever the queue stops being empty.
    pub fn ring(&mut self, bell: &Doorbell) {
        let opaque = opaque(bell);
        self.bell = Some(bell.clone());
        // SAFETY: the bell that the opaque points into is kept beside the queue,
        // and `drop` switches the callback off first.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.native.as_ptr(), Some(ring_native), opaque);
        }
    }

    /// The next event.
    pub fn event(&self, timeout: Duration) -> Option<Event> {
        let ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: a live queue.
        unsafe { Event::next(self.native.as_ptr(), ms) }
    }

    pub fn is_empty(&self) -> bool {
        // SAFETY: a live queue.
        unsafe { sys::rd_kafka_queue_length(self.native.as_ptr()) == 0 }
    }

    /// At most `max` messages that have arrived; `None` if there are none. Never
    /// waits. Some of them may be errors.
    pub fn messages(&self, max: usize) -> Option<Fetched> {
        // SAFETY: a live queue.
        let max = max.min(unsafe { sys::rd_kafka_queue_length(self.native.as_ptr()) });
        if max == 0 {
            return None;
        }
        Fetched::from_native(&self.consumer, max, |room| {
            // SAFETY: `room` has place for `max` pointers, and librdkafka fills
            // as many as it returns, each one ours to destroy.
            unsafe { sys::rd_kafka_consume_batch_queue(self.native.as_ptr(), 0, room, max) }
        })
    }

    /// Like [`messages`](Self::messages), one call each, for a queue in which ends of
    /// the partition are told, too: librdkafka's (2.12) batches take an end, which has
    /// the offset of the record to come, for that record, and read on behind it after
    /// the next rebalance.
    pub fn messages_and_ends(&self, max: usize) -> Option<Fetched> {
        // SAFETY: a live queue.
        let max = max.min(unsafe { sys::rd_kafka_queue_length(self.native.as_ptr()) });
        if max == 0 {
            return None;
        }
        Fetched::from_native(&self.consumer, max, |room| {
            let mut count = 0;
            while count < max {
                // SAFETY: a live queue; the answer is ours to destroy, or null.
                let message = unsafe { sys::rd_kafka_consume_queue(self.native.as_ptr(), 0) };
                if message.is_null() {
                    break;
                }
                // SAFETY: `room` has place for `max` pointers.
                unsafe { room.add(count).write(message) };
                count += 1;
            }
            isize::try_from(count).unwrap_or(isize::MAX)
        })
    }

    /// Asks the coordinator to commit and waits for its answer, `timeout` at
    /// the longest (librdkafka's own synchronous commit has no such bound).
    pub fn commit(
        consumer: &Arc<Consumer>,
        positions: &rdkafka::TopicPartitionList,
        timeout: Duration,
    ) -> Result<(), String> {
        let replies = Self::of_replies(consumer).ok_or("no memory for a reply queue")?;
        replies.request_commit(positions)?;
        match replies.event(timeout) {
            None => Err(format!(
                "no answer from the group's coordinator within {timeout:?}"
            )),
            Some(event) => event.commit_result(),
        }
    }

    /// Asks the coordinator to commit. Its answer is an event in this queue
    /// (librdkafka's own asynchronous commit tells only a callback).
    pub fn request_commit(&self, positions: &rdkafka::TopicPartitionList) -> Result<(), String> {
        // SAFETY: client, list and queue live for the call; librdkafka copies
        // the list; no callback is given, so the answer is an event.
        let error = unsafe {
            sys::rd_kafka_commit_queue(
                self.consumer.client().native_ptr(),
                positions.ptr(),
                self.native.as_ptr(),
                None,
                ptr::null_mut(),
            )
        };
        match error.is_error() {
            true => Err(RDKafkaErrorCode::from(error).to_string()),
            false => Ok(()),
        }
    }
}

/// What librdkafka is given as the opaque of [`ring_native`].
pub(super) fn opaque(bell: &Doorbell) -> *mut c_void {
    bell.as_ptr().cast_mut().cast()
}

/// librdkafka's queue callback: the queue was empty and is not any more.
pub(super) unsafe extern "C" fn ring_native(_: *mut RDKafka, opaque: *mut c_void) {
    // SAFETY: the opaque is `opaque` of the bell that the queue
    // keeps (`Queue::ring`), and the queue switches its callback off before it
    // drops the bell.
    let thread = unsafe { &*opaque.cast::<Thread>() };
    thread.unpark();
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: a live queue, not used after this.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.native.as_ptr(), None, ptr::null_mut());
            sys::rd_kafka_queue_destroy(self.native.as_ptr());
        }
    }
}

/// What a consumer's event is about.
pub(super) enum EventKind {
    Assign,
    Revoke,
    OffsetCommit,
    Error {
        code: RDKafkaErrorCode,
        text: String,
    },
    Message,
    /// Answers to what was produced.
    Deliveries,
    /// A line of librdkafka's log.
    Log {
        level: RDKafkaLogLevel,
        facility: String,
        message: String,
    },
    Other,
}

/// One event from a queue.
pub(super) struct Event(NonNull<RDKafkaEvent>);

impl Event {
    /// The next event of a queue, within so many milliseconds.
    ///
    /// # Safety
    /// The queue must be a live one.
    pub unsafe fn next(queue: *mut RDKafkaQueue, ms: i32) -> Option<Self> {
        // SAFETY: the caller's; the answer is ours to destroy, or null.
        let event = unsafe { sys::rd_kafka_queue_poll(queue, ms) };
        NonNull::new(event).map(Self)
    }

    /// Each record that was produced: its opaque, what became of it, and how its
    /// topic's name is found.
    pub fn deliveries(
        &self,
        mut answer: impl FnMut(*mut c_void, RDKafkaErrorCode, &dyn Fn() -> String),
    ) {
        loop {
            // SAFETY: a live event; the record is its own, and lives as long.
            let record = unsafe { sys::rd_kafka_event_message_next(self.0.as_ptr()).as_ref() };
            let Some(record) = record else {
                return;
            };
            answer(record._private, RDKafkaErrorCode::from(record.err), &|| {
                // SAFETY: a delivery's topic is set, and its name is a C string.
                let name = unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(record.rkt)) };
                name.to_string_lossy().into_owned()
            });
        }
    }

    pub fn kind(&self) -> EventKind {
        let event = self.0.as_ptr();
        // SAFETY: a live event.
        match unsafe { sys::rd_kafka_event_type(event) } {
            sys::RD_KAFKA_EVENT_REBALANCE => match self.code() {
                RDKafkaErrorCode::AssignPartitions => EventKind::Assign,
                // Every other code asks to give everything up.
                _ => EventKind::Revoke,
            },
            sys::RD_KAFKA_EVENT_OFFSET_COMMIT => EventKind::OffsetCommit,
            sys::RD_KAFKA_EVENT_FETCH => EventKind::Message,
            sys::RD_KAFKA_EVENT_DR => EventKind::Deliveries,
            sys::RD_KAFKA_EVENT_ERROR => EventKind::Error {
                code: self.code(),
                text: self.text(),
            },
            sys::RD_KAFKA_EVENT_LOG => self.log_line().unwrap_or(EventKind::Other),
            _ => EventKind::Other,
        }
    }

    fn log_line(&self) -> Option<EventKind> {
        let (mut facility, mut message, mut level) = (ptr::null(), ptr::null(), 0);
        // SAFETY: a live event; both texts live as long as it and are copied here.
        unsafe {
            let failed =
                sys::rd_kafka_event_log(self.0.as_ptr(), &mut facility, &mut message, &mut level);
            (failed == 0).then(|| EventKind::Log {
                level: syslog_level(level),
                facility: CStr::from_ptr(facility).to_string_lossy().into_owned(),
                message: CStr::from_ptr(message).to_string_lossy().into_owned(),
            })
        }
    }

    fn code(&self) -> RDKafkaErrorCode {
        // SAFETY: a live event.
        unsafe { sys::rd_kafka_event_error(self.0.as_ptr()) }.into()
    }

    fn text(&self) -> String {
        // SAFETY: a live event; the text lives as long as it and is copied here.
        let text = unsafe { sys::rd_kafka_event_error_string(self.0.as_ptr()) };
        if text.is_null() {
            return self.code().to_string();
        }
        // SAFETY: a C string, not null.
        unsafe { CStr::from_ptr(text) }
            .to_string_lossy()
            .into_owned()
    }

    /// Whether a commit was taken, for every partition.
    pub fn commit_result(&self) -> Result<(), String> {
        match self.code() {
            RDKafkaErrorCode::NoError | RDKafkaErrorCode::NoOffset => {}
            code => return Err(code.to_string()),
        }
        match self
            .elements()
            .into_iter()
            .find(|(.., code)| *code != RDKafkaErrorCode::NoError)
        {
            Some((partition, _, code)) => Err(format!("{partition}: {code}")),
            None => Ok(()),
        }
    }

    /// The partitions that the event is about.
    pub fn partitions(&self) -> Vec<TopicPartition> {
        self.elements().into_iter().map(|(p, ..)| p).collect()
    }

    /// The positions that the event is about.
    pub fn positions(&self) -> Vec<(TopicPartition, NextOffset)> {
        let elements = self.elements().into_iter();
        elements.map(|(p, position, _)| (p, position)).collect()
    }

    fn elements(&self) -> Vec<(TopicPartition, NextOffset, RDKafkaErrorCode)> {
        // SAFETY: a live event; the list lives as long as it, or is null.
        let list: *mut RDKafkaTopicPartitionList =
            unsafe { sys::rd_kafka_event_topic_partition_list(self.0.as_ptr()) };
        let Some(list) = NonNull::new(list) else {
            return Vec::new();
        };
        // SAFETY: `cnt` elements stand at `elems`, each with a C string for its topic.
        unsafe {
            let list = list.as_ref();
            (0..usize::try_from(list.cnt).unwrap_or(0))
                .map(|i| {
                    let element = &*list.elems.add(i);
                    let topic = CStr::from_ptr(element.topic).to_string_lossy();
                    (
                        TopicPartition::new(&*topic, element.partition),
                        NextOffset(element.offset),
                        RDKafkaErrorCode::from(element.err),
                    )
                })
                .collect()
        }
    }
}

/// librdkafka's levels are syslog's (RFC 5424, 6.2.1).
fn syslog_level(level: i32) -> RDKafkaLogLevel {
    match level {
        ..=0 => RDKafkaLogLevel::Emerg,
        1 => RDKafkaLogLevel::Alert,
        2 => RDKafkaLogLevel::Critical,
        3 => RDKafkaLogLevel::Error,
        4 => RDKafkaLogLevel::Warning,
        5 => RDKafkaLogLevel::Notice,
        6 => RDKafkaLogLevel::Info,
        7.. => RDKafkaLogLevel::Debug,
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: ours, and not used after this.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) };
    }
}

/// Whether the group gave the assignment away without us.
pub(super) fn assignment_lost(consumer: &Consumer) -> bool {
    // SAFETY: the client lives.
    unsafe { sys::rd_kafka_assignment_lost(consumer.client().native_ptr()) != 0 }
}

/// Whether the group knows this consumer, which has not asked to leave it either.
pub(super) fn is_member(consumer: &Consumer) -> bool {
    let client = consumer.client().native_ptr();
    // SAFETY: the client lives; the answer is a C string that is ours to free, or null.
    unsafe {
        let id = sys::rd_kafka_memberid(client);
        let is = id.as_ref().is_some_and(|first| *first != 0);
        sys::rd_kafka_mem_free(client, id.cast());
        is
    }
}

/// A partition's end, as the last fetch told it; `None` before the first one.
pub(super) fn cached_end(consumer: &Consumer, partition: &TopicPartition) -> Option<i64> {
    let topic = CString::new(&*partition.topic).ok()?;
    let (mut low, mut high) = (-1, -1);
    // SAFETY: client and name live for the call, and both numbers are written.
    let error = unsafe {
        sys::rd_kafka_get_watermark_offsets(
            consumer.client().native_ptr(),
            topic.as_ptr(),
            partition.partition,
            &mut low,
            &mut high,
        )
    };
    (!error.is_error() && high >= 0).then_some(high)
}

/// Where a partition is read on, behind what is no record, too; `None` before the
/// first one. Asks nobody.
pub(super) fn position(consumer: &Consumer, partition: &TopicPartition) -> Option<i64> {
    let mut list = rdkafka::TopicPartitionList::with_capacity(1);
    list.add_partition(&partition.topic, partition.partition);
    // SAFETY: client and list live for the call.
    let error = unsafe { sys::rd_kafka_position(consumer.client().native_ptr(), list.ptr()) };
    match list.elements().first()?.offset() {
        rdkafka::Offset::Offset(offset) if !error.is_error() => Some(offset),
        _ => None,
    }
}

/// The text beside a committed offset; empty where there is none. Nobody checks
/// that it is UTF-8, and rdkafka's own accessor panics where it is not.
pub(super) fn metadata(list: &rdkafka::TopicPartitionList, partition: &TopicPartition) -> String {
    let Ok(topic) = CString::new(&*partition.topic) else {
        return String::new();
    };
    // SAFETY: the list lives for the call, and so does what stands in it; the
    // metadata, if there is any, has `metadata_size` bytes.
    unsafe {
        let element = sys::rd_kafka_topic_partition_list_find(
            list.ptr(),
            topic.as_ptr(),
            partition.partition,
        );
        match element.as_ref() {
            Some(found) if !found.metadata.is_null() => {
                let bytes = std::slice::from_raw_parts(
                    found.metadata.cast::<u8>().cast_const(),
                    found.metadata_size,
                );
                String::from_utf8_lossy(bytes).into_owned()
            }
            _ => String::new(),
        }
    }
}
