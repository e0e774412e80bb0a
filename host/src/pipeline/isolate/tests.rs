use proptest::prelude::*;

use super::*;
use crate::pipeline::fakes::{FakeRecord, World, output, partition};

fn records(count: i64) -> Vec<FakeRecord> {
    (0..count).map(|o| FakeRecord::new(0, o)).collect()
}

/// Each verdict of the fake plugin says which record it is for.
fn verdict(offset: i64) -> Verdict {
    Verdict::Replace(output(&format!("verdict {offset}")))
}

fn world(count: i64) -> World {
    let world = World::default();
    for offset in 0..count {
        world.says(0, offset, verdict(offset));
    }
    world
}

fn run(world: &World, count: i64) -> Result<Vec<Verdict>, Fatal> {
    judge(&mut world.ports().3, &partition(0), &records(count))
}

fn broke() -> Fault {
    Fault::Broke("state".to_owned())
}

fn timed_out() -> Fault {
    Fault::TimedOut("slow".to_owned())
}

fn fatal() -> Fault {
    Fault::Fatal(anyhow::anyhow!("no memory for an instance"))
}

/// The verdicts of those before the culprit, and its failure.
fn up_to(culprit: i64, reason: &str) -> Vec<Verdict> {
    (0..culprit)
        .map(verdict)
        .chain([Verdict::Fail(reason.to_owned())])
        .collect()
}

fn all(count: i64) -> Vec<Verdict> {
    (0..count).map(verdict).collect()
}

#[test]
fn a_batch_without_a_fault_is_one_call() {
    let world = world(5);
    assert_eq!(run(&world, 5).unwrap(), all(5));
    assert_eq!(world.calls(), [[0, 1, 2, 3, 4]]);
}

#[test]
fn the_culprit_is_the_last_verdict_and_carries_the_reason() {
    let world = world(5);
    world.state().poison.insert((0, 3));
    assert_eq!(run(&world, 5).unwrap(), up_to(3, "offset 3 is poison"));
}

#[test]
fn the_whole_batch_runs_once_more_before_it_is_halved() {
    let world = world(4);
    world.state().poison.insert((0, 2));
    run(&world, 4).unwrap();
    assert_eq!(
        world.calls(),
        [
            vec![0, 1, 2, 3],
            vec![0, 1, 2, 3],
            vec![0, 1],
            vec![2, 3],
            vec![2]
        ]
    );
}

#[test]
fn a_single_record_that_breaks_a_fresh_instance_too_is_the_culprit() {
    let world = world(1);
    world.state().poison.insert((0, 0));
    assert_eq!(run(&world, 1).unwrap(), up_to(0, "offset 0 is poison"));
    assert_eq!(world.calls(), [[0], [0]]);
}

#[test]
fn a_trap_from_state_that_a_fresh_instance_does_not_repeat_fails_no_record() {
    let world = world(6);
    world.state().faults.push_back(broke());
    assert_eq!(run(&world, 6).unwrap(), all(6));
    assert_eq!(world.calls().len(), 2);
}

#[test]
fn a_trap_from_state_during_the_hunt_fails_no_record() {
    // The batch, the batch again, a half, a quarter; the single record then works.
    for traps in 1..=4 {
        let world = world(8);
        world.state().faults.extend((0..traps).map(|_| broke()));
        assert_eq!(run(&world, 8).unwrap(), all(8));
    }
}

#[test]
fn after_a_time_out_records_run_one_by_one() {
    let world = world(4);
    world.state().slow.insert((0, 2));
    assert_eq!(run(&world, 4).unwrap(), up_to(2, "offset 2 is slow"));
    assert_eq!(world.calls(), [vec![0, 1, 2, 3], vec![0], vec![1], vec![2]]);
}

#[test]
fn a_time_out_that_no_single_record_repeats_fails_no_record() {
    let world = world(4);
    world.state().faults.push_back(timed_out());
    assert_eq!(run(&world, 4).unwrap(), all(4));
    assert_eq!(
        world.calls(),
        [vec![0, 1, 2, 3], vec![0], vec![1], vec![2], vec![3]]
    );
}

