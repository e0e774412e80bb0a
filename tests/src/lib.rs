//! The harness of the integration tests: a real Kafka, a real schema registry, a
//! client that sees every byte, and the `host` binary run as a user runs it.
//!
//! ```text
//! broker   a Kafka of this test process           process  one child, by its id
//! client   what goes into topics and comes out    wait     conditions with a deadline
//! host     `host …` and what it logs              target   where cargo and make leave files
//! guests   compiled plugins and guests            mock     a cluster that fails on command
//! proxy    requests that come late                registry a schema registry, and a false one
//! python   clients that are not ours
//! ```
//!
//! The tests themselves are in `tests/tests/it`. Here a failure is a panic
//! with a message for the person who reads the test's output.

pub mod broker;
pub mod client;
mod data;
pub mod guests;
pub mod headers;
pub mod host;
pub mod http;
pub mod mock;
mod output;
mod panics;
mod ports;
pub mod process;
pub mod proxy;
pub mod python;
pub mod registry;
pub mod target;
pub mod topics;
pub mod wait;

pub use broker::{Broker, shared_broker};
pub use client::{Client, Isolation, Record, Transaction};
pub use guests::{guest, plugin};
pub use host::Host;
pub use mock::Mock;
pub use process::Signal;
pub use registry::{Registry, shared_registry};
pub use wait::{eventually, eventually_ok};
