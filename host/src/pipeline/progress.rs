//! How far a partition has come: an ordered queue of the records that were
//! delivered to the plugin, and the offset that may be committed. Pure: no
//! broker, no clock.
//!
//! There is no arithmetic between offsets: compaction, transaction markers and
//! aborted records leave holes, so the offset to commit is the one after the
//! last record of the queue's completed head.

use std::collections::VecDeque;

use crate::record::NextOffset;

/// Which record of a [`Progress`], counted from its start and modulo
/// 2^[`BITS`](Sequence::BITS).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence(u64);

impl Sequence {
    /// How many bits a sequence needs where it is packed into a delivery's opaque.
    pub const BITS: u32 = 40;
    const MASK: u64 = (1 << Self::BITS) - 1;

    pub fn from_bits(bits: u64) -> Self {
        Self(bits & Self::MASK)
    }

    pub fn bits(self) -> u64 {
        self.0
    }
}

#[derive(Debug)]
struct Entry {
    offset: i64,
    /// Outputs that are not acknowledged, plus one until the record is settled.
    open: u32,
}

/// The progress of one assigned partition.
#[derive(Debug)]
pub struct Progress {
    entries: VecDeque<Entry>,
    /// Outputs that were sent and have no answer yet.
    outstanding: usize,
    /// The sequence of `entries[0]`.
    head: u64,
    /// Where the next commit may point to.
    done: NextOffset,
    /// What the store was last told; `None` before the first commit and after a
    /// failed one.
    committed: Option<NextOffset>,
    /// What the store certainly has.
    stored: Option<NextOffset>,
}

impl Progress {
    /// Nothing is done yet, and `start` is the first position to commit where
    /// the store does not hold it already.
    pub fn new(start: NextOffset, stored: bool) -> Self {
        Self {
            entries: VecDeque::new(),
            outstanding: 0,
            head: 0,
            done: start,
            committed: stored.then_some(start),
            stored: stored.then_some(start),
        }
    }

    /// A record begins its way. It stays open until [`settle`](Self::settle),
    /// whatever is acknowledged before.
    pub fn begin(&mut self, offset: i64) -> Sequence {
        debug_assert!(
            offset
                >= self
                    .entries
                    .back()
                    .map_or(self.done.0, |last| last.offset + 1),
            "offset {offset} is behind its partition's progress"
        );
        self.entries.push_back(Entry { offset, open: 1 });
        Sequence::from_bits(self.head.wrapping_add(self.entries.len() as u64 - 1))
    }

    /// One output of the record was handed to the sink.
    pub fn sent(&mut self, sequence: Sequence) {
        if let Some(entry) = self.entry(sequence) {
            entry.open += 1;
            self.outstanding += 1;
        }
    }

    /// One output of the record was acknowledged by the broker.
    pub fn acknowledged(&mut self, sequence: Sequence) {
        if self.entry(sequence).is_some() {
            self.outstanding = self.outstanding.saturating_sub(1);
            self.close_one(sequence);
        }
    }

    /// One output of the record was refused by the broker: the record stays open,
    /// so that nothing from it on is committed before a [`restart`](Self::restart).
    pub fn refused(&mut self, sequence: Sequence) {
        if self.entry(sequence).is_some() {
            self.outstanding = self.outstanding.saturating_sub(1);
        }
    }

    /// Everything that the record leads to was handed to the sink (nothing, if
    /// it was dropped).
    pub fn settle(&mut self, sequence: Sequence) {
        self.close_one(sequence);
    }

    /// Forgets every record that is not done, and says where they begin: they
    /// will be read again. Nothing of them may be unanswered.
    pub fn restart(&mut self) -> NextOffset {
        debug_assert_eq!(self.outstanding, 0, "an answer would meet another record");
        self.head = self.head.wrapping_add(self.entries.len() as u64);
        self.entries.clear();
        self.done
    }

    /// Forgets everything that was sent, answered or not, and goes on from `position`,
    /// which the store has if it is `stored`. Answers that come all the same find
    /// nothing.
    pub fn take_back(&mut self, position: NextOffset, stored: bool) {
        self.head = self.head.wrapping_add(self.entries.len() as u64);
        self.entries.clear();
        self.outstanding = 0;
        self.done = position;
        self.committed = stored.then_some(position);
        self.stored = self.committed;
    }

    /// How many records have begun their way and are not done.
    pub fn open(&self) -> usize {
        self.entries.len()
    }

    /// The offset of a record that is still open.
    pub fn offset(&self, sequence: Sequence) -> Option<i64> {
        self.entries.get(self.index(sequence)).map(|e| e.offset)
    }

    /// How many outputs were sent and have no answer yet.
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Up to where everything is done.
    pub fn done(&self) -> NextOffset {
        self.done
    }

    /// Behind everything that has begun its way.
    pub fn next(&self) -> NextOffset {
        let last = self.entries.back();
        last.map_or(self.done, |last| NextOffset::after(last.offset))
    }

    /// Everything before `passed` was read: once all of it is done, `passed` is
    /// where the next commit points, though no record stands before it.
    pub fn reach(&mut self, passed: NextOffset) {
        if self.entries.is_empty() && self.done < passed {
            self.done = passed;
        }
    }

    /// Whether the store has some position of this assignment.
    pub fn is_stored(&self) -> bool {
        self.stored.is_some()
    }

    /// The position to commit, if the store does not have it yet.
    pub fn committable(&self) -> Option<NextOffset> {
        (self.committed != Some(self.done)).then_some(self.done)
    }

    /// The store was told `position`.
    pub fn committed(&mut self, position: NextOffset) {
        self.committed = Some(position);
    }

    /// The store has answered that it has `position`, which may not be the last
    /// one that it was told.
    pub fn confirmed(&mut self, position: NextOffset) {
        self.stored = Some(position);
    }

    /// The store has `position`.
    pub fn stored(&mut self, position: NextOffset) {
        self.committed = Some(position);
        self.stored = Some(position);
    }

    /// The position to commit before the partition is given up, if the store is
    /// not known to have it.
    pub fn unstored(&self) -> Option<NextOffset> {
        (self.stored != Some(self.done)).then_some(self.done)
    }

    /// What the store certainly has.
    pub fn store_has(&self) -> Option<NextOffset> {
        self.stored
    }

    /// Whether the store has not answered that it has what it was told, or has to
    /// be told again.
    pub fn is_unconfirmed(&self) -> bool {
        self.committed.is_none() || self.committed != self.stored
    }

    /// The store did not take the last position: it will be offered again.
    pub fn commit_failed(&mut self) {
        self.committed = None;
    }

    fn index(&self, sequence: Sequence) -> usize {
        (sequence.0.wrapping_sub(self.head) & Sequence::MASK) as usize
    }

    fn entry(&mut self, sequence: Sequence) -> Option<&mut Entry> {
        let index = self.index(sequence);
        self.entries.get_mut(index)
    }

    fn close_one(&mut self, sequence: Sequence) {
        let Some(entry) = self.entry(sequence) else {
            return;
        };
        entry.open = entry.open.saturating_sub(1);
        while let Some(first) = self.entries.front() {
            if first.open > 0 {
                break;
            }
            self.done = NextOffset::after(first.offset);
            self.entries.pop_front();
            self.head = self.head.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests;
