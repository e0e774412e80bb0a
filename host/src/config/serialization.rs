//! How payloads are decoded and encoded, and where their schemas come from.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::pipeline::{parsed, positive};
use super::{ConfigError, Settings, defaults};
use crate::names::nearest;
use crate::record::Field;
use crate::registry;

/// What stands in `[decode]`, `[encode]` and `[schema_registry]`.
#[derive(Debug, Clone)]
pub struct Serialization {
    pub decode: Fields<Coding>,
    pub encode: Fields<Coding>,
    pub subject: SubjectName,
    /// Whether schemas that the registry does not have are registered.
    pub register: bool,
    pub registry: Option<registry::Settings>,
}

/// One of each for keys and for values.
#[derive(Debug, Clone, Default)]
pub struct Fields<T> {
    pub key: T,
    pub value: T,
}

impl<T> Fields<T> {
    pub fn of(&self, field: Field) -> &T {
        match field {
            Field::Key => &self.key,
            Field::Value => &self.value,
        }
    }

    pub fn of_mut(&mut self, field: Field) -> &mut T {
        match field {
            Field::Key => &mut self.key,
            Field::Value => &mut self.value,
        }
    }
}

/// How one field of the records is decoded, or encoded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coding {
    pub format: Format,
    pub schema: Option<SchemaSource>,
    /// What decoded data is resolved to, by Avro's rules.
    pub reader: Option<SchemaSource>,
    /// Handed to a plugin's `init`.
    pub config: String,
}

/// What bytes mean.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Format {
    /// Nothing is looked at.
    #[default]
    Bytes,
    /// UTF-8, checked.
    String,
    /// Checked, and passed on as it is.
    Json,
    /// Avro behind Confluent's magic byte and schema id.
    Avro,
    /// Avro alone.
    AvroPlain,
    /// JSON behind the magic byte and the id of its JSON Schema.
    JsonSchema,
    Plugin(PathBuf),
}

const FORMATS: [&str; 7] = [
    "bytes",
    "string",
    "json",
    "avro",
    "avro-plain",
    "json-schema",
    "plugin:FILE",
];

impl Format {
    /// As the settings write it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bytes => FORMATS[0],
            Self::String => FORMATS[1],
            Self::Json => FORMATS[2],
            Self::Avro => FORMATS[3],
            Self::AvroPlain => FORMATS[4],
            Self::JsonSchema => FORMATS[5],
            Self::Plugin(_) => FORMATS[6],
        }
    }

    fn is_framed(&self) -> bool {
        matches!(self, Self::Avro | Self::JsonSchema)
    }

    /// Whether the plugin sees the very bytes of the record.
    fn shows_itself(&self) -> bool {
        matches!(self, Self::Bytes | Self::String | Self::Json)
    }
}

/// Where a schema stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaSource {
    /// In the registry; without a version the latest one.
    Subject {
        name: String,
        version: Option<u32>,
    },
    File(PathBuf),
}

/// How the subject of an output's schema is called (Confluent's subject name
/// strategies).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectName {
    /// `TOPIC-key`, `TOPIC-value`.
    Topic,
    /// The record's full name.
    Record,
    /// `TOPIC-` and the record's full name.
    TopicRecord,
}

impl FromStr for SubjectName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "topic-name" => Ok(Self::Topic),
            "record-name" => Ok(Self::Record),
            "topic-record-name" => Ok(Self::TopicRecord),
            _ => Err(format!(
                "{text:?} is no subject name strategy: there are topic-name, record-name and \
                 topic-record-name"
            )),
        }
    }
}

impl Serialization {
    pub(super) fn from_settings(settings: &Settings) -> Result<Self, ConfigError> {
        let reader = Reader { settings };
        let this = Self {
            decode: reader.fields("decode")?,
            encode: reader.fields("encode")?,
            subject: parsed(settings, "encode.subject")?.unwrap_or(SubjectName::Topic),
            register: settings.boolean("encode.register")?.unwrap_or(false),
            registry: registry_settings(settings)?,
        };
        for field in [Field::Key, Field::Value] {
            this.check(settings, field)?;
        }
        this.check_unused(settings)?;
        Ok(this)
    }

    /// Whether every byte passes as it is.
    pub fn is_plain(&self) -> bool {
        [&self.decode, &self.encode].iter().all(|fields| {
            fields.key.format == Format::Bytes && fields.value.format == Format::Bytes
        })
    }

