//! Dead letters once more on their way through the pipeline: the worker's ports
//! in a shape that takes them off their letters first. The worker and its rules
//! are the same. Pure.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::pipeline::dead_letter::Original;
use crate::pipeline::ports::{
    Ack, Admission, Fatal, Halt, Judge, LaneId, OffsetStore, Outgoing, Sent, Sink, Source,
    SourceEvent, Ticket, Versioned,
};
use crate::record::{
    Header, Held, Judged, NextOffset, Origin, Record, Stage, Timestamp, TopicPartition, Verdict,
};

/// What a dead-letter topic held that is not replayed.
#[derive(Debug, Clone, Default)]
pub struct Skipped(Arc<Mutex<BTreeMap<String, u64>>>);

impl Skipped {
    fn add(&self, pipeline: &str) {
        let mut counts = self.lock();
        match counts.get_mut(pipeline) {
            Some(count) => *count += 1,
            None => {
                counts.insert(pipeline.to_owned(), 1);
            }
        }
    }

    /// How many by the name of their pipeline, which is "" for records that are
    /// no dead letters.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A record of a dead-letter topic.
pub enum Replayed {
    /// A dead letter of this pipeline: the record that it was made from.
    Letter(Box<Original<Held>>),
    /// Nothing of this pipeline's.
    Other(Held),
}

impl Replayed {
    fn as_read(&self) -> &dyn Record {
        match self {
            Self::Letter(original) => &**original,
            Self::Other(record) => record,
        }
    }
}

/// As the record was first read, but for its offset, which is the letter's: the
/// progress of a replay is one through the dead-letter topic.
impl Record for Replayed {
    fn key(&self) -> Option<&[u8]> {
        self.as_read().key()
    }

    fn value(&self) -> Option<&[u8]> {
        self.as_read().value()
    }

    fn headers(&self) -> Vec<Header<'_>> {
        self.as_read().headers()
    }

    fn offset(&self) -> i64 {
        match self {
            Self::Letter(original) => original.dead().offset(),
            Self::Other(record) => record.offset(),
        }
    }

    fn timestamp(&self) -> Timestamp {
        self.as_read().timestamp()
    }

    fn origin(&self) -> Option<&Origin> {
        self.as_read().origin()
    }
}

/// A source of dead letters.
pub struct Letters<S> {
    inner: S,
    /// Whose letters are replayed.
    pipeline: String,
    skipped: Skipped,
}

impl<S: Source> Letters<S> {
    pub fn new(inner: S, pipeline: String, skipped: Skipped) -> Self {
        Self {
            inner,
            pipeline,
            skipped,
        }
    }

    fn take(&self, record: &S::Record) -> Replayed {
        match Original::of(Held::copy(record)) {
            Ok(original) if original.letter.by.pipeline == self.pipeline => {
                Replayed::Letter(Box::new(original))
            }
            Ok(original) => {
                self.skipped.add(&original.letter.by.pipeline);
                Replayed::Other(original.into_dead())
            }
            Err(record) => {
                self.skipped.add("");
                Replayed::Other(record)
            }
        }
    }
}

impl<S: Source> Source for Letters<S> {
    type Record = Replayed;
    type Batch = Vec<Replayed>;

    fn poll(&mut self) -> Result<Option<SourceEvent>, Fatal> {
        self.inner.poll()
    }

    fn resolve(&mut self, partition: &TopicPartition) -> Result<NextOffset, Fatal> {
        self.inner.resolve(partition)
    }

    fn start(&mut self, lanes: &[(LaneId, TopicPartition, NextOffset)]) -> Result<(), Fatal> {
        self.inner.start(lanes)
    }

    fn fetch(&mut self, lane: LaneId, max: usize) -> Result<Option<Vec<Replayed>>, Fatal> {
        let fetched = self.inner.fetch(lane, max)?;
        Ok(fetched.map(|batch| {
            batch
                .as_ref()
                .iter()
                .map(|record| self.take(record))
                .collect()
        }))
    }

    fn rewind(&mut self, lane: LaneId, position: NextOffset) -> Result<(), Fatal> {
        self.inner.rewind(lane, position)
    }

    fn jump(&mut self, lane: LaneId, position: NextOffset) -> Result<(), Fatal> {
        self.inner.jump(lane, position)
    }

    fn end(&self, lane: LaneId) -> Option<i64> {
        self.inner.end(lane)
    }

    fn starves(&self, lane: LaneId) -> bool {
        self.inner.starves(lane)
    }

    fn has_place(&self) -> bool {
        self.inner.has_place()
    }

