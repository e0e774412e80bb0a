//! What becomes of a record that fails, beside the policy `stop`.

use super::*;
use crate::pipeline::dead_letter::Letter;
use crate::pipeline::fakes::SentRecord;
use crate::record::{Header, OwnedHeader};

fn with_dead_letters(world: &World) -> Fake {
    let mut settings = settings(PATIENCE);
    settings.policy = dead_letters();
    worker_with(world, settings)
}

fn letter(sent: &SentRecord) -> Letter {
    let own: Vec<Header<'_>> = sent
        .headers
        .own()
        .iter()
        .map(OwnedHeader::borrowed)
        .collect();
    Letter::read(&own).expect("a dead letter")
}

/// The topic and the source's offset of everything that was sent.
fn sent(world: &World) -> Vec<(String, i64)> {
    let state = world.state();
    let sent = state.sent.iter();
    sent.map(|s| (s.topic.clone(), s.source.1)).collect()
}

fn expected(places: &[(&str, i64)]) -> Vec<(String, i64)> {
    places.iter().map(|(t, o)| ((*t).to_owned(), *o)).collect()
}

#[test]
fn a_record_that_fails_is_a_dead_letter_in_its_place_and_the_others_go_on() {
    let world = world(1, 4);
    world.says(0, 1, Verdict::Fail("no order".to_owned()));
    let mut worker = with_dead_letters(&world);
    steps(&mut worker, 2);
    let places = [("out", 0), ("dead", 1), ("out", 2), ("out", 3)];
    assert_eq!(sent(&world), expected(&places));
    assert_eq!(world.stored(0), Some(4));
    let state = world.state();
    let dead = &state.sent[1];
    assert_eq!(dead.key.as_deref(), Some(&b"key"[..]));
    assert_eq!(dead.text(), "value 1");
    assert_eq!(dead.timestamp, None, "it is written now");
    let letter = letter(dead);
    assert_eq!(letter.origin.reason, "no order");
    assert_eq!(letter.origin.stage, "transform");
    assert_eq!(letter.origin.position, partition(0).at(1));
    assert_eq!(letter.origin.timestamp, Some(1001));
}

#[test]
fn nothing_is_committed_past_a_dead_letter_that_is_not_acknowledged() {
    let world = corked(1, 3);
    world.says(0, 0, Verdict::Fail("no order".to_owned()));
    let mut worker = with_dead_letters(&world);
    steps(&mut worker, 1);
    world.state().acknowledge(0, 1);
    world.state().acknowledge(0, 2);
    steps(&mut worker, 1);
    assert_eq!(world.stored(0), Some(0));
    world.state().acknowledge(0, 0);
    steps(&mut worker, 1);
    assert_eq!(world.stored(0), Some(3));
}

#[test]
fn a_dropped_failure_moves_the_offset_and_is_counted() {
    let world = world(1, 3);
    world.says(0, 1, Verdict::Fail("no order".to_owned()));
    let mut settings = settings(PATIENCE);
    settings.policy = Policy::Drop;
    let mut worker = worker_with(&world, settings);
    steps(&mut worker, 2);
    assert_eq!(sent(&world), expected(&[("out", 0), ("out", 2)]));
    assert_eq!(world.stored(0), Some(3));
    let totals = worker.counters.totals();
    assert_eq!((totals.dropped, totals.dead_letters), (1, 0));
    assert_eq!(totals.records_out, 2);
}

#[test]
fn a_record_that_breaks_the_plugin_costs_one_dead_letter_and_nothing_else() {
    let world = world(1, 10);
    for offset in [3, 7] {
        world.state().poison.insert((0, offset));
    }
    world.state().slow.insert((0, 5));
    let mut worker = with_dead_letters(&world);
    steps(&mut worker, 40);
    let places: Vec<_> = (0..10)
        .map(|o| {
            (
                if [3, 5, 7].contains(&o) {
                    "dead"
                } else {
                    "out"
                },
                o,
            )
        })
        .collect();
    assert_eq!(sent(&world), expected(&places));
    assert_eq!(world.stored(0), Some(10));
    let reasons: Vec<String> = world
        .state()
        .sent
        .iter()
        .filter(|sent| sent.topic == "dead")
        .map(|sent| letter(sent).origin.reason)
        .collect();
    assert_eq!(
        reasons,
        [
            "offset 3 is poison",
            "offset 5 is slow",
            "offset 7 is poison"
        ]
    );
}

