//! How one field of the records is decoded.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::Context as _;

use super::how::How;
use super::schema::Schema;
use super::schemas::{Found, Resolved, Schemas, Source};
use super::{Answer, Lack, frame};
use crate::config::{Coding, SchemaSource};
use crate::pipeline::ports::Fatal;
use crate::record::Shown;

/// How many schemas are asked for at once: several times what the registry's client
/// has on its way.
const AT_ONCE: usize = 64;

/// How many schemas a worker keeps at hand. Beyond that it begins anew: a topic of
/// garbage may name all that a registry has.
const AT_HAND: usize = 10_000;

/// See the module's words. One a worker and field.
pub struct Decoding {
    pub how: How,
    /// What data without a frame was written with.
    writer: Option<Source>,
    /// What data is resolved to.
    reader: Option<Source>,
    /// Both as they were found when the batch began.
    found_writer: Option<Found>,
    found_reader: Option<Found>,
    /// The schemas that were met.
    known: HashMap<u32, Arc<Schema>>,
    resolved: HashMap<(u64, u64), Arc<Resolved>>,
}

impl Decoding {
    /// `key` is the setting's, for errors.
    pub fn new(key: &str, how: How, coding: &Coding, schemas: &Schemas) -> Result<Self, Fatal> {
        let source = |source: &Option<SchemaSource>, what: &str| {
            let source = source
                .as_ref()
                .map(|source| schemas.source(source, how.kind()));
            source.transpose().with_context(|| format!("{key}_{what}"))
        };
        Ok(Self {
            writer: source(&coding.schema, "schema")?,
            reader: source(&coding.reader, "reader")?,
            how,
            found_writer: None,
            found_reader: None,
            known: HashMap::new(),
            resolved: HashMap::new(),
        })
    }

    /// A batch begins: what may have changed in the registry is looked at again.
    pub fn begin(&mut self, schemas: &Schemas) {
        let at = |source: &Option<Source>| source.as_ref().map(|source| schemas.at(source));
        self.found_writer = at(&self.writer);
        self.found_reader = at(&self.reader);
    }

    /// Decodes one payload without a plugin.
    pub fn decode(&mut self, schemas: &Schemas, bytes: &[u8]) -> Answer<Shown> {
        match &self.how {
            How::Bytes | How::Plugin(_) => Ok(None),
            How::String => Ok(text(bytes).map(|()| None)?),
            How::Json => Ok(json(bytes).map(|()| None)?),
            How::Avro => {
                let (id, data) = frame::open(bytes)?;
                let writer = self.by_id(schemas, id)?;
                self.read(schemas, &writer, data).map(Some)
            }
            How::AvroPlain => {
                let writer = self
                    .found_writer
                    .clone()
                    .unwrap_or(Err(Lack::Later(None)))?;
                self.read(schemas, &writer, bytes).map(Some)
            }
            How::JsonSchema => {
                let (id, data) = frame::open(bytes)?;
                self.by_id(schemas, id)?.json()?.check(data)?;
                Ok(Some(Shown::Made {
                    bytes: data.to_vec(),
                    schema: Some(id),
                }))
            }
        }
    }

    /// Asks for the schemas of payloads that are decoded later, so that those of a
    /// batch are looked up at once, some of them at a time.
    pub fn ask<'a>(&self, schemas: &Schemas, payloads: impl Iterator<Item = &'a [u8]>) {
        if !self.how.is_framed() {
            return;
        }
        let ids = payloads.filter_map(|bytes| Some(frame::open(bytes).ok()?.0));
        let mut asked = HashSet::new();
        for id in ids {
            if !self.known.contains_key(&id) && asked.insert(id) {
                // Its answer rings.
                let _ = schemas.by_id(id);
            }
            if asked.len() == AT_ONCE {
                return;
            }
        }
    }

    fn read(&mut self, schemas: &Schemas, writer: &Schema, data: &[u8]) -> Result<Shown, Lack> {
        let mut bytes = Vec::with_capacity(data.len() * 2);
        match &self.found_reader {
            None => writer.avro()?.decoder.decode(data, &mut bytes)?,
            Some(Err(lack)) => return Err(lack.clone()),
            Some(Ok(reader)) => {
                let key = (writer.serial, reader.serial);
                if self.resolved.len() >= AT_HAND {
                    self.resolved.clear();
                }
                let resolve = || schemas.resolved(writer, reader);
                match &**self.resolved.entry(key).or_insert_with(resolve) {
                    Ok(decoder) => decoder.decode(data, &mut bytes)?,
                    Err(why) => return Err(why.clone().into()),
                }
            }
        }
        Ok(Shown::Made {
            bytes,
            schema: writer.id,
        })
    }

    fn by_id(&mut self, schemas: &Schemas, id: u32) -> Found {
        if let Some(schema) = self.known.get(&id) {
            return Ok(Arc::clone(schema));
        }
        let schema = schemas.by_id(id)?;
        if self.known.len() >= AT_HAND {
            self.known.clear();
        }
        self.known.insert(id, Arc::clone(&schema));
        Ok(schema)
    }
}

/// Whether bytes are UTF-8.
pub fn text(bytes: &[u8]) -> Result<(), String> {
    let outcome = std::str::from_utf8(bytes);
    outcome
        .map(drop)
        .map_err(|error| format!("it is not UTF-8: {error}"))
}

/// Whether bytes are one JSON text (RFC 8259).
pub fn json(bytes: &[u8]) -> Result<(), String> {
    text(bytes)?;
    let outcome = serde_json::from_slice::<serde::de::IgnoredAny>(bytes);
    outcome
        .map(drop)
        .map_err(|error| format!("it is no JSON: {error}"))
}
