//! A lane: one assigned partition on its way through a worker, with its
//! progress and the records that it has in hand.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::pipeline::isolate::Hunt;
use crate::pipeline::ports::{Gap, LaneId};
use crate::pipeline::progress::{Progress, Sequence};
use crate::record::{Judged, NextOffset, Output, Rejected, TopicPartition};

pub struct Lane<B> {
    pub id: LaneId,
    pub partition: TopicPartition,
    /// Where it began.
    start: NextOffset,
    pub progress: Progress,
    /// The store has where it begins: it may be read.
    pub begun: bool,
    /// What it was to read next is gone, and it goes on there once all that it has
    /// in hand is done.
    pub gap: Option<Gap>,
    /// What was fetched and is not sent yet.
    pub work: Option<Work<B>>,
    /// Something that it sent was refused: once everything in flight is answered,
    /// it goes back to the first record that is not done.
    pub goes_back: bool,
    pub rest: Rest,
    pub later: Later,
    /// The records that the broker refused, by offset.
    pub suspects: BTreeMap<i64, Suspect>,
    /// The offsets of the records whose dead letters are on their way.
    pub letters: BTreeSet<i64>,
    /// The offsets of the rejected records.
    pub rejected: BTreeSet<i64>,
    /// Every record before this one went through once, or was rejected.
    pub passed: NextOffset,
}

impl<B> Lane<B> {
    pub fn new(id: LaneId, partition: TopicPartition, start: NextOffset, stored: bool) -> Self {
        Self {
            id,
            partition,
            start,
            progress: Progress::new(start, stored),
            begun: stored,
            gap: None,
            work: None,
            goes_back: false,
            rest: Rest::default(),
            later: Later::default(),
            suspects: BTreeMap::new(),
            letters: BTreeSet::new(),
            rejected: BTreeSet::new(),
            passed: start,
        }
    }

    /// The broker refused an output of the record at `offset` for what it is.
    /// `false`: not even a dead letter without a value was taken.
    pub fn suspect(&mut self, offset: i64, why: String) -> bool {
        self.goes_back = true;
        let letter = self.letters.contains(&offset);
        match self.suspects.get_mut(&offset) {
            // It may have been refused for another record of its batch.
            None => {
                self.suspects.insert(offset, Suspect::default());
            }
            // So may every further output of it that went out then.
            Some(suspect) if !suspect.alone => {}
            Some(suspect) if !letter => {
                suspect.guilty.get_or_insert(why);
            }
            Some(suspect) if !suspect.bare => suspect.bare = true,
            Some(_) => return false,
        }
        true
    }

    /// The record at `offset` can't be written, which was seen when some of it was
    /// sent: it is rejected when it is read again.
    pub fn convict(&mut self, offset: i64, why: String) {
        self.goes_back = true;
        let suspect = self.suspects.entry(offset).or_default();
        suspect.guilty.get_or_insert(why);
    }

    /// Whether no record of it may begin its way, because one has to be tried alone.
    pub fn gives_way(&self, alone: Option<LaneId>) -> bool {
        // Its own may be, too, when its rest ended after that one was chosen.
        alone != Some(self.id) && (alone.is_some() || !self.suspects.is_empty())
    }

    /// Reads everything again from where the store is, or from its start where that
    /// has nothing, whatever was sent of it. Says whether that is anything.
    pub fn take_back(&mut self, stored: Option<NextOffset>) -> bool {
        let position = stored.unwrap_or(self.start);
        let touched = self.goes_back
            || self.work.is_some()
            || self.progress.open() > 0
            || self.progress.done() != position;
        self.goes_back = false;
        self.work = None;
        self.letters.clear();
        self.progress.take_back(position, stored.is_some());
        touched
    }

    /// What the store has as far as is known, or where the lane began.
    pub fn last_stored(&self) -> NextOffset {
        self.progress.store_has().unwrap_or(self.start)
    }

    /// Whether some of a record's outputs are sent, and not all of them.
    pub fn is_half_sent(&self) -> bool {
        let open = self.work.as_ref().and_then(|work| work.open);
        open.is_some_and(|open| open.sent > 0)
    }