#[test]
fn a_hunt_is_one_call_a_step_so_that_events_are_heard_between_them() {
    let world = world(2, 8);
    world.state().poison.insert((0, 6));
    let mut worker = with_dead_letters(&world);
    steps(&mut worker, 2);
    let before = world.calls().len();
    steps(&mut worker, 1);
    assert!(world.calls().len() <= before + 2, "one call a lane");
    world.revoke(&[0]);
    steps(&mut worker, 1);
    assert!(world.state().history.contains(&Happened::Released(vec![0])));
    let calls = world.calls().len();
    steps(&mut worker, 3);
    assert_eq!(
        world.calls().len(),
        calls,
        "the hunt is given up with its partition"
    );
    assert_eq!(world.stored(1), Some(8));
}

#[test]
fn an_output_that_may_not_be_written_is_a_dead_letter_of_the_stage_produce() {
    let world = world(1, 2);
    world.state().forbidden.insert("secret".to_owned());
    let to = |topic: &str| Output {
        topic: Some(topic.to_owned()),
        ..Output::FORWARD
    };
    world.says(0, 0, Verdict::Expand(vec![output("fine"), to("secret")]));
    world.says(0, 1, Verdict::Replace(to("dead")));
    let mut worker = with_dead_letters(&world);
    steps(&mut worker, 2);
    assert_eq!(sent(&world), expected(&[("dead", 0), ("dead", 1)]));
    let state = world.state();
    let letters: Vec<Letter> = state.sent.iter().map(letter).collect();
    assert!(
        letters
            .iter()
            .all(|letter| letter.origin.stage == "produce")
    );
    assert_eq!(letters[0].origin.reason, "topic secret is forbidden");
    assert!(
        letters[1].origin.reason.contains("dead-letter topic"),
        "{letters:?}"
    );
    assert_eq!(state.sent[0].text(), "value 0", "nothing of its outputs");
}

#[test]
fn a_dead_letter_without_room_for_its_value_goes_without_it() {
    let world = World::default();
    world.write_record(FakeRecord::sized(0, 500));
    world.write(0, [1]);
    world.state().stored.insert(0, 0);
    world.assign(&[0]);
    world.state().largest.insert("dead".to_owned(), 100);
    for offset in 0..2 {
        world.says(0, offset, Verdict::Fail("no order".to_owned()));
    }
    let mut worker = with_dead_letters(&world);
    steps(&mut worker, 2);
    let state = world.state();
    assert_eq!(state.sent[0].value, None);
    assert_eq!(letter(&state.sent[0]).origin.value_omitted, Some(500));
    assert_eq!(state.sent[1].text(), "value 1");
    assert_eq!(letter(&state.sent[1]).origin.value_omitted, None);
}

#[test]
fn a_dead_letter_that_can_not_be_written_stops_the_run_and_commits_nothing_beyond_it() {
    let world = world(1, 3);
    world.says(0, 1, Verdict::Fail("no order".to_owned()));
    world.state().forbidden.insert("dead".to_owned());
    let failure = run(&mut with_dead_letters(&world)).unwrap_err().to_string();
    assert!(
        failure.contains("dead letter of the record at topic in"),
        "{failure}"
    );
    assert!(failure.contains("topic dead is forbidden"), "{failure}");
    assert_eq!(sent(&world), expected(&[("out", 0)]));
    assert_eq!(world.stored(0), Some(1));
}

#[test]
fn dead_letters_wait_for_a_topic_that_is_gone() {
    let world = world(1, 2);
    world.says(0, 0, Verdict::Fail("no order".to_owned()));
    world.state().gone.insert("dead".to_owned());
    let mut worker = with_dead_letters(&world);
    steps(&mut worker, 3);
    assert_eq!(world.stored(0), Some(0));
    world.state().gone.clear();
    world.state().passed += Duration::from_secs(10);
    steps(&mut worker, 3);
    assert_eq!(sent(&world), expected(&[("dead", 0), ("out", 1)]));
    assert_eq!(world.stored(0), Some(2));
}

#[test]
fn a_refused_record_becomes_a_dead_letter_and_what_was_behind_it_goes_out_again() {
    let world = corked(1, 3);
    let mut worker = with_dead_letters(&world);
    steps(&mut worker, 1);
    world.state().fail_delivery(0, 1, "it is too large");
    world.state().acknowledge(0, 0);
    world.state().acknowledge(0, 2);
    steps(&mut worker, 2);
    world.state().fail_delivery(0, 1, "it is too large");
    world.state().corked = false;
    steps(&mut worker, 8);
    let places = [
        ("out", 0),
        ("out", 1),
        ("out", 2),
        ("out", 1),
        ("dead", 1),
        ("out", 2),
    ];
    assert_eq!(sent(&world), expected(&places));
    assert_eq!(world.stored(0), Some(3));
    let state = world.state();
    assert_eq!(letter(&state.sent[4]).origin.reason, "it is too large");
}

