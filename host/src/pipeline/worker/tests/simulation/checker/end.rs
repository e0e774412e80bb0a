//! What must be true when a run is over.

use std::collections::BTreeMap;

use super::fate::{self, Due};
use super::{Checker, Part, Rule, Verdict, holds};
use crate::pipeline::fakes::partition;
use crate::pipeline::policy::Policy;
use crate::pipeline::worker::tests::simulation::plan::{LetterFlaw, Topic, index};
use crate::pipeline::worker::tests::simulation::trace::End;
use crate::record::Rejected;

impl Checker<'_> {
    pub(super) fn ended(&mut self, end: &End) -> Verdict {
        let unanswered: usize = self.lanes.values().map(|lane| lane.unanswered.len()).sum();
        let failed = self.lanes.values().any(|lane| lane.commit_failed);
        match end {
            End::Well if self.plan.exactly_once => holds!(
                !self.open_at_the_end,
                Rule::End,
                "it ended well with an open transaction"
            ),
            End::Undone(why) if self.plan.exactly_once => {
                holds!(self.is_undone(), Rule::End, "all was done: {why}");
            }
            End::Well => holds!(
                unanswered == 0,
                Rule::End,
                "it ended well with {unanswered} outputs unanswered"
            ),
            End::Undone(why) => {
                holds!(unanswered > 0 || failed, Rule::End, "all was done: {why}");
            }
            End::NoInstance => {}
            End::Rejected(rejected) => self.ended_with(rejected)?,
            End::Breaker(why) => self.breaker_tripped(why)?,
            End::Letter(why) => self.letter_was_unwritable(why)?,
            End::Endless => return Err((Rule::Whole, "it never came to its end".to_owned())),
            End::Other(why) => return Err((Rule::End, why.clone())),
        }
        self.lanes.clear();
        Ok(())
    }

    /// A rejected record ended the run: the first one that was known.
    fn ended_with(&self, rejected: &Rejected) -> Verdict {
        let number = rejected.position.partition.partition;
        let offset = rejected.position.offset;
        let record = self.plan.record(number, offset);
        holds!(
            self.plan.settings.policy == Policy::Stop
                && record.is_some_and(|record| {
                    fate::is_culprit(record)
                        && fate::may_be_rejected(record, rejected.stage.name(), &rejected.reason)
                }),
            Rule::End,
            "it should not have ended with this: {rejected}"
        );
        let Some(from) = self.begun.get(&number) else {
            return Err((
                Rule::End,
                format!("its partition was not its own: {rejected}"),
            ));
        };
        let earlier = self.plan.partition(number).records.iter().find(|record| {
            (*from..offset).contains(&record.offset)
                && fate::is_culprit(record)
                && !fate::shows_late(record)
        });
        holds!(
            earlier.is_none(),
            Rule::End,
            "another one was to be rejected before: {rejected}"
        );
        Ok(())
    }

    fn breaker_tripped(&self, why: &str) -> Verdict {
        let failed = self.rejected.len() as u64;
        let breaker = self.plan.settings.breaker;
        holds!(
            breaker.is_some_and(|breaker| failed >= breaker.failed),
            Rule::End,
            "{failed} records failed, and {breaker:?} ended the run: {why}"
        );
        Ok(())
    }

    fn letter_was_unwritable(&self, why: &str) -> Verdict {
        let named = self.plan.numbers().any(|number| {
            self.plan.partition(number).records.iter().any(|record| {
                matches!(record.letter, LetterFlaw::Unwritable(_))
                    && fate::is_culprit(record)
                    && why.contains(&format!("{} can't", partition(number).at(record.offset)))
            })
        });
        holds!(named, Rule::End, "no such dead letter: {why}");
        Ok(())
    }

    /// Everything is there, is committed, and stands in order.
    pub(super) fn is_whole(&self) -> Verdict {
        for number in self.plan.numbers() {
            let partition = self.plan.partition(number);
            let end = partition.records.last().map_or(0, |last| last.offset + 1);
            let stored = self.stored[index(number)];
            holds!(
                stored == Some(end.max(partition.start)),
                Rule::Whole,
                "partition {number} ends at {end}, and {stored:?} is committed"
            );
            // Each transaction that counted was whole.
            if !self.plan.exactly_once {
                self.is_written(number)?;
            }
        }
        Ok(())
    }

    /// The last one of each output counts: what went out again went out with
    /// everything behind it.
    fn is_written(&self, number: i32) -> Verdict {
        let mut last: BTreeMap<(Topic, i64, Part), usize> = BTreeMap::new();
        for (at, id) in self.log.iter().enumerate() {
            let handed = &self.handed[*id];
            let (of, offset) = handed.source;
            if of == number {
                last.insert((handed.topic, offset, handed.part), at);
            }
        }
        let partition = self.plan.partition(number);
        let own = partition.records.iter().filter(|record| {
            record.offset >= partition.start && !self.elsewhere.contains(&(number, record.offset))
        });
        let mut before = BTreeMap::new();
        for record in own {
            let parts: Vec<(Topic, Part)> = match fate::due(self.plan, record) {
                Due::Outputs(_) => (0..)
                    .zip(&record.outputs)
                    .map(|(nth, output)| (output.topic, Part::Output(nth)))
                    .collect(),
                Due::Letter => vec![(Topic::Dead, Part::Letter)],
                Due::Nothing | Due::End => Vec::new(),
            };
            for (topic, part) in parts {
                let offset = record.offset;
                let Some(at) = last.get(&(topic, offset, part)) else {
                    return Err((
                        Rule::Whole,
                        format!("{part:?} of {number}/{offset} was never written"),
                    ));
                };
                let earlier = before.insert(topic, *at);
                holds!(
                    earlier.is_none_or(|earlier| earlier < *at),
                    Rule::Order,
                    "{part:?} of {number}/{offset} was written before what comes before it"
                );
            }
        }
        Ok(())
    }
}
