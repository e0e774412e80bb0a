//! Millrace's host: leads Kafka records through a WebAssembly component and the
//! results back to Kafka.
//!
//! ```text
//! consume → decode → transform → encode → produce → commit
//! ```
//!
//! An offset is committed only when everything that its record led to is
//! acknowledged by the broker. ARCHITECTURE.md is the map.

pub mod admin;
pub mod cli;
pub mod codec;
pub mod config;
pub mod doorbell;
pub mod identity;
pub mod kafka;
pub mod names;
pub mod pipeline;
pub mod plugin;
pub mod record;
pub mod recovery;
pub mod registry;
pub mod runner;
pub mod stop;
pub mod telemetry;
pub mod throttle;
