//! What stands around the transform: `decode` before it, `encode` behind it. A
//! payload that the plugin leaves alone goes out as the bytes that came, where both
//! sides and the schema agree.
//!
//! Schemas are looked up by the registry's own thread; while one is, the records
//! behind it wait, and no other partition does.

mod alone;
pub mod avro;
mod coded;
mod decode;
mod encode;
mod frame;
mod how;
mod outputs;
mod schema;
pub mod schemas;

use std::sync::Arc;

pub use alone::Alone;
pub use coded::{Coded, Topics};
pub use decode::Decoding;
pub use encode::Encoding;
pub use how::How;

use crate::record::Field;

const FIELDS: [Field; 2] = [Field::Key, Field::Value];

/// What a codec makes of one payload; `None`: it stays as it is.
pub type Answer<T> = Result<Option<T>, Lack>;

/// Why something is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// It can't be, for this reason, which is the record's.
    Bad(String),
    /// A schema is looked up. With the reason, where that takes longer than it should.
    Later(Option<Arc<str>>),
}

impl From<String> for Lack {
    fn from(why: String) -> Self {
        Self::Bad(why)
    }
}

#[cfg(test)]
mod tests;
