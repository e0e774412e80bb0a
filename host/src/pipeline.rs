//! The worker loop and its pure parts. Nothing here knows a broker or Wasm:
//! those are behind `ports`, and the tests put fakes there.

pub mod batch;
pub mod chain;
pub mod dead_letter;
#[cfg(test)]
pub(crate) mod fakes;
pub mod given;
pub mod isolate;
pub mod lane;
pub mod mailbox;
pub mod policy;
pub mod ports;
pub mod progress;
pub mod pulse;
pub mod replay;
pub mod shadow;
pub mod stalls;
pub mod worker;