    fn check(&self, settings: &Settings, field: Field) -> Result<(), ConfigError> {
        let field_name = field.name();
        let (decode, encode) = (self.decode.of(field), self.encode.of(field));
        for (section, coding) in [("decode", decode), ("encode", encode)] {
            self.check_coding(settings, section, field, coding)?;
        }
        let encode_key = format!("encode.{field_name}");
        if !decode.format.shows_itself() && encode.format == Format::Bytes {
            return Err(ConfigError(format!(
                "{}: {} is decoded, and {} does not say how it goes out: set \
                 {encode_key} = \"json\" to send what the plugin sees, or \"{}\" to encode it again",
                settings.place(&format!("decode.{field_name}")),
                decode.format.name(),
                settings.place(&encode_key),
                decode.format.name(),
            )));
        }
        if !encode.format.is_framed() || encode.schema.is_some() {
            return Ok(());
        }
        // The schema is then the record's own, or the latest one of its subject.
        let knows_record = decode.format == encode.format && decode.reader.is_none();
        let wants = if self.register {
            "encode.register"
        } else if self.subject != SubjectName::Topic {
            "encode.subject"
        } else {
            return Ok(());
        };
        match knows_record {
            true => Ok(()),
            false => Err(ConfigError(format!(
                "{}: which schema is meant, is known only where {encode_key}_schema names it, or \
                 where the {field_name} was decoded as {} and without a reader's schema",
                settings.place(wants),
                encode.format.name(),
            ))),
        }
    }

    fn check_coding(
        &self,
        settings: &Settings,
        section: &str,
        field: Field,
        coding: &Coding,
    ) -> Result<(), ConfigError> {
        let key = format!("{section}.{}", field.name());
        let place = |suffix: &str| settings.place(&format!("{key}{suffix}"));
        let format = coding.format.name();
        let fails = |why: String| Err(ConfigError(why));
        if coding.schema.is_some() {
            let fits = match section {
                // The frame says the writer's.
                "decode" => coding.format == Format::AvroPlain,
                _ => coding.format.is_framed() || coding.format == Format::AvroPlain,
            };
            if !fits {
                return fails(format!(
                    "{}: {key} is {format}, which takes no schema from there",
                    place("_schema")
                ));
            }
        } else if coding.format == Format::AvroPlain {
            return fails(format!(
                "{}: avro-plain does not say its schema: set {key}_schema = \"file:F\", \
                 \"subject:S\" or \"subject:S@VERSION\"",
                place("")
            ));
        }
        if coding.reader.is_some() && !matches!(coding.format, Format::Avro | Format::AvroPlain) {
            return fails(format!(
                "{}: {key} is {format}, and only Avro resolves schemas",
                place("_reader")
            ));
        }
        let is_plugin = matches!(coding.format, Format::Plugin(_));
        if !is_plugin && settings.origin(&format!("{key}_config")).is_some() {
            return fails(format!(
                "{}: {key} is {format}, and no plugin that takes a configuration",
                place("_config")
            ));
        }
        let from_registry =
            |source: &Option<SchemaSource>| matches!(source, Some(SchemaSource::Subject { .. }));
        let needs = coding.format.is_framed()
            || from_registry(&coding.schema)
            || from_registry(&coding.reader);
        if needs && self.registry.is_none() {
            return fails(format!(
                "{}: {format} needs a schema registry: --schema-registry URL, or \
                 schema_registry.url in the file",
                place("")
            ));
        }
        Ok(())
    }

    /// What nothing would look at is a mistake.
    fn check_unused(&self, settings: &Settings) -> Result<(), ConfigError> {
        let framed = self.encode.key.format.is_framed() || self.encode.value.format.is_framed();
        for key in ["encode.subject", "encode.register"] {
            if !framed && settings.origin(key).is_some() {
                return Err(ConfigError(format!(
                    "{}: neither encode.key nor encode.value is avro or json-schema, so that \
                     nothing would look at it",
                    settings.place(key)
                )));
            }
        }
        Ok(())
    }
}

struct Reader<'a> {
    settings: &'a Settings,
}

