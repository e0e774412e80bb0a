//! What must be true of every run, found out from its trace without any of the
//! worker's cleverness: each rule is looked at by itself, record by record.

mod end;
mod fate;
mod lane;
mod rules;
mod transactions;

use std::collections::{BTreeMap, BTreeSet};

use self::lane::Lane;
use self::transactions::Transaction;
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
    /// It goes back only after a refusal or an abort.
    GoesBack,
    /// What counts at once is whole, and nothing is added while it ends.
    Atomic,
    /// The store is not asked for what the worker itself holds back.
    Unblocked,
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
    transaction: Transaction,
    /// Whether the worker left one open when it ended.
    open_at_the_end: bool,
    /// The partitions whose start could not be stored.
    start_failed: BTreeSet<i32>,
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
        transaction: Transaction::default(),
        open_at_the_end: false,
        start_failed: BTreeSet::new(),
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
                self.transaction.begins();
            }
            Event::Assigned(number) => {
                self.coming.insert(*number);
            }
            Event::Started(at) => self.started(*at)?,
            Event::Rewound(at) if self.plan.exactly_once => self.goes_back(*at)?,
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
                self.start_failed.extend(numbers);
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
            Event::Ends(positions) => self.ends(positions)?,
            Event::Entered(positions) => self.entered(positions)?,
            Event::Counts(positions) => self.counts(positions)?,
            Event::Done => self.transaction.done(),
            Event::Undone => self.undone(),
            Event::Aborts => self.aborts(),
            Event::Aborted => self.aborted(),
            Event::Unready => {
                let why = "something is sent before a transaction may begin";
                return Err((Rule::Own, why.to_owned()));
            }
            Event::Blocks(number) => {
                let why = format!("it waits for {number}, which its transaction holds back");
                return Err((Rule::Unblocked, why));
            }
            Event::Elsewhere((number, position)) => self.moved_elsewhere(*number, *position),
            Event::Closed => {
                self.open_at_the_end = self.transaction.is_open_and_own();
                // Nothing of an open transaction is committed.
                for (number, lane) in self.lanes.iter().filter(|_| !self.open_at_the_end) {
                    self.is_committed(*number, lane)?;
                }
            }
            Event::Ended(end) => self.ended(end)?,
            Event::Heals | Event::Crashes => {}
        }
        Ok(())
    }
}
