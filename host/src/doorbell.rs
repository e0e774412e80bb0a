//! Wakes a worker when something arrives in one of its queues, so that an idle
//! worker neither spins nor polls.

use std::sync::Arc;
use std::thread::{self, Thread};
use std::time::Duration;

/// Rings for one thread: the one that made it.
#[derive(Clone)]
pub struct Doorbell(Arc<Thread>);

impl Doorbell {
    /// A bell that wakes the calling thread.
    pub fn for_this_thread() -> Self {
        Self(Arc::new(thread::current()))
    }

    pub fn ring(&self) {
        self.0.unpark();
    }

    /// Waits for a ring, also one that came since the last wait. To be called
    /// on the bell's own thread; on another one it only waits.
    pub fn wait(&self, timeout: Duration) {
        thread::park_timeout(timeout);
    }

    /// A pointer to the bell's thread, alive as long as this bell or a clone.
    pub fn as_ptr(&self) -> *const Thread {
        Arc::as_ptr(&self.0)
    }
}
