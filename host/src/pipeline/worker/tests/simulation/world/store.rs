//! The positions, and the commits that are under way.

use super::group::list;
use super::{Held, World};
use crate::pipeline::fakes::partition;
use crate::pipeline::ports::SourceEvent;
use crate::pipeline::worker::tests::simulation::plan::index;
use crate::pipeline::worker::tests::simulation::trace::{At, Event};
use crate::record::NextOffset;

impl World {
    pub fn take_commit(&mut self, positions: Vec<At>) {
        self.pending.push_back(positions);
    }

    /// The store takes the oldest commit that waits, or does not.
    pub fn answer_commit(&mut self) -> bool {
        let Some(positions) = self.pending.pop_front() else {
            return false;
        };
        let event = if self.store(&positions) {
            let next = |(number, offset): &At| (partition(*number), NextOffset(*offset));
            SourceEvent::Committed(positions.iter().map(next).collect())
        } else {
            let numbers: Vec<i32> = positions.iter().map(|(number, _)| *number).collect();
            SourceEvent::CommitFailed {
                partitions: list(&numbers),
                reason: "the coordinator is away".to_owned(),
            }
        };
        self.events.push_back(event);
        true
    }

    /// Whether the store took these positions and could say so.
    pub fn store(&mut self, positions: &[At]) -> bool {
        let held = |(number, _): &At| {
            matches!(
                self.held[index(*number)],
                Held::Ours | Held::Revoked | Held::Coming
            )
        };
        let refused = !positions.iter().all(held);
        let fails = !self.heals && self.rng.u32(0..4) == 0;
        // The answer alone may have been lost.
        if !refused && (!fails || self.rng.u32(0..3) == 0) {
            for (number, offset) in positions {
                self.stored[index(*number)] = Some(*offset);
                self.happened(Event::Stored((*number, *offset)));
            }
        }
        let taken = !refused && !fails;
        if !taken {
            let numbers = positions.iter().map(|(number, _)| *number).collect();
            self.happened(Event::Unstored(numbers));
        }
        taken
    }
}
