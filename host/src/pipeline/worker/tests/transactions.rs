//! Exactly once: what counts together, what is read again, and when.

use super::*;
use crate::pipeline::fakes::transactions::{Answer, Transactions};

/// As [`super::world`], with a sink that has transactions.
fn world(partitions: i32, records: i64) -> World {
    let world = super::world(partitions, records);
    world.state().transactions = Some(Transactions::default());
    world
}

fn corked(partitions: i32, records: i64) -> World {
    let world = world(partitions, records);
    world.state().corked = true;
    world
}

/// Steps until this holds, each some time after the other.
fn until(worker: &mut Fake, world: &World, holds: impl Fn(&World) -> bool) {
    for _ in 0..200 {
        if holds(world) {
            return;
        }
        worker.step().unwrap();
        world.state().passed += Duration::from_millis(100);
    }
    panic!("it never came: {:?}", world.state().history);
}

fn until_stored(worker: &mut Fake, world: &World, positions: &[i64]) {
    until(worker, world, |world| {
        (0..)
            .zip(positions)
            .all(|(number, at)| world.stored(number) == Some(*at))
    });
}

fn answers(world: &World, answers: &[Answer]) {
    world.state().transactions().answers.extend(answers);
}

/// Of which records outputs count, by partition and offset.
fn counted(world: &World) -> Vec<(i32, i64)> {
    let mut counted = world.state().transactions().counted.clone();
    counted.sort_unstable();
    counted
}

fn records(partitions: i32, records: i64) -> Vec<(i32, i64)> {
    (0..partitions)
        .flat_map(|number| (0..records).map(move |offset| (number, offset)))
        .collect()
}

fn happened(world: &World, what: &Happened) -> usize {
    let state = world.state();
    state.history.iter().filter(|h| *h == what).count()
}

/// The records of which something was sent, transaction by transaction.
fn transactions(world: &World) -> Vec<Vec<(i32, i64)>> {
    let state = world.state();
    let ends = |h: &Happened| matches!(h, Happened::Ended(_) | Happened::Aborted);
    state
        .history
        .split(ends)
        .map(|of_one| {
            let sent = of_one.iter().filter_map(|happened| match happened {
                Happened::Sent(number, offset) => Some((*number, *offset)),
                _ => None,
            });
            sent.collect()
        })
        .collect()
}

fn to_topic(topic: &str) -> Output {
    Output {
        topic: Some(topic.to_owned()),
        ..Output::FORWARD
    }
}

#[test]
fn outputs_and_positions_end_in_one_commit() {
    let world = world(2, 3);
    until_stored(&mut worker(&world), &world, &[3, 3]);
    let ended = Happened::Ended(vec![(0, 3), (1, 3)]);
    assert_eq!(happened(&world, &ended), 1);
    assert_eq!(counted(&world), records(2, 3));
    assert_eq!(happened(&world, &Happened::Aborted), 0);
}

#[test]
fn nothing_begins_while_it_ends_and_the_plugin_goes_on() {
    let world = world(1, 3);
    answers(&world, &[Answer::Later; 3]);
    let mut worker = worker(&world);
    until(&mut worker, &world, |world| {
        world.state().transactions().answers.len() == 2
    });
    world.write(0, 3..5);
    steps(&mut worker, 1);
    assert_eq!(world.calls(), [vec![0, 1, 2], vec![3, 4]]);
    assert_eq!(world.sent_offsets(0), [0, 1, 2]);
    until_stored(&mut worker, &world, &[5]);
    assert_eq!(counted(&world), records(1, 5));
}

#[test]
fn a_half_sent_record_is_finished_before_its_transaction_ends() {
    let world = world(1, 3);
    world.says(0, 1, two_outputs(1));
    world.state().room = Some(2);
    let mut worker = worker(&world);
    until(&mut worker, &world, |world| {
        world.sent_offsets(0).len() == 2
    });
    steps(&mut worker, 3);
    assert_eq!(world.stored(0), Some(0));
    world.state().room = None;
    until_stored(&mut worker, &world, &[2]);
    assert_eq!(counted(&world), [(0, 0), (0, 1), (0, 1)]);
    until_stored(&mut worker, &world, &[3]);
}

