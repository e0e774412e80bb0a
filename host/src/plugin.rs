//! The user's code: the only room that names `wasmtime`. From a file to a
//! checked, compiled component, and from that to an instance in each worker: a
//! transform's, which implements the worker loop's port, or a codec's.

mod bindings;
pub mod cache;
pub mod codec;
pub mod compile;
pub mod component;
mod componentize;
mod contract;
mod convert;
pub mod description;
pub mod desk;
mod engine;
mod guest;
mod id;
pub mod instance;
mod kind;
mod limits;
mod place;
mod reason;
mod said;
mod state;
pub mod tally;
mod wasi;

pub use codec::CodecInstance;
pub use component::Component;
pub use componentize::componentize;
pub use contract::{CONTRACT, Refused};
pub use description::{Description, kinds};
pub use engine::{Engine, THREAD_STACK};
pub use guest::Guest;
pub use id::PluginId;
pub use instance::Instance;
pub use kind::Kind;
