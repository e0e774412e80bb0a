//! Wakes a worker when something arrives in one of its queues, so that an idle
//! worker neither spins nor polls.

use std::ffi::c_void;
use std::sync::Arc;
use std::thread::{self, Thread};
use std::time::Duration;

use rdkafka::types::RDKafka;

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

    /// What librdkafka is given as the opaque of [`ring_native`]: a pointer that
    /// lives as long as this bell.
    pub(super) fn as_opaque(&self) -> *mut c_void {
        Arc::as_ptr(&self.0).cast_mut().cast()
    }
}

/// librdkafka's queue callback: the queue was empty and is not any more.
pub(super) unsafe extern "C" fn ring_native(_: *mut RDKafka, opaque: *mut c_void) {
    // SAFETY: the opaque is `Doorbell::as_opaque` of the bell that the queue
    // keeps (`Queue::ring`), and the queue switches its callback off before it
    // drops the bell.
    let thread = unsafe { &*opaque.cast::<Thread>() };
    thread.unpark();
}
