//! A format on its way through a codec: what the settings name, with its plugin where
//! it is one's.

use crate::config::Format;
use crate::pipeline::ports::{Convert, Fatal};
use crate::registry::Kind;

/// See the module's words.
pub enum How {
    Bytes,
    String,
    Json,
    Avro,
    AvroPlain,
    JsonSchema,
    Plugin(Box<dyn Convert>),
}

impl How {
    /// `plugin` is there where the format is one's.
    pub fn new(format: &Format, plugin: Option<Box<dyn Convert>>) -> Result<Self, Fatal> {
        Ok(match format {
            Format::Bytes => Self::Bytes,
            Format::String => Self::String,
            Format::Json => Self::Json,
            Format::Avro => Self::Avro,
            Format::AvroPlain => Self::AvroPlain,
            Format::JsonSchema => Self::JsonSchema,
            Format::Plugin(path) => Self::Plugin(plugin.ok_or_else(|| {
                Fatal::msg(format!("the plugin {} is not loaded", path.display()))
            })?),
        })
    }

    /// What its schemas are written in.
    pub fn kind(&self) -> Kind {
        match self {
            Self::JsonSchema => Kind::Json,
            _ => Kind::Avro,
        }
    }

    pub fn is_bytes(&self) -> bool {
        matches!(self, Self::Bytes)
    }

    /// Whether each payload names its schema.
    pub fn is_framed(&self) -> bool {
        matches!(self, Self::Avro | Self::JsonSchema)
    }

    /// Whether its plugin has news.
    pub fn has_news(&self) -> bool {
        match self {
            Self::Plugin(plugin) => plugin.has_news(),
            _ => false,
        }
    }

    /// Set where payloads go through a plugin, all of a batch at once.
    pub fn plugin(&mut self) -> Option<&mut dyn Convert> {
        match self {
            Self::Plugin(plugin) => Some(plugin.as_mut()),
            _ => None,
        }
    }
}
