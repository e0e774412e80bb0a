//! Random scripts: what happens around a worker, in any order, checked with a
//! naive record of what was sent and acknowledged.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

const LANES: i32 = 3;

#[derive(Debug, Clone)]
enum Happens {
    Step,
    Acknowledge(Index),
    AcknowledgeAll,
    /// The sink takes so many more outputs.
    Room(usize),
    /// So many admissions are put off.
    Later(usize),
    CommitFails,
    /// The plugin breaks, or takes too long, and a fresh instance does not.
    Hiccup(bool),
    Assign(i32),
    /// Whether what is in flight is acknowledged while the worker drains.
    Revoke(i32, bool),
    Lose(i32),
    Write(i32),
}

fn happens() -> impl Strategy<Value = Happens> {
    let lane = || 0..LANES;
    prop_oneof![
        6 => Just(Happens::Step),
        6 => any::<Index>().prop_map(Happens::Acknowledge),
        1 => Just(Happens::AcknowledgeAll),
        3 => (0usize..6).prop_map(Happens::Room),
        1 => (0usize..4).prop_map(Happens::Later),
        1 => Just(Happens::CommitFails),
        1 => any::<bool>().prop_map(Happens::Hiccup),
        2 => lane().prop_map(Happens::Assign),
        1 => (lane(), any::<bool>()).prop_map(|(lane, drained)| Happens::Revoke(lane, drained)),
        1 => lane().prop_map(Happens::Lose),
        2 => lane().prop_map(Happens::Write),
    ]
}

/// A record to come: the hole before it, and how many outputs it leads to.
fn record() -> impl Strategy<Value = (i64, usize)> {
    (prop_oneof![3 => Just(0i64), 1 => 1i64..5], 0usize..4)
}

fn verdict(offset: i64, outputs: usize) -> Verdict {
    let nth = |n: usize| output(&format!("{offset}.{n}"));
    match outputs {
        0 => Verdict::Drop,
        1 => Verdict::Replace(nth(0)),
        n => Verdict::Expand((0..n).map(nth).collect()),
    }
}

fn index(lane: i32) -> usize {
    usize::try_from(lane).unwrap()
}

/// What must have become of the records, found out without any cleverness.
#[derive(Default)]
struct Naive {
    /// The texts of every record's outputs.
    expected: BTreeMap<(i32, i64), Vec<String>>,
    /// How far the history was read.
    read: usize,
    judged: HashSet<(i32, i64)>,
    committed: HashMap<i32, i64>,
    /// Partitions that were given up, whose records may go out twice.
    given_up: HashSet<i32>,
}

impl Naive {
    /// Checks what happened since the last time.
    fn check(&mut self, world: &World) -> Result<(), TestCaseError> {
        let state = world.state();
        let waiting: HashSet<usize> = state.unacknowledged.iter().copied().collect();
        let acknowledged: HashSet<(i32, i64, String)> = (0..)
            .zip(&state.sent)
            .filter(|(i, _)| !waiting.contains(i))
            .map(|(_, sent)| (sent.source.0, sent.source.1, sent.text()))
            .collect();
        for happened in &state.history[self.read..] {
            match happened {
                Happened::Judged(lane, offsets) => {
                    self.judged.extend(offsets.iter().map(|o| (*lane, *o)));
                }
                Happened::Released(lanes) => self.given_up.extend(lanes),
                Happened::Committed(lane, position) => {
                    let passed = (*lane, 0)..(*lane, *position);
                    for (at, outputs) in self.expected.range(passed) {
                        prop_assert!(
                            self.judged.contains(at),
                            "lane {lane}: {position} was committed before {} was judged",
                            at.1
                        );
                        for text in outputs {
                            prop_assert!(
                                acknowledged.contains(&(at.0, at.1, text.clone())),
                                "lane {lane}: {position} was committed before output {text} was \
                                 acknowledged"
                            );
                        }
                    }
                    let before = self.committed.insert(*lane, *position).unwrap_or(0);
                    prop_assert!(
                        before <= *position,
                        "lane {lane}: {position} was committed after {before}"
                    );
                }
                _ => {}
            }
        }
        self.read = state.history.len();
        Ok(())
    }

