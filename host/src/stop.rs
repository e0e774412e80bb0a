//! The order to stop: given once, by a signal, by a failed worker or by the end
//! of a demo, and heard by everything that waits.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::doorbell::Doorbell;

#[derive(Default)]
pub struct Stop {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// When the order was first given.
    since: Option<Instant>,
    /// A signal gave the order.
    by_signal: bool,
    bells: Vec<Doorbell>,
}

impl Stop {
    /// Gives the order. Giving it again changes nothing.
    pub fn request(&self) {
        let mut state = self.state();
        state.since.get_or_insert_with(Instant::now);
        self.changed.notify_all();
        state.bells.iter().for_each(Doorbell::ring);
    }

    /// Gives the order for the user.
    pub fn request_by_signal(&self) {
        self.state().by_signal = true;
        self.request();
    }

    pub fn was_by_signal(&self) -> bool {
        self.state().by_signal
    }

    pub fn requested(&self) -> bool {
        self.state().since.is_some()
    }

    /// How long ago the order came; `None`: it did not.
    pub fn ago(&self) -> Option<Duration> {
        self.state().since.map(|since| since.elapsed())
    }

    /// Rings this bell when the order comes.
    pub fn rings(&self, bell: Doorbell) {
        self.state().bells.push(bell);
    }

    /// Waits for the order, `timeout` at the longest.
    pub fn wait(&self, timeout: Duration) {
        let state = self.state();
        drop(
            self.changed
                .wait_timeout_while(state, timeout, |state| state.since.is_none()),
        );
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
