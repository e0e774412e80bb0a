//! What must be true at each event.

use std::time::Duration;

use super::fate;
use super::lane::Lane;
use super::{Checker, Handed, Rule, Verdict, holds};
use crate::pipeline::worker::ending::FOR_THE_COMMIT;
use crate::pipeline::worker::tests::simulation::plan::index;
use crate::pipeline::worker::tests::simulation::trace::{Answer, At, What};

impl Checker<'_> {
    fn lane(&mut self, number: i32, what: &str) -> Result<&mut Lane, (Rule, String)> {
        let none = || {
            (
                Rule::Own,
                format!("partition {number} is not its own: {what}"),
            )
        };
        self.lanes.get_mut(&number).ok_or_else(none)
    }

    pub(super) fn started(&mut self, (number, position): At) -> Verdict {
        let start = self.plan.partition(number).start;
        let stored = self.stored[index(number)].unwrap_or(start);
        holds!(
            position == stored,
            Rule::Order,
            "partition {number} is read from {position} on, and not from {stored}"
        );
        holds!(
            self.coming.remove(&number),
            Rule::Own,
            "partition {number} is read and was not assigned"
        );
        self.assignments += 1;
        self.begun.insert(number, position);
        let mut lane = Lane::new(self.assignments, position);
        lane.start_failed = self.start_failed.remove(&number);
        let before = self.lanes.insert(number, lane);
        holds!(
            before.is_none(),
            Rule::Own,
            "partition {number} is started twice"
        );
        Ok(())
    }

    pub(super) fn rewound(&mut self, (number, position): At) -> Verdict {
        let plan = self.plan;
        let lane = self.lane(number, "it goes back")?;
        holds!(
            !std::mem::take(&mut lane.refusals).is_empty(),
            Rule::GoesBack,
            "partition {number} goes back to {position}, and nothing was refused"
        );
        lane.is_done_before(plan, number, position)?;
        lane.restart(position);
        Ok(())
    }

    pub(super) fn judged(&mut self, number: i32, offsets: &[i64], answer: &Answer) -> Verdict {
        let plan = self.plan;
        holds!(
            self.stored[index(number)].is_some(),
            Rule::Begun,
            "partition {number} is read, and where it begins is not stored"
        );
        let lane = self.lane(number, "it is judged")?;
        let assignment = lane.assignment;
        let mut rejected = Vec::new();
        for offset in offsets {
            let Some(record) = plan.record(number, *offset) else {
                return Err((Rule::Own, format!("{number}/{offset} does not exist")));
            };
            // Alone, what broke is to blame if it is.
            let blamed = offsets.len() == 1 && record.fault().is_some();
            if *answer == Answer::Verdicts || blamed {
                lane.judged.insert(*offset);
                if fate::is_culprit(record) {
                    rejected.push((assignment, *offset));
                }
            }
        }
        self.rejected.extend(rejected);
        Ok(())
    }

    pub(super) fn hands_over(&mut self, (number, offset): At, what: &What) -> Verdict {
        let plan = self.plan;
        let id = self.handed.len();
        let stored = self.stored[index(number)];
        let Some(record) = plan.record(number, offset) else {
            return Err((Rule::Own, format!("{number}/{offset} does not exist")));
        };
        let (part, topic) = fate::is_right(plan, (number, offset), record, what)?;
        let lane = self.lane(number, "it is sent")?;
        holds!(
            lane.judged.contains(&offset),
            Rule::Fate,
            "{number}/{offset} is sent before it was judged"
        );
        holds!(
            lane.cursor.is_none_or(|cursor| cursor < (offset, part)),
            Rule::Order,
            "{part:?} of {number}/{offset} is sent after {:?}",
            lane.cursor
        );
        holds!(
            stored.is_none_or(|stored| offset >= stored),
            Rule::Order,
            "{number}/{offset} is sent again, and {stored:?} is committed"
        );
        lane.is_sent_before(plan, number, offset)?;
        lane.sent.insert((offset, part));
        lane.cursor = Some((offset, part));
        lane.unanswered.insert(id, offset);
        let assignment = lane.assignment;
        self.handed.push(Handed {
            source: (number, offset),
            part,
            topic,
            assignment,
        });
        self.takes_part(id)
    }

    pub(super) fn told(&mut self, id: usize) {
        if !self.transaction.told(id) && self.plan.exactly_once {
            return;
        }
        let handed = &self.handed[id];
        let (number, offset) = handed.source;
        let Some(lane) = self.lanes.get_mut(&number) else {
            return;
        };
        if lane.assignment != handed.assignment {
            return;
        }
        lane.unanswered.remove(&id);
        if self.refused.contains(&id) {
            lane.refusals.insert(offset);
            lane.refused.insert(offset);
        } else {
            lane.acknowledged.insert((offset, handed.part));
        }
    }

    pub(super) fn commits(&mut self, (number, position): At) -> Verdict {
        let plan = self.plan;
        let stored = self.stored[index(number)];
        if self.coming.contains(&number) {
            let is_start = position == plan.partition(number).start && stored.is_none();
            holds!(
                is_start,
                Rule::Acknowledged,
                "{number} does not begin at {position}"
            );
            return Ok(());
        }
        holds!(
            !plan.exactly_once,
            Rule::Atomic,
            "{number}/{position} is committed outside of a transaction"
        );
        let lane = self.lane(number, "it is committed")?;
        holds!(
            stored.is_none_or(|stored| stored <= position) && lane.from <= position,
            Rule::Forward,
            "{number}/{position} is committed after {stored:?}"
        );
        holds!(
            position == lane.from || plan.is_place(number, position),
            Rule::Acknowledged,
            "{number}/{position} is committed, which is beside no record"
        );
        lane.is_done_before(plan, number, position)
    }

    pub(super) fn released(&mut self, number: i32, when: Duration) -> Verdict {
        self.coming.remove(&number);
        let Some(lane) = self.lanes.remove(&number) else {
            return Ok(());
        };
        let Some(revoked) = lane.revoked else {
            return Err((
                Rule::Own,
                format!("partition {number} is given up, and nobody asked for it"),
            ));
        };
        if self.plan.exactly_once {
            return self.is_drained(number, &lane, when - revoked);
        }
        let drain = self.plan.settings.drain;
        let patience = drain - FOR_THE_COMMIT.min(drain / 4);
        let half_sent = lane.is_half_sent(self.plan, number);
        holds!(
            lane.unanswered.is_empty() && !half_sent || when >= revoked + patience,
            Rule::Drained,
            "partition {number} is given up with {} outputs unanswered, half a record sent: \
             {half_sent}",
            lane.unanswered.len()
        );
        self.is_committed(number, &lane)
    }

    pub(super) fn moved_elsewhere(&mut self, number: i32, position: i64) {
        let before = self.stored[index(number)].replace(position).unwrap_or(0);
        self.elsewhere
            .extend((before..position).map(|offset| (number, offset)));
    }

    /// Whether the store has what is certainly done, unless it did not take it.
    pub(super) fn is_committed(&self, number: i32, lane: &Lane) -> Verdict {
        let done = lane.done(self.plan, number);
        let stored = self.stored[index(number)];
        if self.plan.exactly_once && done == lane.from {
            return Ok(());
        }
        holds!(
            lane.commit_failed || stored.is_some_and(|stored| stored >= done),
            Rule::Committed,
            "partition {number} is done up to {done}, and {stored:?} is committed"
        );
        Ok(())
    }
}
