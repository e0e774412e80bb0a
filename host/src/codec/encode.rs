//! How one field of the outputs is encoded.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context as _;

use super::decode::{json, text};
use super::how::How;
use super::schemas::{Found, Schemas, Source};
use super::{Answer, Lack, frame};
use crate::config::{Coding, Format, SchemaSource, SubjectName};
use crate::pipeline::ports::Fatal;
use crate::record::{Field, Shown};

/// The longest name of a record that makes a subject, in bytes: what servers take in
/// a URL.
const LONGEST_NAME: usize = 1000;

/// See the module's words. One a worker and field.
pub struct Encoding {
    field: Field,
    pub how: How,
    /// Which schema; `None`: the record's, or the latest one of the subject.
    schema: Option<Source>,
    subject: SubjectName,
    register: bool,
    same: Same,
    /// What was found since the batch began, by topic and by the schema that the
    /// record was written with.
    found: HashMap<String, Vec<(Option<u32>, Found)>>,
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
    /// `decode` says how the source was decoded; `key` is the setting's, for errors.
    pub fn new(
        key: &str,
        field: Field,
        how: How,
        (coding, decode): (&Coding, &Coding),
        (subject, register): (SubjectName, bool),
        schemas: &Schemas,
    ) -> Result<Self, Fatal> {
        let schema = coding.schema.as_ref();
        let schema = schema.map(|source| schemas.source(source, how.kind()));
        let schema = schema.transpose();
        let schema = schema.with_context(|| format!("{key}_schema"))?;
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

    /// A batch begins: what may have changed in the registry is looked at again.
    pub fn begin(&mut self) {
        self.found.clear();
    }

    /// Encodes `bytes` for a topic without a plugin. `shown` is what the source was
    /// decoded to; `is_source`: the plugin left it alone, and where it stays as it is
    /// the record's own bytes go out.
    pub fn encode(
        &mut self,
        schemas: &Schemas,
        topic: &str,
        shown: &Shown,
        is_source: bool,
        bytes: &[u8],
    ) -> Answer<Vec<u8>> {
        if is_source && self.same == Same::Always {
            return Ok(None);
        }
        match &self.how {
            How::Bytes | How::Plugin(_) => {}
            How::String => text(bytes)?,
            How::Json => json(bytes)?,
            How::Avro | How::AvroPlain | How::JsonSchema => {
                return self.by_schema(schemas, topic, shown, is_source, bytes);
            }
        }
        // The source's own bytes are others than what was shown.
        let is_made = is_source && matches!(shown, Shown::Made { .. });
        Ok(is_made.then(|| bytes.to_vec()))
    }

    fn by_schema(
        &mut self,
        schemas: &Schemas,
        topic: &str,
        shown: &Shown,
        is_source: bool,
        bytes: &[u8],
    ) -> Answer<Vec<u8>> {
        let schema = self.schema_for(schemas, topic, shown.schema())?;
        let one = is_source && self.same == Same::OfOneSchema;
        if one && schema.id.is_some() && schema.id == shown.schema() {
            return Ok(None);
        }
        let mut out = Vec::with_capacity(bytes.len() + frame::LENGTH);
        if let (true, Some(id)) = (self.how.is_framed(), schema.id) {
            frame::begin(id, &mut out);
        }
        match self.how {
            How::JsonSchema => {
                schema.json()?.check(bytes)?;
                out.extend_from_slice(bytes);
            }
            _ => schema.avro()?.schema.encode(bytes, &mut out)?,
        }
        Ok(Some(out))
    }

    /// The schema for outputs to `topic` whose source was written with `written`.
    fn schema_for(&mut self, schemas: &Schemas, topic: &str, written: Option<u32>) -> Found {
        let known = self.found.get(topic).into_iter().flatten();
        if let Some((_, found)) = known.clone().find(|(by, _)| *by == written) {
            return found.clone();
        }
        let found = self.find(schemas, topic, written);
        let of_topic = self.found.entry(topic.to_owned()).or_default();
        of_topic.push((written, found.clone()));
        found
    }

    fn find(&self, schemas: &Schemas, topic: &str, written: Option<u32>) -> Found {
        match &self.schema {
            Some(source @ Source::Subject { .. }) => schemas.at(source),
            Some(source) if !self.how.is_framed() => schemas.at(source),
            Some(Source::Fixed(schema)) => {
                let subject = self.subject_of(topic, || Ok(Arc::clone(schema)))?;
                schemas.under(&subject, schema, self.register)
            }
            None => {
                let source = || source_schema(schemas, written);
                let subject = self.subject_of(topic, source)?;
                match self.register {
                    true => schemas.under(&subject, &source()?, true),
                    false => schemas.latest(&subject),
                }
            }
        }
    }

    fn subject_of(&self, topic: &str, schema: impl FnOnce() -> Found) -> Result<String, Lack> {
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

/// The schema that the record itself was written with.
fn source_schema(schemas: &Schemas, written: Option<u32>) -> Found {
    let why = "its record was not written with a schema, which would name it";
    schemas.by_id(written.ok_or_else(|| why.to_owned())?)
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
