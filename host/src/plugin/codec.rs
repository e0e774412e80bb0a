//! A running deserializer or serializer: the payloads of one topic and field in,
//! one result each out.

use std::sync::Arc;

use super::bindings::millrace::plugin::types as wit;
use super::component::Component;
use super::desk::Desk;
use super::guest::Asked;
use super::kind::Kind;
use super::place::Place;
use crate::pipeline::ports::{Convert, Fatal, Fault, Versioned};
use crate::record::{Field, NextOffset, TopicPartition};

/// See the module's words.
pub struct CodecInstance {
    place: Place,
}

impl CodecInstance {
    /// Makes an instance and calls its `init`. An error of that refuses the
    /// plugin. The component was loaded as a deserializer or as a serializer.
    pub fn new(component: &Arc<Component>) -> Result<Self, Fatal> {
        Ok(Self {
            place: Place::new(component, &[Kind::Deserializer, Kind::Serializer])?,
        })
    }

    /// Where its successors are handed over.
    pub fn desk(&self) -> &Arc<Desk> {
        self.place.desk()
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
        let failed = |result: &Result<_, _>| result.is_err();
        self.place.call(asked, latest, failed, |store, exports| {
            exports.convert(store, topic, field, payloads)
        })
    }

    fn discard(&mut self) {
        self.place.discard();
    }
}

impl Versioned for CodecInstance {
    fn has_news(&self) -> bool {
        self.place.has_news()
    }

    fn renew(&mut self, from: &[(TopicPartition, NextOffset)]) -> bool {
        self.place.renew(from)
    }

    fn take_back(&mut self, why: &str, from: &[(TopicPartition, NextOffset)]) -> bool {
        self.place.take_back(why, from)
    }

    fn digest(&self) -> Option<String> {
        self.place.digest()
    }
}

#[cfg(test)]
mod tests;
