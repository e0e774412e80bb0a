//! How one field of the records is decoded.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::Context as _;

use super::schemas::{Found, Resolved, Schema, Schemas, Source};
use super::{Answer, frame};
use crate::config::{Coding, Format};
use crate::pipeline::ports::{Convert, Fatal};
use crate::record::Shown;
use crate::registry::Kind;

/// How many schemas are asked for at once: several times what the registry's client
/// has on its way.
const AT_ONCE: usize = 64;

/// How many schemas a worker keeps at hand. Beyond that it begins anew: a topic of
/// garbage may name all that a registry has.
const AT_HAND: usize = 10_000;

/// See the module's words. One a worker and field.
pub struct Decoding {
    how: How,
    /// What data is resolved to.
    reader: Option<Source>,
    /// The reader's schema and the writer's of the source, as they were found when
    /// the batch began.
    found: Option<Found>,
    plain: Option<Found>,
    /// The schemas that were met.
    known: HashMap<u32, Arc<Schema>>,
    resolved: HashMap<(u64, u64), Arc<Resolved>>,
}

enum How {
    Bytes,
    String,
    Json,
    Avro,
    AvroPlain(Source),
    JsonSchema,
    Plugin(Box<dyn Convert>),
}

impl Decoding {
    /// `plugin` is there where the format is one's; `key` is the setting's, for errors.
    pub fn new(
        key: &str,
        coding: &Coding,
        schemas: &Schemas,
        plugin: Option<Box<dyn Convert>>,
    ) -> Result<Self, Fatal> {
        let source = |source, what: &str| {
            let source = schemas.source(source, Kind::Avro);
            source.with_context(|| format!("{key}_{what}"))
        };
        let missing = || Fatal::msg("a codec is not complete");
        let how = match &coding.format {
            Format::Bytes => How::Bytes,
            Format::String => How::String,
            Format::Json => How::Json,
            Format::Avro => How::Avro,
            Format::AvroPlain => {
                let schema = coding.schema.as_ref().ok_or_else(missing)?;
                How::AvroPlain(source(schema, "schema")?)
            }
            Format::JsonSchema => How::JsonSchema,
            Format::Plugin(_) => How::Plugin(plugin.ok_or_else(missing)?),
        };
        let reader = coding.reader.as_ref();
        let reader = reader.map(|reader| source(reader, "reader")).transpose()?;
        Ok(Self {
            how,
            reader,
            found: None,
            plain: None,
            known: HashMap::new(),
            resolved: HashMap::new(),
        })
    }

    pub fn is_bytes(&self) -> bool {
        matches!(self.how, How::Bytes)
    }

    /// Set where payloads go through a plugin, all of a batch at once.
    pub fn plugin(&mut self) -> Option<&mut dyn Convert> {
        match &mut self.how {
            How::Plugin(plugin) => Some(plugin.as_mut()),
            _ => None,
        }
    }

    /// A batch begins: what may have changed in the registry is looked at again.
    pub fn begin(&mut self, schemas: &Schemas) {
        self.found = self.reader.as_ref().map(|source| schemas.at(source));
        self.plain = match &self.how {
            How::AvroPlain(source) => Some(schemas.at(source)),
            _ => None,
        };
    }

    /// Decodes one payload without a plugin.
    pub fn decode(&mut self, schemas: &Schemas, bytes: &[u8]) -> Answer<Shown> {
        match &self.how {
            How::Bytes | How::Plugin(_) => Answer::Same,
            How::String => checked(text(bytes)),
            How::Json => checked(json(bytes)),
            How::Avro => self.avro(schemas, bytes),
            How::AvroPlain(_) => self.avro_plain(schemas, bytes),
            How::JsonSchema => self.json_schema(schemas, bytes),
        }
    }