#[test]
fn a_half_sent_record_that_has_to_wait_gives_its_transaction_up() {
    let world = world(1, 1);
    let verdict = Verdict::Expand(vec![output("fine"), to_topic("gone")]);
    world.says(0, 0, verdict);
    world.state().gone.insert("gone".to_owned());
    let mut worker = worker(&world);
    until(&mut worker, &world, |world| {
        happened(world, &Happened::Aborted) == 1
    });
    world.state().gone.clear();
    until_stored(&mut worker, &world, &[1]);
    assert_eq!(counted(&world), [(0, 0), (0, 0)]);
}

#[test]
fn what_is_refused_late_goes_alone_and_its_dead_letter_counts_once() {
    let world = corked(2, 3);
    let mut settings = settings(PATIENCE);
    settings.policy = dead_letters();
    let mut worker = worker_with(&world, settings);
    until(&mut worker, &world, |world| {
        let mut state = world.state();
        while let Some(index) = state.unacknowledged.first() {
            let sent = state.sent[*index].clone();
            match sent.source == (0, 1) && sent.topic == "out" {
                true => state.fail_delivery(0, 1, "it is too large"),
                false => state.acknowledge_at(0),
            }
        }
        state.stored[&0] == 3 && state.stored[&1] == 3
    });
    assert_eq!(counted(&world), records(2, 3));
    assert_eq!(happened(&world, &Happened::Rewound(1, 0)), 1);
    let with_it: Vec<_> = transactions(&world)
        .into_iter()
        .filter(|sources| sources.contains(&(0, 1)))
        .collect();
    // With the others, alone, and its dead letter.
    assert_eq!(with_it[1..], [vec![(0, 1)], vec![(0, 1)]]);
}

#[test]
fn what_is_in_front_of_a_suspect_goes_together_in_one_transaction() {
    let world = corked(1, 8);
    let mut settings = settings(PATIENCE);
    settings.policy = dead_letters();
    settings.commit_interval = Duration::from_secs(1);
    let mut worker = worker_with(&world, settings);
    until(&mut worker, &world, |world| {
        world.sent_offsets(0).len() == 8
    });
    world.state().fail_delivery(0, 6, "it is too large");
    world.state().corked = false;
    until_stored(&mut worker, &world, &[8]);
    let front: Vec<_> = (0..6).map(|offset| (0, offset)).collect();
    let sent = transactions(&world);
    assert_eq!(sent[1..4], [front, vec![(0, 6)], vec![(0, 7)]]);
}

#[test]
fn what_is_refused_in_the_middle_of_a_record_leaves_nothing_beside_the_dead_letter() {
    let world = world(1, 2);
    let verdict = Verdict::Expand(vec![output("fine"), to_topic("never")]);
    world.says(0, 1, verdict);
    world.state().unsendable.insert("never".to_owned());
    let mut settings = settings(PATIENCE);
    settings.policy = dead_letters();
    until_stored(&mut worker_with(&world, settings), &world, &[2]);
    assert_eq!(counted(&world), records(1, 2));
    assert_eq!(world.state().sent.last().unwrap().topic, "dead");
}

#[test]
fn a_refused_commit_goes_back_to_where_the_store_is() {
    let world = world(2, 3);
    answers(&world, &[Answer::Refused]);
    until_stored(&mut worker(&world), &world, &[3, 3]);
    assert_eq!(happened(&world, &Happened::Aborted), 1);
    assert_eq!(happened(&world, &Happened::Rewound(0, 0)), 1);
    assert_eq!(happened(&world, &Happened::Rewound(1, 0)), 1);
    assert_eq!(counted(&world), records(2, 3));
}

