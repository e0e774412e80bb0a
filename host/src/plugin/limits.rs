//! What an instance may take: memory, summed over all its memories and tables.

use wasmtime::ResourceLimiter;

/// One table element takes a pointer.
const ELEMENT: usize = 8;

/// Counts an instance's memory. Growing beyond the limit is an error, so that
/// the reason is named; a plain refusal would only show as whatever the guest
/// does without memory, mostly `unreachable`.
pub struct Limits {
    most: usize,
    used: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("the plugin wanted more memory than plugin.memory allows ({most} bytes)")]
pub struct OutOfMemory {
    most: usize,
}

impl Limits {
    pub fn new(most: usize) -> Self {
        Self { most, used: 0 }
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
