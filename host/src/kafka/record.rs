//! Consumed messages in librdkafka's own memory: read in place, never copied
//! before the plugin or the producer does it.

use std::ffi::CStr;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

use rdkafka::bindings as sys;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaHeaders, RDKafkaMessage};

use super::context::Consumer;
use crate::record::{Header, Record, Timestamp};

/// Messages of one queue, in order.
pub struct Fetched {
    messages: Vec<Message>,
    /// The messages point into the client's memory. A field is dropped after
    /// those above it, so this outlives them.
    _consumer: Arc<Consumer>,
}

impl Fetched {
    /// `fill` is given room for `max` pointers and returns how many it wrote,
    /// or less than nothing for an error.
    pub(super) fn from_native(
        consumer: &Arc<Consumer>,
        max: usize,
        fill: impl FnOnce(*mut *mut RDKafkaMessage) -> isize,
    ) -> Option<Self> {
        let mut messages: Vec<Message> = Vec::with_capacity(max);
        let count = fill(messages.as_mut_ptr().cast());
        let count = usize::try_from(count).ok().filter(|count| *count > 0)?;
        // SAFETY: `Message` is a non-null pointer, and `count` of them are written.
        unsafe { messages.set_len(count) };
        Some(Self {
            messages,
            _consumer: Arc::clone(consumer),
        })
    }

    /// Takes the messages from `at` on away.
    pub(super) fn split_off(&mut self, at: usize) -> Self {
        Self {
            messages: self.messages.split_off(at),
            _consumer: Arc::clone(&self._consumer),
        }
    }
}

impl AsRef<[Message]> for Fetched {
    fn as_ref(&self) -> &[Message] {
        &self.messages
    }
}

/// One consumed message, or an error in its place.
#[repr(transparent)]
pub struct Message(NonNull<RDKafkaMessage>);

// SAFETY: a message is plain memory behind reference counts that librdkafka
// changes atomically; any thread may read and destroy it.
unsafe impl Send for Message {}

impl Message {
    fn native(&self) -> &RDKafkaMessage {
        // SAFETY: alive until `drop`.
        unsafe { self.0.as_ref() }
    }

    /// The error that stands in a record's place, and librdkafka's words for it.
    pub(super) fn error(&self) -> Option<(RDKafkaErrorCode, String)> {
        let code = RDKafkaErrorCode::from(self.native().err);
        if code == RDKafkaErrorCode::NoError {
            return None;
        }
        // SAFETY: a live message; the text lives as long as it and is copied here.
        let text = unsafe { sys::rd_kafka_message_errstr(self.0.as_ptr()) };
        let text = if text.is_null() {
            code.to_string()
        } else {
            // SAFETY: a C string, not null.
            unsafe { CStr::from_ptr(text) }
                .to_string_lossy()
                .into_owned()
        };
        Some((code, text))
    }

    /// The headers in librdkafka's form, or null if there are none.
    pub(super) fn native_headers(&self) -> *mut RDKafkaHeaders {
        let mut headers = ptr::null_mut();
        // SAFETY: a live message; the headers stay its own. Parsing them on
        // first use is librdkafka's business and happens on this thread.
        let error = unsafe { sys::rd_kafka_message_headers(self.0.as_ptr(), &mut headers) };
        if RDKafkaErrorCode::from(error) == RDKafkaErrorCode::NoError {
            headers
        } else {
            ptr::null_mut()
        }
    }
}

/// # Safety
/// `data` is null or points to `len` bytes that live as long as `'a`.
unsafe fn bytes<'a>(data: *const std::ffi::c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's.
    (!data.is_null()).then(|| unsafe { slice::from_raw_parts(data.cast(), len) })
}

impl Record for Message {
    fn key(&self) -> Option<&[u8]> {
        let native = self.native();
        // SAFETY: librdkafka's contract of `key` and `key_len`.
        unsafe { bytes(native.key, native.key_len) }
    }

    fn value(&self) -> Option<&[u8]> {
        let native = self.native();
        // SAFETY: librdkafka's contract of `payload` and `len`.
        unsafe { bytes(native.payload, native.len) }
    }

    fn headers(&self) -> Vec<Header<'_>> {
        let headers = self.native_headers();
        if headers.is_null() {
            return Vec::new();
        }
        let mut list = Vec::new();
        loop {
            let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
            // SAFETY: the headers live as long as the message; name and value
            // point into them.
            let header = unsafe {
                let error = sys::rd_kafka_header_get_all(
                    headers,
                    list.len(),
                    &mut name,
                    &mut value,
                    &mut size,
                );
                if RDKafkaErrorCode::from(error) != RDKafkaErrorCode::NoError {
                    return list;
                }
                Header {
                    name: CStr::from_ptr(name).to_bytes(),
                    value: bytes(value, size),
                }
            };
            list.push(header);
        }
    }

    fn offset(&self) -> i64 {
        self.native().offset
    }

    fn timestamp(&self) -> Timestamp {
        use sys::rd_kafka_timestamp_type_t as kind;
        let mut of = kind::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: a live message.
        let ms = unsafe { sys::rd_kafka_message_timestamp(self.0.as_ptr(), &mut of) };
        match of {
            _ if ms < 0 => Timestamp::NotAvailable,
            kind::RD_KAFKA_TIMESTAMP_CREATE_TIME => Timestamp::Create(ms),
            kind::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => Timestamp::LogAppend(ms),
            kind::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => Timestamp::NotAvailable,
        }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: ours, and not used after this.
        unsafe { sys::rd_kafka_message_destroy(self.0.as_ptr()) };
    }
}
