//! The worker's ports: four faces of one world. Each call may be the one in
//! which the worker crashes.

mod plugin;

use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use super::plan::{Input, Planned, Topic, Where, index};
use super::trace::{At, Event, What};
use super::world::{Handed, Held, Size, State, World, refuses_letter};
use crate::pipeline::dead_letter::Letter;
use crate::pipeline::ports::{
    Ack, Admission, Commit, Fatal, LaneId, OffsetStore, Outgoing, Sent, Sink, Source, SourceEvent,
    Ticket, Transaction, Unwritable,
};
use crate::record::{Header, NextOffset, OwnedHeader, Record, TopicPartition};

/// One face of a world. Clones are of the same one.
#[derive(Clone)]
pub struct Port(Rc<RefCell<World>>);

impl Port {
    pub fn new(world: World) -> Self {
        Self(Rc::new(RefCell::new(world)))
    }

    pub fn world(&self) -> RefMut<'_, World> {
        self.0.borrow_mut()
    }

    /// The world, for one call of a worker that lives.
    fn call(&self) -> Result<RefMut<'_, World>, Fatal> {
        let mut world = self.world();
        match world.lives() {
            true => Ok(world),
            false => Err(anyhow!("it has crashed")),
        }
    }
}

pub fn places(positions: &[(TopicPartition, NextOffset)]) -> Vec<At> {
    positions
        .iter()
        .map(|(partition, position)| (partition.partition, position.0))
        .collect()
}

impl Source for Port {
    type Record = Input;
    type Batch = Vec<Input>;

    fn poll(&mut self) -> Result<Option<SourceEvent>, Fatal> {
        let mut world = self.call()?;
        world.moment();
        if world.crashed {
            return Err(anyhow!("it has crashed"));
        }
        let event = world.events.pop_front();
        match &event {
            Some(SourceEvent::Assigned(partitions)) => {
                for partition in partitions {
                    world.held[index(partition.partition)] = Held::Ours;
                    world.happened(Event::Assigned(partition.partition));
                }
            }
            Some(SourceEvent::Revoked(partitions)) => {
                let passed = world.passed;
                for partition in partitions {
                    world.happened(Event::Revoked(partition.partition, passed));
                }
            }
            Some(SourceEvent::Lost(partitions)) => {
                for partition in partitions {
                    world.happened(Event::Lost(partition.partition));
                }
            }
            _ => {}
        }
        Ok(event)
    }

    fn resolve(&mut self, partition: &TopicPartition) -> Result<NextOffset, Fatal> {
        let world = self.call()?;
        Ok(NextOffset(world.plan.partition(partition.partition).start))
    }

    fn start(&mut self, lanes: &[(LaneId, TopicPartition, NextOffset)]) -> Result<(), Fatal> {
        let mut world = self.call()?;
        for (id, partition, position) in lanes {
            let at = (partition.partition, position.0);
            world.lanes.insert(*id, at);
            world.happened(Event::Started(at));
        }
        Ok(())
    }

    fn fetch(&mut self, lane: LaneId, max: usize) -> Result<Option<Vec<Input>>, Fatal> {
        let mut world = self.call()?;
        let Some((number, next)) = world.lanes.get(&lane).copied() else {
            return Err(anyhow!("{lane:?} was fetched from and is not assigned"));
        };
        let arrived = world.arrived[index(number)];
        let records = &world.plan.partition(number).records[..arrived];
        let first = records.partition_point(|record| record.offset < next);
        let batch: Vec<Input> = records[first..]
            .iter()
            .take(max)
            .map(|record| Input::new(number, record.offset))
            .collect();
        let Some(last) = batch.last() else {
            return Ok(None);
        };
        world.lanes.insert(lane, (number, last.offset + 1));
        Ok(Some(batch))
    }

    fn rewind(&mut self, lane: LaneId, position: NextOffset) -> Result<(), Fatal> {
        let mut world = self.call()?;
        let Some((number, next)) = world.lanes.get_mut(&lane) else {
            return Err(anyhow!("{lane:?} was rewound and is not assigned"));
        };
        *next = position.0;
        let at = (*number, position.0);
        world.happened(Event::Rewound(at));
        Ok(())
    }

