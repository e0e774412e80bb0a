//! What a worker lets others see of itself while it works: the call that it is
//! in, and how each of its lanes stood when it last looked. Atomics around a call,
//! and a lock once a second, so that it costs the worker nothing.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::pipeline::ports::LaneId;
use crate::record::{NextOffset, Position, TopicPartition};

/// Where records can hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    /// They are not brought, or the group gives no partition.
    Consumer,
    /// Schemas are looked up.
    Registry,
    /// A call does not return, or breaks the plugin again and again.
    Plugin,
    /// Their outputs are not taken or not acknowledged.
    Producer,
    /// Their positions are not stored.
    Commit,
    /// Whoever reads `--inspect` does not.
    Inspect,
}

impl Spot {
    const ALL: [Self; 6] = [
        Self::Consumer,
        Self::Registry,
        Self::Plugin,
        Self::Producer,
        Self::Commit,
        Self::Inspect,
    ];
}

/// No lane has this id: theirs are smaller ([`Ticket::LANE_MASK`]).
///
/// [`Ticket::LANE_MASK`]: crate::pipeline::ports::Ticket::LANE_MASK
const NO_LANE: LaneId = LaneId(u32::MAX);

/// How a lane stood at a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub lane: LaneId,
    pub partition: TopicPartition,
    /// Up to where everything is done.
    pub done: NextOffset,
    /// Where what comes next waits; `None`: nothing waits.
    pub at: Option<Spot>,
    /// What the store certainly has.
    pub stored: Option<NextOffset>,
    /// Whether the store was to have more.
    pub is_unstored: bool,
}

/// See the module's words.
#[derive(Debug, Default)]
pub struct Pulse {
    /// Goes up where a call begins and where it ends: odd within one.
    calls: AtomicU64,
    spot: AtomicU8,
    lane: AtomicU32,
    offset: AtomicI64,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Whether it is known which partitions are this worker's.
    is_assigned: bool,
    lanes: Vec<Standing>,
}

/// Something of a worker's that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    pub what: What,
    pub spot: Spot,
    /// While this stays the same, nothing moves.
    pub measure: i64,
    pub at: Option<Position>,
}

/// What it is that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    Call,
    Assignment,
    Records(LaneId),
    Position(LaneId),
}

/// A call that a worker is in, until it is dropped.
pub struct Call<'a>(&'a Pulse);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_add(1, Ordering::Release);
    }
}

impl Pulse {
    /// The worker begins something that may take long, for a lane's record at an
    /// offset, or for none of them.
    pub fn call(&self, spot: Spot, of: Option<(LaneId, i64)>) -> Call<'_> {
        let (lane, offset) = of.unwrap_or((NO_LANE, 0));
        self.spot.store(spot as u8, Ordering::Relaxed);
        self.lane.store(lane.0, Ordering::Relaxed);
        self.offset.store(offset, Ordering::Relaxed);
        self.calls.fetch_add(1, Ordering::Release);
        Call(self)
    }

    /// How everything stands now.
    pub fn looks(&self, is_assigned: bool, lanes: impl Iterator<Item = Standing>) {
        let mut seen = self.seen();
        seen.is_assigned = is_assigned;
        seen.lanes.clear();
        seen.lanes.extend(lanes);
    }

    /// What waits. Within a call, that is all that is known.
    pub fn waits(&self) -> Vec<Wait> {
        let seen = self.seen();
        let calls = self.calls.load(Ordering::Acquire);
        if calls % 2 == 1 {
            return vec![self.wait_of_call(calls, &seen)];
        }
        let assignment = (!seen.is_assigned).then_some(Wait {
            what: What::Assignment,
            spot: Spot::Consumer,
            measure: 0,
            at: None,
        });
        let records = seen.lanes.iter().filter_map(|lane| {
            Some(Wait {
                what: What::Records(lane.lane),
                spot: lane.at?,
                measure: lane.done.0,
                at: Some(lane.partition.at(lane.done.0)),
            })
        });
        let unstored = seen.lanes.iter().filter(|lane| lane.is_unstored);
        let positions = unstored.map(|lane| Wait {
            what: What::Position(lane.lane),
            spot: Spot::Commit,
            measure: lane.stored.map_or(-1, |stored| stored.0),
            at: Some(lane.partition.at(lane.done.0)),
        });
        assignment
            .into_iter()
            .chain(records)
            .chain(positions)
            .collect()
    }

    fn wait_of_call(&self, calls: u64, seen: &Seen) -> Wait {
        let spot = usize::from(self.spot.load(Ordering::Relaxed));
        let lane = LaneId(self.lane.load(Ordering::Relaxed));
        let offset = self.offset.load(Ordering::Relaxed);
        let standing = seen.lanes.iter().find(|standing| standing.lane == lane);
        Wait {
            what: What::Call,
            spot: Spot::ALL[spot.min(Spot::ALL.len() - 1)],
            measure: calls.cast_signed(),
            at: standing.map(|standing| standing.partition.at(offset)),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
