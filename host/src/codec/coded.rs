//! A transform between its codecs: records are decoded for it, in batches, and what it
//! says is encoded (`outputs`).

use std::sync::Arc;

use super::schemas::Schemas;
use super::{Decoding, Encoding, FIELDS, How, Lack};
use crate::config::Fields;
use crate::doorbell::Doorbell;
use crate::names::illegal_name;
use crate::pipeline::ports::{Convert, Fault, Halt, Judge, Transform, Versioned};
use crate::record::{
    Decoded, Field, Judged, NextOffset, Output, Record, Seen, Shown, Stage, TopicPartition,
};

/// Where outputs go, as far as a subject's name depends on it.
#[derive(Debug, Clone, Default)]
pub struct Topics {
    pub default: Option<Arc<str>>,
    /// Where all of them go.
    pub redirect: Option<Arc<str>>,
}

impl Topics {
    /// Where an output goes; `None`: nowhere, and whoever sends it says why.
    pub(super) fn of<'a>(&'a self, output: &'a Output) -> Option<&'a str> {
        let named = output.topic.as_deref();
        let redirect = self.redirect.as_deref();
        let topic = redirect.or(named).or(self.default.as_deref())?;
        illegal_name(topic).is_none().then_some(topic)
    }
}

/// See the module's words. One a worker.
pub struct Coded<T> {
    pub(super) transform: T,
    pub(super) schemas: Arc<Schemas>,
    decode: Fields<Decoding>,
    pub(super) encode: Fields<Encoding>,
    pub(super) topics: Topics,
    /// The most bytes that one call of a plugin is given: decoded payloads may be many
    /// times what they were.
    pub(super) most_bytes: usize,
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

    fn each_plugin(&mut self, mut act: impl FnMut(&mut dyn Convert)) {
        for field in FIELDS {
            let plugins = [
                self.decode.of_mut(field).how.plugin(),
                self.encode.of_mut(field).how.plugin(),
            ];
            plugins.into_iter().flatten().for_each(&mut act);
        }
    }

    /// Whatever broke, the next calls find fresh instances: a hunt for a culprit
    /// begins with them.
    pub(super) fn broke(&mut self, stage: Stage, fault: Fault) -> Halt {
        Judge::discard(self);
        Halt::Fault(stage, fault)
    }

    /// Decodes records from the first on, as far as their schemas are there, and as
    /// many as make one call of the transform.
    fn decode<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Result<Decoded, Judged>>, Halt> {
        for field in FIELDS {
            self.decode.of_mut(field).begin(&self.schemas);
        }
        let mut decoded = Vec::with_capacity(records.len());
        let mut bytes = 0;
        for (index, record) in records.iter().enumerate() {
            let one = match self.decode_one(record) {
                Err((_, Lack::Later(why))) => {
                    self.ask_for(&records[index..]);
                    match decoded.is_empty() {
                        true => return Err(Halt::Later(why)),
                        false => break,
                    }
                }
                Err((field, Lack::Bad(why))) => Err(Judged::failed(Stage::decode(field), why)),
                Ok(one) => Ok(one),
            };
            bytes += size(record, &one);
            if bytes > self.most_bytes && !decoded.is_empty() {
                break;
            }
            decoded.push(one);
        }
        for field in FIELDS {
            self.decode_by_plugin(field, partition, records, &mut decoded)?;
        }
        // What a plugin made may be larger again.
        bytes = 0;
        let fits = decoded.iter().zip(records).take_while(|(one, record)| {
            bytes += size(*record, one);
            bytes <= self.most_bytes
        });
        let fits = fits.count().max(1);
        decoded.truncate(fits);
        Ok(decoded)
    }

