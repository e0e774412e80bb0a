//! What must be true of every run, found out from its trace without any of the
//! worker's cleverness: each rule is looked at by itself, record by record.

mod end;
mod fate;
mod lane;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use self::lane::Lane;
use super::plan::{Plan, Topic, index};
use super::trace::{At, Event};

/// A rule that a run broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// What is committed is done, and acknowledged.
    Acknowledged,
    /// What is done is committed before the partition is given up.
    Committed,
    /// A position never goes back.
    Forward,
    /// Nothing is read before it is stored where the partition begins.
    Begun,
    /// Only what is its own does a worker read, send or commit.
    Own,
    /// A partition is drained before it is given up.
    Drained,
    /// Outputs leave in the order of their sources, and once, unless the worker
    /// went back.
    Order,
    /// It goes back only after a refusal.
    GoesBack,
    /// Of each record comes what should come.
    Fate,
    /// In the end all of it is there.
    Whole,
    /// How a worker ends is what happened to it.
    End,
}

#[derive(Debug)]
pub struct Complaint {
    pub rule: Rule,
    /// The event that broke it.
    pub event: usize,
    pub why: String,
}

/// What of a record is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Output(usize),
    Letter,
}

/// An output that was handed over.
struct Handed {
    source: At,
    part: Part,
    topic: Topic,
    /// The assignment that sent it.
    assignment: usize,
}

type Verdict = Result<(), (Rule, String)>;

/// Fails with a rule and a reason unless the condition holds.
macro_rules! holds {
    ($condition:expr, $rule:expr, $($why:tt)+) => {
        if !$condition {
            return Err(($rule, format!($($why)+)));
        }
    };
}
use holds;

struct Checker<'a> {
    plan: &'a Plan,
    /// What was assigned and is not read yet.
    coming: BTreeSet<i32>,
    lanes: BTreeMap<i32, Lane>,
    /// Where this worker last began each partition.
    begun: BTreeMap<i32, i64>,
    assignments: usize,
    handed: Vec<Handed>,
    /// What the broker wrote, in order.
    log: Vec<usize>,
    refused: BTreeSet<usize>,
    stored: Vec<Option<i64>>,
    /// The records that other workers did.
    elsewhere: BTreeSet<At>,
    /// The rejected records of this worker, by assignment.
    rejected: BTreeSet<(usize, i64)>,
}

/// Whether the trace of a run breaks a rule.
pub fn check(plan: &Plan, trace: &[Event]) -> Result<(), Complaint> {
    let mut checker = Checker {
        plan,
        coming: BTreeSet::new(),
        lanes: BTreeMap::new(),
        begun: BTreeMap::new(),
        assignments: 0,
        handed: Vec::new(),
        log: Vec::new(),
        refused: BTreeSet::new(),
        stored: plan
            .partitions
            .iter()
            .map(|p| p.stored.then_some(p.start))
            .collect(),
        elsewhere: BTreeSet::new(),
        rejected: BTreeSet::new(),
    };
    let complaint = |event, (rule, why)| Complaint { rule, event, why };
    for (at, event) in trace.iter().enumerate() {
        checker
            .take(event)
            .map_err(|broken| complaint(at, broken))?;
    }
    match trace.last() {
        Some(Event::Ended(end)) if end.is_the_policys() => Ok(()),
        _ => checker.is_whole(),
    }
    .map_err(|broken| complaint(trace.len(), broken))
}

impl Checker<'_> {
    fn take(&mut self, event: &Event) -> Verdict {
        match event {
            Event::Begins => {
                self.coming.clear();
                self.lanes.clear();
                self.begun.clear();
                self.rejected.clear();
            }
            Event::Assigned(number) => {
                self.coming.insert(*number);
            }
            Event::Started(at) => self.started(*at)?,
            Event::Rewound(at) => self.rewound(*at)?,
            Event::Judged {
                number,
                offsets,
                answer,
            } => self.judged(*number, offsets, answer)?,
            Event::Handed { source, what, .. } => self.hands_over(*source, what)?,
            Event::Written(id) => self.log.push(*id),
            Event::Refused(id, _) => {
                self.refused.insert(*id);
            }
            Event::Told(id) => self.told(*id),
            Event::Commits { positions, .. } => {
                for at in positions {
                    self.commits(*at)?;
                }
            }
            Event::Stored((number, position)) => {
                self.stored[index(*number)] = Some(*position);
                if let Some(lane) = self.lanes.get_mut(number) {
                    lane.commit_failed = false;
                }
            }
            Event::Unstored(numbers) => {
                for number in numbers {
                    if let Some(lane) = self.lanes.get_mut(number) {
                        lane.commit_failed = true;
                    }
                }
            }
            Event::Revoked(number, when) => {
                if let Some(lane) = self.lanes.get_mut(number) {
                    lane.revoked = Some(*when);
                }
            }
            Event::Lost(number) => {
                self.coming.remove(number);
                self.lanes.remove(number);
            }
            Event::Released(number, when) => self.released(*number, *when)?,
            Event::Elsewhere((number, position)) => self.moved_elsewhere(*number, *position),
            Event::Closed => {
                for (number, lane) in &self.lanes {
                    self.is_committed(*number, lane)?;
                }
            }
            Event::Ended(end) => self.ended(end)?,
            Event::Heals | Event::Crashes => {}
        }
        Ok(())
    }
}
