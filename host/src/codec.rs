//! What stands around the transform: `decode` before it, `encode` behind it. A
//! payload that the plugin leaves alone goes out as the bytes that came, where both
//! sides and the schema agree.
//!
//! Schemas are looked up by the registry's own thread; while one is, the records
//! behind it wait, and no other partition does.

pub mod avro;
mod decode;
mod encode;
mod frame;
pub mod schemas;

use std::sync::Arc;

pub use decode::Decoding;
pub use encode::Encoding;

use self::schemas::Schemas;
use crate::config::Fields;
use crate::doorbell::Doorbell;
use crate::names::illegal_name;
use crate::pipeline::ports::{Convert, Fault, Halt, Judge, Transform};
use crate::record::{
    Decoded, Field, Judged, Output, Payload, Record, Seen, Shown, Stage, TopicPartition, Verdict,
};

const FIELDS: [Field; 2] = [Field::Key, Field::Value];

/// What a codec says of one payload.
pub enum Answer<T> {
    /// It stays as it is.
    Same,
    Made(T),
    /// It can't be, for this reason.
    Bad(String),
    /// A schema is looked up. With the reason, where that takes longer than it should.
    Later(Option<Arc<str>>),
}

impl<T> Answer<T> {
    /// The same, where nothing was made.
    fn without<U>(self) -> Answer<U> {
        match self {
            Self::Same | Self::Made(_) => Answer::Same,
            Self::Bad(why) => Answer::Bad(why),
            Self::Later(why) => Answer::Later(why),
        }
    }
}

/// Where outputs go, as far as a subject's name depends on it.
#[derive(Debug, Clone, Default)]
pub struct Topics {
    pub default: Option<Arc<str>>,
    /// Where all of them go.
    pub redirect: Option<Arc<str>>,
}

impl Topics {
    /// Where an output goes; `None`: nowhere, and whoever sends it says why.
    fn of<'a>(&'a self, output: &'a Output) -> Option<&'a str> {
        let named = output.topic.as_deref();
        let redirect = self.redirect.as_deref();
        let topic = redirect.or(named).or(self.default.as_deref())?;
        illegal_name(topic).is_none().then_some(topic)
    }
}

/// See the module's words. One a worker.
pub struct Coded<T> {
    transform: T,
    schemas: Arc<Schemas>,
    decode: Fields<Decoding>,
    encode: Fields<Encoding>,
    topics: Topics,
    /// The most bytes that one call of the transform is given: decoded payloads may
    /// be many times what they were.
    most_bytes: usize,
}

impl<T: Transform> Coded<T> {
    pub fn new(
        transform: T,
        schemas: Arc<Schemas>,
        (decode, encode): (Fields<Decoding>, Fields<Encoding>),
        topics: Topics,
        most_bytes: usize,
    ) -> Self {
        Self {
            transform,
            schemas,
            decode,
            encode,
            topics,
            most_bytes,
        }
    }

    /// Rings `bell` when a schema that was looked up is there.
    pub fn rings(&self, bell: Doorbell) {
        self.schemas.rings(bell);
    }

    /// Whatever broke, the next calls find fresh instances: a hunt for a culprit
    /// begins with them.
    fn broke(&mut self, stage: Stage, fault: Fault) -> Halt {
        Judge::discard(self);
        Halt::Fault(stage, fault)
    }

    /// Decodes records from the first on, as far as their schemas are there.
    fn decode<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Result<Decoded, Judged>>, Halt> {
        for field in FIELDS {
            self.decode.of_mut(field).begin(&self.schemas);
        }
        let mut decoded = Vec::with_capacity(records.len());
        let mut bytes = 0usize;
        for (index, record) in records.iter().enumerate() {
            match self.decode_one(record) {
                Ok(one) => {
                    if let Ok(one) = &one {
                        let seen = Seen {
                            record,
                            decoded: one,
                        };
                        bytes = bytes.saturating_add(seen.size());
                    }
                    if bytes > self.most_bytes && !decoded.is_empty() {
                        break;
                    }
                    decoded.push(one);
                }
                Err(why) => {
                    self.ask_for(&records[index..]);
                    match decoded.is_empty() {
                        true => return Err(Halt::Later(why)),
                        false => break,
                    }
                }
            }
        }
        for field in FIELDS {
            self.decode_by_plugin(field, partition, records, &mut decoded)?;
        }
        self.cut(records, &mut decoded);
        Ok(decoded)
    }