impl Reader<'_> {
    fn fields(&self, section: &str) -> Result<Fields<Coding>, ConfigError> {
        Ok(Fields {
            key: self.coding(&format!("{section}.key"))?,
            value: self.coding(&format!("{section}.value"))?,
        })
    }

    fn coding(&self, key: &str) -> Result<Coding, ConfigError> {
        let reader = match key.starts_with("decode.") {
            true => self.source(&format!("{key}_reader"))?,
            false => None,
        };
        Ok(Coding {
            format: self.format(key)?.unwrap_or_default(),
            schema: self.source(&format!("{key}_schema"))?,
            reader,
            config: self
                .settings
                .text_or_file(&format!("{key}_config"))?
                .unwrap_or_default(),
        })
    }

    fn format(&self, key: &str) -> Result<Option<Format>, ConfigError> {
        let Some(text) = self.settings.text(key)? else {
            return Ok(None);
        };
        let known = [
            Format::Bytes,
            Format::String,
            Format::Json,
            Format::Avro,
            Format::AvroPlain,
            Format::JsonSchema,
        ];
        if let Some(format) = known.into_iter().find(|format| format.name() == text) {
            return Ok(Some(format));
        }
        match text.strip_prefix("plugin:") {
            Some(file) if !file.is_empty() => {
                Ok(Some(Format::Plugin(self.settings.resolve(key, file))))
            }
            _ => {
                let meant = nearest(&text, FORMATS.into_iter())
                    .map_or(String::new(), |name| format!(" (did you mean {name}?)"));
                Err(ConfigError(format!(
                    "{}: {text:?} is no format: there are {}{meant}",
                    self.settings.place(key),
                    FORMATS.join(", ")
                )))
            }
        }
    }

    fn source(&self, key: &str) -> Result<Option<SchemaSource>, ConfigError> {
        let Some(text) = self.settings.text(key)? else {
            return Ok(None);
        };
        let wrong = |why: &str| {
            ConfigError(format!(
                "{}: {text:?} {why}: write \"subject:S\", \"subject:S@VERSION\" or \"file:F\"",
                self.settings.place(key)
            ))
        };
        match text.split_once(':') {
            Some(("file", file)) if !file.is_empty() => {
                Ok(Some(SchemaSource::File(self.settings.resolve(key, file))))
            }
            Some(("subject", subject)) if !subject.is_empty() => {
                // A subject may have an @ of its own, and is then named with a version.
                let (name, version) = match subject.rsplit_once('@') {
                    None => (subject, None),
                    Some((name, "latest")) => (name, None),
                    Some((name, version)) => {
                        let version = version.parse().ok().filter(|version| *version > 0);
                        let version = version.ok_or_else(|| {
                            wrong("has no version (a whole number from 1, or latest) behind its @")
                        })?;
                        (name, Some(version))
                    }
                };
                Ok(Some(SchemaSource::Subject {
                    name: name.to_owned(),
                    version,
                }))
            }
            _ => Err(wrong("names no schema")),
        }
    }
}

fn registry_settings(settings: &Settings) -> Result<Option<registry::Settings>, ConfigError> {
    let urls = settings.texts("schema_registry.url")?.unwrap_or_default();
    let (username, password) = (
        settings.text("schema_registry.username")?,
        settings.text("schema_registry.password")?,
    );
    let token = settings.text("schema_registry.token")?;
    let ca = settings.path("schema_registry.ca")?;
    let refresh: Option<Duration> = positive(settings, "encode.refresh")?;
    if urls.is_empty() {
        let keys = ["url", "username", "password", "token", "ca"];
        let keys = keys.map(|key| format!("schema_registry.{key}"));
        let given = keys
            .iter()
            .chain([&"encode.refresh".to_owned()])
            .find_map(|key| {
                settings.origin(key)?;
                Some(settings.place(key))
            });
        return match given {
            None => Ok(None),
            Some(place) => Err(ConfigError(format!(
                "{place}: no schema registry is named: --schema-registry URL, or \
                 schema_registry.url in the file"
            ))),
        };
    }
    for url in &urls {
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(ConfigError(format!(
                "{}: a URL begins with http:// or https://",
                settings.place("schema_registry.url")
            )));
        }
    }
    let auth = match (username, password, token) {
        (None, None, None) => None,
        (Some(username), password, None) => Some(registry::Auth::Basic {
            username,
            password: password.unwrap_or_default(),
        }),
        (None, None, Some(token)) => Some(registry::Auth::Bearer(token)),
        (None, Some(_), None) => {
            return Err(ConfigError(format!(
                "{}: schema_registry.username is missing beside it",
                settings.place("schema_registry.password")
            )));
        }
        (_, _, Some(_)) => {
            return Err(ConfigError(format!(
                "{}: a token takes the place of username and password: leave one of them out",
                settings.place("schema_registry.token")
            )));
        }
    };
    Ok(Some(registry::Settings {
        urls,
        auth,
        ca,
        refresh: refresh.unwrap_or(defaults::REFRESH),
    }))
}

#[cfg(test)]
mod tests;
