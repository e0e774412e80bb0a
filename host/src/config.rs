//! From `pipeline.toml` and flags to one checked [`Pipeline`]. Every default is
//! a named constant, with its unit and its reason; every error names the place
//! that it comes from (file and line, flag, `--set`).

mod connection;
mod defaults;
mod errors;
mod input;
mod pipeline;
mod serialization;
mod settings;

pub use connection::Connection;
pub use errors::{Choice, Errors};
pub use input::{Input, OnGap, Share, Start, Starts, Until};
pub use pipeline::{Admin, Canary, Capability, Guarantee, Output, Pipeline, Plugin, Properties};
pub use serialization::{Coding, Fields, Format, SchemaSource, Serialization, SubjectName};
pub use settings::{Origin, Settings, section as plugin_section};

/// What a wrong configuration is told: exit status 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

impl ConfigError {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}
