//! The recovery store: positions kept in a local folder instead of the consumer
//! group. What it holds, and for which pipeline, is plain data here; `file` is
//! the only place that names redb.
//!
//! ```text
//! contents  what a store holds, whom it fits      file    DIR/positions.redb, durable
//! error     what can be wrong with one            lock    one process at a time
//! writer    the thread that writes, and the worker's port to it
//! ```

mod contents;
mod error;
mod file;
mod lock;
mod writer;

pub use contents::{Claim, Contents, Place};
pub use error::{Misfit, StoreError};
pub use file::Store;
pub use writer::{Origins, StoreOffsets, Writer};

/// The version of what stands in the file. One more with every change that an
/// older host would misread.
const VERSION: u64 = 1;
