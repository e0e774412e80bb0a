//! What a run came across, so that it is seen that the seeds reach everything.

pub mod transactions;

use std::collections::BTreeSet;

use super::trace::{Answer, End, Event, What};

/// The corners that some seed must come to.
pub const ALL: [&str; 21] = [
    "a crash with outputs in flight",
    "a revoke that drained",
    "a revoke that did not",
    "a loss with outputs in flight",
    "another worker in between",
    "a start that was resolved",
    "a commit that was not answered and stored all the same",
    "a batch that broke",
    "a record that broke alone",
    "a call that took too long",
    "an innocent that was refused for itself",
    "an innocent that was refused for a neighbour",
    "a refusal by the surroundings",
    "a dead letter",
    "a dead letter without its value",
    "a stop with outputs in flight",
    "an end by a rejected record",
    "an end by the breaker",
    "an end by a dead letter",
    "an end without an instance",
    "all of it done",
];

/// Those that a run came to.
pub fn of(trace: &[Event]) -> BTreeSet<&'static str> {
    let mut corners = BTreeSet::new();
    let mut in_flight = BTreeSet::new();
    let mut revoked_in_flight = false;
    for (at, event) in trace.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| &trace[before]);
        let busy = !in_flight.is_empty();
        let corner = match event {
            Event::Handed { id, what, .. } => {
                in_flight.insert(*id);
                match what {
                    What::Letter { value: None, .. } => "a dead letter without its value",
                    What::Letter { .. } => "a dead letter",
                    _ => continue,
                }
            }
            Event::Told(id) => {
                in_flight.remove(id);
                continue;
            }
            Event::Refused(_, why) if why.contains("Surroundings") => {
                "a refusal by the surroundings"
            }
            Event::Refused(_, why) if why.contains("Neighbour") => {
                "an innocent that was refused for a neighbour"
            }
            Event::Refused(_, why) if why.contains(super::world::IN_ONE_BATCH) => {
                "an innocent that was refused for itself"
            }
            Event::Begins => {
                in_flight.clear();
                continue;
            }
            Event::Crashes if busy => "a crash with outputs in flight",
            Event::Closed if busy => "a stop with outputs in flight",
            Event::Lost(_) if busy => "a loss with outputs in flight",
            Event::Revoked(..) => {
                revoked_in_flight = busy;
                continue;
            }
            Event::Released(..) if revoked_in_flight && !busy => "a revoke that drained",
            Event::Released(..) if revoked_in_flight => "a revoke that did not",
            Event::Elsewhere(_) => "another worker in between",
            Event::Commits { .. } if matches!(before, Some(Event::Assigned(_))) => {
                "a start that was resolved"
            }
            Event::Unstored(_) if matches!(before, Some(Event::Stored(_))) => {
                "a commit that was not answered and stored all the same"
            }
            Event::Judged {
                answer: Answer::TimedOut,
                ..
            } => "a call that took too long",
            Event::Judged {
                answer: Answer::Broke,
                offsets,
                ..
            } if offsets.len() > 1 => "a batch that broke",
            Event::Judged {
                answer: Answer::Broke,
                ..
            } => "a record that broke alone",
            Event::Ended(End::Rejected(_)) => "an end by a rejected record",
            Event::Ended(End::Breaker(_)) => "an end by the breaker",
            Event::Ended(End::Letter(_)) => "an end by a dead letter",
            Event::Ended(End::NoInstance) => "an end without an instance",
            Event::Ended(End::Well) if at + 1 == trace.len() => "all of it done",
            _ => continue,
        };
        corners.insert(corner);
    }
    corners
}
