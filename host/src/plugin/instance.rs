//! A running transform: one a worker. It implements the worker loop's transform
//! port.

use std::sync::Arc;

use super::bindings::millrace::plugin::types as wit;
use super::component::Component;
use super::convert::{Headers, messages};
use super::guest::{Asked, Guest};
use super::kind::Kind;
use crate::pipeline::ports::{Fatal, Fault, Transform};
use crate::record::{Record, TopicPartition, Verdict};

/// See the module's words.
pub struct Instance {
    guest: Guest,
}

impl Instance {
    /// Makes an instance and calls its `init`. An error of that refuses the plugin.
    pub fn new(component: &Arc<Component>) -> Result<Self, Fatal> {
        component.is_for(&[Kind::Transform])?;
        Ok(Self {
            guest: Guest::new(component)?,
        })
    }
}

impl Transform for Instance {
    fn process<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Verdict>, Fault> {
        if let Some(latest) = records.iter().filter_map(|r| r.timestamp().millis()).max() {
            self.guest.at(latest);
        }
        let asked = Asked {
            count: records.len(),
            given: "messages",
            owed: "verdicts",
            each: "message",
        };
        let verdicts = self.guest.call(asked, |store, exports| {
            let headers = Headers::of(records);
            let lowered = headers.lowered();
            let messages = messages(records, &headers, &lowered);
            let batch = wit::Batch {
                topic: &partition.topic,
                partition: partition.partition,
                messages: &messages,
            };
            exports.process(store, batch)
        })?;
        Ok(verdicts.into_iter().map(Verdict::from).collect())
    }

    fn discard(&mut self) {
        self.guest.discard();
    }
}

#[cfg(test)]
mod tests;