    /// Leaves at least one record, and what goes into one call of the transform.
    fn cut<R: Record>(&self, records: &[R], decoded: &mut Vec<Result<Decoded, Judged>>) {
        let mut bytes = 0usize;
        let fits = decoded.iter().zip(records).take_while(|(decoded, record)| {
            if let Ok(decoded) = decoded {
                bytes = bytes.saturating_add(
                    Seen {
                        record: *record,
                        decoded,
                    }
                    .size(),
                );
            }
            bytes <= self.most_bytes
        });
        let fits = fits.count().max(1);
        decoded.truncate(fits);
    }

    /// Asks for the schemas of all these at once: they wait together.
    fn ask_for<R: Record>(&self, records: &[R]) {
        for field in FIELDS {
            let payloads = records.iter().filter_map(|record| record.field(field));
            self.decode.of(field).ask(&self.schemas, payloads);
        }
    }

    fn decode_one<R: Record>(
        &mut self,
        record: &R,
    ) -> Result<Result<Decoded, Judged>, Option<Arc<str>>> {
        let mut decoded = Decoded::default();
        for field in FIELDS {
            let Some(bytes) = record.field(field) else {
                continue;
            };
            match self.decode.of_mut(field).decode(&self.schemas, bytes) {
                Answer::Same => {}
                Answer::Made(shown) => *decoded.of_mut(field) = shown,
                Answer::Bad(why) => return Ok(Err(Judged::failed(Stage::decode(field), why))),
                Answer::Later(why) => return Err(why),
            }
        }
        Ok(Ok(decoded))
    }

    fn decode_by_plugin<R: Record>(
        &mut self,
        field: Field,
        partition: &TopicPartition,
        records: &[R],
        decoded: &mut [Result<Decoded, Judged>],
    ) -> Result<(), Halt> {
        let Some(plugin) = self.decode.of_mut(field).plugin() else {
            return Ok(());
        };
        let payloads = records.iter().zip(decoded.iter());
        let (places, payloads): (Vec<usize>, Vec<&[u8]>) = payloads
            .enumerate()
            .filter(|(_, (_, decoded))| decoded.is_ok())
            .filter_map(|(index, (record, _))| Some((index, record.field(field)?)))
            .unzip();
        if payloads.is_empty() {
            return Ok(());
        }
        let stage = Stage::decode(field);
        let made = plugin.convert(&partition.topic, field, &payloads, latest(records));
        let made = made.map_err(|fault| self.broke(stage, fault))?;
        for (index, made) in places.into_iter().zip(made) {
            match (made, &mut decoded[index]) {
                (Ok(bytes), Ok(decoded)) => {
                    *decoded.of_mut(field) = Shown::Made {
                        bytes,
                        schema: None,
                    };
                }
                (Err(why), decoded) => *decoded = Err(Judged::failed(stage, why)),
                (Ok(_), Err(_)) => {}
            }
        }
        Ok(())
    }

