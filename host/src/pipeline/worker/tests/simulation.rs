//! A seeded simulation: the real worker on a world that does to it whatever can
//! be done, at every call of its ports, and a checker that knows only the trace.
//!
//! `MILLRACE_SEEDS=100000 cargo test -p millrace-host --lib simulation` tries so
//! many seeds of each guarantee, `MILLRACE_SEED=7` one, and shows its traces;
//! `simulation::at_least_once` and `simulation::exactly_once` are one of them alone.

mod at_least_once;
mod checker;
mod corners;
mod exactly_once;
mod plan;
mod ports;
mod sabotage;
mod trace;
mod world;

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;

use self::checker::{Complaint, Rule, check};
use self::plan::Plan;
use self::ports::Port;
use self::sabotage::{Memory, Sabotage, Sabotaged};
use self::trace::Event;
use self::world::World;
use super::Worker;

/// How many seeds of each guarantee an ordinary test run tries.
const SEEDS: u64 = 20_000;

/// What a simulated worker is to guarantee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guarantee {
    AtLeastOnce,
    ExactlyOnce,
}

struct Run {
    plan: Rc<Plan>,
    trace: Vec<Event>,
    panic: Option<String>,
}

/// One life of the pipeline after the other, until all is done or the policy
/// ends it.
fn simulate(guarantee: Guarantee, seed: u64, sabotage: Option<Sabotage>) -> Run {
    let mut rng = Rng::with_seed(seed);
    let exactly_once = guarantee == Guarantee::ExactlyOnce;
    let plan = Rc::new(Plan::of(&mut rng, exactly_once));
    let port = Port::new(World::new(Rc::clone(&plan), rng));
    let lives = AssertUnwindSafe(|| {
        loop {
            port.world().begin();
            let memory = Memory::default();
            let face = || Sabotaged::new(port.clone(), sabotage, memory.clone());
            let ports = (face(), face(), face(), face());
            let mut worker = Worker::new(ports, plan.settings.clone(), Arc::default(), None);
            let result =
                worker.run(|| port.world().stopping().then_some(std::time::Duration::ZERO));
            if port.world().end(result) {
                break;
            }
        }
    });
    let panic = catch_unwind(lives).err().map(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
            .unwrap_or_default()
    });
    let trace = std::mem::take(&mut port.world().trace);
    Run { plan, trace, panic }
}

impl Run {
    fn check(&self) -> Result<(), Complaint> {
        match &self.panic {
            Some(why) => Err(Complaint {
                rule: Rule::End,
                event: self.trace.len(),
                why: format!("it panicked: {why}"),
            }),
            None => check(&self.plan, &self.trace),
        }
    }

    fn told(&self) -> String {
        let mut told = String::new();
        for (number, partition) in (0..).zip(&self.plan.partitions) {
            let (start, stored) = (partition.start, partition.stored);
            writeln!(told, "partition {number} from {start}, stored: {stored}").unwrap();
            for record in &partition.records {
                let outputs: Vec<_> = record.outputs.iter().map(|o| (o.topic, o.flaw)).collect();
                writeln!(
                    told,
                    "  {}: {:?}, {outputs:?}, letter {:?}",
                    record.offset, record.nature, record.letter
                )
                .unwrap();
            }
        }
        writeln!(told, "{:?}", self.plan.settings).unwrap();
        for (at, event) in self.trace.iter().enumerate() {
            writeln!(told, "{at:5} {event}").unwrap();
        }
        told
    }
}

/// What is wrong with a seed's run, if something is.
fn complaint(guarantee: Guarantee, seed: u64) -> Option<String> {
    let Complaint { rule, event, why } = simulate(guarantee, seed, None).check().err()?;
    Some(format!("seed {seed}: {rule:?}, at event {event}: {why}"))
}

/// Tries seeds on all cores: the first ones with which something is wrong.
fn try_seeds(guarantee: Guarantee, count: u64) -> Vec<(u64, String)> {
    let next = AtomicU64::new(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut found = std::thread::scope(|scope| {
        let search = || {
            let mut found = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= count || found.len() >= 10 {
                    return found;
                }
                found.extend(complaint(guarantee, seed).map(|why| (seed, why)));
            }
        };
        let searches: Vec<_> = (0..cores).map(|_| scope.spawn(search)).collect();
        let found = searches.into_iter().map(|s| s.join().unwrap());
        found.flatten().collect::<Vec<_>>()
    });
    found.sort();
    found
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number")),
    )
}

/// Fails with the first seed, of as many as are asked for, that breaks a rule.
fn nothing_is_found(guarantee: Guarantee) {
    if let Some(seed) = number("MILLRACE_SEED") {
        let run = simulate(guarantee, seed, None);
        let complaint = run.check().err();
        assert!(complaint.is_none(), "{}{complaint:?}", run.told());
        // Told even where all is well, for it was asked for.
        std::io::Write::write_all(&mut std::io::stderr(), run.told().as_bytes()).unwrap();
        return;
    }
    let found = try_seeds(guarantee, number("MILLRACE_SEEDS").unwrap_or(SEEDS));
    if let Some((first, _)) = found.first() {
        let all: Vec<&str> = found.iter().map(|(_, why)| why.as_str()).collect();
        let all = all.join("\n");
        panic!(
            "the first of these:\n{}{all}",
            simulate(guarantee, *first, None).told()
        );
    }
}

/// That each way to be broken is found, by the rule that it breaks.
fn each_is_found(guarantee: Guarantee, broken: &[(Sabotage, Rule)]) {
    for (sabotage, rule) in broken {
        let finds = |seed| {
            let complaint = simulate(guarantee, seed, Some(*sabotage)).check().err();
            complaint.is_some_and(|complaint| complaint.rule == *rule)
        };
        assert!((0..3000).any(finds), "{sabotage:?} breaks {rule:?}");
    }
}
