//! The input's records, and how what comes of them is told apart.

use super::index;
use crate::record::{Header, Record, Timestamp};

/// Names an output; the record's own value is that of its first one.
pub fn value(number: i32, offset: i64, nth: usize) -> [u8; 3] {
    let byte = |number: usize| u8::try_from(number).expect("a simulation is small");
    let offset = usize::try_from(offset).expect("from 0");
    [byte(index(number)), byte(offset), byte(nth)]
}

/// A consumed record.
#[derive(Debug, Clone, Copy)]
pub struct Input {
    pub number: i32,
    pub offset: i64,
    value: [u8; 3],
}

impl Input {
    pub fn new(number: i32, offset: i64) -> Self {
        Self {
            number,
            offset,
            value: value(number, offset, 0),
        }
    }
}

impl Record for Input {
    fn key(&self) -> Option<&[u8]> {
        None
    }

    fn value(&self) -> Option<&[u8]> {
        Some(&self.value)
    }

    fn headers(&self) -> Vec<Header<'_>> {
        Vec::new()
    }

    fn offset(&self) -> i64 {
        self.offset
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp::Create(1_000 + self.offset)
    }
}
