//! Another version of a plugin takes over, between two calls: what is judged stays
//! judged, and what is not is the new one's.

use super::{Worker, batch};
use crate::pipeline::isolate::Hunt;
use crate::pipeline::lane::{Lane, Work};
use crate::pipeline::ports::{Failure, Judge, OffsetStore, Sink, Source};
use crate::record::{NextOffset, Record, TopicPartition};

impl<S, K, O, J> Worker<S, K, O, J>
where
    S: Source,
    K: Sink<S::Record>,
    O: OffsetStore,
    J: Judge,
{
    /// Takes the plugins that were handed over.
    pub(super) fn renew(&mut self) {
        if !self.judge.has_news() {
            return;
        }
        let from: Vec<_> = self.lanes.iter().map(unjudged).collect();
        if self.judge.renew(&from) {
            for work in self.works() {
                work.judged_before = work.next + work.verdicts.len() + work.judged.len();
            }
            self.begin_anew();
        }
    }

    /// Whether the version before takes over instead of the run ending with
    /// `failure`, for which the present one may be to blame: it has answered well for
    /// no record. What it failed, and what it judged and is not sent, is judged again.
    pub(super) fn takes_plugin_back(&mut self, failure: &Failure) -> bool {
        let from: Vec<_> = self.lanes.iter().map(unsent).collect();
        if !self.judge.take_back(&failure.to_string(), &from) {
            return false;
        }
        for lane in &mut self.lanes {
            if let Some(work) = &mut lane.work
                && !work.cut_to_open()
                && let Some(fallen) = work.fallen.take()
            {
                lane.rejected.remove(&fallen.rejected.position.offset);
            }
        }
        for work in self.works() {
            work.judged_before = 0;
        }
        self.begin_anew();
        true
    }

    fn works(&mut self) -> impl Iterator<Item = &mut Work<S::Batch>> {
        self.lanes.iter_mut().filter_map(|lane| lane.work.as_mut())
    }

    /// Nothing is known of the plugin that is called next.
    fn begin_anew(&mut self) {
        if let Some(digest) = self.judge.digest() {
            self.errors.signed_by(digest);
        }
        self.errors.forget();
        // Not each of its instances is a new one.
        self.fresh = false;
        self.governor = batch::Governor::default();
        for work in self.works() {
            work.hunt = Hunt::default();
        }
    }
}

/// The first record of a lane without a verdict.
fn unjudged<B: AsRef<[R]>, R: Record>(lane: &Lane<B>) -> (TopicPartition, NextOffset) {
    at(lane, |work| work.verdicts.len() + work.judged.len())
}

/// The first record of a lane that is not sent.
fn unsent<B: AsRef<[R]>, R: Record>(lane: &Lane<B>) -> (TopicPartition, NextOffset) {
    at(lane, |_| 0)
}

/// The record so many behind the next one that is sent.
fn at<B: AsRef<[R]>, R: Record>(
    lane: &Lane<B>,
    behind: impl Fn(&Work<B>) -> usize,
) -> (TopicPartition, NextOffset) {
    let work = lane.work.as_ref();
    let record = work.and_then(|work| work.records.as_ref().get(work.next + behind(work)));
    let last = work.and_then(|work| work.records.as_ref().last());
    let next = match (record, last) {
        (Some(record), _) => NextOffset(record.offset()),
        // All of them have one.
        (None, Some(last)) => NextOffset::after(last.offset()),
        (None, None) => lane.progress.next(),
    };
    (lane.partition.clone(), next)
}