#[test]
fn a_commit_that_was_done_and_answered_with_a_refusal_is_not_done_again() {
    let world = world(1, 3);
    answers(&world, &[Answer::DoneAndRefused]);
    let mut worker = worker(&world);
    until_stored(&mut worker, &world, &[3]);
    world.write(0, 3..5);
    until_stored(&mut worker, &world, &[5]);
    assert_eq!(counted(&world), records(1, 5));
    assert_eq!(world.sent_offsets(0), [0, 1, 2, 3, 4]);
}

#[test]
fn a_start_is_stored_by_a_transaction_before_anything_is_read() {
    let world = world(1, 3);
    world.state().stored.clear();
    answers(&world, &[Answer::Refused]);
    until_stored(&mut worker(&world), &world, &[3]);
    assert_eq!(happened(&world, &Happened::Aborted), 1);
    let stored = world.when(&Happened::Ended(vec![(0, 0)]));
    assert!(stored < world.when(&Happened::Judged(0, vec![0, 1, 2])));
    assert_eq!(counted(&world), records(1, 3));
}

#[test]
fn a_commit_without_an_answer_is_asked_again() {
    let world = world(1, 3);
    answers(&world, &[Answer::Later; 5]);
    until_stored(&mut worker(&world), &world, &[3]);
    assert_eq!(happened(&world, &Happened::Aborted), 0);
    assert_eq!(counted(&world), records(1, 3));
}

#[test]
fn a_revoke_ends_the_transaction_before_the_partitions_are_given_up() {
    let world = corked(2, 3);
    let mut worker = worker(&world);
    steps(&mut worker, 2);
    world.revoke(&[0]);
    world.during_a_wait(State::acknowledge_all);
    steps(&mut worker, 1);
    let ended = world.when(&Happened::Ended(vec![(0, 3), (1, 3)]));
    assert!(ended < world.when(&Happened::Released(vec![0])));
    assert_eq!(counted(&world), records(2, 3));
}

#[test]
fn what_a_revoke_can_not_end_in_time_is_aborted_and_never_committed() {
    for answer in [None, Some(Answer::Later)] {
        let world = corked(2, 3);
        world.state().corked = answer.is_none();
        world
            .state()
            .transactions()
            .answers
            .extend(vec![answer; 1000].into_iter().flatten());
        world.state().transactions().slow_aborts = 1000;
        let mut worker = worker_with(&world, settings(IMPATIENCE));
        steps(&mut worker, 2);
        world.revoke(&[0]);
        steps(&mut worker, 1);
        world.when(&Happened::Released(vec![0]));
        world.state().corked = false;
        world.state().transactions().answers.clear();
        world.state().transactions().slow_aborts = 0;
        until(&mut worker, &world, |world| world.stored(1) == Some(3));
        assert_eq!(happened(&world, &Happened::Aborted), 1, "{answer:?}");
        assert_eq!(world.stored(0), Some(0));
        assert_eq!(counted(&world), [(1, 0), (1, 1), (1, 2)]);
    }
}

#[test]
fn lost_partitions_abort_the_transaction_whatever_it_is_about_to_do() {
    for answer in [None, Some(Answer::Later)] {
        let world = corked(2, 3);
        world.state().corked = answer.is_none();
        world
            .state()
            .transactions()
            .answers
            .extend(vec![answer; 10].into_iter().flatten());
        let mut worker = worker(&world);
        steps(&mut worker, 4);
        world.lose(&[0]);
        steps(&mut worker, 1);
        world.state().corked = false;
        until(&mut worker, &world, |world| world.stored(1) == Some(3));
        assert_eq!(happened(&world, &Happened::Aborted), 1, "{answer:?}");
        assert_eq!(world.stored(0), Some(0));
        assert_eq!(counted(&world), [(1, 0), (1, 1), (1, 2)]);
    }
}

