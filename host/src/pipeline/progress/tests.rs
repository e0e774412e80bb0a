use proptest::prelude::*;

use super::*;

/// From offset 0, which the store holds.
fn progress() -> Progress {
    Progress::new(NextOffset(0), true)
}

/// A record with one output that is sent and settled.
fn send_one(progress: &mut Progress, offset: i64) -> Sequence {
    let sequence = progress.begin(offset);
    progress.sent(sequence);
    progress.settle(sequence);
    sequence
}

#[test]
fn a_start_that_the_store_holds_is_not_committed_again() {
    assert_eq!(Progress::new(NextOffset(7), true).committable(), None);
}

#[test]
fn a_start_that_was_resolved_is_committed_before_anything_is_done() {
    let mut progress = Progress::new(NextOffset(7), false);
    assert_eq!(progress.committable(), Some(NextOffset(7)));
    progress.committed(NextOffset(7));
    assert_eq!(progress.committable(), None);
}

#[test]
fn what_is_committed_is_the_offset_after_the_record() {
    let mut progress = progress();
    let sequence = send_one(&mut progress, 0);
    assert_eq!(progress.committable(), None);
    progress.acknowledged(sequence);
    assert_eq!(progress.committable(), Some(NextOffset(1)));
}

#[test]
fn an_end_without_a_record_before_it_is_committed_once_all_is_done() {
    let mut progress = progress();
    let sequence = send_one(&mut progress, 0);
    progress.reach(NextOffset(5));
    assert_eq!(progress.done(), NextOffset(0));
    progress.acknowledged(sequence);
    progress.reach(NextOffset(5));
    assert_eq!(progress.committable(), Some(NextOffset(5)));
    progress.reach(NextOffset(3));
    assert_eq!(progress.done(), NextOffset(5), "it never goes back");
}

#[test]
fn a_hole_between_offsets_holds_nothing_up() {
    let mut progress = progress();
    for offset in [3, 4, 90] {
        let sequence = send_one(&mut progress, offset);
        progress.acknowledged(sequence);
    }
    assert_eq!(progress.committable(), Some(NextOffset(91)));
}

#[test]
fn a_record_without_outputs_is_done_when_it_is_settled() {
    let mut progress = progress();
    let dropped = progress.begin(0);
    assert_eq!(progress.committable(), None);
    progress.settle(dropped);
    assert_eq!(progress.committable(), Some(NextOffset(1)));
}

#[test]
fn a_record_without_outputs_waits_for_those_before_it() {
    let mut progress = progress();
    let first = send_one(&mut progress, 0);
    let dropped = progress.begin(1);
    progress.settle(dropped);
    assert_eq!(progress.committable(), None);
    progress.acknowledged(first);
    assert_eq!(progress.committable(), Some(NextOffset(2)));
}

#[test]
fn acknowledgements_may_come_in_any_order() {
    let mut progress = progress();
    let sequences: Vec<_> = (0..3).map(|o| send_one(&mut progress, o)).collect();
    progress.acknowledged(sequences[2]);
    progress.acknowledged(sequences[1]);
    assert_eq!(progress.committable(), None);
    progress.acknowledged(sequences[0]);
    assert_eq!(progress.committable(), Some(NextOffset(3)));
}

#[test]
fn a_record_is_done_when_all_of_its_outputs_are() {
    let mut progress = progress();
    let sequence = progress.begin(0);
    for _ in 0..3 {
        progress.sent(sequence);
    }
    progress.settle(sequence);
    progress.acknowledged(sequence);
    progress.acknowledged(sequence);
    assert_eq!(progress.committable(), None);
    progress.acknowledged(sequence);
    assert_eq!(progress.committable(), Some(NextOffset(1)));
}

#[test]
fn a_record_stays_open_until_it_is_settled_whatever_is_acknowledged() {
    let mut progress = progress();
    let sequence = progress.begin(0);
    progress.sent(sequence);
    progress.acknowledged(sequence);
    assert_eq!(progress.committable(), None);
    progress.sent(sequence);
    progress.settle(sequence);
    assert_eq!(progress.committable(), None);
    progress.acknowledged(sequence);
    assert_eq!(progress.committable(), Some(NextOffset(1)));
}

