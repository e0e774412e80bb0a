//! How one version of a plugin has done so far, in all workers together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// See the module's words.
#[derive(Debug, Default)]
pub struct Tally {
    records: AtomicU64,
    failures: AtomicU64,
    faults: AtomicU64,
    /// Nanoseconds.
    busy: AtomicU64,
    recycled: AtomicU64,
}

/// A tally at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// Records, or a codec's payloads, that it was given.
    pub records: u64,
    /// Those of them that it failed, or that were in a call that broke.
    pub failures: u64,
    /// Calls that broke.
    pub faults: u64,
    /// How long its calls took.
    pub busy: Duration,
    /// Instances that gave way to a fresh one, because they had grown.
    pub recycled: u64,
}

impl Tally {
    /// A call was answered.
    pub fn answered(&self, records: usize, failures: usize, took: Duration) {
        self.records.fetch_add(records as u64, Ordering::Relaxed);
        self.failures.fetch_add(failures as u64, Ordering::Relaxed);
        self.took(took);
    }

    /// A call broke.
    pub fn broke(&self, records: usize, took: Duration) {
        self.answered(records, records, took);
        self.faults.fetch_add(1, Ordering::Relaxed);
    }

    /// An instance gave way to a fresh one. Says how many did so far.
    pub fn recycled(&self) -> u64 {
        self.recycled.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn took(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.busy.fetch_add(nanos, Ordering::Relaxed);
    }

    pub fn sum(&self) -> Sum {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Sum {
            records: of(&self.records),
            failures: of(&self.failures),
            faults: of(&self.faults),
            busy: Duration::from_nanos(of(&self.busy)),
            recycled: of(&self.recycled),
        }
    }
}

impl std::ops::Add for Sum {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            records: self.records + other.records,
            failures: self.failures + other.failures,
            faults: self.faults + other.faults,
            busy: self.busy + other.busy,
            recycled: self.recycled + other.recycled,
        }
    }
}

impl Sum {
    /// What came to it since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            records: self.records.saturating_sub(earlier.records),
            failures: self.failures.saturating_sub(earlier.failures),
            faults: self.faults.saturating_sub(earlier.faults),
            busy: self.busy.saturating_sub(earlier.busy),
            recycled: self.recycled.saturating_sub(earlier.recycled),
        }
    }

    /// Whether it answered well for any record.
    pub fn has_worked(self) -> bool {
        self.records > self.failures
    }
}
