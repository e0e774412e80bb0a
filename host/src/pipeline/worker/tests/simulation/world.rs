//! Everything outside of the worker: the group, the broker, the store and time.
//! What happens of its own accord is chosen by the seed, one moment at a time.

mod broker;
mod group;
mod store;
mod transactions;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use fastrand::Rng;

pub use self::broker::{Handed, IN_ONE_BATCH, Place, Size, State, refuses_letter};
use self::transactions::Transactions;
use super::plan::{Plan, Topic, index};
use super::trace::{At, End, Event};
use crate::pipeline::ports::{Ack, Failure, LaneId, SourceEvent};

/// After so many moments a run that does not end by itself is ended.
const ENDLESS: u32 = 20_000;

/// After so many waits in a row in which nothing happened, though everything
/// works, nothing more will: time passes by more than a second in each.
const ALL_WAITED: u32 = 40;

pub struct World {
    pub plan: Rc<Plan>,
    pub rng: Rng,
    pub trace: Vec<Event>,
    begun: Instant,
    pub passed: Duration,
    moments: u32,
    pub heals: bool,
    pub crashed: bool,
    /// How many calls of the ports the worker still lives for.
    life: Option<u32>,
    stop: bool,
    /// Whether nothing is left to do, or nothing more is done.
    over: bool,
    /// Whether it is over without being done.
    endless: bool,
    /// How many workers began after everything worked.
    healthy_lives: u32,
    /// The waits since something happened.
    pub waits: u32,

    /// Whose each partition is.
    pub held: Vec<Held>,
    pub events: VecDeque<SourceEvent>,
    /// The partition that each lane reads, and from where on.
    pub lanes: BTreeMap<LaneId, At>,
    /// How many records each partition has by now.
    pub arrived: Vec<usize>,

    /// By topic.
    pub topics: [Place; 3],
    pub sends: Vec<Handed>,
    /// Answers that the worker was not told.
    pub ready: VecDeque<(usize, Ack)>,
    /// How many outputs the sink takes before it is full.
    pub room: usize,

    /// By partition.
    pub stored: Vec<Option<i64>>,
    /// Commits that are not answered.
    pending: VecDeque<Vec<At>>,
    /// Set where outputs and positions count together.
    pub transactions: Option<Transactions>,
    /// Whether the plugin's instance was called.
    pub used: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    Away,
    /// The worker will hear of it.
    Coming,
    Ours,
    Revoked,
    Lost,
}

impl World {
    pub fn new(plan: Rc<Plan>, rng: Rng) -> Self {
        let partitions = &plan.partitions;
        Self {
            begun: Instant::now(),
            held: vec![Held::Away; partitions.len()],
            arrived: vec![0; partitions.len()],
            stored: partitions
                .iter()
                .map(|p| p.stored.then_some(p.start))
                .collect(),
            transactions: plan.exactly_once.then(Transactions::default),
            plan,
            rng,
            trace: Vec::new(),
            passed: Duration::ZERO,
            moments: 0,
            heals: false,
            crashed: false,
            life: None,
            stop: false,
            over: false,
            endless: false,
            healthy_lives: 0,
            waits: 0,
            events: VecDeque::new(),
            lanes: BTreeMap::new(),
            topics: Default::default(),
            sends: Vec::new(),
            ready: VecDeque::new(),
            room: usize::MAX,
            pending: VecDeque::new(),
            used: false,
        }
    }

    pub fn now(&self) -> Instant {
        self.begun + self.passed
    }

    pub fn happened(&mut self, event: Event) {
        self.waits = 0;
        self.trace.push(event);
    }

