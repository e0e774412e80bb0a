//! Finds the record that breaks the plugin. Pure: it knows the transform only
//! by its port.
//!
//! A trap may come from the instance's state and not from a record, so a fresh
//! instance runs the whole batch once more, then its halves, until the culprit
//! stands alone. After a time-out single records run at once.

use crate::pipeline::ports::{Fatal, Fault, Transform};
use crate::record::{Record, TopicPartition, Verdict};

/// The verdicts of `records`, up to the first one that breaks a fresh instance
/// on its own, whose verdict is then a `Fail` with the fault as its reason, and
/// the last of the answer.
pub fn judge<T: Transform, R: Record>(
    transform: &mut T,
    partition: &TopicPartition,
    records: &[R],
) -> Result<Vec<Verdict>, Fatal> {
    match transform.process(partition, records) {
        Ok(verdicts) => Ok(verdicts),
        Err(Fault::Fatal(error)) => Err(error),
        Err(fault @ Fault::Broke(_)) => {
            tracing::warn!(%partition, records = records.len(), %fault,
                "the plugin broke; a fresh instance looks for the record that does it");
            let mut found = Vec::with_capacity(records.len());
            hunt(transform, partition, records, &mut found)?;
            Ok(found)
        }
        Err(fault @ Fault::TimedOut(_)) => {
            tracing::warn!(%partition, records = records.len(), %fault,
                "the plugin took too long; its records are tried one by one");
            let mut found = Vec::with_capacity(records.len());
            one_by_one(transform, partition, records, &mut found)?;
            Ok(found)
        }
    }
}

/// Whether the hunt goes on behind these records.
#[derive(PartialEq)]
enum Hunt {
    GoesOn,
    Found,
}

fn hunt<T: Transform, R: Record>(
    transform: &mut T,
    partition: &TopicPartition,
    records: &[R],
    found: &mut Vec<Verdict>,
) -> Result<Hunt, Fatal> {
    match transform.process(partition, records) {
        Ok(verdicts) => {
            found.extend(verdicts);
            Ok(Hunt::GoesOn)
        }
        Err(Fault::Fatal(error)) => Err(error),
        Err(fault) if records.len() == 1 => {
            found.push(Verdict::Fail(fault.to_string()));
            Ok(Hunt::Found)
        }
        Err(Fault::TimedOut(_)) => one_by_one(transform, partition, records, found),
        Err(Fault::Broke(_)) => {
            let (left, right) = records.split_at(records.len() / 2);
            match hunt(transform, partition, left, found)? {
                Hunt::Found => Ok(Hunt::Found),
                Hunt::GoesOn => hunt(transform, partition, right, found),
            }
        }
    }
}

fn one_by_one<T: Transform, R: Record>(
    transform: &mut T,
    partition: &TopicPartition,
    records: &[R],
    found: &mut Vec<Verdict>,
) -> Result<Hunt, Fatal> {
    for record in records.chunks(1) {
        if hunt(transform, partition, record, found)? == Hunt::Found {
            return Ok(Hunt::Found);
        }
    }
    Ok(Hunt::GoesOn)
}

#[cfg(test)]
mod tests;
