//! What other threads have to tell a worker: events in a box of its own, and its
//! bell rung. Looking into an empty one costs next to nothing.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::ports::SourceEvent;
use crate::doorbell::Doorbell;

/// The side that tells.
#[derive(Clone)]
pub struct Mailbox {
    events: Sender<SourceEvent>,
    bell: Doorbell,
}

/// A worker's box, and where the worker finds what was put into it.
pub fn mailbox(bell: Doorbell) -> (Mailbox, Receiver<SourceEvent>) {
    let (events, found) = channel();
    (Mailbox { events, bell }, found)
}

impl Mailbox {
    /// Tells the worker. One that has ended hears nothing any more.
    pub fn put(&self, event: SourceEvent) {
        if self.events.send(event).is_ok() {
            self.bell.ring();
        }
    }
}