#[test]
fn a_stop_ends_the_transaction() {
    let world = corked(1, 3);
    let mut worker = worker(&world);
    steps(&mut worker, 2);
    world.during_a_wait(State::acknowledge_all);
    at_once(&world, || stop(&mut worker)).unwrap();
    assert_eq!(world.stored(0), Some(3));
    assert_eq!(counted(&world), records(1, 3));
    assert!(world.state().transactions().hurried > 0);
}

#[test]
fn a_stop_that_runs_out_of_time_fails_and_nothing_of_the_transaction_counts() {
    let world = corked(1, 3);
    let mut worker = worker_with(&world, settings(IMPATIENCE));
    steps(&mut worker, 2);
    let text = stop(&mut worker).unwrap_err().to_string();
    assert!(text.contains("will be read again"), "{text}");
    assert_eq!(happened(&world, &Happened::Aborted), 1);
    assert_eq!(world.stored(0), Some(0));
    assert_eq!(counted(&world), []);
}

#[test]
fn a_stop_whose_transaction_ends_a_little_late_is_well() {
    let world = world(1, 3);
    answers(&world, &[Answer::Later; 20]);
    let mut worker = worker_with(&world, settings(IMPATIENCE));
    steps(&mut worker, 2);
    stop(&mut worker).unwrap();
    assert_eq!(world.stored(0), Some(3));
}

#[test]
fn a_stop_waits_until_positions_alone_can_be_committed() {
    let world = world(1, 1);
    world.says(0, 0, Verdict::Drop);
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    world.state().transactions().is_ready = false;
    steps(&mut worker, 2);
    world.during_a_wait(|state| state.transactions().is_ready = true);
    stop(&mut worker).unwrap();
    assert_eq!(world.stored(0), Some(1));
}

#[test]
fn a_transaction_that_can_not_go_on_is_aborted_and_done_again() {
    let world = corked(1, 3);
    let mut worker = worker(&world);
    steps(&mut worker, 2);
    world.state().transactions().is_ready = false;
    until(&mut worker, &world, |world| {
        happened(world, &Happened::Aborted) == 1
    });
    world.state().corked = false;
    world.state().transactions().is_ready = true;
    until_stored(&mut worker, &world, &[3]);
    assert_eq!(counted(&world), records(1, 3));
}

#[test]
fn nothing_is_read_before_the_first_transaction_may_begin() {
    let world = world(1, 3);
    world.state().transactions().is_ready = false;
    let mut worker = worker(&world);
    steps(&mut worker, 5);
    assert_eq!(world.state().history, []);
    world.state().transactions().is_ready = true;
    until_stored(&mut worker, &world, &[3]);
}

#[test]
fn a_hunt_goes_on_only_while_nothing_is_in_the_transaction() {
    let world = world(2, 6);
    world.state().poison.insert((0, 4));
    let mut settings = settings(PATIENCE);
    settings.policy = Policy::Drop;
    until_stored(&mut worker_with(&world, settings), &world, &[6, 6]);
    let state = world.state();
    let (mut sent, mut calls) = (0, 0);
    for happened in &state.history {
        match happened {
            Happened::Sent(..) => sent += 1,
            Happened::Ended(_) | Happened::Aborted => sent = 0,
            Happened::Judged(0, offsets) if offsets.contains(&4) => {
                assert!(calls == 0 || sent == 0, "{:?}", state.history);
                calls += 1;
            }
            _ => {}
        }
    }
    assert!(calls > 2);
}

#[test]
fn with_the_policy_stop_everything_before_the_rejected_record_counts() {
    let world = world(1, 4);
    world.says(0, 2, Verdict::Fail("no".to_owned()));
    let rejected = rejected(run(&mut worker(&world)));
    assert_eq!(rejected.position, partition(0).at(2));
    assert_eq!(world.stored(0), Some(2));
    assert_eq!(counted(&world), records(1, 2));
}