    /// Forgets what was kept of records before this position.
    pub fn forget_before(&mut self, position: NextOffset) {
        let done = position.0;
        while self
            .suspects
            .first_key_value()
            .is_some_and(|(o, _)| *o < done)
        {
            self.suspects.pop_first();
        }
        for offsets in [&mut self.letters, &mut self.rejected] {
            while offsets.first().is_some_and(|offset| *offset < done) {
                offsets.pop_first();
            }
        }
    }

    /// Whether something of it is neither done nor waiting in its partition.
    pub fn is_busy(&self) -> bool {
        self.work.is_some() || self.goes_back || self.progress.outstanding() > 0
    }
}

/// A record that the broker refused when it was on its way. It is sent again
/// alone, so that it is known whether it was refused for itself.
#[derive(Debug, Default)]
pub struct Suspect {
    /// It was sent again, with nothing else on its way.
    pub alone: bool,
    /// Why it was refused when it was alone.
    pub guilty: Option<String>,
    /// Its dead letter was refused, too, and goes without the value.
    pub bare: bool,
}

/// How long a lane waits for its surroundings before it tries again: longer
/// each time, until something of it is acknowledged.
#[derive(Debug, Default)]
pub struct Rest {
    until: Option<Instant>,
    times: u32,
}

impl Rest {
    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(10);

    pub fn begin(&mut self, now: Instant) -> Duration {
        let long = Self::FIRST
            .saturating_mul(1 << self.times.min(16))
            .min(Self::LONGEST);
        self.times += 1;
        self.until = Some(now + long);
        long
    }

    pub fn lasts(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// Whether it is not known yet if the surroundings work again.
    pub fn is_probing(&self) -> bool {
        self.times > 0
    }

    /// Something of the lane was acknowledged.
    pub fn went_well(&mut self) {
        self.times = 0;
    }
}

/// Since when the sink puts a record off.
#[derive(Debug, Default)]
pub struct Later {
    since: Option<Instant>,
    said: bool,
}

impl Later {
    /// What a look-up of a topic that is there does not take.
    pub const LONG: Duration = Duration::from_secs(2);

    /// Whether a record is put off.
    pub fn is_begun(&self) -> bool {
        self.since.is_some()
    }

    /// Says once that it takes long.
    pub fn is_long(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let long = now.saturating_duration_since(since) >= Self::LONG;
        long && !std::mem::replace(&mut self.said, true)
    }
}

/// Fetched records, some of them judged, some of those sent.
pub struct Work<B> {
    pub records: B,
    /// The record that the first verdict is for.
    pub next: usize,
    /// The verdicts of the records from `next` on that can be sent.
    pub verdicts: VecDeque<Judged>,
    /// Those of the records behind them that are not encoded yet.
    pub judged: VecDeque<Judged>,
    /// The records before this one have their verdicts of an earlier version.
    pub judged_before: usize,
    /// Which of the records break the plugin.
    pub hunt: Hunt,
    /// Set while the record at `next` is being sent.
    pub open: Option<Open>,
    /// Set where the record at `next` was rejected, and goes on all the same.
    pub fallen: Option<Fallen>,
}

/// A rejected record, and what goes out in place of its outputs.
pub struct Fallen {
    pub rejected: Rejected,
    /// `None`: it is dropped.
    pub letter: Option<Output>,
}

/// A record whose outputs are being sent.
#[derive(Clone, Copy)]
pub struct Open {
    pub sequence: Sequence,
    /// How many of its outputs are sent.
    pub sent: usize,
    /// Whether the others can be, as far as is known.
    pub admitted: bool,
}

impl<B> Work<B> {
    pub fn new(records: B) -> Self {
        Self {
            records,
            next: 0,
            verdicts: VecDeque::new(),
            judged: VecDeque::new(),
            judged_before: 0,
            hunt: Hunt::default(),
            open: None,
            fallen: None,
        }
    }

    /// Forgets everything but the record that is half sent, if there is one.
    /// Returns whether there is. A record of which a full sink took nothing is
    /// not half sent.
    pub fn cut_to_open(&mut self) -> bool {
        let half_sent = self.open.is_some_and(|open| open.sent > 0);
        self.verdicts.truncate(usize::from(half_sent));
        self.judged.clear();
        half_sent
    }
}
