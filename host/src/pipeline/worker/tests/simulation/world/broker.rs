//! The topics: what is on its way to them, and what becomes of it.

use std::collections::VecDeque;

use super::World;
use crate::pipeline::ports::{Ack, Refusal, Ticket};
use crate::pipeline::worker::tests::simulation::plan::{LetterFlaw, Topic, Where};
use crate::pipeline::worker::tests::simulation::trace::{At, Event, What};

/// A topic as it is for now.
#[derive(Default)]
pub struct Place {
    pub state: State,
    /// What was sent to it and has no answer, in order.
    pub in_flight: VecDeque<usize>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum State {
    #[default]
    There,
    /// It is looked up.
    Unknown,
    /// Nothing can be sent to it.
    Gone,
    /// Everything that was sent to it is refused.
    Unauthorised,
}

pub struct Handed {
    pub ticket: Ticket,
    /// Why the broker refuses it for what it is.
    pub flaw: Option<String>,
}

impl World {
    pub fn hand_over(&mut self, source: At, topic: Topic, handed: Handed, what: What) {
        let id = self.sends.len();
        self.sends.push(handed);
        self.topics[topic as usize].in_flight.push_back(id);
        self.happened(Event::Handed { id, source, what });
    }

    /// The broker answers a batch: the first outputs that wait for an answer.
    pub(super) fn answer(&mut self, topic: Topic) {
        let place = &mut self.topics[topic as usize];
        if place.in_flight.is_empty() {
            return;
        }
        let many = self.rng.usize(1..=place.in_flight.len());
        let batch: Vec<usize> = place.in_flight.drain(..many).collect();
        let unauthorised = place.state == State::Unauthorised;
        let flawed = batch.iter().any(|id| self.sends[*id].flaw.is_some());
        for id in batch {
            let send = &self.sends[id];
            let result = match &send.flaw {
                _ if unauthorised => Err(Refusal::Surroundings("not authorised".to_owned())),
                Some(why) => Err(Refusal::Itself(why.clone())),
                None if flawed && self.rng.bool() => Err(Refusal::Itself(IN_ONE_BATCH.to_owned())),
                None if flawed => Err(Refusal::Neighbour(IN_ONE_BATCH.to_owned())),
                None => Ok(()),
            };
            let ticket = send.ticket;
            self.happened(match &result {
                Ok(()) => Event::Written(id),
                Err(refusal) => Event::Refused(id, format!("{refusal:?}")),
            });
            self.ready.push_back((id, Ack { ticket, result }));
        }
    }
}

/// What is said of an output that was refused for another one of its batch.
pub const IN_ONE_BATCH: &str = "one of the batch is refused";

/// Why a dead letter is refused at this place.
pub fn refuses_letter(flaw: LetterFlaw, place: Where, bare: bool) -> Option<Size> {
    match flaw {
        LetterFlaw::TooLarge(there) if there == place && !bare => Some(Size::TooLarge),
        LetterFlaw::Unwritable(there) if there == place => Some(Size::Any),
        _ => None,
    }
}

/// Whether something is refused for its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    TooLarge,
    Any,
}
