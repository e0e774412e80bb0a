//! A running transform: one a worker. It implements the worker loop's transform
//! port.

use std::sync::Arc;

use super::bindings::millrace::plugin::types as wit;
use super::component::Component;
use super::convert::{Headers, messages};
use super::desk::Desk;
use super::guest::Asked;
use super::kind::Kind;
use super::place::Place;
use crate::pipeline::ports::{Fatal, Fault, Transform, Versioned};
use crate::record::{NextOffset, Record, TopicPartition, Verdict};

/// See the module's words.
pub struct Instance {
    place: Place,
}

impl Instance {
    /// Makes an instance and calls its `init`. An error of that refuses the plugin.
    pub fn new(component: &Arc<Component>) -> Result<Self, Fatal> {
        Ok(Self {
            place: Place::new(component, &[Kind::Transform])?,
        })
    }

    /// Where its successors are handed over.
    pub fn desk(&self) -> &Arc<Desk> {
        self.place.desk()
    }
}

impl Transform for Instance {
    fn process<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Verdict>, Fault> {
        let latest = records.iter().filter_map(|r| r.timestamp().millis()).max();
        let asked = Asked {
            count: records.len(),
            given: "messages",
            owed: "verdicts",
            each: "message",
        };
        let failed = |verdict: &wit::Verdict| matches!(verdict, wit::Verdict::Fail(_));
        let verdicts = self.place.call(asked, latest, failed, |store, exports| {
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
        self.place.discard();
    }
}

impl Versioned for Instance {
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
