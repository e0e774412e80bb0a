//! Where one plugin's guests are handed over to one worker, and where what it has no
//! use for any more is picked up: whoever watches the plugins puts news here, and the
//! worker takes them between two batches.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::guest::Guest;
use super::id::PluginId;
use crate::record::{NextOffset, TopicPartition};

/// What a worker is told.
pub enum News {
    /// This one takes the other's place.
    Swap(Guest),
    /// This one gets a share of the calls, from 0 to 1.
    Try(Guest, f64),
    /// The one that is tried takes the other's place.
    Promote,
    /// The one that is tried goes.
    Recall,
}

impl News {
    fn guest(self) -> Option<Guest> {
        match self {
            Self::Swap(guest) | Self::Try(guest, _) => Some(guest),
            Self::Promote | Self::Recall => None,
        }
    }
}

/// Since when a worker runs a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub plugin: PluginId,
    pub at: SystemTime,
    /// The first record of each partition that it got, or will.
    pub from: Vec<(TopicPartition, NextOffset)>,
    /// How long the worker stood still for it.
    pub pause: Duration,
}

/// See the module's words.
#[derive(Default)]
pub struct Desk {
    has_news: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    news: Vec<News>,
    taken: Option<Taken>,
    /// Guests that nobody calls any more. To drop one takes its time.
    gone: Vec<Guest>,
    /// From which version the worker went back to the one before, and why.
    taken_back: Option<(PluginId, String)>,
}

impl Desk {
    /// For the worker. Another version takes the place of what was not taken yet.
    pub fn put(&self, news: News) {
        let mut inner = self.lock();
        if let News::Swap(_) = news {
            let late = inner.news.drain(..).filter_map(News::guest);
            let late: Vec<_> = late.collect();
            inner.gone.extend(late);
        }
        inner.news.push(news);
    }

    /// What was put is to be taken: the worker looks before each of its rounds.
    pub fn announce(&self) {
        let inner = self.lock();
        self.has_news
            .store(!inner.news.is_empty(), Ordering::Release);
    }

    pub fn has_news(&self) -> bool {
        self.has_news.load(Ordering::Acquire)
    }

    pub(super) fn take(&self) -> Vec<News> {
        let mut inner = self.lock();
        self.has_news.store(false, Ordering::Release);
        std::mem::take(&mut inner.news)
    }

    pub(super) fn leave(&self, guest: Guest) {
        self.lock().gone.push(guest);
    }

    pub(super) fn has_taken(&self, taken: Taken) {
        self.lock().taken = Some(taken);
    }

    /// Since when the worker runs what it runs; `None`: since the start.
    pub fn taken(&self) -> Option<Taken> {
        self.lock().taken.clone()
    }

    pub(super) fn has_taken_back(&self, bad: PluginId, why: &str) {
        self.lock().taken_back = Some((bad, why.to_owned()));
    }

    /// From which version the worker went back to the one before, and why; told once.
    pub fn taken_back(&self) -> Option<(PluginId, String)> {
        self.lock().taken_back.take()
    }

    /// Drops the guests that nobody calls any more.
    pub fn clear(&self) {
        let gone = std::mem::take(&mut self.lock().gone);
        drop(gone);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
