use super::*;
use crate::pipeline::fakes::{FakeRecord, partition};
use crate::record::Stage;

fn errors(failed: u64, of: u64) -> Errors {
    Errors::new(Policy::Drop, Some(Breaker { failed, of }))
}

fn fails(errors: &mut Errors) -> Result<(), Failure> {
    let rejected = Rejected {
        stage: Stage::Transform,
        position: partition(0).at(1),
        reason: "no order".to_owned(),
    };
    let record = FakeRecord::new(0, 1);
    errors
        .rejected(rejected, &record, true, SystemTime::UNIX_EPOCH)
        .map(drop)
}

#[test]
fn stop_hands_the_rejected_record_back() {
    let failure = fails(&mut Errors::new(Policy::Stop, None)).unwrap_err();
    assert!(matches!(failure, Failure::Rejected(_)), "{failure:?}");
}

#[test]
fn the_breaker_counts_consecutive_records_only() {
    let mut errors = errors(3, 3);
    for _ in 0..10 {
        fails(&mut errors).unwrap();
        fails(&mut errors).unwrap();
        errors.passed();
    }
    fails(&mut errors).unwrap();
    fails(&mut errors).unwrap();
    assert!(fails(&mut errors).is_err());
}

#[test]
fn a_breaker_of_a_share_looks_at_its_window_only() {
    let mut errors = errors(2, 4);
    for _ in 0..10 {
        fails(&mut errors).unwrap();
        for _ in 0..3 {
            errors.passed();
        }
    }
    fails(&mut errors).unwrap();
    errors.passed();
    errors.passed();
    assert!(fails(&mut errors).is_err());
}

#[test]
fn without_a_breaker_everything_may_fail() {
    let mut errors = Errors::new(Policy::Drop, None);
    for _ in 0..10_000 {
        fails(&mut errors).unwrap();
    }
}