#[test]
fn a_late_acknowledgement_of_a_finished_record_is_ignored() {
    let mut progress = progress();
    let first = send_one(&mut progress, 0);
    progress.acknowledged(first);
    send_one(&mut progress, 1);
    progress.acknowledged(first);
    progress.settle(first);
    progress.sent(first);
    assert_eq!(progress.done(), NextOffset(1));
    assert_eq!(progress.outstanding(), 1);
    assert_eq!(progress.offset(first), None);
}

#[test]
fn a_second_acknowledgement_of_a_record_that_waits_for_another_is_ignored() {
    let mut progress = progress();
    let first = send_one(&mut progress, 0);
    let second = send_one(&mut progress, 1);
    progress.acknowledged(second);
    progress.acknowledged(second);
    progress.acknowledged(first);
    assert_eq!(progress.committable(), Some(NextOffset(2)));
}

#[test]
fn a_refused_output_keeps_its_record_open_for_good() {
    let mut progress = progress();
    let first = send_one(&mut progress, 0);
    let second = send_one(&mut progress, 1);
    progress.refused(first);
    progress.acknowledged(second);
    assert_eq!(progress.outstanding(), 0);
    assert_eq!(progress.committable(), None);
    assert_eq!(progress.offset(first), Some(0));
}

#[test]
fn outputs_are_outstanding_until_they_are_answered() {
    let mut progress = progress();
    let sequence = progress.begin(0);
    assert_eq!(progress.outstanding(), 0);
    progress.sent(sequence);
    progress.sent(sequence);
    progress.settle(sequence);
    assert_eq!(progress.outstanding(), 2);
    progress.acknowledged(sequence);
    assert_eq!(progress.outstanding(), 1);
}

#[test]
fn a_sequence_that_was_never_given_is_ignored() {
    let mut progress = progress();
    send_one(&mut progress, 0);
    for bits in [1, 2, 1 << 39, Sequence::MASK, u64::MAX] {
        progress.acknowledged(Sequence::from_bits(bits));
        assert_eq!(progress.offset(Sequence::from_bits(bits)), None);
    }
    assert_eq!(progress.committable(), None);
    assert_eq!(progress.outstanding(), 1);
}

#[test]
fn an_open_record_knows_its_offset() {
    let mut progress = progress();
    let first = send_one(&mut progress, 5);
    let second = send_one(&mut progress, 9);
    assert_eq!(progress.offset(first), Some(5));
    assert_eq!(progress.offset(second), Some(9));
}

#[test]
fn a_failed_commit_is_offered_again() {
    let mut progress = progress();
    let sequence = send_one(&mut progress, 0);
    progress.acknowledged(sequence);
    progress.committed(NextOffset(1));
    assert_eq!(progress.committable(), None);
    progress.commit_failed();
    assert_eq!(progress.committable(), Some(NextOffset(1)));
}

#[test]
fn sequences_go_on_where_their_bits_end() {
    let mut progress = progress();
    progress.head = Sequence::MASK - 1;
    let sequences: Vec<_> = (0..5).map(|o| send_one(&mut progress, o)).collect();
    let bits: Vec<_> = sequences.iter().map(|s| s.bits()).collect();
    assert_eq!(bits, [Sequence::MASK - 1, Sequence::MASK, 0, 1, 2]);
    for (offset, sequence) in (0..).zip(&sequences) {
        assert_eq!(progress.offset(*sequence), Some(offset));
    }
    for sequence in sequences.iter().rev() {
        assert_eq!(progress.committable(), None);
        progress.acknowledged(*sequence);
    }
    assert_eq!(progress.committable(), Some(NextOffset(5)));
    // Those before and behind the wrap are unknown now.
    progress.acknowledged(sequences[1]);
    progress.acknowledged(sequences[4]);
    assert_eq!(progress.outstanding(), 0);
}

