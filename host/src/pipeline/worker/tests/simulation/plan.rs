//! What a seed plans: the input with the nature of each record, the settings of
//! the pipeline, and how often what goes wrong around it.

mod input;

use std::time::Duration;

use fastrand::Rng;

pub use self::input::{Input, value};
use super::super::{dead_letters, settings};
use crate::pipeline::batch;
use crate::pipeline::policy::{Breaker, Policy};
use crate::pipeline::worker::Settings;
use crate::record::{Output, Payload, Verdict};

pub struct Plan {
    /// Outputs and positions count together, or not at all.
    pub exactly_once: bool,
    pub partitions: Vec<Partition>,
    pub settings: Settings,
    pub trouble: Trouble,
}

pub struct Partition {
    /// Where it is read from if nothing is stored.
    pub start: i64,
    /// Whether the store has that position from the beginning.
    pub stored: bool,
    /// With holes between their offsets.
    pub records: Vec<Planned>,
}

pub struct Planned {
    pub offset: i64,
    pub nature: Nature,
    pub outputs: Vec<PlannedOutput>,
    pub letter: LetterFlaw,
}

/// What the plugin makes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    Sound,
    /// The plugin says no.
    Fails,
    /// It breaks any instance.
    Poison,
    /// Any instance takes too long for it.
    Slow,
    /// It breaks an instance that was called before.
    Hiccups,
}

pub struct PlannedOutput {
    pub topic: Topic,
    /// Where it is refused for what it is.
    pub flaw: Option<Where>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    Out,
    Aside,
    Dead,
}

impl Topic {
    pub const ALL: [Self; 3] = [Self::Out, Self::Aside, Self::Dead];

    pub fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Aside => "aside",
            Self::Dead => "dead",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }
}

/// Where something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    Admission,
    Send,
    /// When it was on its way.
    Broker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetterFlaw {
    None,
    /// It is taken without its value.
    TooLarge(Where),
    Unwritable(Where),
}

/// Chances, in percent of the moments at which something may happen.
pub struct Trouble {
    pub answers: u32,
    pub group: u32,
    pub topics: u32,
    pub sink: u32,
    pub commits: u32,
    pub arrivals: u32,
    pub stops: u32,
    /// Of the calls of the plugin.
    pub faults: u32,
    /// Of the steps to the end of a transaction.
    pub transactions: u32,
    /// How many calls of the ports a worker lives for at most, before it crashes.
    pub life: Option<u32>,
    /// After so many moments everything works.
    pub moments: u32,
}

/// What the records of one input have in common.
struct Taste {
    /// How many a partition has at the most.
    most: usize,
    /// How many of them are flawed, in percent.
    flaws: u32,
    places: &'static [Where],
    topics: &'static [Topic],
}

impl Plan {
    pub fn of(rng: &mut Rng, exactly_once: bool) -> Self {
        let taste = Taste {
            most: *pick(rng, &[3, 10, 25]),
            flaws: *pick(rng, &[0, 5, 25]),
            places: match rng.bool() {
                true => &[Where::Admission, Where::Send, Where::Broker],
                false => &[Where::Broker],
            },
            topics: match rng.bool() {
                true => &[Topic::Out, Topic::Aside],
                false => &[Topic::Out],
            },
        };
        let partitions = (0..rng.u32(1..=3))
            .map(|_| {
                let records = records(rng, &taste);
                let start = match (records.first(), rng.u32(0..4)) {
                    (Some(first), 0) => first.offset + 1,
                    _ => 0,
                };
                Partition {
                    start,
                    stored: rng.bool(),
                    records,
                }
            })
            .collect();
        Self {
            exactly_once,
            partitions,
            settings: pipeline(rng),
            trouble: Trouble {
                transactions: match exactly_once {
                    true => *pick(rng, &[0, 5, 15, 40]),
                    false => 0,
                },
                ..trouble(rng)
            },
        }
    }

    pub fn record(&self, number: i32, offset: i64) -> Option<&Planned> {
        let records = &self.partitions.get(usize::try_from(number).ok()?)?.records;
        let at = records.binary_search_by_key(&offset, |r| r.offset).ok()?;
        Some(&records[at])
    }

    /// Whether a position is right before or behind a record of a partition.
    pub fn is_place(&self, number: i32, position: i64) -> bool {
        let mut records = self.partition(number).records.iter();
        records.any(|record| [record.offset, record.offset + 1].contains(&position))
    }

    /// Where the next record from a position on stands, or the position.
    pub fn behind_holes(&self, number: i32, position: i64) -> i64 {
        let records = self.partition(number).records.iter();
        let mut offsets = records.map(|record| record.offset);
        offsets
            .find(|offset| *offset >= position)
            .unwrap_or(position)
    }

    /// The numbers of the partitions.
    pub fn numbers(&self) -> std::ops::Range<i32> {
        0..i32::try_from(self.partitions.len()).expect("there are few")
    }

    pub fn partition(&self, number: i32) -> &Partition {
        &self.partitions[index(number)]
    }
}