    /// Checks what must be true once everything is done.
    fn check_end(&self, world: &World) -> Result<(), TestCaseError> {
        for lane in 0..LANES {
            let all: Vec<String> = world
                .state()
                .sent
                .iter()
                .filter(|sent| sent.source.0 == lane)
                .map(fakes::SentRecord::text)
                .collect();
            let mut first: Vec<&String> = Vec::new();
            for text in &all {
                if !first.contains(&text) {
                    first.push(text);
                }
            }
            let own = self.expected.range((lane, 0)..(lane + 1, 0));
            let expected: Vec<&String> = own.clone().flat_map(|(_, texts)| texts).collect();
            prop_assert_eq!(&first, &expected, "lane {}: what was sent, in order", lane);
            if !self.given_up.contains(&lane) {
                let kept = format!("lane {lane} was never given up, and yet sent twice");
                prop_assert_eq!(all.len(), expected.len(), "{}", kept);
            }
            let end = own.last().map_or(0, |((_, offset), _)| offset + 1);
            prop_assert_eq!(world.stored(lane), Some(end), "lane {}'s position", lane);
        }
        Ok(())
    }
}

/// One record a tuple: see [`record`].
type Shape = Vec<(i64, usize)>;

/// A world that holds the first `written` records of each lane, and the offsets
/// of those that are still to come.
fn lay_out(shapes: &[Shape], written: usize) -> (World, Naive, Vec<Vec<i64>>) {
    let world = World::default();
    world.state().corked = true;
    let mut naive = Naive::default();
    let mut to_come = Vec::new();
    for (lane, shape) in (0..).zip(shapes) {
        let mut next = 0;
        let mut offsets = Vec::new();
        for (hole, outputs) in shape {
            let offset = next + hole;
            next = offset + 1;
            offsets.push(offset);
            world.says(lane, offset, verdict(offset, *outputs));
            let texts = (0..*outputs).map(|n| format!("{offset}.{n}")).collect();
            naive.expected.insert((lane, offset), texts);
        }
        let rest = offsets.split_off(written.min(offsets.len()));
        world.write(lane, offsets);
        to_come.push(rest);
    }
    (world, naive, to_come)
}

fn play(happens: &Happens, world: &World, assigned: &mut [bool], to_come: &mut [Vec<i64>]) {
    match *happens {
        Happens::Step => {}
        Happens::Acknowledge(which) => {
            let mut state = world.state();
            let waiting = state.unacknowledged.len();
            if waiting > 0 {
                state.acknowledge_at(which.index(waiting));
            }
        }
        Happens::AcknowledgeAll => world.state().acknowledge_all(),
        Happens::Room(room) => world.state().room = Some(room),
        Happens::Later(times) => world.state().later = times,
        Happens::CommitFails => world.state().failing_commits = 1,
        Happens::Hiccup(broke) => {
            let kind = if broke { Fault::Broke } else { Fault::TimedOut };
            world.state().hiccup = Some(kind("a hiccup".to_owned()));
        }
        Happens::Assign(lane) => {
            if !std::mem::replace(&mut assigned[index(lane)], true) {
                world.assign(&[lane]);
            }
        }
        Happens::Revoke(lane, drained) => {
            if std::mem::replace(&mut assigned[index(lane)], false) {
                world.revoke(&[lane]);
                if drained {
                    world.during_a_wait(State::acknowledge_all);
                }
            }
        }
        Happens::Lose(lane) => {
            if std::mem::replace(&mut assigned[index(lane)], false) {
                world.lose(&[lane]);
            }
        }
        Happens::Write(lane) => {
            let coming = &mut to_come[index(lane)];
            if !coming.is_empty() {
                world.write(lane, [coming.remove(0)]);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_happens_nothing_is_lost_reordered_or_committed_too_early(
        shapes in prop::collection::vec(prop::collection::vec(record(), 0..25), index(LANES)),
        written in 0usize..25,
        batch in 1usize..8,
        // Several things may happen between two steps.
        script in prop::collection::vec(prop::collection::vec(happens(), 0..4), 0..60),
    ) {
        let (world, mut naive, mut to_come) = lay_out(&shapes, written);
        world.assign(&[0, 1, 2]);
        let mut assigned = vec![true; index(LANES)];
        let mut settings = settings(Duration::from_millis(2));
        settings.batch.records = batch;
        let mut worker = worker_with(&world, settings);

        for moment in &script {
            for happens in moment {
                play(happens, &world, &mut assigned, &mut to_come);
            }
            worker.step().unwrap();
            world.state().during_waits.clear();
            naive.check(&world)?;
        }

        // In the end everything works, and everything is this worker's.
        {
            let mut state = world.state();
            state.room = None;
            state.later = 0;
            state.failing_commits = 0;
            state.corked = false;
        }
        for lane in 0..LANES {
            world.write(lane, std::mem::take(&mut to_come[index(lane)]));
            play(&Happens::Assign(lane), &world, &mut assigned, &mut to_come);
        }
        while worker.step().unwrap() == Pace::Busy {}
        naive.check(&world)?;
        stop(&mut worker).unwrap();
        naive.check(&world)?;
        naive.check_end(&world)?;
    }
}
