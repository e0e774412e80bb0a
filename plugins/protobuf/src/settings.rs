//! The configuration: JSON, one for both ways.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use millrace_sdk::Result;
use prost_reflect::{DescriptorPool, FileDescriptor, MessageDescriptor, SerializeOptions};
use serde::Deserialize;

/// As it is written; the README says what each is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    descriptors: String,
    #[serde(default)]
    framing: Framing,
    message: Option<String>,
    file: Option<String>,
    id: Option<u32>,
    #[serde(default)]
    names: Names,
    #[serde(default)]
    defaults: bool,
    #[serde(default)]
    unknown_fields: UnknownFields,
    #[serde(default)]
    indexes: Counting,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Framing {
    #[default]
    Confluent,
    None,
}

#[derive(Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Names {
    #[default]
    Json,
    Proto,
}

#[derive(Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum UnknownFields {
    #[default]
    Warn,
    Refuse,
}

/// Whether the entries of maps, which are nested messages of the descriptors but
/// not of the text, count.
#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Counting {
    #[default]
    Descriptors,
    Text,
}

/// See the module's words.
pub struct Settings {
    framing: Framing,
    /// The one that is named.
    message: Option<MessageDescriptor>,
    /// Where indexes count.
    file: FileDescriptor,
    counting: Counting,
    id: Option<u32>,
    /// How JSON is written.
    pub json: SerializeOptions,
    pub refuses_unknown_fields: bool,
}

/// What a deserializer reads.
pub enum Reading {
    /// One message, and nothing before it.
    Plain(MessageDescriptor),
    Framed(Kinds),
}

/// What a serializer writes.
pub struct Writing {
    pub kind: MessageDescriptor,
    /// The schema's id and the message's indexes.
    pub framed: Option<(u32, Vec<u32>)>,
}

/// The messages of a file by their indexes.
pub struct Kinds {
    file: String,
    by_indexes: BTreeMap<Vec<u32>, MessageDescriptor>,
}

impl Settings {
    pub fn read(config: &str) -> Result<Self> {
        if config.trim().is_empty() {
            return Err("it needs a configuration: {\"descriptors\": …}".into());
        }
        let text: Text = serde_json::from_str(config)
            .map_err(|error| format!("its configuration is not right: {error}"))?;
        let pool = descriptors(&text.descriptors)?;
        let message = match &text.message {
            None => None,
            Some(name) => Some(
                pool.get_message_by_name(name.trim_start_matches('.'))
                    .ok_or_else(|| no_message(&pool, name))?,
            ),
        };
        let file = match (&text.file, &message) {
            (Some(name), _) => pool
                .get_file_by_name(name)
                .ok_or_else(|| format!("`file`: no {name} in the descriptors: {}", files(&pool)))?,
            (None, Some(message)) => message.parent_file(),
            // What protoc was asked for; what that imports stands before it.
            (None, None) => pool
                .files()
                .last()
                .ok_or("`descriptors`: there is no file in it")?,
        };
        Ok(Settings {
            framing: text.framing,
            message,
            file,
            counting: text.indexes,
            id: text.id,
            json: SerializeOptions::new()
                .use_proto_field_name(text.names == Names::Proto)
                .skip_default_fields(!text.defaults),
            refuses_unknown_fields: text.unknown_fields == UnknownFields::Refuse,
        })
    }

    pub fn reading(&self) -> Result<Reading> {
        match self.framing {
            Framing::Confluent => Ok(Reading::Framed(self.kinds())),
            Framing::None => Ok(Reading::Plain(self.message.clone().ok_or(
                "`message` is missing: without a frame nothing else says which message it is",
            )?)),
        }
    }

    pub fn writing(&self) -> Result<Writing> {
        let kind = self
            .message
            .clone()
            .ok_or("`message` is missing: a serializer writes messages of one name")?;
        let framed = match self.framing {
            Framing::None => None,
            Framing::Confluent => {
                let id = self
                    .id
                    .ok_or("`id` is missing: the schema's id, which stands before each message")?;
                let kinds = self.kinds();
                let mut all = kinds.by_indexes.into_iter();
                let (indexes, _) = all.find(|(_, other)| *other == kind).ok_or_else(|| {
                    format!("`file`: {} is not in {}", kind.full_name(), kinds.file)
                })?;
                Some((id, indexes))
            }
        };
        Ok(Writing { kind, framed })
    }

    fn kinds(&self) -> Kinds {
        let mut by_indexes = BTreeMap::new();
        add(
            &mut by_indexes,
            &[],
            self.file.messages(),
            self.counting == Counting::Descriptors,
        );
        Kinds {
            file: self.file.name().to_owned(),
            by_indexes,
        }
    }
}

/// Adds these messages, which are within the one of these indexes, and those within.
fn add(
    kinds: &mut BTreeMap<Vec<u32>, MessageDescriptor>,
    of: &[u32],
    messages: impl Iterator<Item = MessageDescriptor>,
    entries_count: bool,
) {
    let counted = messages.filter(|message| entries_count || !message.is_map_entry());
    for (index, message) in (0..).zip(counted) {
        if message.is_map_entry() {
            continue;
        }
        let indexes = [of, &[index]].concat();
        add(kinds, &indexes, message.child_messages(), entries_count);
        kinds.insert(indexes, message);
    }
}

impl Kinds {
    pub fn find(&self, indexes: &[u32]) -> Result<&MessageDescriptor> {
        Ok(self.by_indexes.get(indexes).ok_or_else(|| {
            format!(
                "{} has no message {indexes:?} (by index, from 0): is it the schema's file, and \
                 in its version?",
                self.file
            )
        })?)
    }
}

fn descriptors(base64: &str) -> Result<DescriptorPool> {
    // `base64` breaks its lines.
    let digits: String = base64.split_ascii_whitespace().collect();
    let bytes = BASE64_STANDARD
        .decode(digits)
        .map_err(|error| format!("`descriptors` is not base64: {error}"))?;
    let pool = DescriptorPool::decode(&bytes[..]).map_err(|error| {
        format!(
            "`descriptors` is no whole FileDescriptorSet (protoc --include_imports \
             --descriptor_set_out): {error}"
        )
    })?;
    Ok(pool)
}

fn files(pool: &DescriptorPool) -> String {
    let names: Vec<_> = pool.files().map(|file| file.name().to_owned()).collect();
    names.join(", ")
}

fn no_message(pool: &DescriptorPool, name: &str) -> String {
    let last = name.rsplit('.').next().unwrap_or(name);
    let alike = pool.all_messages().find(|other| other.name() == last);
    match alike {
        Some(other) => format!(
            "`message`: no {name} in the descriptors; there is {}",
            other.full_name()
        ),
        None => format!(
            "`message`: no {name} in the descriptors, whose files are {}",
            files(pool)
        ),
    }
}