pub fn index(number: i32) -> usize {
    usize::try_from(number).expect("from 0")
}

fn pick<'a, T>(rng: &mut Rng, from: &'a [T]) -> &'a T {
    &from[rng.usize(..from.len())]
}

fn records(rng: &mut Rng, taste: &Taste) -> Vec<Planned> {
    let mut next = 0;
    (0..rng.usize(0..=taste.most))
        .map(|_| {
            let hole = if rng.u32(0..4) == 0 { rng.i64(1..5) } else { 0 };
            let offset = next + hole;
            next = offset + 1;
            let mut flawed = || rng.u32(0..100) < taste.flaws;
            let (broken, odd, unwritable) = (flawed(), flawed(), flawed());
            let outputs = match rng.u32(0..6) {
                0..3 => 1,
                3 => 0,
                _ => rng.usize(1..=4),
            };
            let mut outputs: Vec<_> = (0..outputs)
                .map(|_| PlannedOutput {
                    topic: *pick(rng, taste.topics),
                    flaw: None,
                })
                .collect();
            if unwritable && !outputs.is_empty() {
                let at = rng.usize(..outputs.len());
                outputs[at].flaw = Some(*pick(rng, taste.places));
                if rng.u32(0..4) == 0 {
                    outputs[0].flaw = Some(*pick(rng, taste.places));
                }
            }
            Planned {
                offset,
                nature: match (broken, odd) {
                    (true, _) => *pick(rng, &[Nature::Fails, Nature::Poison, Nature::Slow]),
                    (false, true) => Nature::Hiccups,
                    (false, false) => Nature::Sound,
                },
                outputs,
                letter: match rng.u32(0..40) {
                    0..8 => LetterFlaw::TooLarge(*pick(rng, taste.places)),
                    8 => LetterFlaw::Unwritable(*pick(rng, taste.places)),
                    _ => LetterFlaw::None,
                },
            }
        })
        .collect()
}

fn pipeline(rng: &mut Rng) -> Settings {
    let millis = |rng: &mut Rng, from: &[u64]| Duration::from_millis(*pick(rng, from));
    Settings {
        batch: batch::Limits {
            records: rng.usize(1..=8),
            bytes: *pick(rng, &[1, 6, 1 << 20]),
        },
        commit_interval: millis(rng, &[0, 50, 1000]),
        policy: match rng.u32(0..5) {
            0 => Policy::Stop,
            1 => Policy::Drop,
            _ => dead_letters(),
        },
        breaker: (rng.u32(0..4) == 0).then(|| {
            let failed = rng.u64(1..5);
            Breaker {
                failed,
                of: failed + rng.u64(0..5),
            }
        }),
        ..settings(millis(rng, &[10, 200, 3000]))
    }
}

fn trouble(rng: &mut Rng) -> Trouble {
    let chance = |rng: &mut Rng, most: u32| match rng.bool() {
        true => rng.u32(0..=most),
        false => 0,
    };
    Trouble {
        answers: rng.u32(5..=80),
        group: chance(rng, 15),
        topics: chance(rng, 20),
        sink: chance(rng, 40),
        commits: rng.u32(0..=60),
        arrivals: rng.u32(5..=60),
        stops: chance(rng, 5),
        faults: chance(rng, 20),
        transactions: 0,
        life: rng.bool().then(|| rng.u32(10..800)),
        moments: {
            let most = *pick(rng, &[50, 200, 500]);
            rng.u32(10..most)
        },
    }
}

impl Planned {
    /// Why the plugin does not take it, if it does not.
    pub fn fault(&self) -> Option<String> {
        let offset = self.offset;
        match self.nature {
            Nature::Sound | Nature::Hiccups => None,
            Nature::Fails => Some(format!("offset {offset} is no order")),
            Nature::Poison => Some(format!("offset {offset} is poison")),
            Nature::Slow => Some(format!("offset {offset} is slow")),
        }
    }

    /// Why this output of it is refused.
    pub fn refusal(&self, nth: usize) -> String {
        format!("output {nth} of offset {} is refused", self.offset)
    }

    pub fn letter_refusal(&self) -> String {
        format!("the dead letter of offset {} is refused", self.offset)
    }

    pub fn flaw(&self, nth: usize) -> Option<Where> {
        self.outputs.get(nth)?.flaw
    }

    /// What the plugin says where it does not break.
    pub fn verdict(&self, number: i32) -> Verdict {
        if let Some(reason) = self.fault() {
            return Verdict::Fail(reason);
        }
        let output = |nth: usize| Output {
            topic: Some(self.outputs[nth].topic.name().to_owned()),
            value: Payload::Bytes(value(number, self.offset, nth).to_vec()),
            ..Output::FORWARD
        };
        match &self.outputs[..] {
            [] => Verdict::Drop,
            [only] if only.topic == Topic::Out && self.offset % 2 == 0 => Verdict::Forward,
            [_] => Verdict::Replace(output(0)),
            outputs => Verdict::Expand((0..outputs.len()).map(output).collect()),
        }
    }
}