    /// What has to change in the outputs of one record; `None`: a schema is missing
    /// yet.
    fn changes<R: Record>(
        &mut self,
        record: &R,
        judged: &Judged,
    ) -> Result<Result<Vec<Change>, Judged>, Option<Arc<str>>> {
        let mut changes = Vec::new();
        for (index, output) in judged
            .verdict
            .outputs()
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            // Without a topic it goes nowhere, and is rejected for that.
            let Some(topic) = self.topics.of(output) else {
                continue;
            };
            for field in FIELDS {
                let Some((bytes, is_source)) = payload(record, judged, output, field) else {
                    continue;
                };
                let encoding = self.encode.of_mut(field);
                if encoding.plugin().is_some() {
                    continue;
                }
                let shown = judged.decoded.of(field);
                match encoding.encode(&self.schemas, topic, shown, is_source, bytes) {
                    Answer::Same => {}
                    Answer::Made(bytes) => changes.push(Change {
                        output: index,
                        field,
                        bytes,
                    }),
                    Answer::Bad(why) => return Ok(Err(Judged::failed(Stage::encode(field), why))),
                    Answer::Later(why) => return Err(why),
                }
            }
        }
        Ok(Ok(changes))
    }

    /// Adds what a plugin makes of one field of the outputs, topic by topic.
    fn changes_by_plugin<R: Record>(
        &mut self,
        field: Field,
        records: &[R],
        judged: &[Judged],
        changes: &mut [Result<Vec<Change>, Judged>],
    ) -> Result<(), Halt> {
        let Some(plugin) = self.encode.of_mut(field).plugin() else {
            return Ok(());
        };
        let stage = Stage::encode(field);
        let mut jobs: Vec<Job<'_>> = Vec::new();
        let all = records.iter().zip(judged).zip(changes.iter()).enumerate();
        for (index, ((record, judged), _)) in all.filter(|(_, (_, changes))| changes.is_ok()) {
            for (output_index, output) in judged
                .verdict
                .outputs()
                .unwrap_or_default()
                .iter()
                .enumerate()
            {
                let (Some(topic), Some((bytes, _))) = (
                    self.topics.of(output),
                    payload(record, judged, output, field),
                ) else {
                    continue;
                };
                jobs.push(Job {
                    topic,
                    record: index,
                    output: output_index,
                    bytes,
                });
            }
        }
        // Outputs to one topic go together, whichever record they come from.
        jobs.sort_by_key(|job| job.topic);
        let mut fault = None;
        let mut calls = jobs.as_slice();
        while let Some(first) = calls.first() {
            let (jobs, rest) = calls.split_at(call(calls, first.topic, self.most_bytes));
            calls = rest;
            let payloads: Vec<&[u8]> = jobs.iter().map(|job| job.bytes).collect();
            match plugin.convert(first.topic, field, &payloads, latest(records)) {
                Ok(made) => {
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
                Err(broke) => {
                    fault = Some(broke);
                    break;
                }
            }
        }
        match fault {
            None => Ok(()),
            Some(fault) => Err(self.broke(stage, fault)),
        }
    }
}

impl<T: Transform> Judge for Coded<T> {
    fn judge<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Judged>, Halt> {
        if FIELDS.iter().all(|field| self.decode.of(*field).is_bytes()) {
            return match self.transform.process(partition, records) {
                Ok(verdicts) => Ok(verdicts.into_iter().map(Judged::from).collect()),
                Err(fault) => Err(self.broke(Stage::Transform, fault)),
            };
        }
        let decoded = self.decode(partition, records)?;
        let seen: Vec<Seen<'_, R>> = records
            .iter()
            .zip(&decoded)
            .filter_map(|(record, decoded)| {
                let decoded = decoded.as_ref().ok()?;
                Some(Seen { record, decoded })
            })
            .collect();
        let verdicts = match seen.is_empty() {
            true => Vec::new(),
            false => match self.transform.process(partition, &seen) {
                Ok(verdicts) => verdicts,
                Err(fault) => return Err(self.broke(Stage::Transform, fault)),
            },
        };
        let mut verdicts = verdicts.into_iter();
        // One verdict a decoded record: the transform's port says so.
        Ok(decoded
            .into_iter()
            .map_while(|decoded| match decoded {
                Err(failed) => Some(failed),
                Ok(decoded) => Some(Judged {
                    decoded,
                    ..verdicts.next()?.into()
                }),
            })
            .collect())
    }

    fn discard(&mut self) {
        self.transform.discard();
        for field in FIELDS {
            let plugins = [
                self.decode.of_mut(field).plugin(),
                self.encode.of_mut(field).plugin(),
            ];
            plugins.into_iter().flatten().for_each(Convert::discard);
        }
    }

    fn encode<R: Record>(&mut self, records: &[R], judged: &mut [Judged]) -> Result<usize, Halt> {
        if FIELDS.iter().all(|field| self.encode.of(*field).is_bytes()) {
            return Ok(judged.len());
        }
        for field in FIELDS {
            self.encode.of_mut(field).begin();
        }
        let mut changes = Vec::with_capacity(judged.len());
        for (record, judged) in records.iter().zip(judged.iter()) {
            match self.changes(record, judged) {
                Ok(one) => changes.push(one),
                Err(why) if changes.is_empty() => return Err(Halt::Later(why)),
                Err(_) => break,
            }
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
}

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

/// The latest timestamp, in milliseconds.
fn latest<R: Record>(records: &[R]) -> Option<i64> {
    records
        .iter()
        .filter_map(|record| record.timestamp().millis())
        .max()
}

#[cfg(test)]
mod tests;
