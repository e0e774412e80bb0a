//! What an instance may take: memory, summed over all its memories and tables,
//! what one call may hand over, and when an instance has grown enough.

use wasmtime::ResourceLimiter;

/// One table element takes a pointer.
const ELEMENT: usize = 8;

/// The most that a guest may hand over in one call, to `process`'s caller or to a
/// host function, in bytes. The host holds a copy of it, for each worker, beside
/// the guest's own memory: half of what that is by default. An honest batch
/// (1 MiB of records, by default) comes nowhere near, and one that does is
/// judged in halves, so that only a record that passes it alone is rejected.
pub const MOST_HANDED_OVER: usize = 128 * 1024 * 1024;

/// Which part of what an instance may grow after its `init` is enough to take a
/// fresh one: so much that what a plugin needs for its largest batches is not
/// mistaken for a leak, and so little that one more batch mostly fits. If it does
/// not, the call breaks and is run again by a fresh instance.
const ENOUGH: (usize, usize) = (3, 4);

/// Counts an instance's memory. Growing beyond the limit is an error, so that
/// the reason is named; a plain refusal would only show as whatever the guest
/// does without memory, mostly `unreachable`.
pub struct Limits {
    most: usize,
    used: usize,
    /// Above it, the instance has grown enough.
    enough: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("wanted more memory than plugin.memory allows ({most} bytes)")]
pub struct OutOfMemory {
    most: usize,
}

impl Limits {
    pub fn new(most: usize) -> Self {
        Self {
            most,
            used: 0,
            enough: most,
        }
    }

    /// The instance has done its `init`: what it grows from here on is its
    /// records' doing.
    pub fn begin(&mut self) {
        let (part, of) = ENOUGH;
        self.enough = self.used + (self.most - self.used) / of * part;
    }

    /// What it uses, in bytes, if that is enough: memory never shrinks.
    pub fn grown_enough(&self) -> Option<usize> {
        (self.used > self.enough).then_some(self.used)
    }

    fn grow(&mut self, by: usize) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(by);
        if used > self.most {
            return Err(OutOfMemory { most: self.most }.into());
        }
        self.used = used;
        Ok(true)
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.grow(desired.saturating_sub(current))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.grow(desired.saturating_sub(current).saturating_mul(ELEMENT))
    }
}

#[cfg(test)]
mod tests;
