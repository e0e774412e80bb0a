//! How many of the records that have arrived make one call of the plugin.
//! Pure.
//!
//! A batch is what is there, up to a count and a number of bytes. It does not
//! wait for more to come: while a call runs, the next batch gathers by itself,
//! so calls grow with the load (docs/decisions/batches-do-not-wait.md).

use std::time::Duration;

use crate::record::Record;

/// How long a call may take before calls get smaller. A worker in a call hears
/// neither the group nor the order to stop, so this is far below
/// `max.poll.interval.ms` (300 s) and `shutdown.drain`.
const LONG_CALL: Duration = Duration::from_millis(500);

/// How many records the first call has: a slow plugin is found out by a small one.
const FIRST_CALL: usize = 64;

/// Grows the calls while they are quick and shrinks them when they are long.
#[derive(Debug)]
pub struct Governor {
    most: usize,
}

impl Default for Governor {
    fn default() -> Self {
        Self { most: FIRST_CALL }
    }
}

impl Governor {
    /// The most records of the next call.
    pub fn most(&self) -> usize {
        self.most
    }

    /// A call of so many records took so long.
    pub fn took(&mut self, records: usize, time: Duration) {
        self.also_took(records, time);
        if time < LONG_CALL / 4 && records >= self.most {
            self.most = self.most.saturating_mul(2);
        }
    }

    /// What followed the call for the same records took so long.
    pub fn also_took(&mut self, records: usize, time: Duration) {
        if time > LONG_CALL {
            self.most = (records / 2).max(1);
        }
    }
}

/// The most that one call of the plugin is given.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub records: usize,
    /// Keys and values together. One record that is larger goes alone.
    pub bytes: usize,
}

impl Limits {
    /// How many of `waiting`, from its first, go together: at least one, if
    /// there is one.
    pub fn cut<R: Record>(self, waiting: &[R]) -> usize {
        let mut bytes = 0usize;
        for (count, record) in waiting.iter().take(self.records).enumerate() {
            bytes = bytes.saturating_add(record.size());
            if bytes > self.bytes && count > 0 {
                return count;
            }
        }
        waiting.len().min(self.records)
    }
}

#[cfg(test)]
mod tests;
