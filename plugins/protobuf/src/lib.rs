//! Protobuf payloads to JSON and back: a deserializer and a serializer, framed as
//! Confluent's clients do it or not at all. `settings` reads the configuration,
//! `frame` what stands before a message; the JSON mapping is prost-reflect's.

mod frame;
mod settings;

use millrace_sdk::{Deserializer, Place, Result, Serializer, log};
use prost::Message as _;
use prost_reflect::{DeserializeOptions, DynamicMessage, MessageDescriptor, Value};

use settings::{Reading, Settings, Writing};

/// Messages to JSON.
pub struct FromProtobuf {
    settings: Settings,
    reading: Reading,
    /// Whether fields that the descriptors don't have were told of.
    has_warned: bool,
}

impl Deserializer for FromProtobuf {
    fn new(config: &str) -> Result<Self> {
        let settings = Settings::read(config)?;
        Ok(FromProtobuf {
            reading: settings.reading()?,
            settings,
            has_warned: false,
        })
    }

    fn deserialize(&mut self, payload: &[u8], _place: &Place<'_>) -> Result<Vec<u8>> {
        let (kind, begin) = match &self.reading {
            Reading::Plain(kind) => (kind, 0),
            Reading::Framed(kinds) => {
                let (indexes, begin) = frame::read(payload)?;
                (kinds.find(&indexes)?, begin)
            }
        };
        let mut rest = &payload[begin..];
        let message = DynamicMessage::decode(kind.clone(), &mut rest).map_err(|error| {
            let error = error.to_string();
            let what = error.strip_prefix("failed to decode Protobuf message: ");
            format!(
                "not a {}: {}, near byte {} of {}",
                kind.full_name(),
                what.unwrap_or(&error),
                payload.len() - rest.len(),
                payload.len(),
            )
        })?;
        if (self.settings.refuses_unknown_fields || !self.has_warned)
            && let Some((kind, number)) = unknown_field(&message)
        {
            let what = format!("{} has no field {number}", kind.full_name());
            if self.settings.refuses_unknown_fields {
                return Err(format!("{what} in the descriptors, and one came").into());
            }
            log::warn!("{what} in the descriptors: it is left out, as all that they don't have");
            self.has_warned = true;
        }
        let mut json = serde_json::Serializer::new(Vec::with_capacity(payload.len() * 2));
        message
            .serialize_with_options(&mut json, &self.settings.json)
            .map_err(|error| format!("{} can't be JSON: {error}", kind.full_name()))?;
        Ok(json.into_inner())
    }
}

/// JSON to messages.
pub struct ToProtobuf {
    kind: MessageDescriptor,
    /// What stands before each message.
    frame: Vec<u8>,
}

impl Serializer for ToProtobuf {
    fn new(config: &str) -> Result<Self> {
        let Writing { kind, framed } = Settings::read(config)?.writing()?;
        let frame = framed.map_or(Vec::new(), |(id, indexes)| frame::write(id, &indexes));
        Ok(ToProtobuf { kind, frame })
    }

    fn serialize(&mut self, payload: &[u8], _place: &Place<'_>) -> Result<Vec<u8>> {
        let message = parse(&self.kind, payload)?;
        let mut bytes = Vec::with_capacity(self.frame.len() + message.encoded_len());
        bytes.extend(&self.frame);
        message.encode(&mut bytes)?;
        Ok(bytes)
    }
}

/// A message from JSON. Fields that it does not have are errors.
fn parse(kind: &MessageDescriptor, json: &[u8]) -> Result<DynamicMessage> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let parsed = DynamicMessage::deserialize(kind.clone(), &mut reader)
        .and_then(|message| reader.end().map(|()| message));
    Ok(parsed.map_err(|error| match error.is_data() {
        true => misfit(kind, json, &error),
        false => format!("not JSON: {error}"),
    })?)
}

/// Why JSON is none of the message's, with the path to where it is not. Finding the
/// path costs every field something, so that only what fails is read with it.
fn misfit(kind: &MessageDescriptor, json: &[u8], error: &serde_json::Error) -> String {
    let mut track = serde_path_to_error::Track::new();
    let mut reader = serde_json::Deserializer::from_slice(json);
    let tracked = serde_path_to_error::Deserializer::new(&mut reader, &mut track);
    let options = DeserializeOptions::new();
    // It fails as it did before.
    let _ = DynamicMessage::deserialize_with_options(kind.clone(), tracked, &options);
    let path = track.path().to_string();
    // Without the place, which differs from record to record: equal reasons group.
    let error = error.to_string();
    let what = error.split(" at line ").next().unwrap_or("");
    match path.as_str() {
        "." => format!("not a {}: {what}", kind.full_name()),
        path => format!("not a {}: {path}: {what}", kind.full_name()),
    }
}

/// The first field that the descriptors don't have, and of which message.
fn unknown_field(message: &DynamicMessage) -> Option<(MessageDescriptor, u32)> {
    use prost_reflect::ReflectMessage as _;
    if let Some(field) = message.unknown_fields().next() {
        return Some((message.descriptor(), field.number()));
    }
    message.fields().find_map(|(_, value)| within(value))
}

fn within(value: &Value) -> Option<(MessageDescriptor, u32)> {
    match value {
        Value::Message(message) => unknown_field(message),
        Value::List(values) => values.iter().find_map(within),
        Value::Map(entries) => entries.values().find_map(within),
        _ => None,
    }
}

millrace_sdk::plugin!(deserializer: FromProtobuf, serializer: ToProtobuf);

#[cfg(test)]
mod tests;
