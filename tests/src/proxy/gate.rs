//! What requests wait at.

use std::sync::{Arc, Condvar, Mutex};

/// Closed until it is opened, for good.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    opened: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_open: bool,
    arrived: usize,
}

impl Gate {
    /// How many requests have come so far.
    pub fn arrived(&self) -> usize {
        self.0.state.lock().expect("nothing panics with it").arrived
    }

    /// Lets all pass that wait and that are still to come.
    pub fn open(&self) {
        self.0.state.lock().expect("nothing panics with it").is_open = true;
        self.0.opened.notify_all();
    }

    pub(super) fn is_open(&self) -> bool {
        self.0.state.lock().expect("nothing panics with it").is_open
    }

    /// Waits until it is open.
    pub(super) fn pass(&self) {
        let mut state = self.0.state.lock().expect("nothing panics with it");
        state.arrived += 1;
        let passed = self.0.opened.wait_while(state, |state| !state.is_open);
        drop(passed.expect("nothing panics with it"));
    }
}
