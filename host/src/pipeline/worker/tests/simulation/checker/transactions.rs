//! Exactly once: what counts are whole records and the positions behind them, and
//! nothing of what is undone.

use std::collections::BTreeSet;
use std::time::Duration;

use super::fate::{self, Due};
use super::lane::Lane;
use super::{Checker, Part, Rule, Verdict, holds};
use crate::pipeline::worker::ending::FOR_THE_COMMIT;
use crate::pipeline::worker::tests::simulation::plan::index;
use crate::pipeline::worker::tests::simulation::trace::At;

/// The open transaction, as the trace shows it.
#[derive(Default)]
pub struct Transaction {
    /// What was handed over in it.
    handed: Vec<usize>,
    /// What of it was answered, as far as the worker knows.
    told: BTreeSet<usize>,
    /// The positions with which it is to end.
    asked: Option<Vec<At>>,
    /// Those that the store has in it.
    entered: Vec<At>,
    /// The worker began to abort it.
    is_aborting: bool,
    /// An earlier life of the worker left it open.
    is_left: bool,
    /// Nothing counted since the last one that was undone, or so the worker thinks.
    pub was_undone: bool,
}

impl Transaction {
    /// Whether something of it may still come to count.
    pub fn is_open(&self) -> bool {
        !self.handed.is_empty() || !self.entered.is_empty()
    }

    pub fn is_open_and_own(&self) -> bool {
        self.is_open() && !self.is_left
    }

    /// The worker knows that it counts.
    pub fn done(&mut self) {
        self.asked = None;
    }

    /// Says whether it is part of it.
    pub fn told(&mut self, id: usize) -> bool {
        self.handed.contains(&id) && self.told.insert(id)
    }

    /// A worker begins.
    pub fn begins(&mut self) {
        self.is_left = self.is_open();
        self.asked = None;
        self.is_aborting = false;
    }
}

