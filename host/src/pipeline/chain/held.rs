//! What the plugins of a chain make of one batch is held until the last one is done:
//! how much that may be.

use std::fmt;

use crate::record::{Output, OwnedHeader, Payload};

/// In bytes. As much as one call of a plugin may return: a chain multiplies.
pub const MOST_HELD: usize = 128 << 20;

/// Bytes that were made so far.
#[derive(Debug, Default)]
pub struct Held(usize);

/// More than [`MOST_HELD`].
#[derive(Debug)]
pub struct TooMuch;

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "made more than {MOST_HELD} bytes, with the plugins before it"
        )
    }
}

impl Held {
    pub fn add(&mut self, outputs: &[Output]) -> Result<(), TooMuch> {
        for output in outputs {
            self.0 = self.0.saturating_add(weight(output));
        }
        match self.0 > MOST_HELD {
            true => Err(TooMuch),
            false => Ok(()),
        }
    }
}

/// What an output takes in memory, in bytes.
fn weight(output: &Output) -> usize {
    let payload = |payload: &Payload| match payload {
        Payload::Source | Payload::Null => 0,
        Payload::Bytes(bytes) => bytes.len(),
    };
    let header = |header: &OwnedHeader| {
        size_of::<OwnedHeader>() + header.name.len() + header.value.as_ref().map_or(0, Vec::len)
    };
    size_of::<Output>()
        + output.topic.as_ref().map_or(0, String::len)
        + payload(&output.key)
        + payload(&output.value)
        + output.headers.own().iter().map(header).sum::<usize>()
}
