//! How one field of the outputs is encoded.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context as _;

use super::decode::{json, text};
use super::schemas::{Found, Schema, Schemas, Source};
use super::{Answer, frame};
use crate::config::{Coding, Format, SchemaSource, SubjectName};
use crate::pipeline::ports::{Convert, Fatal};
use crate::record::{Field, Shown};
use crate::registry::Kind;

/// The longest name of a record that makes a subject, in bytes: what servers take in
/// a URL.
const LONGEST_NAME: usize = 1000;

/// See the module's words. One a worker and field.
pub struct Encoding {
    field: Field,
    how: How,
    /// Which schema; `None`: the record's, or the latest one of the subject.
    schema: Option<Source>,
    subject: SubjectName,
    register: bool,
    same: Same,
    /// What was found since the batch began, by topic and by the schema that the
    /// record was written with.
    found: HashMap<String, Vec<(Option<u32>, Found)>>,
}

enum How {
    Bytes,
    String,
    Json,
    Avro,
    AvroPlain,
    JsonSchema,
    Plugin(Box<dyn Convert>),
}

/// When a payload that the plugin left alone goes out as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Same {
    Never,
    Always,
    /// Where it was written with the schema that it would get.
    OfOneSchema,
}

impl Encoding {
    /// `plugin` is there where the format is one's; `decode` says how the source was
    /// decoded; `key` is the setting's, for errors.
    pub fn new(
        key: &str,
        field: Field,
        (coding, decode): (&Coding, &Coding),
        (subject, register): (SubjectName, bool),
        schemas: &Schemas,
        plugin: Option<Box<dyn Convert>>,
    ) -> Result<Self, Fatal> {
        let (how, kind) = match &coding.format {
            Format::Bytes => (How::Bytes, Kind::Avro),
            Format::String => (How::String, Kind::Avro),
            Format::Json => (How::Json, Kind::Avro),
            Format::Avro => (How::Avro, Kind::Avro),
            Format::AvroPlain => (How::AvroPlain, Kind::Avro),
            Format::JsonSchema => (How::JsonSchema, Kind::Json),
            Format::Plugin(_) => {
                let plugin = plugin.ok_or_else(|| Fatal::msg("a codec is not complete"))?;
                (How::Plugin(plugin), Kind::Avro)
            }
        };
        let schema = coding
            .schema
            .as_ref()
            .map(|source| schemas.source(source, kind))
            .transpose()
            .with_context(|| format!("{key}_schema"))?;
        if let (Some(Source::Fixed(schema)), true) = (&schema, subject != SubjectName::Topic) {
            let name = schema.record_name().map_err(Fatal::msg);
            name.with_context(|| format!("{key}_schema, with encode.subject"))?;
        }
        Ok(Self {
            field,
            how,
            schema,
            subject,
            register,
            same: same(decode, coding),
            found: HashMap::new(),
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
    pub fn begin(&mut self) {
        self.found.clear();
    }

    /// Encodes `bytes` for a topic without a plugin. `shown` is what the source was
    /// decoded to; `is_source`: the plugin left it alone, and `Same` means that the
    /// record's own bytes go out.
    pub fn encode(
        &mut self,
        schemas: &Schemas,
        topic: &str,
        shown: &Shown,
        is_source: bool,
        bytes: &[u8],
    ) -> Answer<Vec<u8>> {
        if is_source && self.same == Same::Always {
            return Answer::Same;
        }
        let kept = |outcome: Result<(), String>| match (outcome, shown) {
            (Err(why), _) => Answer::Bad(why),
            (Ok(()), Shown::Made { bytes, .. }) if is_source => Answer::Made(bytes.clone()),
            (Ok(()), _) => Answer::Same,
        };
        match &self.how {
            How::Bytes | How::Plugin(_) => return kept(Ok(())),
            How::String => return kept(text(bytes)),
            How::Json => return kept(json(bytes)),
            How::Avro | How::AvroPlain | How::JsonSchema => {}
        }
        let schema = match self.schema_for(schemas, topic, shown.schema()) {
            Ok(Found::Ready(schema)) => schema,
            Ok(Found::Missing(why)) => return Answer::Bad(why.to_string()),
            Ok(Found::Later(why)) => return Answer::Later(why),
            Err(Refused::Bad(why)) => return Answer::Bad(why),
            Err(Refused::Later(why)) => return Answer::Later(why),
        };
        let one = is_source && self.same == Same::OfOneSchema;
        if one && schema.id.is_some() && schema.id == shown.schema() {
            return Answer::Same;
        }
        let mut out = Vec::with_capacity(bytes.len() + 8);
        if let (How::Avro | How::JsonSchema, Some(id)) = (&self.how, schema.id) {
            frame::begin(id, &mut out);
        }
        let outcome = match self.how {
            How::JsonSchema => schema.json().and_then(|schema| {
                schema.check(bytes)?;
                out.extend_from_slice(bytes);
                Ok(())
            }),
            _ => schema
                .avro()
                .and_then(|avro| avro.schema.encode(bytes, &mut out)),
        };
        match outcome {
            Ok(()) => Answer::Made(out),
            Err(why) => Answer::Bad(why),
        }
    }

    /// The schema for outputs to `topic` whose source was written with `written`.
    fn schema_for(
        &mut self,
        schemas: &Schemas,
        topic: &str,
        written: Option<u32>,
    ) -> Result<Found, Refused> {
        let known = self.found.get(topic).into_iter().flatten();
        if let Some((_, found)) = known.clone().find(|(by, _)| *by == written) {
            return Ok(found.clone());
        }
        let found = self.find(schemas, topic, written)?;
        let of_topic = self.found.entry(topic.to_owned()).or_default();
        of_topic.push((written, found.clone()));
        Ok(found)
    }

    fn find(&self, schemas: &Schemas, topic: &str, written: Option<u32>) -> Result<Found, Refused> {
        let is_framed = !matches!(self.how, How::AvroPlain);
        match &self.schema {
            Some(source @ Source::Subject { .. }) => Ok(schemas.at(source)),
            Some(source) if !is_framed => Ok(schemas.at(source)),
            Some(Source::Fixed(schema)) => {
                let subject = self.subject_of(topic, || Ok(Arc::clone(schema)))?;
                Ok(schemas.under(&subject, schema, self.register))
            }
            None => {
                let source = || source_schema(schemas, written);
                let subject = self.subject_of(topic, source)?;
                match self.register {
                    true => Ok(schemas.under(&subject, &source()?, true)),
                    false => Ok(schemas.latest(&subject)),
                }
            }
        }
    }

    fn subject_of(
        &self,
        topic: &str,
        schema: impl FnOnce() -> Result<Arc<Schema>, Refused>,
    ) -> Result<String, Refused> {
        if self.subject == SubjectName::Topic {
            return Ok(format!("{topic}-{}", self.field.name()));
        }
        let schema = schema()?;
        let name = schema.record_name()?;
        // A JSON Schema's title may be anything.
        if name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
            return Err(format!("no subject can be called as its record: {name:.64?}").into());
        }
        Ok(match self.subject {
            SubjectName::TopicRecord => format!("{topic}-{name}"),
            _ => name.to_owned(),
        })
    }
}

/// Why there is no schema.
enum Refused {
    Bad(String),
    Later(Option<Arc<str>>),
}

impl From<String> for Refused {
    fn from(why: String) -> Self {
        Self::Bad(why)
    }
}

/// The schema that the record itself was written with.
fn source_schema(schemas: &Schemas, written: Option<u32>) -> Result<Arc<Schema>, Refused> {
    let id = written.ok_or_else(|| {
        Refused::Bad("its record was not written with a schema, which would name it".to_owned())
    })?;
    match schemas.by_id(id) {
        Found::Ready(schema) => Ok(schema),
        Found::Missing(why) => Err(Refused::Bad(why.to_string())),
        Found::Later(why) => Err(Refused::Later(why)),
    }
}

fn same(decode: &Coding, encode: &Coding) -> Same {
    match (&decode.format, &encode.format) {
        (Format::Bytes | Format::String | Format::Json, Format::Bytes)
        | (Format::String | Format::Json, Format::String)
        | (Format::Json, Format::Json) => Same::Always,
        (Format::Avro, Format::Avro) | (Format::JsonSchema, Format::JsonSchema) => {
            Same::OfOneSchema
        }
        (Format::AvroPlain, Format::AvroPlain) => match &decode.schema {
            file @ Some(SchemaSource::File(_)) if *file == encode.schema => Same::Always,
            _ => Same::OfOneSchema,
        },
        // What a plugin makes of a payload is its own business.
        _ => Same::Never,
    }
}
