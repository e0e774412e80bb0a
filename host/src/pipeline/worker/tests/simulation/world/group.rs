//! Who has which partition.

use std::rc::Rc;

use super::{Held, World};
use crate::pipeline::fakes::partition;
use crate::pipeline::ports::SourceEvent;
use crate::pipeline::worker::tests::simulation::plan::index;
use crate::pipeline::worker::tests::simulation::trace::Event;
use crate::record::TopicPartition;

impl World {
    pub(super) fn assign(&mut self, numbers: &[i32]) {
        if numbers.is_empty() {
            return;
        }
        for number in numbers {
            self.held[index(*number)] = Held::Coming;
        }
        let event = SourceEvent::Assigned(list(numbers));
        self.events.push_back(event);
    }

    pub(super) fn rebalance(&mut self) {
        let number = self.rng.i32(self.plan.numbers());
        match self.held[index(number)] {
            Held::Away if self.rng.bool() => self.move_elsewhere(number),
            Held::Away => self.assign(&[number]),
            Held::Ours => {
                let both: Vec<i32> = self
                    .plan
                    .numbers()
                    .filter(|n| *n == number || self.held[index(*n)] == Held::Ours)
                    .filter(|n| *n == number || self.rng.bool())
                    .collect();
                let (held, event) = match self.rng.u32(0..3) {
                    0 => (Held::Lost, SourceEvent::Lost(list(&both))),
                    _ => (Held::Revoked, SourceEvent::Revoked(list(&both))),
                };
                for number in both {
                    self.held[index(number)] = held;
                }
                self.events.push_back(event);
            }
            Held::Coming | Held::Revoked | Held::Lost => {}
        }
    }

    /// Another worker has the partition, and does some of its records.
    fn move_elsewhere(&mut self, number: i32) {
        let Some(stored) = self.stored[index(number)] else {
            return;
        };
        let mut transactions = self.transactions.iter();
        if transactions.any(|transactions| transactions.holds_back(number)) {
            return;
        }
        let plan = Rc::clone(&self.plan);
        let arrived = &plan.partition(number).records[..self.arrived[index(number)]];
        let next = arrived
            .iter()
            .find(|record| record.offset >= stored)
            .filter(|next| next.fault().is_none() && next.outputs.iter().all(|o| o.flaw.is_none()));
        if let Some(next) = next {
            self.stored[index(number)] = Some(next.offset + 1);
            self.trace.push(Event::Elsewhere((number, next.offset + 1)));
        }
    }
}

pub fn list(numbers: &[i32]) -> Vec<TopicPartition> {
    numbers.iter().map(|number| partition(*number)).collect()
}
