//! A topic that outputs go to: its handle inside its producer, and what it would
//! not take.

use std::ptr::NonNull;
use std::time::Instant;

use rdkafka::bindings as sys;
use rdkafka::types::RDKafkaTopic;

use super::cluster::Limits;
use crate::pipeline::ports::{Outgoing, Unwritable};

/// What Kafka's record format (v2, KIP-98) adds to the key, value and headers of
/// a record alone in its batch, at the least: the batch's 61 bytes and seven
/// fields of one byte.
const LEAST_FRAMING: usize = 68;

/// A topic's handle inside its producer, and what it takes.
pub struct OutputTopic {
    pub name: String,
    pub native: NonNull<RDKafkaTopic>,
    /// Which of the sink's producers.
    pub producer: usize,
    pub limits: Limits,
    /// When the limits were learnt.
    pub learnt: Instant,
    /// They are asked for again, and outputs wait for the answer.
    pub is_asked_for: bool,
}

// SAFETY: librdkafka's topic handles are thread-safe.
unsafe impl Send for OutputTopic {}

impl Drop for OutputTopic {
    fn drop(&mut self) {
        // SAFETY: ours, and dropped before its producer.
        unsafe { sys::rd_kafka_topic_destroy(self.native.as_ptr()) };
    }
}

impl OutputTopic {
    /// Its handle in another producer. The old one's must still live.
    pub fn replace_native(&mut self, native: NonNull<RDKafkaTopic>) {
        let old = std::mem::replace(&mut self.native, native);
        // SAFETY: ours, not used after this, and its producer lives.
        unsafe { sys::rd_kafka_topic_destroy(old.as_ptr()) };
    }

    /// Why the topic would not take an output of `size` bytes, if it would not.
    pub fn refuses(&self, outgoing: &Outgoing<'_>, size: usize, plain: bool) -> Option<Unwritable> {
        let (name, limits) = (&self.name, &self.limits);
        if let Some(partition) = outgoing.partition
            && !(0..limits.partitions).contains(&partition)
        {
            return Some(Unwritable::new(format!(
                "topic {name} has {} partitions (from 0), and the output names partition {partition}",
                limits.partitions
            )));
        }
        if limits.compacted && outgoing.key.is_none() {
            return Some(Unwritable::new(format!(
                "topic {name} is compacted and takes no record without a key (cleanup.policy)"
            )));
        }
        let size = size + LEAST_FRAMING;
        let most = limits.batch.filter(|most| plain && size > *most)?;
        Some(Unwritable::too_large(format!(
            "the output has at least {size} bytes with its headers and framing, and topic {name} \
             takes at most {most} (max.message.bytes)"
        )))
    }

    /// Whether the topic takes this timestamp at this time.
    pub fn takes(&self, timestamp: i64, now: i64) -> bool {
        timestamp >= 0
            && self.limits.timestamps.is_none_or(|(before, after)| {
                (now.saturating_sub(before)..=now.saturating_add(after)).contains(&timestamp)
            })
    }
}