#[test]
fn a_record_is_not_guilty_before_it_was_alone_however_many_of_its_outputs_were_refused() {
    let world = corked(1, 2);
    world.says(0, 0, two_outputs(0));
    let mut worker = with_dead_letters(&world);
    steps(&mut worker, 1);
    for offset in [0, 0, 1] {
        let mut state = world.state();
        state.fail_delivery(0, offset, "one of the batch is too large");
    }
    world.state().corked = false;
    steps(&mut worker, 5);
    let places = [0, 0, 1, 0, 0, 1].map(|offset| ("out", offset));
    assert_eq!(sent(&world), expected(&places));
    assert_eq!(world.stored(0), Some(2));
}

#[test]
fn a_suspect_that_was_dropped_does_not_keep_the_others_waiting() {
    let world = corked(2, 1);
    let mut settings = settings(PATIENCE);
    settings.policy = Policy::Drop;
    let mut worker = worker_with(&world, settings);
    steps(&mut worker, 1);
    world.state().acknowledge(1, 0);
    for _ in 0..2 {
        world.state().fail_delivery(0, 0, "it is too large");
        steps(&mut worker, 2);
    }
    world.write(1, [1]);
    steps(&mut worker, 2);
    assert_eq!(world.sent_offsets(1), [0, 1]);
    assert_eq!(world.stored(0), Some(1));
}

#[test]
fn a_suspect_whose_rest_ends_within_a_step_is_not_sent_beside_others() {
    let world = corked(2, 2);
    let mut worker = with_dead_letters(&world);
    steps(&mut worker, 1);
    let unauthorised = Refusal::Surroundings("not authorised".to_owned());
    world.state().refuse(0, 0, unauthorised);
    world.state().fail_delivery(0, 1, "one of the batch");
    steps(&mut worker, 1);
    world.write(1, [2]);
    world.state().call_takes = Duration::from_secs(1);
    steps(&mut worker, 1);
    assert_eq!(world.sent_offsets(1), [0, 1, 2]);
    assert_eq!(world.sent_offsets(0), [0, 1], "it waits for its turn");
    world.state().acknowledge_all();
    steps(&mut worker, 1);
    assert_eq!(world.sent_offsets(0), [0, 1, 0]);
}

#[test]
fn a_suspect_waits_for_what_a_lost_partition_has_in_flight() {
    let world = corked(2, 1);
    let mut worker = with_dead_letters(&world);
    steps(&mut worker, 1);
    world.lose(&[1]);
    world.state().fail_delivery(0, 0, "one of the batch");
    steps(&mut worker, 3);
    assert_eq!(world.sent_offsets(0), [0]);
    world.state().acknowledge(1, 0);
    steps(&mut worker, 1);
    assert_eq!(world.sent_offsets(0), [0, 0]);
}

#[test]
fn a_dead_letter_that_the_broker_refuses_goes_without_its_value_and_then_stops_the_run() {
    let world = corked(1, 1);
    world.says(0, 0, Verdict::Fail("no order".to_owned()));
    let mut worker = with_dead_letters(&world);
    for values in [1, 2] {
        steps(&mut worker, 2);
        assert_eq!(world.values(), vec!["value 0"; values]);
        world.state().fail_delivery(0, 0, "it is too large");
    }
    steps(&mut worker, 2);
    assert_eq!(world.values().last().unwrap(), "null");
    let bare = letter(world.state().sent.last().unwrap());
    assert_eq!(bare.origin.reason, "no order");
    assert_eq!(bare.origin.value_omitted, Some(7));
    world.state().fail_delivery(0, 0, "not even this");
    let failure = run(&mut worker).unwrap_err().to_string();
    assert!(failure.contains("not even this"), "{failure}");
    assert_eq!(world.stored(0), Some(0));
}

