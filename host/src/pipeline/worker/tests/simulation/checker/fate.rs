//! What should come of each record, by its nature and the policy alone.

use super::{Part, Rule, holds};
use crate::pipeline::dead_letter::Letter;
use crate::pipeline::fakes::partition;
use crate::pipeline::policy::Policy;
use crate::pipeline::worker::tests::simulation::plan::{LetterFlaw, Plan, Planned, Topic, Where};
use crate::pipeline::worker::tests::simulation::trace::{At, What};
use crate::pipeline::worker::tests::simulation::world::IN_ONE_BATCH;
use crate::record::{Position, Record as _};

/// What a record should lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// So many outputs.
    Outputs(usize),
    Letter,
    Nothing,
    /// The end of the run.
    End,
}

pub fn due(plan: &Plan, record: &Planned) -> Due {
    match &plan.settings.policy {
        _ if !is_culprit(record) => Due::Outputs(record.outputs.len()),
        Policy::Stop => Due::End,
        Policy::Drop => Due::Nothing,
        Policy::DeadLetter { .. } if matches!(record.letter, LetterFlaw::Unwritable(_)) => Due::End,
        Policy::DeadLetter { .. } => Due::Letter,
    }
}

/// Whether it can't go through, by a failure of its own.
pub fn is_culprit(record: &Planned) -> bool {
    record.fault().is_some() || record.outputs.iter().any(|output| output.flaw.is_some())
}

/// Whether only the broker finds out that it can't.
pub fn shows_late(record: &Planned) -> bool {
    record.fault().is_none()
        && record
            .outputs
            .iter()
            .filter_map(|output| output.flaw)
            .all(|flaw| flaw == Where::Broker)
        && is_culprit(record)
}

/// Whether a culprit may be rejected at this stage for this reason.
pub fn may_be_rejected(record: &Planned, stage: &str, reason: &str) -> bool {
    if let Some(fault) = record.fault() {
        return stage == "transform" && reason == fault;
    }
    let mut flaws = (0..).zip(&record.outputs).filter(|(_, o)| o.flaw.is_some());
    // Its outputs may be in one batch, alone as it is.
    let in_one_batch = reason == IN_ONE_BATCH && record.outputs.len() > 1;
    stage == "produce"
        && flaws.any(|(nth, output)| {
            reason == record.refusal(nth) || output.flaw == Some(Where::Broker) && in_one_batch
        })
}

/// Whether this may come of the record, and which part of it that is.
pub fn is_right(
    plan: &Plan,
    (number, offset): At,
    record: &Planned,
    what: &What,
) -> Result<(Part, Topic), (Rule, String)> {
    match what {
        What::Output { of, nth, topic } => {
            let planned = record.outputs.get(*nth).map(|output| output.topic);
            holds!(
                *of == (number, offset) && planned == Some(*topic),
                Rule::Fate,
                "{what} comes of {number}/{offset}"
            );
            let early = record.fault().is_some()
                || record
                    .outputs
                    .iter()
                    .any(|o| o.flaw == Some(Where::Admission));
            holds!(
                !early && record.flaw(*nth) != Some(Where::Send),
                Rule::Fate,
                "{what} is sent, though the record is to be rejected before"
            );
            Ok((Part::Output(*nth), *topic))
        }
        What::Letter { letter, value } => {
            let by_policy = matches!(plan.settings.policy, Policy::DeadLetter { .. });
            let position = partition(number).at(offset);
            holds!(
                by_policy
                    && is_culprit(record)
                    && may_be_rejected(record, &letter.origin.stage, &letter.origin.reason),
                Rule::Fate,
                "{number}/{offset} has {what}"
            );
            holds!(
                is_complete(plan, &position, record, letter, *value),
                Rule::Fate,
                "the dead letter of {number}/{offset} is wrong: {letter:?}, value {value:?}"
            );
            Ok((Part::Letter, Topic::Dead))
        }
        What::Strange(why) => Err((Rule::Fate, format!("{number}/{offset} leads to {why}"))),
    }
}

/// Whether a dead letter says everything, and keeps the value if there is room.
fn is_complete(
    plan: &Plan,
    position: &Position,
    record: &Planned,
    letter: &Letter,
    value: Option<bool>,
) -> bool {
    let Policy::DeadLetter { by, .. } = &plan.settings.policy else {
        return false;
    };
    let source = super::super::plan::Input::new(position.partition.partition, position.offset);
    let size = source.value().map_or(0, <[u8]>::len) as u64;
    let whole = match value {
        Some(is_the_records) => is_the_records && letter.origin.value_omitted.is_none(),
        None => {
            letter.origin.value_omitted == Some(size)
                && matches!(
                    record.letter,
                    LetterFlaw::TooLarge(_) | LetterFlaw::Unwritable(Where::Broker)
                )
        }
    };
    whole
        && letter.origin.position == *position
        && letter.origin.timestamp == source.timestamp().millis()
        && letter.origin.attempts == 1
        && letter.by == *by
}
