//! What the checker knows of one assignment of a partition.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::fate::{self, Due};
use super::{Part, Rule, Verdict, holds};
use crate::pipeline::worker::tests::simulation::plan::{Plan, Planned};

pub struct Lane {
    /// No other assignment has this number.
    pub assignment: usize,
    /// Where it began.
    pub from: i64,
    /// Where it began, or went back to.
    pub round: i64,
    /// What was sent since then.
    pub sent: BTreeSet<(i64, Part)>,
    /// What was sent last.
    pub cursor: Option<(i64, Part)>,
    /// The records that the plugin judged, or broke at.
    pub judged: BTreeSet<i64>,
    /// What the worker was told to be acknowledged.
    pub acknowledged: BTreeSet<(i64, Part)>,
    /// The records of which something was refused when it was on its way.
    pub refused: BTreeSet<i64>,
    /// Those of them since it went back the last time.
    pub refusals: BTreeSet<i64>,
    /// What was sent and has no answer, and of which record.
    pub unanswered: BTreeMap<usize, i64>,
    pub revoked: Option<Duration>,
    /// Whether the store did not take the last commit.
    pub commit_failed: bool,
    /// Its transaction was aborted.
    pub may_go_back: bool,
    /// Whether the store did not say that it has the start.
    pub start_failed: bool,
}

impl Lane {
    pub fn new(assignment: usize, from: i64) -> Self {
        Self {
            assignment,
            from,
            round: from,
            sent: BTreeSet::new(),
            cursor: None,
            judged: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            refused: BTreeSet::new(),
            refusals: BTreeSet::new(),
            unanswered: BTreeMap::new(),
            revoked: None,
            commit_failed: false,
            may_go_back: false,
            start_failed: false,
        }
    }

    /// Reads again from here.
    pub fn restart(&mut self, position: i64) {
        self.round = position;
        self.sent.clear();
        self.cursor = None;
        drop(self.judged.split_off(&position));
        drop(self.acknowledged.split_off(&(position, Part::Output(0))));
    }

    /// Whether all that should come of a record came.
    fn is_done(&self, plan: &Plan, record: &Planned) -> bool {
        let has = |part| self.acknowledged.contains(&(record.offset, part));
        self.judged.contains(&record.offset)
            && match fate::due(plan, record) {
                Due::Outputs(count) => (0..count).all(|nth| has(Part::Output(nth))),
                Due::Letter => has(Part::Letter),
                Due::Nothing => !fate::shows_late(record) || self.refused.contains(&record.offset),
                Due::End => false,
            }
    }

    /// Whether nothing before this record was passed over. Only when it is done,
    /// it shows what became of one that the broker alone finds out about.
    pub fn is_sent_before(&self, plan: &Plan, number: i32, offset: i64) -> Verdict {
        let records = &plan.partition(number).records;
        let unsent = records.iter().find(|record| {
            let has = |part| self.sent.contains(&(record.offset, part));
            (self.round..offset).contains(&record.offset)
                && !fate::shows_late(record)
                && !match fate::due(plan, record) {
                    Due::Outputs(count) => (0..count).all(|nth| has(Part::Output(nth))),
                    // One that will be refused may be on its way.
                    Due::Letter | Due::End => has(Part::Letter),
                    Due::Nothing => true,
                }
        });
        holds!(
            unsent.is_none(),
            Rule::Order,
            "{number}/{offset} is sent, and {} was not",
            unsent.map_or(0, |record| record.offset)
        );
        Ok(())
    }

    pub fn is_done_before(&self, plan: &Plan, number: i32, position: i64) -> Verdict {
        let records = &plan.partition(number).records;
        let undone = records
            .iter()
            .filter(|record| (self.from..position).contains(&record.offset))
            .find(|record| !self.is_done(plan, record));
        holds!(
            undone.is_none(),
            Rule::Acknowledged,
            "{position} of partition {number} is passed, and {} is not done",
            undone.map_or(0, |record| record.offset)
        );
        Ok(())
    }

    /// Whether only some outputs of a record were sent, though it is no culprit
    /// and the lane is not to go back.
    pub fn is_half_sent(&self, plan: &Plan, number: i32) -> bool {
        self.refusals.is_empty()
            && self.cursor.is_some_and(|(offset, part)| {
                plan.record(number, offset).is_some_and(|record| {
                    !fate::is_culprit(record)
                        && part != Part::Output(record.outputs.len().saturating_sub(1))
                })
            })
    }

    /// Up to where it is certainly done: a record of which nothing comes counts
    /// as soon as one behind it is done.
    pub fn done(&self, plan: &Plan, number: i32) -> i64 {
        let mut done = self.from;
        for record in &plan.partition(number).records {
            if record.offset < self.from {
                continue;
            }
            let due = fate::due(plan, record);
            // Whether it is dropped already is the worker's secret.
            let secret = due == Due::Nothing && fate::shows_late(record);
            // A culprit's outputs may have gone out before it was rejected.
            let open = self.refusals.contains(&record.offset)
                || self.unanswered.values().any(|of| *of == record.offset);
            if secret || open || !self.is_done(plan, record) {
                break;
            }
            if !matches!(due, Due::Nothing | Due::Outputs(0)) {
                done = record.offset + 1;
            }
        }
        done
    }
}
