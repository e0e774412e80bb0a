//! How many of the records that have arrived make one call of the plugin.
//! Pure.
//!
//! A batch is what is there, up to a count and a number of bytes. It does not
//! wait for more to come: while a call runs, the next batch gathers by itself,
//! so calls grow with the load (docs/decisions/batches-do-not-wait.md).

use crate::record::Record;

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