    fn decode_one<R: Record>(&mut self, record: &R) -> Result<Decoded, (Field, Lack)> {
        let mut decoded = Decoded::default();
        for field in FIELDS {
            if let Some(bytes) = record.field(field) {
                let decoding = self.decode.of_mut(field);
                let shown = decoding.decode(&self.schemas, bytes);
                if let Some(shown) = shown.map_err(|lack| (field, lack))? {
                    *decoded.of_mut(field) = shown;
                }
            }
        }
        Ok(decoded)
    }

    /// Asks for the schemas of all these at once: they wait together.
    fn ask_for<R: Record>(&self, records: &[R]) {
        for field in FIELDS {
            let payloads = records.iter().filter_map(|record| record.field(field));
            self.decode.of(field).ask(&self.schemas, payloads);
        }
    }

    fn decode_by_plugin<R: Record>(
        &mut self,
        field: Field,
        partition: &TopicPartition,
        records: &[R],
        decoded: &mut [Result<Decoded, Judged>],
    ) -> Result<(), Halt> {
        let Some(plugin) = self.decode.of_mut(field).how.plugin() else {
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
}

impl<T: Transform> Judge for Coded<T> {
    fn judge<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Judged>, Halt> {
        let is_plain = |field: &Field| self.decode.of(*field).how.is_bytes();
        if FIELDS.iter().all(is_plain) {
            let verdicts = self.transform.process(partition, records);
            let verdicts = verdicts.map_err(|fault| self.broke(Stage::Transform, fault))?;
            return Ok(verdicts.into_iter().map(Judged::from).collect());
        }
        let decoded = self.decode(partition, records)?;
        let seen = records
            .iter()
            .zip(&decoded)
            .filter_map(|(record, decoded)| {
                let decoded = decoded.as_ref().ok()?;
                Some(Seen { record, decoded })
            });
        let seen: Vec<Seen<'_, R>> = seen.collect();
        let verdicts = match seen.is_empty() {
            true => Vec::new(),
            false => {
                let verdicts = self.transform.process(partition, &seen);
                verdicts.map_err(|fault| self.broke(Stage::Transform, fault))?
            }
        };
        // One verdict a decoded record: the transform's port says so.
        let mut verdicts = verdicts.into_iter();
        let judged = decoded.into_iter().map_while(|decoded| match decoded {
            Err(failed) => Some(failed),
            Ok(decoded) => Some(Judged {
                decoded,
                ..verdicts.next()?.into()
            }),
        });
        Ok(judged.collect())
    }

    fn encode<R: Record>(&mut self, records: &[R], judged: &mut [Judged]) -> Result<usize, Halt> {
        self.encode_outputs(records, judged)
    }

    fn discard(&mut self) {
        self.transform.discard();
        self.each_plugin(|plugin| plugin.discard());
    }
}

impl<T: Transform> Versioned for Coded<T> {
    fn has_news(&self) -> bool {
        let codecs = FIELDS
            .iter()
            .flat_map(|field| [&self.decode.of(*field).how, &self.encode.of(*field).how]);
        self.transform.has_news() || codecs.into_iter().any(How::has_news)
    }

    fn renew(&mut self, from: &[(TopicPartition, NextOffset)]) -> bool {
        let mut any = self.transform.renew(from);
        self.each_plugin(|plugin| any |= plugin.renew(from));
        any
    }

    fn take_back(&mut self, why: &str, from: &[(TopicPartition, NextOffset)]) -> bool {
        let mut any = self.transform.take_back(why, from);
        self.each_plugin(|plugin| any |= plugin.take_back(why, from));
        any
    }

    fn digest(&self) -> Option<String> {
        self.transform.digest()
    }
}

/// What the transform is given of a record, in bytes.
fn size<R: Record>(record: &R, decoded: &Result<Decoded, Judged>) -> usize {
    match decoded {
        Ok(decoded) => Seen { record, decoded }.size(),
        Err(_) => 0,
    }
}

/// The latest timestamp, in milliseconds.
pub(super) fn latest<R: Record>(records: &[R]) -> Option<i64> {
    records
        .iter()
        .filter_map(|record| record.timestamp().millis())
        .max()
}