#[test]
fn a_time_out_during_the_hunt_goes_to_single_records_at_once() {
    let world = world(4);
    world.state().faults.push_back(broke());
    world.state().slow.insert((0, 1));
    assert_eq!(run(&world, 4).unwrap(), up_to(1, "offset 1 is slow"));
    assert_eq!(
        world.calls(),
        [vec![0, 1, 2, 3], vec![0, 1, 2, 3], vec![0], vec![1]]
    );
}

#[test]
fn a_record_that_breaks_alone_after_a_time_out_is_the_culprit() {
    let world = world(4);
    world.state().faults.push_back(timed_out());
    world.state().poison.insert((0, 1));
    assert_eq!(run(&world, 4).unwrap(), up_to(1, "offset 1 is poison"));
}

#[test]
fn a_fatal_error_passes_through_at_once() {
    let world = world(4);
    world.state().faults.push_back(fatal());
    let error = run(&world, 4).unwrap_err();
    assert_eq!(error.to_string(), "no memory for an instance");
    assert_eq!(world.calls().len(), 1);
}

#[test]
fn a_fatal_error_during_the_hunt_passes_through() {
    for before in [vec![broke()], vec![broke(), broke()], vec![timed_out()]] {
        let world = world(4);
        let calls = before.len() + 1;
        world.state().faults.extend(before);
        world.state().faults.push_back(fatal());
        assert!(run(&world, 4).is_err());
        assert_eq!(world.calls().len(), calls);
    }
}

#[test]
fn a_fail_verdict_is_no_fault_and_hides_no_record_behind_it() {
    let world = world(3);
    world.says(0, 1, Verdict::Fail("no order".to_owned()));
    let verdicts = run(&world, 3).unwrap();
    assert_eq!(
        verdicts,
        [verdict(0), Verdict::Fail("no order".to_owned()), verdict(2)]
    );
    assert_eq!(world.calls().len(), 1);
}

proptest! {
    #[test]
    fn the_first_poisonous_record_is_found_at_any_place(
        count in 1i64..70,
        poison in prop::collection::btree_set(0i64..70, 0..6),
    ) {
        let world = world(count);
        world.state().poison.extend(poison.iter().map(|offset| (0, *offset)));
        let verdicts = run(&world, count).unwrap();
        let calls = world.calls();
        match poison.range(..count).next() {
            None => {
                prop_assert_eq!(verdicts, all(count));
                prop_assert_eq!(calls.len(), 1);
            }
            Some(culprit) => {
                prop_assert_eq!(verdicts, up_to(*culprit, &format!("offset {culprit} is poison")));
                // Two for the whole batch, and two a halving.
                let halvings = (count.ilog2() + 1) as usize;
                prop_assert!(calls.len() <= 2 + 2 * halvings, "{} calls", calls.len());
                prop_assert_eq!(calls.last().unwrap(), &vec![*culprit]);
            }
        }
    }

    #[test]
    fn whatever_breaks_the_verdicts_are_those_of_the_first_records_in_order(
        count in 1i64..40,
        poison in prop::collection::btree_set(0i64..40, 0..4),
        slow in prop::collection::btree_set(0i64..40, 0..4),
        faults in prop::collection::vec(any::<bool>(), 0..6),
    ) {
        let world = world(count);
        world.state().poison.extend(poison.iter().map(|offset| (0, *offset)));
        world.state().slow.extend(slow.iter().map(|offset| (0, *offset)));
        world.state().faults.extend(faults.iter().map(|broken| {
            if *broken { broke() } else { timed_out() }
        }));
        let verdicts = run(&world, count).unwrap();
        let (last, before) = verdicts.split_last().unwrap();
        for (offset, found) in (0..).zip(before) {
            prop_assert_eq!(found, &verdict(offset));
        }
        let at = i64::try_from(before.len()).unwrap();
        if let Verdict::Fail(_) = last {
            let guilty = poison.contains(&at) || slow.contains(&at) || !faults.is_empty();
            prop_assert!(guilty, "offset {} was failed without a reason", at);
        } else {
            prop_assert_eq!(at + 1, count);
            prop_assert_eq!(last, &verdict(at));
        }
    }
}