/// What a record of the model has still to go through.
#[derive(Debug, Clone)]
struct Naive {
    offset: i64,
    unsent: u32,
    unacknowledged: u32,
    settled: bool,
    sequence: Option<Sequence>,
}

impl Naive {
    fn done(&self) -> bool {
        self.settled && self.unsent == 0 && self.unacknowledged == 0
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Begin(usize),
    Send(usize),
    Settle(usize),
    Acknowledge(usize),
    /// Of a record that is done, and all before it.
    AcknowledgeAgain(usize),
}

fn possible(records: &[Naive]) -> Vec<Step> {
    let mut steps = Vec::new();
    for (i, record) in records.iter().enumerate() {
        if record.sequence.is_none() {
            steps.push(Step::Begin(i));
            break;
        }
        if record.unsent > 0 {
            steps.push(Step::Send(i));
        } else if !record.settled {
            steps.push(Step::Settle(i));
        }
        if record.unacknowledged > 0 {
            steps.push(Step::Acknowledge(i));
        }
        if records[..=i].iter().all(Naive::done) {
            steps.push(Step::AcknowledgeAgain(i));
        }
    }
    steps
}

fn take(step: Step, records: &mut [Naive], progress: &mut Progress) {
    match step {
        Step::Begin(i) => records[i].sequence = Some(progress.begin(records[i].offset)),
        Step::Send(i) => {
            progress.sent(records[i].sequence.unwrap());
            records[i].unsent -= 1;
            records[i].unacknowledged += 1;
        }
        Step::Settle(i) => {
            progress.settle(records[i].sequence.unwrap());
            records[i].settled = true;
        }
        Step::Acknowledge(i) => {
            progress.acknowledged(records[i].sequence.unwrap());
            records[i].unacknowledged -= 1;
        }
        Step::AcknowledgeAgain(i) => progress.acknowledged(records[i].sequence.unwrap()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_committable_offset_is_what_a_naive_model_says(
        start in 0i64..100,
        head in prop_oneof![Just(0u64), Sequence::MASK - 20..Sequence::MASK],
        shape in prop::collection::vec((0i64..5, 0u32..4), 1..25),
        choices in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..200),
    ) {
        let mut offset = start;
        let mut records: Vec<Naive> = shape
            .into_iter()
            .map(|(hole, outputs)| {
                let this = offset + hole;
                offset = this + 1;
                Naive {
                    offset: this,
                    unsent: outputs,
                    unacknowledged: 0,
                    settled: false,
                    sequence: None,
                }
            })
            .collect();
        let mut progress = Progress::new(NextOffset(start), true);
        progress.head = head;
        let mut told = NextOffset(start);
        let check = |progress: &mut Progress, records: &[Naive], tell: bool, told: &mut NextOffset| {
            let finished = records.iter().take_while(|r| r.done()).count();
            let expected = records[..finished]
                .last()
                .map_or(NextOffset(start), |r| NextOffset::after(r.offset));
            prop_assert_eq!(progress.done(), expected);
            let waiting: u32 = records.iter().map(|r| r.unacknowledged).sum();
            prop_assert_eq!(progress.outstanding(), waiting as usize);
            prop_assert_eq!(progress.committable(), (expected != *told).then_some(expected));
            prop_assert!(expected >= *told, "it goes back from {:?} to {:?}", told, expected);
            if tell && let Some(position) = progress.committable() {
                progress.committed(position);
                *told = position;
            }
            Ok(())
        };
        for (choice, tell) in choices {
            let steps = possible(&records);
            take(*choice.get(&steps), &mut records, &mut progress);
            check(&mut progress, &records, tell, &mut told)?;
        }
        // In the end everything is begun, sent, settled and acknowledged.
        loop {
            let steps = possible(&records);
            let Some(step) = steps
                .into_iter()
                .rfind(|step| !matches!(step, Step::AcknowledgeAgain(_)))
            else {
                break;
            };
            take(step, &mut records, &mut progress);
            check(&mut progress, &records, false, &mut told)?;
        }
        prop_assert_eq!(progress.done(), NextOffset(offset));
        prop_assert_eq!(progress.outstanding(), 0);
    }
}
