//! The user's code: the only room that names `wasmtime`. From a file to a
//! checked, compiled component, and from that to an instance in each worker,
//! which implements the worker loop's transform port.

mod bindings;
mod cache;
pub mod component;
mod contract;
mod convert;
mod engine;
mod id;
pub mod instance;
mod limits;
mod reason;
mod said;
mod state;
mod wasi;

pub use component::Component;
pub use contract::{CONTRACT, Refused};
pub use engine::{Engine, THREAD_STACK};
pub use id::PluginId;
pub use instance::Instance;