    pub fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(0..100) < percent
    }

    /// A worker begins.
    pub fn begin(&mut self) {
        self.trace.push(Event::Begins);
        self.crashed = false;
        self.stop = false;
        self.used = false;
        self.waits = 0;
        self.healthy_lives += u32::from(self.heals);
        let life = self.plan.trouble.life.filter(|_| !self.heals);
        self.life = life.map(|most| self.rng.u32(0..most));
        let some: Vec<i32> = match self.rng.u32(0..3) {
            0 => self.plan.numbers().filter(|_| self.rng.bool()).collect(),
            _ => self.plan.numbers().collect(),
        };
        self.assign(&some);
    }

    /// A worker ended. Says whether the run is over.
    pub fn end(&mut self, result: Result<(), Failure>) -> bool {
        if self.crashed {
            return false;
        }
        self.abandon();
        let end = match End::of(result) {
            End::Well if self.endless => End::Endless,
            end => end,
        };
        let over = self.over || self.healthy_lives > 3 || end.is_the_policys();
        self.trace.push(Event::Ended(end));
        over
    }

    /// Whether the worker is to stop now, which it asks before each step.
    pub fn stopping(&mut self) -> bool {
        self.moment();
        if self.heals && self.waits > 0 {
            self.passed += Duration::from_secs(1);
        }
        let done = self.heals && self.is_done();
        let idle = self.heals && self.waits >= ALL_WAITED;
        self.endless = !done && (idle || self.moments >= ENDLESS);
        self.over = done || self.endless;
        std::mem::take(&mut self.stop) || self.over || self.crashed
    }

    fn is_done(&self) -> bool {
        self.plan.numbers().all(|number| {
            let partition = self.plan.partition(number);
            let end = partition.records.last().map_or(0, |last| last.offset + 1);
            self.stored[index(number)].is_some_and(|stored| stored >= end.max(partition.start))
        })
    }

    /// A call of a port begins. `false`: the worker has crashed.
    pub fn lives(&mut self) -> bool {
        if let Some(left) = &mut self.life
            && !self.crashed
            && !self.heals
        {
            match left.checked_sub(1) {
                Some(less) => *left = less,
                None => self.crash(),
            }
        }
        !self.crashed
    }

    fn crash(&mut self) {
        self.crashed = true;
        self.trace.push(Event::Crashes);
        self.abandon();
    }

    /// The worker is gone: what it had under way happens, or never will.
    fn abandon(&mut self) {
        for topic in Topic::ALL {
            for _ in 0..self.rng.u32(0..3) {
                self.answer(topic);
            }
            self.topics[topic as usize].in_flight.clear();
        }
        for _ in 0..self.rng.usize(0..=self.pending.len()) {
            self.answer_commit();
        }
        self.pending.clear();
        self.abandon_transaction();
        self.ready.clear();
        self.events.clear();
        self.lanes.clear();
        self.held.fill(Held::Away);
    }

    /// Something may happen now.
    pub fn moment(&mut self) {
        if self.crashed {
            return;
        }
        self.moments += 1;
        if !self.heals && self.moments >= self.plan.trouble.moments {
            self.heal();
        }
        if self.heals {
            return self.answer_all();
        }
        let plan = Rc::clone(&self.plan);
        let trouble = &plan.trouble;
        if self.chance(trouble.answers) {
            let topic = self.rng.usize(..3);
            self.answer(Topic::ALL[topic]);
        }
        if self.chance(trouble.group) {
            self.rebalance();
        }
        if self.chance(trouble.topics) {
            self.topics[self.rng.usize(..3)].state = match self.rng.u32(0..6) {
                0 => State::Unknown,
                1 => State::Gone,
                2 => State::Unauthorised,
                _ => State::There,
            };
        }
        if self.chance(trouble.sink) {
            self.room = match self.rng.u32(0..4) {
                0 => usize::MAX,
                _ => self.rng.usize(0..5),
            };
        }
        if self.chance(trouble.commits) {
            self.answer_commit();
        }
        if self.chance(trouble.arrivals) {
            let number = self.rng.usize(..self.arrived.len());
            let all = plan.partitions[number].records.len();
            let more = self.rng.usize(1..5);
            self.arrived[number] = all.min(self.arrived[number] + more);
        }
        self.stop |= self.chance(trouble.stops);
    }

    fn heal(&mut self) {
        self.trace.push(Event::Heals);
        self.heals = true;
        self.waits = 0;
        self.room = usize::MAX;
        for place in &mut self.topics {
            place.state = State::There;
        }
        for (arrived, partition) in self.arrived.iter_mut().zip(&self.plan.partitions) {
            *arrived = partition.records.len();
        }
    }

    fn answer_all(&mut self) {
        for topic in Topic::ALL {
            while !self.topics[topic as usize].in_flight.is_empty() {
                self.answer(topic);
            }
        }
        while self.answer_commit() {}
        let away: Vec<i32> = self
            .plan
            .numbers()
            .filter(|number| self.held[index(*number)] == Held::Away)
            .collect();
        self.assign(&away);
    }

    /// Whether a call breaks, whatever its records are.
    pub fn breaks(&mut self) -> bool {
        let faults = self.plan.trouble.faults;
        self.used && !self.heals && self.chance(faults)
    }
}
