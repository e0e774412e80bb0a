//! What the bytes of keys and values mean: from formats to JSON and back.

pub mod avro;
