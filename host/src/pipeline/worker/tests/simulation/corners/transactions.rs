//! What a run with transactions came across.

use std::collections::BTreeSet;

use super::super::trace::{End, Event};

/// The corners that some seed must come to.
pub const ALL: [&str; 13] = [
    "a commit that was asked again",
    "a commit that was refused",
    "a commit that was done and answered with a refusal",
    "an abort of what was sent",
    "an abort that took several calls",
    "positions alone",
    "a crash in the middle of a transaction",
    "a crash whose transaction counted",
    "what an earlier life left open",
    "a revoke that ended a transaction",
    "a revoke that did not",
    "a loss in the middle of a transaction",
    "partitions that waited for the end of a transaction",
];

/// Those that a run came to.
pub fn of(trace: &[Event]) -> BTreeSet<&'static str> {
    let mut corners = BTreeSet::new();
    // Of the open transaction: outputs, and calls to end it.
    let (mut handed, mut ends, mut aborts) = (0, 0, 0);
    let mut counted = false;
    let (mut begins, mut crashed) = (false, false);
    let mut revoked = false;
    let mut coming = BTreeSet::new();
    for (at, event) in trace.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| &trace[before]);
        let is_open = handed > 0 || ends > 0;
        let corner = match event {
            Event::Begins => {
                (ends, aborts, begins, crashed) = (0, 0, true, false);
                coming.clear();
                continue;
            }
            Event::Handed { .. } => {
                (handed, ends, aborts) = (handed + 1, 0, 0);
                (counted, begins) = (false, false);
                continue;
            }
            Event::Ends(_) => {
                ends += 1;
                match ends > 1 {
                    true => "a commit that was asked again",
                    false => continue,
                }
            }
            Event::Counts(_) => {
                let alone = std::mem::take(&mut handed) == 0;
                counted = true;
                match before {
                    Some(Event::Crashes | Event::Entered(_)) if crashed => {
                        "a crash whose transaction counted"
                    }
                    _ if alone => "positions alone",
                    _ => continue,
                }
            }
            Event::Aborts => {
                aborts += 1;
                let ended = std::mem::take(&mut ends) > 0;
                match (aborts > 1, ended, counted) {
                    (true, ..) => "an abort that took several calls",
                    (_, true, true) => "a commit that was done and answered with a refusal",
                    (_, true, false) => "a commit that was refused",
                    _ => continue,
                }
            }
            Event::Undone => {
                handed = 0;
                match begins {
                    true => "what an earlier life left open",
                    false => "an abort of what was sent",
                }
            }
            Event::Aborted => {
                aborts = 0;
                continue;
            }
            Event::Crashes => {
                crashed = true;
                match handed > 0 {
                    true => "a crash in the middle of a transaction",
                    false => continue,
                }
            }
            Event::Assigned(number) => {
                if is_open {
                    coming.insert(*number);
                }
                continue;
            }
            Event::Started((number, _)) if coming.remove(number) => {
                "partitions that waited for the end of a transaction"
            }
            Event::Revoked(..) => {
                revoked = is_open;
                continue;
            }
            Event::Released(..) if std::mem::take(&mut revoked) => match handed {
                0 => "a revoke that ended a transaction",
                _ => "a revoke that did not",
            },
            Event::Lost(_) if is_open => "a loss in the middle of a transaction",
            Event::Ended(End::Well) => {
                ends = 0;
                continue;
            }
            _ => continue,
        };
        corners.insert(corner);
    }
    corners
}
