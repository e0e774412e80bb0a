//! Record headers as bytes. rdkafka's own types take names for UTF-8 (and
//! panic where they are not), while Kafka's names are bytes in practice.

use std::ffi::CStr;
use std::ptr;

use rdkafka::bindings::{rd_kafka_header_add, rd_kafka_header_get_all, rd_kafka_headers_t};
use rdkafka::message::{BorrowedHeaders, OwnedHeaders};
use rdkafka::types::RDKafkaErrorCode;

/// A name, which may repeat and need not be UTF-8 (but has no zero byte: a C
/// string holds it on the way), and a value or Kafka's null.
pub type Header = (Vec<u8>, Option<Vec<u8>>);

/// librdkafka's list of these headers, in order.
pub fn to_native(headers: &[Header]) -> OwnedHeaders {
    let native = OwnedHeaders::new_with_capacity(headers.len());
    let list = ptr::from_ref(native.as_borrowed())
        .cast::<rd_kafka_headers_t>()
        .cast_mut();
    for (name, value) in headers {
        let (data, size) = match value {
            None => (ptr::null(), 0),
            Some(value) => (value.as_ptr(), value.len()),
        };
        // SAFETY: a BorrowedHeaders reference is the address of librdkafka's
        // list (that is how rdkafka makes one), `native` owns the list and is
        // not used meanwhile, and librdkafka copies name and value.
        let error = unsafe {
            rd_kafka_header_add(
                list,
                name.as_ptr().cast(),
                name.len().cast_signed(),
                data.cast(),
                size.cast_signed(),
            )
        };
        assert_eq!(RDKafkaErrorCode::from(error), RDKafkaErrorCode::NoError);
    }
    native
}

/// The headers of a message that was read, in order.
pub fn from_native(headers: &BorrowedHeaders) -> Vec<Header> {
    let list = ptr::from_ref(headers).cast::<rd_kafka_headers_t>();
    let mut found = Vec::new();
    loop {
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: see `to_native`; librdkafka only reads the list.
        let error =
            unsafe { rd_kafka_header_get_all(list, found.len(), &mut name, &mut value, &mut size) };
        if RDKafkaErrorCode::from(error) != RDKafkaErrorCode::NoError {
            return found;
        }
        // SAFETY: librdkafka ends every name with a zero byte, and `value` is
        // null or `size` bytes; both live as long as `headers`.
        found.push(unsafe {
            let value = (!value.is_null())
                .then(|| std::slice::from_raw_parts(value.cast::<u8>(), size).to_vec());
            (CStr::from_ptr(name).to_bytes().to_vec(), value)
        });
    }
}
