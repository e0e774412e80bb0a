//! The records that failed: counted by stage and reason, and logged as far as
//! that helps a reader.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::record::{NextOffset, Position, Rejected, Stage, TopicPartition};
use crate::throttle::Throttle;

/// How many rejected records are logged in each [`WINDOW`]: enough to see what
/// goes wrong, and little beside what a pipeline passes in that time.
const LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);

/// How many different reasons are told apart. Reasons may hold data.
const MOST_REASONS: usize = 1000;

/// Where further reasons are counted.
const OTHERS: &str = "(other reasons)";

/// See the module's words.
#[derive(Debug)]
pub struct Failures(Mutex<State>);

#[derive(Debug)]
struct State {
    dead_letters: u64,
    dropped: u64,
    /// By stage and the reason's first line.
    reasons: HashMap<Stage, HashMap<String, u64>>,
    rejected: Throttle,
    faults: Throttle,
    waits: Throttle,
}

/// How often records failed at one stage for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub stage: Stage,
    /// The reason's first line.
    pub reason: String,
    pub count: u64,
}

impl Default for Failures {
    fn default() -> Self {
        Self(Mutex::new(State {
            dead_letters: 0,
            dropped: 0,
            reasons: HashMap::new(),
            rejected: Throttle::new(LINES, WINDOW),
            faults: Throttle::new(LINES, WINDOW),
            waits: Throttle::new(LINES, WINDOW),
        }))
    }
}

impl Failures {
    /// A record was rejected: a dead letter is on its way, or it is dropped.
    pub fn add(&self, rejected: &Rejected, letter: bool) {
        let mut state = self.state();
        if letter {
            state.dead_letters += 1;
        } else {
            state.dropped += 1;
        }
        state.count(rejected);
        let Some(left_out) = state.rejected.pass(Instant::now()) else {
            return;
        };
        drop(state);
        let Rejected {
            stage,
            position,
            reason,
        } = rejected;
        tracing::warn!(
            partition = %position.partition,
            offset = position.offset,
            %stage,
            reason,
            left_out = (left_out > 0).then_some(left_out),
            "{}",
            match letter {
                true => "record rejected: it is now a dead letter",
                false => "record rejected: it is dropped (errors.policy)",
            }
        );
    }

    /// The plugin broke in a call of so many records, and a hunt for the culprit
    /// begins.
    pub fn fault(&self, first: &Position, records: usize, fault: &str) {
        let passes = self.state().faults.pass(Instant::now());
        if let Some(left_out) = passes {
            tracing::warn!(
                partition = %first.partition,
                offset = first.offset,
                records,
                fault,
                left_out = (left_out > 0).then_some(left_out),
                "the plugin broke: a fresh instance looks for the record that does it"
            );
        }
    }

    /// A partition waits for what is around it, and for so long before it tries
    /// again.
    pub fn wait(&self, position: &Position, why: &str, long: Duration) {
        let passes = self.state().waits.pass(Instant::now());
        if let Some(left_out) = passes {
            tracing::warn!(
                partition = %position.partition,
                offset = position.offset,
                why,
                again_in = ?long,
                left_out = (left_out > 0).then_some(left_out),
                "the partition waits: what comes of this record can't be written now, for no \
                 fault of its own"
            );
        }
    }

    /// A partition waits for a schema.
    pub fn wait_for_schema(&self, position: &Position, why: &str) {
        let passes = self.state().waits.pass(Instant::now());
        if let Some(left_out) = passes {
            tracing::warn!(
                partition = %position.partition,
                offset = position.offset,
                why,
                left_out = (left_out > 0).then_some(left_out),
                "the partition waits: a schema of this record is looked up"
            );
        }
    }

    /// An output was refused when it was on its way.
    pub fn goes_back(&self, partition: &TopicPartition, position: NextOffset) {
        let passes = self.state().waits.pass(Instant::now());
        if let Some(left_out) = passes {
            tracing::warn!(
                %partition,
                offset = position.0,
                left_out = (left_out > 0).then_some(left_out),
                "the broker refused an output that was on its way: the partition is read again \
                 from here"
            );
        }
    }

    /// How often records were rejected at each stage.
    pub fn stages(&self) -> BTreeMap<Stage, u64> {
        let state = self.state();
        let stages = state.reasons.iter();
        stages
            .map(|(stage, reasons)| (*stage, reasons.values().sum()))
            .collect()
    }

    /// How many dead letters were written, and how many records dropped.
    pub fn totals(&self) -> (u64, u64) {
        let state = self.state();
        (state.dead_letters, state.dropped)
    }

    /// The most frequent ones first.
    pub fn groups(&self) -> Vec<Group> {
        let state = self.state();
        let mut groups: Vec<Group> = state
            .reasons
            .iter()
            .flat_map(|(stage, reasons)| {
                reasons.iter().map(|(reason, count)| Group {
                    stage: *stage,
                    reason: reason.clone(),
                    count: *count,
                })
            })
            .collect();
        groups.sort_by(|a, b| {
            b.count
                .cmp(&a.count)
                .then_with(|| (a.stage, &a.reason).cmp(&(b.stage, &b.reason)))
        });
        groups
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&mut self, rejected: &Rejected) {
        let known: usize = self.reasons.values().map(HashMap::len).sum();
        let reason = rejected.reason.lines().next().unwrap_or_default();
        let reasons = self.reasons.entry(rejected.stage).or_default();
        let reason = match reasons.contains_key(reason) || known < MOST_REASONS {
            true => reason,
            false => OTHERS,
        };
        match reasons.get_mut(reason) {
            Some(count) => *count += 1,
            None => {
                reasons.insert(reason.to_owned(), 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::TopicPartition;

    fn rejected(stage: Stage, reason: &str) -> Rejected {
        Rejected {
            stage,
            position: TopicPartition::new("orders", 0).at(1),
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn failures_are_counted_by_stage_and_the_first_line_of_their_reason() {
        let failures = Failures::default();
        failures.add(&rejected(Stage::Transform, "it trapped\n  at f"), true);
        failures.add(&rejected(Stage::Transform, "it trapped\n  at g"), true);
        failures.add(&rejected(Stage::Produce, "it trapped"), false);
        let groups = failures.groups();
        let found: Vec<_> = groups
            .iter()
            .map(|g| (g.stage, g.reason.as_str(), g.count))
            .collect();
        assert_eq!(
            found,
            [
                (Stage::Transform, "it trapped", 2),
                (Stage::Produce, "it trapped", 1)
            ]
        );
        assert_eq!(failures.totals(), (2, 1));
    }

    #[test]
    fn reasons_that_hold_data_do_not_fill_the_memory() {
        let failures = Failures::default();
        for i in 0..MOST_REASONS + 10 {
            failures.add(&rejected(Stage::Transform, &format!("order {i}")), true);
        }
        let groups = failures.groups();
        assert_eq!(groups.len(), MOST_REASONS + 1);
        assert_eq!(groups[0].reason, OTHERS);
        assert_eq!(groups[0].count, 10);
    }
}