#[test]
fn what_is_dropped_moves_the_position_without_an_output() {
    let world = world(1, 3);
    for offset in 0..3 {
        world.says(0, offset, Verdict::Drop);
    }
    until_stored(&mut worker(&world), &world, &[3]);
    assert_eq!(happened(&world, &Happened::Ended(vec![(0, 3)])), 1);
    assert!(world.state().sent.is_empty());
}

#[test]
fn a_finished_source_ends_the_run_only_when_all_of_it_counts() {
    for answer in [Answer::Later, Answer::Refused, Answer::DoneAndRefused] {
        let world = world(1, 3);
        world.state().ends.insert(0, 3);
        world.state().others_are_done = true;
        answers(&world, &[answer]);
        let mut settings = settings(PATIENCE);
        settings.commit_interval = Duration::from_secs(60);
        let mut worker = worker_with(&world, settings);
        worker.run(|| None).unwrap();
        assert_eq!(world.stored(0), Some(3), "{answer:?}");
        assert_eq!(counted(&world), records(1, 3), "{answer:?}");
    }
}

#[test]
fn partitions_that_come_in_the_middle_of_a_transaction_are_read_after_it() {
    let world = corked(1, 3);
    world.write(1, 0..2);
    world.state().stored.insert(1, 0);
    let mut settings = settings(PATIENCE);
    settings.commit_interval = Duration::from_secs(60);
    let mut worker = worker_with(&world, settings);
    steps(&mut worker, 2);
    world.assign(&[1]);
    steps(&mut worker, 3);
    world.state().corked = false;
    steps(&mut worker, 4);
    let ended = world.when(&Happened::Ended(vec![(0, 3)]));
    assert!(ended < world.when(&Happened::Started(1, 0)));
    assert_eq!(stop(&mut worker).ok(), Some(()));
    assert_eq!(world.stored(1), Some(2));
}

#[test]
fn a_stop_after_an_abort_commits_nothing_over_what_may_count_already() {
    let world = world(1, 3);
    answers(&world, &[Answer::DoneAndRefused]);
    let mut worker = worker(&world);
    steps(&mut worker, 2);
    stop(&mut worker).unwrap();
    assert_eq!(happened(&world, &Happened::Aborted), 1);
    assert_eq!(world.stored(0), Some(3));
}

#[test]
fn partitions_that_are_given_up_before_they_could_be_read_are_never_begun() {
    let world = corked(1, 3);
    world.write(1, 0..2);
    let mut worker = worker(&world);
    steps(&mut worker, 2);
    world.assign(&[1]);
    world.revoke(&[0, 1]);
    world.during_a_wait(State::acknowledge_all);
    steps(&mut worker, 3);
    assert_eq!(happened(&world, &Happened::Released(vec![0, 1])), 1);
    assert_eq!(happened(&world, &Happened::Started(1, 0)), 0);
    assert_eq!(counted(&world), records(1, 3));
}

#[test]
fn what_never_began_to_be_read_is_given_up_as_well() {
    let world = corked(2, 3);
    world.state().transactions().is_ready = false;
    let mut worker = worker(&world);
    steps(&mut worker, 1);
    world.revoke(&[0]);
    world.state().transactions().is_ready = true;
    world.state().corked = false;
    until(&mut worker, &world, |world| world.stored(1) == Some(3));
    assert_eq!(happened(&world, &Happened::Started(0, 0)), 0);
}

#[test]
fn a_marker_behind_the_last_record_is_passed_by_one_transaction() {
    let world = world(1, 0);
    world.state().markers.insert(0, 1);
    let mut worker = worker(&world);
    until_stored(&mut worker, &world, &[1]);
    steps(&mut worker, 20);
    let ends = |h: &&Happened| matches!(h, Happened::Ended(_));
    assert_eq!(world.state().history.iter().filter(ends).count(), 1);
}
