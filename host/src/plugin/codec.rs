//! A running deserializer or serializer: the payloads of one topic and field in,
//! one result each out.

use std::sync::Arc;

use super::bindings::millrace::plugin::types as wit;
use super::component::Component;
use super::guest::{Asked, Guest};
use super::kind::Kind;
use crate::pipeline::ports::{Convert, Fatal, Fault};
use crate::record::Field;

/// See the module's words.
pub struct CodecInstance {
    guest: Guest,
}

impl CodecInstance {
    /// Makes an instance and calls its `init`. An error of that refuses the
    /// plugin. The component was loaded as a deserializer or as a serializer.
    pub fn new(component: &Arc<Component>) -> Result<Self, Fatal> {
        component.is_for(&[Kind::Deserializer, Kind::Serializer])?;
        Ok(Self {
            guest: Guest::new(component)?,
        })
    }

    /// What the plugin takes for the time from the next call on, in milliseconds
    /// since the epoch: the latest timestamp of the payloads' records.
    pub fn at(&mut self, millis: i64) {
        self.guest.at(millis);
    }

    /// One result a payload, in order; a payload's own error rejects its record
    /// only. After a fault the next call finds a fresh instance.
    pub fn convert(
        &mut self,
        topic: &str,
        field: Field,
        payloads: &[&[u8]],
    ) -> Result<Vec<Result<Vec<u8>, String>>, Fault> {
        if payloads.is_empty() {
            return Ok(Vec::new());
        }
        let field = match field {
            Field::Key => wit::Field::Key,
            Field::Value => wit::Field::Value,
        };
        let asked = Asked {
            count: payloads.len(),
            given: "payloads",
            owed: "results",
            each: "payload",
        };
        self.guest.call(asked, |store, exports| {
            exports.convert(store, topic, field, payloads)
        })
    }

    /// The next call finds a fresh instance: a neighbour broke, and a hunt must
    /// begin with fresh ones.
    pub fn discard(&mut self) {
        self.guest.discard();
    }
}

impl Convert for CodecInstance {
    fn convert(
        &mut self,
        topic: &str,
        field: Field,
        payloads: &[&[u8]],
        latest: Option<i64>,
    ) -> Result<Vec<Result<Vec<u8>, String>>, Fault> {
        if let Some(latest) = latest {
            self.at(latest);
        }
        Self::convert(self, topic, field, payloads)
    }

    fn discard(&mut self) {
        Self::discard(self);
    }
}

#[cfg(test)]
mod tests;
