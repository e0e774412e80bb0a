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
}

impl Convert for CodecInstance {
    fn convert(
        &mut self,
        topic: &str,
        field: Field,
        payloads: &[&[u8]],
        latest: Option<i64>,
    ) -> Result<Vec<Result<Vec<u8>, String>>, Fault> {
        if payloads.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(latest) = latest {
            self.guest.at(latest);
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

    fn discard(&mut self) {
        self.guest.discard();
    }
}

#[cfg(test)]
mod tests;
