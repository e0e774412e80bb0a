//! Encoding what a transform says. All that has to change in the outputs of some
//! records is found first, and then put in place: what is half encoded would be encoded
//! once more.

use super::coded::latest;
use super::{Coded, FIELDS, Lack};
use crate::pipeline::ports::{Halt, Transform};
use crate::record::{Field, Judged, Output, Payload, Record, Shown, Stage, Verdict};

/// A payload that takes another's place.
struct Change {
    output: usize,
    field: Field,
    bytes: Vec<u8>,
}

/// A payload on its way through a plugin.
struct Job<'a> {
    topic: &'a str,
    record: usize,
    output: usize,
    bytes: &'a [u8],
}

impl<T: Transform> Coded<T> {
    /// Of at least one record, from the first on. Says of how many.
    pub(super) fn encode_outputs<R: Record>(
        &mut self,
        records: &[R],
        judged: &mut [Judged],
    ) -> Result<usize, Halt> {
        let is_plain = |field: &Field| self.encode.of(*field).how.is_bytes();
        if FIELDS.iter().all(is_plain) {
            return Ok(judged.len());
        }
        for field in FIELDS {
            self.encode.of_mut(field).begin();
        }
        let mut changes = Vec::with_capacity(judged.len());
        for (record, judged) in records.iter().zip(judged.iter()) {
            changes.push(match self.changes(record, judged) {
                Err((_, Lack::Later(why))) if changes.is_empty() => return Err(Halt::Later(why)),
                Err((_, Lack::Later(_))) => break,
                Err((field, Lack::Bad(why))) => Err(Judged::failed(Stage::encode(field), why)),
                Ok(changes) => Ok(changes),
            });
        }
        for field in FIELDS {
            self.changes_by_plugin(field, records, judged, &mut changes)?;
        }
        let count = changes.len();
        for (judged, changes) in judged.iter_mut().zip(changes) {
            match changes {
                Ok(changes) => apply(&mut judged.verdict, changes),
                Err(failed) => {
                    judged.verdict = failed.verdict;
                    judged.stage = failed.stage;
                }
            }
        }
        Ok(count)
    }

    /// What has to change in the outputs of one record.
    fn changes<R: Record>(
        &mut self,
        record: &R,
        judged: &Judged,
    ) -> Result<Vec<Change>, (Field, Lack)> {
        let mut changes = Vec::new();
        for (output, sent) in outputs(judged) {
            // Without a topic it goes nowhere, and is rejected for that.
            let Some(topic) = self.topics.of(sent) else {
                continue;
            };
            for field in FIELDS {
                let encoding = self.encode.of_mut(field);
                let Some((bytes, is_source)) = payload(record, judged, sent, field) else {
                    continue;
                };
                if encoding.how.plugin().is_some() {
                    continue;
                }
                let shown = judged.decoded.of(field);
                let made = encoding.encode(&self.schemas, topic, shown, is_source, bytes);
                let made = made.map_err(|lack| (field, lack))?;
                changes.extend(made.map(|bytes| Change {
                    output,
                    field,
                    bytes,
                }));
            }
        }
        Ok(changes)
    }

    /// Adds what a plugin makes of one field of the outputs, topic by topic.
    fn changes_by_plugin<R: Record>(
        &mut self,
        field: Field,
        records: &[R],
        judged: &[Judged],
        changes: &mut [Result<Vec<Change>, Judged>],
    ) -> Result<(), Halt> {
        let Some(plugin) = self.encode.of_mut(field).how.plugin() else {
            return Ok(());
        };
        let mut jobs: Vec<Job<'_>> = Vec::new();
        for (index, (record, judged)) in records.iter().zip(judged).enumerate() {
            // Those behind the last change are not encoded yet.
            if !matches!(changes.get(index), Some(Ok(_))) {
                continue;
            }
            jobs.extend(outputs(judged).filter_map(|(output, sent)| {
                Some(Job {
                    topic: self.topics.of(sent)?,
                    record: index,
                    output,
                    bytes: payload(record, judged, sent, field)?.0,
                })
            }));
        }
        // Outputs to one topic go together, whichever record they come from.
        jobs.sort_by_key(|job| job.topic);
        let stage = Stage::encode(field);
        let mut calls = jobs.as_slice();
        while let Some(first) = calls.first() {
            let (jobs, rest) = calls.split_at(call(calls, first.topic, self.most_bytes));
            calls = rest;
            let payloads: Vec<&[u8]> = jobs.iter().map(|job| job.bytes).collect();
            let made = plugin.convert(first.topic, field, &payloads, latest(records));
            let made = match made {
                Ok(made) => made,
                Err(fault) => return Err(self.broke(stage, fault)),
            };
            for (job, made) in jobs.iter().zip(made) {
                match (made, &mut changes[job.record]) {
                    (Ok(bytes), Ok(changes)) => changes.push(Change {
                        output: job.output,
                        field,
                        bytes,
                    }),
                    (Err(why), changes) => *changes = Err(Judged::failed(stage, why)),
                    (Ok(_), Err(_)) => {}
                }
            }
        }
        Ok(())
    }
}

/// What a record sends, and which of its outputs each is.
fn outputs(judged: &Judged) -> impl Iterator<Item = (usize, &Output)> {
    let outputs = judged.verdict.outputs().unwrap_or_default();
    outputs.iter().enumerate()
}

/// How many of these jobs, from the first on, make one call for this topic.
fn call(jobs: &[Job<'_>], topic: &str, most_bytes: usize) -> usize {
    let mut bytes = 0usize;
    let fits = jobs.iter().take_while(|job| {
        bytes = bytes.saturating_add(job.bytes.len());
        job.topic == topic && bytes <= most_bytes
    });
    fits.count().max(1)
}

/// What an output sends in a field, and whether that is its source's; `None`: null.
fn payload<'a, R: Record>(
    record: &'a R,
    judged: &'a Judged,
    output: &'a Output,
    field: Field,
) -> Option<(&'a [u8], bool)> {
    match output.payload(field) {
        Payload::Null => None,
        Payload::Bytes(bytes) => Some((bytes, false)),
        Payload::Source => match judged.decoded.of(field) {
            Shown::Made { bytes, .. } => Some((bytes, true)),
            Shown::AsItIs => Some((record.field(field)?, true)),
        },
    }
}

fn apply(verdict: &mut Verdict, changes: Vec<Change>) {
    if changes.is_empty() {
        return;
    }
    if let Verdict::Forward = verdict {
        *verdict = Verdict::Replace(Output::FORWARD);
    }
    let outputs = match verdict {
        Verdict::Replace(output) => std::slice::from_mut(output),
        Verdict::Expand(outputs) => outputs.as_mut_slice(),
        Verdict::Forward | Verdict::Drop | Verdict::Fail(_) => &mut [],
    };
    for Change {
        output,
        field,
        bytes,
    } in changes
    {
        *outputs[output].payload_mut(field) = Payload::Bytes(bytes);
    }
}
