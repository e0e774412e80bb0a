//! Refusals that come with the acknowledgements, when the record is on its way
//! already. Pure.

use crate::record::{Position, Rejected, Stage};

/// The record to name of those of which the broker refused an output.
#[derive(Default)]
pub struct LateRejection(Option<(bool, Rejected)>);

impl LateRejection {
    /// A culprit goes before its neighbours, and an earlier record before a later
    /// one of its partition.
    pub fn note(&mut self, position: Position, neighbour: bool, reason: String) {
        let better = match &self.0 {
            None => true,
            Some((was_neighbour, _)) if *was_neighbour != neighbour => *was_neighbour,
            Some((_, known)) => {
                known.position.partition == position.partition
                    && known.position.offset > position.offset
            }
        };
        if better {
            self.0 = Some((
                neighbour,
                Rejected {
                    stage: Stage::Produce,
                    position,
                    reason,
                },
            ));
        }
    }

    pub fn take(&mut self) -> Option<Rejected> {
        self.0.take().map(|(_, rejected)| rejected)
    }
}