    fn jump(&mut self, lane: LaneId, _: NextOffset) -> Result<(), Fatal> {
        Err(anyhow!("{lane:?} has no gap"))
    }

    fn end(&self, lane: LaneId) -> Option<i64> {
        let world = self.world();
        let (number, _) = world.lanes.get(&lane)?;
        Some(world.plan.partition(*number).records.last()?.offset + 1)
    }

    /// The holes before the next record have arrived with the one before.
    fn passed(&self, lane: LaneId) -> Option<NextOffset> {
        let world = self.world();
        let (number, next) = world.lanes.get(&lane)?;
        Some(NextOffset(world.plan.behind_holes(*number, *next)))
    }

    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), Fatal> {
        let mut world = self.call()?;
        // Nothing that was asked of the store outlasts the membership.
        while world.answer_commit() {}
        let passed = world.passed;
        for partition in partitions {
            let number = partition.partition;
            world.lanes.retain(|_, (of, _)| *of != number);
            world.held[index(number)] = Held::Away;
            world.happened(Event::Released(number, passed));
        }
        Ok(())
    }

    fn now(&self) -> Instant {
        self.world().now()
    }

    fn wait(&mut self, timeout: Duration) {
        let mut world = self.world();
        world.waits += 1;
        let long = match world.heals || world.crashed {
            true => timeout,
            false => timeout.mul_f64(world.rng.f64()) + Duration::from_millis(1),
        };
        world.passed += long;
        world.moment();
    }

    fn close(&mut self, _: Instant) {
        let mut world = self.world();
        if !world.crashed {
            world.happened(Event::Closed);
        }
    }
}

impl Port {
    /// What is planned for an output, and what it shows of itself.
    fn look(&self, outgoing: &Outgoing<'_>, source: &Input) -> (Topic, What) {
        let Some(topic) = Topic::named(outgoing.topic) else {
            return (
                Topic::Out,
                What::Strange(format!("topic {}", outgoing.topic)),
            );
        };
        if topic == Topic::Dead {
            let own = outgoing.headers.own();
            let headers: Vec<Header<'_>> = own.iter().map(OwnedHeader::borrowed).collect();
            let what = match Letter::read(&headers) {
                Some(letter) => What::Letter {
                    letter: Box::new(letter),
                    value: outgoing.value.map(|value| Some(value) == source.value()),
                },
                None => What::Strange(format!("no dead letter: {headers:?}")),
            };
            return (topic, what);
        }
        let what = match outgoing.value {
            Some([number, offset, nth]) => What::Output {
                of: (i32::from(*number), i64::from(*offset)),
                nth: usize::from(*nth),
                topic,
            },
            other => What::Strange(format!("the value {other:?}")),
        };
        (topic, what)
    }
}

/// Why an output is refused at this place.
fn refusal(planned: &Planned, what: &What, place: Where) -> Option<Unwritable> {
    match what {
        What::Output { nth, .. } if planned.flaw(*nth) == Some(place) => {
            Some(Unwritable::new(planned.refusal(*nth)))
        }
        What::Letter { value, .. } => {
            match refuses_letter(planned.letter, place, value.is_none())? {
                Size::TooLarge => Some(Unwritable::too_large(planned.letter_refusal())),
                Size::Any => Some(Unwritable::new(planned.letter_refusal())),
            }
        }
        _ => None,
    }
}

impl Sink<Input> for Port {
    fn admit(&mut self, outgoing: &Outgoing<'_>, source: &Input) -> Result<Admission, Fatal> {
        let (topic, what) = self.look(outgoing, source);
        let world = self.call()?;
        if world.topics[topic as usize].state == State::Unknown {
            return Ok(Admission::Later);
        }
        let planned = world.plan.record(source.number, source.offset);
        let refusal = planned.and_then(|planned| refusal(planned, &what, Where::Admission));
        Ok(refusal.map_or(Admission::Admitted, Admission::Refused))
    }

