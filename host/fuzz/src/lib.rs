//! The codecs alone, by a link to their folder: with the whole host, each run of a
//! fuzzer would compile wasmtime and librdkafka with a sanitizer first.

pub mod codec {
    pub mod avro;
}

#[path = "../harness.rs"]
pub mod harness;

use codec::avro::{Decoder, Schema};