    fn passed(&self, lane: LaneId) -> Option<NextOffset> {
        self.inner.passed(lane)
    }

    fn has_ends(&self) -> bool {
        self.inner.has_ends()
    }

    fn is_finished(&mut self) -> Result<bool, Fatal> {
        self.inner.is_finished()
    }

    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), Fatal> {
        self.inner.release(partitions)
    }

    fn now(&self) -> Instant {
        self.inner.now()
    }

    fn wait(&mut self, timeout: Duration) {
        self.inner.wait(timeout);
    }

    fn close(&mut self, deadline: Instant) {
        self.inner.close(deadline);
    }
}

/// Shows the plugin records as they were first read, in batches of their own
/// topics and partitions; passes over what is not replayed.
pub struct Again<J>(pub J);

impl<J> Versioned for Again<J> {}

impl<J: Judge> Judge for Again<J> {
    fn judge<R: Record>(&mut self, _: &TopicPartition, records: &[R]) -> Result<Vec<Judged>, Halt> {
        let mut verdicts = Vec::with_capacity(records.len());
        let mut rest = records;
        while let Some(first) = rest.first() {
            let taken = match first.origin() {
                None => {
                    verdicts.push(Verdict::Drop.into());
                    1
                }
                Some(Origin {
                    position,
                    value_omitted: Some(size),
                    ..
                }) => {
                    let why = format!(
                        "its value of {size} bytes had no room in its dead letter, and stands at \
                         {position}"
                    );
                    verdicts.push(Judged::failed(Stage::Transform, why));
                    1
                }
                Some(Origin { position, .. }) => {
                    let run = run(rest);
                    let originals: Vec<AsFirstRead<'_, R>> = rest[..run]
                        .iter()
                        .filter_map(|record| Some(AsFirstRead(record, record.origin()?)))
                        .collect();
                    match self.0.judge(&position.partition, &originals) {
                        Ok(judged) => {
                            let count = judged.len();
                            verdicts.extend(judged);
                            if count < run {
                                return Ok(verdicts);
                            }
                        }
                        // What came before it can go on.
                        Err(Halt::Later(_)) if !verdicts.is_empty() => return Ok(verdicts),
                        Err(halt) => return Err(halt),
                    }
                    run
                }
            };
            rest = &rest[taken..];
        }
        Ok(verdicts)
    }

    fn encode<R: Record>(&mut self, records: &[R], judged: &mut [Judged]) -> Result<usize, Halt> {
        self.0.encode(records, judged)
    }

    fn discard(&mut self) {
        self.0.discard();
    }
}

/// How many records, from the first on, come from one partition, in the order of
/// their offsets there.
fn run<R: Record>(records: &[R]) -> usize {
    let follows = |pair: &[R]| match (pair[0].origin(), pair[1].origin()) {
        (Some(a), Some(b)) => {
            a.position.partition == b.position.partition
                && a.position.offset < b.position.offset
                && b.value_omitted.is_none()
        }
        _ => false,
    };
    1 + records.windows(2).take_while(|pair| follows(pair)).count()
}

/// A record with the offset of where it was first read.
struct AsFirstRead<'a, R>(&'a R, &'a Origin);

impl<R: Record> Record for AsFirstRead<'_, R> {
    fn key(&self) -> Option<&[u8]> {
        self.0.key()
    }

    fn value(&self) -> Option<&[u8]> {
        self.0.value()
    }

    fn headers(&self) -> Vec<Header<'_>> {
        self.0.headers()
    }

    fn offset(&self) -> i64 {
        self.1.position.offset
    }

    fn timestamp(&self) -> Timestamp {
        self.0.timestamp()
    }

    fn origin(&self) -> Option<&Origin> {
        Some(self.1)
    }
}

/// A sink for a dry run: it checks what would be written, and writes nothing.
pub struct Nowhere<K> {
    inner: K,
    acks: Vec<Ack>,
}

impl<K> Nowhere<K> {
    pub fn new(inner: K) -> Self {
        Self {
            inner,
            acks: Vec::new(),
        }
    }
}

impl<R: Record, K: Sink<R>> Sink<R> for Nowhere<K> {
    fn admit(&mut self, outgoing: &Outgoing<'_>, source: &R) -> Result<Admission, Fatal> {
        self.inner.admit(outgoing, source)
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
        self.inner.acks(into)
    }
}

/// A store for a dry run: it knows what is stored, and stores nothing.
pub struct ReadOnly<O>(pub O);

impl<O: OffsetStore> OffsetStore for ReadOnly<O> {
    fn stored(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<NextOffset>>, Fatal> {
        self.0.stored(partitions)
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