impl Checker<'_> {
    pub(super) fn takes_part(&mut self, id: usize) -> Verdict {
        if !self.plan.exactly_once {
            return Ok(());
        }
        let transaction = &mut self.transaction;
        holds!(
            transaction.asked.is_none() && !transaction.is_aborting,
            Rule::Atomic,
            "#{id} is sent while the transaction ends"
        );
        transaction.handed.push(id);
        Ok(())
    }

    /// The worker asks for the end of the transaction.
    pub(super) fn ends(&mut self, positions: &[At]) -> Verdict {
        let handed = &self.transaction.handed;
        let open = handed
            .iter()
            .find(|id| !self.transaction.told.contains(id) || self.refused.contains(id));
        holds!(
            open.is_none(),
            Rule::Acknowledged,
            "the transaction is to end, and {open:?} is not acknowledged"
        );
        let asked = &mut self.transaction.asked;
        let before = asked.get_or_insert_with(|| positions.to_vec());
        holds!(
            before == positions,
            Rule::Atomic,
            "the transaction is to end with other positions than before: {before:?}"
        );
        Ok(())
    }

    /// The store has positions that will count with the transaction.
    pub(super) fn entered(&mut self, positions: &[At]) -> Verdict {
        for (number, position) in positions {
            holds!(
                self.lanes.contains_key(number),
                Rule::Own,
                "{number}/{position} is stored, and the partition is somebody else's"
            );
        }
        self.transaction.entered = positions.to_vec();
        Ok(())
    }

    /// The transaction counts, with these positions.
    pub(super) fn counts(&mut self, positions: &[At]) -> Verdict {
        for number in self.plan.numbers() {
            let of = |id: &&usize| self.handed[**id].source.0 == number;
            let sent: Vec<(i64, Part)> = self
                .transaction
                .handed
                .iter()
                .filter(of)
                .map(|id| (self.handed[*id].source.1, self.handed[*id].part))
                .collect();
            let start = self.plan.partition(number).start;
            let from = self.stored[index(number)].unwrap_or(start);
            let to = positions.iter().find(|(of, _)| *of == number);
            let to = to.map_or(from, |(_, position)| *position);
            holds!(
                from <= to,
                Rule::Forward,
                "{number}/{to} is committed after {from}"
            );
            let due = self.due(number, from, to)?;
            holds!(
                sent == due,
                Rule::Atomic,
                "partition {number} goes from {from} to {to} with {sent:?}, and due is {due:?}"
            );
        }
        for (number, position) in positions {
            self.stored[index(*number)] = Some(*position);
            if let Some(lane) = self.lanes.get_mut(number) {
                lane.start_failed = false;
            }
        }
        self.transaction = Transaction {
            asked: self.transaction.asked.take(),
            ..Transaction::default()
        };
        Ok(())
    }

    /// What should count of a partition between two positions.
    fn due(&self, number: i32, from: i64, to: i64) -> Result<Vec<(i64, Part)>, (Rule, String)> {
        let records = &self.plan.partition(number).records;
        holds!(
            to == from || self.plan.is_place(number, to),
            Rule::Atomic,
            "{number}/{to} is beside no record"
        );
        let mut due = Vec::new();
        for record in records {
            if !(from..to).contains(&record.offset) {
                continue;
            }
            match fate::due(self.plan, record) {
                Due::Outputs(count) => {
                    due.extend((0..count).map(|nth| (record.offset, Part::Output(nth))));
                }
                Due::Letter => due.push((record.offset, Part::Letter)),
                Due::Nothing => {}
                Due::End => holds!(
                    false,
                    Rule::Atomic,
                    "{number}/{} is passed, which should end the run",
                    record.offset
                ),
            }
        }
        Ok(due)
    }

    /// Nothing of the open transaction will ever count.
    pub(super) fn undone(&mut self) {
        self.transaction = Transaction {
            was_undone: true,
            is_aborting: self.transaction.is_aborting,
            asked: self.transaction.asked.take(),
            ..Transaction::default()
        };
    }

    /// The worker begins to abort, or goes on with it.
    pub(super) fn aborts(&mut self) {
        self.transaction.is_aborting = true;
    }

    /// The worker knows that the transaction is over: it reads again from where the
    /// store is.
    pub(super) fn aborted(&mut self) {
        self.transaction.is_aborting = false;
        self.transaction.asked = None;
        self.transaction.was_undone = true;
        for (number, lane) in &mut self.lanes {
            let start = self.plan.partition(*number).start;
            lane.restart(self.stored[index(*number)].unwrap_or(start));
            lane.refusals.clear();
            lane.unanswered.clear();
            lane.may_go_back = true;
        }
    }

    pub(super) fn goes_back(&mut self, (number, position): At) -> Verdict {
        let start = self.plan.partition(number).start;
        let stored = self.stored[index(number)].unwrap_or(start);
        let Some(lane) = self.lanes.get_mut(&number) else {
            return Err((Rule::Own, format!("partition {number} goes back")));
        };
        holds!(
            std::mem::take(&mut lane.may_go_back),
            Rule::GoesBack,
            "partition {number} goes back to {position}, and nothing was aborted"
        );
        holds!(
            position == stored,
            Rule::GoesBack,
            "partition {number} goes back to {position}, and not to {stored}"
        );
        Ok(())
    }

    /// Whether the transaction ended before a partition was given up, or for as long
    /// as there was time.
    pub(super) fn is_drained(&self, number: i32, lane: &Lane, late: Duration) -> Verdict {
        let drain = self.plan.settings.drain;
        let in_time = late < drain - FOR_THE_COMMIT.min(drain / 4);
        let assignment = lane.assignment;
        let handed = &self.transaction.handed;
        let open = handed
            .iter()
            .any(|id| self.handed[*id].assignment == assignment);
        holds!(
            !(open && in_time),
            Rule::Drained,
            "partition {number} is given up, and its transaction is open"
        );
        match open {
            true => Ok(()),
            false => self.is_committed(number, lane),
        }
    }

    /// Whether something that was done may be in no store.
    pub(super) fn is_undone(&self) -> bool {
        let passed = |(number, lane): (&i32, &Lane)| {
            let undone = |stored| {
                let judged = lane.judged.range(stored..).next().is_some();
                judged || self.plan.behind_holes(*number, stored) > stored
            };
            lane.start_failed || self.stored[index(*number)].is_none_or(undone)
        };
        self.open_at_the_end || self.transaction.was_undone || self.lanes.iter().any(passed)
    }
}