#[test]
fn the_breaker_stops_a_run_in_which_every_record_fails() {
    let world = world(1, 9);
    for offset in 0..9 {
        world.says(0, offset, Verdict::Fail("no order".to_owned()));
    }
    let mut settings = settings(PATIENCE);
    settings.policy = dead_letters();
    settings.breaker = Some(Breaker { failed: 4, of: 4 });
    let failure = run(&mut worker_with(&world, settings))
        .unwrap_err()
        .to_string();
    assert!(
        failure.contains("4 of the last 4 records failed"),
        "{failure}"
    );
    assert!(failure.contains("errors.breaker"), "{failure}");
    assert!(failure.contains("no order"), "{failure}");
    assert_eq!(
        sent(&world),
        expected(&[("dead", 0), ("dead", 1), ("dead", 2)])
    );
    assert_eq!(world.stored(0), Some(3));
}

#[test]
fn a_record_that_is_rejected_again_is_one_failure_for_the_breaker() {
    let world = corked(1, 1);
    world.says(0, 0, Verdict::Fail("no order".to_owned()));
    let mut settings = settings(PATIENCE);
    settings.policy = dead_letters();
    settings.breaker = Some(Breaker { failed: 2, of: 4 });
    let mut worker = worker_with(&world, settings);
    steps(&mut worker, 1);
    let neighbour = || Refusal::Neighbour("in one batch".to_owned());
    for _ in 0..3 {
        world.state().refuse(0, 0, neighbour());
        steps(&mut worker, 2);
    }
    world.state().acknowledge(0, 0);
    steps(&mut worker, 1);
    assert_eq!(world.stored(0), Some(1));
}

#[test]
fn what_goes_out_again_does_not_make_the_breaker_forget_failures() {
    let world = corked(1, 2);
    for offset in [0, 2] {
        world.says(0, offset, Verdict::Fail("no order".to_owned()));
    }
    let mut settings = settings(PATIENCE);
    settings.policy = dead_letters();
    settings.breaker = Some(Breaker { failed: 2, of: 3 });
    let mut worker = worker_with(&world, settings);
    steps(&mut worker, 1);
    world.state().acknowledge(0, 0);
    for _ in 0..3 {
        let neighbour = Refusal::Neighbour("in one batch".to_owned());
        world.state().refuse(0, 1, neighbour);
        steps(&mut worker, 2);
    }
    world.write(0, [2]);
    let failure = run(&mut worker).unwrap_err().to_string();
    assert!(failure.contains("2 of the last 3 records"), "{failure}");
}

#[test]
fn a_redirected_output_goes_there_whatever_it_names_and_its_dead_letters_do_not() {
    let world = world(1, 2);
    let elsewhere = Output {
        topic: Some("elsewhere".to_owned()),
        partition: Some(3),
        ..Output::FORWARD
    };
    world.says(0, 0, Verdict::Replace(elsewhere));
    world.says(0, 1, Verdict::Fail("no order".to_owned()));
    let mut settings = settings(PATIENCE);
    settings.policy = dead_letters();
    settings.redirect = Some("aside".into());
    steps(&mut worker_with(&world, settings), 2);
    assert_eq!(sent(&world), expected(&[("aside", 0), ("dead", 1)]));
    assert_eq!(world.state().sent[0].partition, None);
}

#[test]
fn the_tap_sees_what_was_rejected() {
    let world = world(1, 1);
    world.says(0, 0, Verdict::Fail("no order".to_owned()));
    let (seen, sees) = std::sync::mpsc::channel();
    let tap: Tap = Box::new(move |_, _, outcome| {
        if let Outcome::Rejected(rejected) = outcome {
            seen.send(rejected.reason.clone()).unwrap();
        }
        Ok(())
    });
    let mut settings = settings(PATIENCE);
    settings.policy = dead_letters();
    let mut worker = Worker::new(world.ports(), settings, Arc::default(), Some(tap));
    steps(&mut worker, 1);
    assert_eq!(sees.try_iter().collect::<Vec<_>>(), ["no order"]);
}

#[test]
fn the_breaker_counts_a_record_once_however_often_its_dead_letter_is_refused() {
    let world = corked(1, 1);
    world.says(0, 0, Verdict::Fail("no order".to_owned()));
    let mut settings = settings(PATIENCE);
    settings.policy = dead_letters();
    settings.breaker = Some(Breaker { failed: 3, of: 3 });
    let mut worker = worker_with(&world, settings);
    let mut refused = 0;
    for _ in 0..20 {
        steps(&mut worker, 3);
        let mut state = world.state();
        state.passed += Duration::from_secs(10);
        if !state.unacknowledged.is_empty() {
            refused += 1;
            state.refuse(0, 0, Refusal::Surroundings("not authorised".to_owned()));
        }
    }
    assert!(refused > 3, "{refused}");
    world.state().corked = false;
    steps(&mut worker, 6);
    assert_eq!(world.stored(0), Some(1));
}