    /// Asks for the schemas of payloads that are decoded later, so that those of a
    /// batch are looked up at once, some of them at a time.
    pub fn ask<'a>(&self, schemas: &Schemas, payloads: impl Iterator<Item = &'a [u8]>) {
        if !matches!(self.how, How::Avro | How::JsonSchema) {
            return;
        }
        let ids = payloads.filter_map(|bytes| Some(frame::open(bytes).ok()?.0));
        let mut asked = HashSet::new();
        for id in ids {
            if !self.known.contains_key(&id) && asked.insert(id) {
                schemas.by_id(id);
            }
            if asked.len() == AT_ONCE {
                return;
            }
        }
    }

    fn avro(&mut self, schemas: &Schemas, bytes: &[u8]) -> Answer<Shown> {
        let (id, data) = match frame::open(bytes) {
            Ok(parts) => parts,
            Err(why) => return Answer::Bad(why),
        };
        match self.by_id(schemas, id) {
            Answer::Made(writer) => self.read(schemas, &writer, data),
            other => other.without(),
        }
    }

    fn avro_plain(&mut self, schemas: &Schemas, bytes: &[u8]) -> Answer<Shown> {
        match &self.plain {
            Some(Found::Ready(writer)) => {
                let writer = Arc::clone(writer);
                self.read(schemas, &writer, bytes)
            }
            Some(Found::Missing(why)) => Answer::Bad(why.to_string()),
            Some(Found::Later(why)) => Answer::Later(why.clone()),
            None => Answer::Later(None),
        }
    }

    fn read(&mut self, schemas: &Schemas, writer: &Schema, data: &[u8]) -> Answer<Shown> {
        let reader = match &self.found {
            None => None,
            Some(Found::Ready(reader)) => Some(reader),
            Some(Found::Missing(why)) => return Answer::Bad(why.to_string()),
            Some(Found::Later(why)) => return Answer::Later(why.clone()),
        };
        let mut json = Vec::with_capacity(data.len() * 2);
        let outcome = match reader {
            None => writer
                .avro()
                .and_then(|avro| avro.decoder.decode(data, &mut json)),
            Some(reader) => {
                let key = (writer.serial, reader.serial);
                if self.resolved.len() >= AT_HAND {
                    self.resolved.clear();
                }
                let resolve = || schemas.resolved(writer, reader);
                match &**self.resolved.entry(key).or_insert_with(resolve) {
                    Ok(decoder) => decoder.decode(data, &mut json),
                    Err(why) => Err(why.clone()),
                }
            }
        };
        match outcome {
            Ok(()) => Answer::Made(Shown::Made {
                bytes: json,
                schema: writer.id,
            }),
            Err(why) => Answer::Bad(why),
        }
    }

    fn json_schema(&mut self, schemas: &Schemas, bytes: &[u8]) -> Answer<Shown> {
        let (id, data) = match frame::open(bytes) {
            Ok(parts) => parts,
            Err(why) => return Answer::Bad(why),
        };
        let schema = match self.by_id(schemas, id) {
            Answer::Made(schema) => schema,
            other => return other.without(),
        };
        match schema.json().and_then(|schema| schema.check(data)) {
            Ok(()) => Answer::Made(Shown::Made {
                bytes: data.to_vec(),
                schema: Some(id),
            }),
            Err(why) => Answer::Bad(why),
        }
    }

    fn by_id(&mut self, schemas: &Schemas, id: u32) -> Answer<Arc<Schema>> {
        if let Some(schema) = self.known.get(&id) {
            return Answer::Made(Arc::clone(schema));
        }
        match schemas.by_id(id) {
            Found::Ready(schema) => {
                if self.known.len() >= AT_HAND {
                    self.known.clear();
                }
                self.known.insert(id, Arc::clone(&schema));
                Answer::Made(schema)
            }
            Found::Missing(why) => Answer::Bad(why.to_string()),
            Found::Later(why) => Answer::Later(why),
        }
    }
}

fn checked(outcome: Result<(), String>) -> Answer<Shown> {
    match outcome {
        Ok(()) => Answer::Same,
        Err(why) => Answer::Bad(why),
    }
}

/// Whether bytes are UTF-8.
pub fn text(bytes: &[u8]) -> Result<(), String> {
    match std::str::from_utf8(bytes) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("it is not UTF-8: {error}")),
    }
}

/// Whether bytes are one JSON text (RFC 8259).
pub fn json(bytes: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("it is not UTF-8: {error}"))?;
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("it is no JSON: {error}")),
    }
}
