//! Records that are given instead of read, and outputs that go nowhere: the worker's
//! ports without a broker. The worker and its rules are the same. Pure.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::pipeline::ports::{
    Ack, Admission, Fatal, LaneId, OffsetStore, Outgoing, Sent, Sink, Source, SourceEvent, Ticket,
    Unwritable,
};
use crate::record::{Held, NextOffset, Record, TopicPartition};

/// A record, and where it is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub partition: TopicPartition,
    pub record: Held,
}

/// Consecutive records of one partition, in the order of their offsets.
#[derive(Debug)]
struct Stretch {
    partition: TopicPartition,
    records: VecDeque<Held>,
}

/// A source of given records, which come in their order: each stretch is an
/// assignment, and the next one begins when the last one is done.
///
/// Its clock stands still, so that how the records make calls does not depend on how
/// long calls take: the same records are judged in the same batches.
pub struct GivenSource {
    now: Instant,
    /// The first one is read, once it is assigned.
    stretches: VecDeque<Stretch>,
    events: VecDeque<SourceEvent>,
}

impl GivenSource {
    pub fn new(records: impl IntoIterator<Item = Given>) -> Self {
        let mut stretches: VecDeque<Stretch> = VecDeque::new();
        for Given { partition, record } in records {
            let follows = |last: &&mut Stretch| {
                let before = last.records.back().map(Record::offset);
                last.partition == partition && before < Some(record.offset())
            };
            match stretches.back_mut().filter(follows) {
                Some(last) => last.records.push_back(record),
                None => stretches.push_back(Stretch {
                    partition,
                    records: VecDeque::from([record]),
                }),
            }
        }
        let mut this = Self {
            now: Instant::now(),
            stretches,
            events: VecDeque::new(),
        };
        this.assign_first();
        this
    }

    fn assign_first(&mut self) {
        if let Some(first) = self.stretches.front() {
            let partitions = vec![first.partition.clone()];
            self.events.push_back(SourceEvent::Assigned(partitions));
        }
    }
}

impl Source for GivenSource {
    type Record = Held;
    type Batch = Vec<Held>;

    fn poll(&mut self) -> Result<Option<SourceEvent>, Fatal> {
        Ok(self.events.pop_front())
    }

    fn resolve(&mut self, _: &TopicPartition) -> Result<NextOffset, Fatal> {
        let first = self.stretches.front();
        let first = first.and_then(|stretch| stretch.records.front());
        Ok(NextOffset(first.map_or(0, Record::offset)))
    }

    fn start(&mut self, _: &[(LaneId, TopicPartition, NextOffset)]) -> Result<(), Fatal> {
        Ok(())
    }

    fn fetch(&mut self, _: LaneId, max: usize) -> Result<Option<Vec<Held>>, Fatal> {
        let Some(stretch) = self.stretches.front_mut() else {
            return Ok(None);
        };
        let count = stretch.records.len().min(max);
        let fetched: Vec<Held> = stretch.records.drain(..count).collect();
        Ok((!fetched.is_empty()).then_some(fetched))
    }

    fn rewind(&mut self, _: LaneId, _: NextOffset) -> Result<(), Fatal> {
        Err(Fatal::msg("given records can't be read again"))
    }

    fn jump(&mut self, _: LaneId, _: NextOffset) -> Result<(), Fatal> {
        Ok(())
    }

    fn end(&self, _: LaneId) -> Option<i64> {
        None
    }

    /// Asked when all of a stretch is done: the next one's turn.
    fn is_finished(&mut self) -> Result<bool, Fatal> {
        let Some(done) = self.stretches.pop_front() else {
            return Ok(true);
        };
        if self.stretches.is_empty() {
            return Ok(true);
        }
        let partitions = vec![done.partition];
        self.events.push_back(SourceEvent::Revoked(partitions));
        self.assign_first();
        Ok(false)
    }

    fn release(&mut self, _: &[TopicPartition]) -> Result<(), Fatal> {
        Ok(())
    }

    fn now(&self) -> Instant {
        self.now
    }

    /// Everything is there.
    fn wait(&mut self, _: Duration) {}

    fn close(&mut self, _: Instant) {}
}

/// A sink that takes every output that `forbid` says nothing against, and sends none.
pub struct Unsent<F> {
    /// Why no output may go to this topic.
    forbid: F,
    acks: Vec<Ack>,
}

impl<F: FnMut(&str) -> Option<String>> Unsent<F> {
    pub fn new(forbid: F) -> Self {
        Self {
            forbid,
            acks: Vec::new(),
        }
    }
}

impl<R: Record, F: FnMut(&str) -> Option<String>> Sink<R> for Unsent<F> {
    fn admit(&mut self, outgoing: &Outgoing<'_>, _: &R) -> Result<Admission, Fatal> {
        Ok(match (self.forbid)(outgoing.topic) {
            None => Admission::Admitted,
            Some(why) => Admission::Refused(Unwritable::new(why)),
        })
    }

    fn send(&mut self, _: &Outgoing<'_>, _: &R, ticket: Ticket) -> Result<Sent, Fatal> {
        self.acks.push(Ack {
            ticket,
            result: Ok(()),
        });
        Ok(Sent::Queued)
    }

    fn acks(&mut self, into: &mut Vec<Ack>) -> Result<(), Fatal> {
        into.append(&mut self.acks);
        Ok(())
    }
}

/// A store that has no position and keeps none.
pub struct Unkept;

impl OffsetStore for Unkept {
    fn stored(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<NextOffset>>, Fatal> {
        Ok(vec![None; partitions.len()])
    }

    fn commit(&mut self, _: &[(TopicPartition, NextOffset)]) -> Result<(), Fatal> {
        Ok(())
    }

    fn commit_now(&mut self, _: &[(TopicPartition, NextOffset)], _: Instant) -> Result<(), Fatal> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
