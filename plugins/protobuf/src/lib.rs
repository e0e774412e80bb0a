//! Protobuf payloads.
