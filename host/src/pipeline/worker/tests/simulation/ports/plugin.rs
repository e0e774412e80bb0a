//! The plugin and its codecs: they judge as it is planned, break, and have to look
//! things up first.

use std::time::Duration;

use anyhow::anyhow;

use super::Port;
use crate::pipeline::ports::{Fatal, Fault, Halt, Judge};
use crate::pipeline::worker::tests::simulation::plan::Nature;
use crate::pipeline::worker::tests::simulation::trace::{Answer, Event};
use crate::pipeline::worker::tests::simulation::world::World;
use crate::record::{Judged, Record, Stage, TopicPartition, Verdict};

impl crate::pipeline::ports::Versioned for Port {}

impl Judge for Port {
    fn judge<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Judged>, Halt> {
        let mut world = self.call().map_err(fatal)?;
        let records = &records[..ready(&mut world, records.len())?];
        let number = partition.partition;
        let offsets: Vec<i64> = records.iter().map(Record::offset).collect();
        let result = judge(&mut world, number, &offsets);
        let answer = match &result {
            Ok(_) => Answer::Verdicts,
            Err(Fault::TimedOut(_)) => Answer::TimedOut,
            Err(_) => Answer::Broke,
        };
        world.used = result.is_ok();
        let long = match answer {
            Answer::TimedOut => 1_000,
            _ if world.heals => 1,
            _ => world.rng.u64(0..200),
        };
        world.passed += Duration::from_millis(long);
        world.happened(Event::Judged {
            number,
            offsets,
            answer,
        });
        match result {
            Ok(verdicts) => Ok(verdicts.into_iter().map(Judged::from).collect()),
            Err(fault) => Err(Halt::Fault(Stage::Transform, fault)),
        }
    }

    fn encode<R: Record>(&mut self, _: &[R], judged: &mut [Judged]) -> Result<usize, Halt> {
        let mut world = self.call().map_err(fatal)?;
        let ready = ready(&mut world, judged.len())?;
        if world.breaks() {
            world.used = false;
            let fault = Fault::Broke("it broke in encoding, once".to_owned());
            return Err(Halt::Fault(Stage::EncodeValue, fault));
        }
        world.used = true;
        Ok(ready)
    }

    fn discard(&mut self) {
        // A worker that is crashed discards nothing.
        if let Ok(mut world) = self.call() {
            world.used = false;
        }
    }
}

fn fatal(error: Fatal) -> Halt {
    Halt::Fault(Stage::Transform, Fault::Fatal(error))
}

/// For how many of `count` records the schemas are there.
fn ready(world: &mut World, count: usize) -> Result<usize, Halt> {
    let schemas = world.plan.trouble.topics;
    if world.heals || !world.chance(schemas) {
        return Ok(count);
    }
    match world.rng.usize(0..=count) {
        0 => Err(Halt::Later(None)),
        ready => Ok(ready),
    }
}

fn judge(world: &mut World, number: i32, offsets: &[i64]) -> Result<Vec<Verdict>, Fault> {
    if world.breaks() {
        return match world.rng.u32(0..20) {
            0 => Err(Fault::Fatal(anyhow!("no instance"))),
            1..10 => Err(Fault::TimedOut("it took long, once".to_owned())),
            _ => Err(Fault::Broke("it broke, once".to_owned())),
        };
    }
    let mut verdicts = Vec::with_capacity(offsets.len());
    for offset in offsets {
        let Some(planned) = world.plan.record(number, *offset) else {
            return Err(Fault::Fatal(anyhow!("no record has offset {offset}")));
        };
        match (planned.nature, planned.fault()) {
            (Nature::Poison, Some(why)) => return Err(Fault::Broke(why)),
            (Nature::Slow, Some(why)) => return Err(Fault::TimedOut(why)),
            (Nature::Hiccups, _) if world.used => {
                return Err(Fault::Broke("the instance had been called".to_owned()));
            }
            _ => verdicts.push(planned.verdict(number)),
        }
    }
    Ok(verdicts)
}