    fn send(
        &mut self,
        outgoing: &Outgoing<'_>,
        source: &Input,
        ticket: Ticket,
    ) -> Result<Sent, Fatal> {
        let (topic, what) = self.look(outgoing, source);
        let mut world = self.call()?;
        if world.topics[topic as usize].state == State::Gone {
            return Ok(Sent::Waits(format!("topic {} is gone", topic.name())));
        }
        let at = (source.number, source.offset);
        let mut flaw = None;
        if let Some(planned) = world.plan.record(source.number, source.offset) {
            if let Some(why) = refusal(planned, &what, Where::Send) {
                return Ok(Sent::Refused(why));
            }
            flaw = refusal(planned, &what, Where::Broker).map(|refusal| refusal.why);
        }
        if !world.takes_part() {
            return Ok(Sent::Full);
        }
        match world.room.checked_sub(1) {
            Some(left) => world.room = left,
            None => return Ok(Sent::Full),
        }
        world.hand_over(at, topic, Handed { ticket, flaw }, what);
        Ok(Sent::Queued)
    }

    fn acks(&mut self, into: &mut Vec<Ack>) -> Result<(), Fatal> {
        let mut world = self.call()?;
        let ready = world.ready.len();
        let told = match world.heals || world.rng.bool() {
            true => ready,
            false => world.rng.usize(0..=ready),
        };
        for _ in 0..told {
            if let Some((id, ack)) = world.ready.pop_front() {
                world.happened(Event::Told(id));
                into.push(ack);
            }
        }
        Ok(())
    }

    fn transaction(&mut self) -> Option<&mut dyn Transaction> {
        let has_some = self.world().plan.exactly_once;
        has_some.then_some(self as &mut dyn Transaction)
    }
}

impl Transaction for Port {
    fn is_ready(&mut self) -> Result<bool, Fatal> {
        Ok(self.call()?.is_ready())
    }

    fn hurry(&mut self) {}

    fn commit(&mut self, positions: &[(TopicPartition, NextOffset)]) -> Result<Commit, Fatal> {
        self.world().asks_to_commit(places(positions));
        Ok(self.call()?.commit_transaction())
    }

    fn abort(&mut self) -> Result<bool, Fatal> {
        Ok(self.call()?.abort_transaction())
    }
}

impl OffsetStore for Port {
    fn stored(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<NextOffset>>, Fatal> {
        let mut world = self.call()?;
        let mut held_back = partitions.iter().map(|p| p.partition).filter(|number| {
            let transactions = world.transactions.as_ref();
            transactions.is_some_and(|transactions| transactions.holds_back(*number))
        });
        if let Some(number) = held_back.next() {
            world.happened(Event::Blocks(number));
        }
        Ok(partitions
            .iter()
            .map(|p| world.stored[index(p.partition)].map(NextOffset))
            .collect())
    }

    fn commit(&mut self, positions: &[(TopicPartition, NextOffset)]) -> Result<(), Fatal> {
        let mut world = self.call()?;
        let positions = places(positions);
        world.happened(Event::Commits {
            positions: positions.clone(),
            waits: false,
        });
        world.take_commit(positions);
        Ok(())
    }

    fn commit_now(
        &mut self,
        positions: &[(TopicPartition, NextOffset)],
        deadline: Instant,
    ) -> Result<(), Fatal> {
        let mut world = self.call()?;
        while world.answer_commit() {}
        let positions = places(positions);
        world.happened(Event::Commits {
            positions: positions.clone(),
            waits: true,
        });
        if world.now() >= deadline {
            let numbers = positions.iter().map(|(number, _)| *number).collect();
            world.happened(Event::Unstored(numbers));
            return Err(anyhow!("no time is left for an answer"));
        }
        if !world.heals {
            let long = world.rng.u64(0..20);
            world.passed += Duration::from_millis(long);
        }
        match world.store(&positions) {
            true => Ok(()),
            false => Err(anyhow!("the coordinator is away")),
        }
    }
}
