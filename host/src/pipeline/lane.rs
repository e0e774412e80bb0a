//! A lane: one assigned partition on its way through a worker, with its
//! progress and the records that it has in hand.

use std::collections::VecDeque;

use crate::pipeline::ports::LaneId;
use crate::pipeline::progress::{Progress, Sequence};
use crate::record::{NextOffset, TopicPartition, Verdict};

pub struct Lane<B> {
    pub id: LaneId,
    pub partition: TopicPartition,
    pub progress: Progress,
    /// What was fetched and is not sent yet.
    pub work: Option<Work<B>>,
}

impl<B> Lane<B> {
    pub fn new(id: LaneId, partition: TopicPartition, start: NextOffset, stored: bool) -> Self {
        Self {
            id,
            partition,
            progress: Progress::new(start, stored),
            work: None,
        }
    }
}

/// Fetched records, some of them judged, some of those sent.
pub struct Work<B> {
    pub records: B,
    /// The record that the first verdict is for.
    pub next: usize,
    /// The verdicts of the records from `next` on, as far as they are judged.
    pub verdicts: VecDeque<Verdict>,
    /// Set while the record at `next` is being sent.
    pub open: Option<Open>,
}

/// A record whose outputs are being sent.
#[derive(Clone, Copy)]
pub struct Open {
    pub sequence: Sequence,
    /// How many of its outputs are sent.
    pub sent: usize,
}

impl<B> Work<B> {
    pub fn new(records: B) -> Self {
        Self {
            records,
            next: 0,
            verdicts: VecDeque::new(),
            open: None,
        }
    }

    /// Forgets everything but the record that is half sent, if there is one.
    /// Returns whether there is. A record of which a full sink took nothing is
    /// not half sent.
    pub fn cut_to_open(&mut self) -> bool {
        let half_sent = self.open.is_some_and(|open| open.sent > 0);
        self.verdicts.truncate(usize::from(half_sent));
        half_sent
    }
}
