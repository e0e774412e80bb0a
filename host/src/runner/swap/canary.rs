//! Whether a plugin that is tried on some of the batches does as well as the one that
//! runs. Pure.

use std::time::Duration;

use crate::config::Canary;
use crate::plugin::tally::Sum;

/// How many records say something about a failure rate before the time is over.
const ENOUGH: u64 = 100;

/// What becomes of the plugin that is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    GoesOn,
    Promoted,
    /// It does worse, and why.
    Recalled(String),
}

/// By what the new one and the old one did in the same time, which has lasted so long.
/// Failure rates are compared as soon as they say something; times a record when the
/// time is over, because the first calls of an instance are slow.
pub fn judge(canary: &Canary, new: Sum, old: Sum, elapsed: Duration) -> Outcome {
    let over = elapsed >= canary.long;
    if new.records == 0 || (!over && new.records < ENOUGH) {
        return Outcome::GoesOn;
    }
    let (fails, failed) = (failure_rate(new), failure_rate(old));
    if fails > failed + canary.tolerance {
        return Outcome::Recalled(format!(
            "of {} records it failed {:.1} %, and the old one {:.1} %",
            new.records,
            fails * 100.0,
            failed * 100.0
        ));
    }
    if !over {
        return Outcome::GoesOn;
    }
    // There is nothing to hold its time against yet, unless it gets all there is.
    if old.records == 0 && canary.share < 1.0 {
        return Outcome::GoesOn;
    }
    let (takes, took) = (micros_a_record(new), micros_a_record(old));
    if took > 0.0 && takes > took * (1.0 + canary.tolerance) {
        return Outcome::Recalled(format!(
            "it takes {takes:.1} µs a record, and the old one {took:.1} µs"
        ));
    }
    Outcome::Promoted
}

#[expect(clippy::cast_precision_loss, reason = "rates, far below 2^53 records")]
fn failure_rate(sum: Sum) -> f64 {
    sum.failures as f64 / sum.records.max(1) as f64
}

#[expect(clippy::cast_precision_loss, reason = "times, far below 2^53 records")]
fn micros_a_record(sum: Sum) -> f64 {
    sum.busy.as_secs_f64() * 1e6 / sum.records.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: Canary = Canary {
        share: 0.1,
        tolerance: 0.1,
        long: Duration::from_secs(60),
    };
    const EARLY: Duration = Duration::from_secs(1);
    const LATE: Duration = Duration::from_secs(60);

    fn sum(records: u64, failures: u64, micros: u64) -> Sum {
        Sum {
            records,
            failures,
            busy: Duration::from_micros(micros),
            ..Sum::default()
        }
    }

    #[test]
    fn nothing_is_decided_before_it_has_seen_anything() {
        let (new, old) = (sum(0, 0, 0), sum(1000, 0, 1000));
        assert_eq!(judge(&CANARY, new, old, LATE), Outcome::GoesOn);
    }

    #[test]
    fn a_few_failures_say_nothing_until_the_time_is_over() {
        let (new, old) = (sum(2, 1, 2), sum(1000, 0, 1000));
        assert_eq!(judge(&CANARY, new, old, EARLY), Outcome::GoesOn);
        assert!(matches!(
            judge(&CANARY, new, old, LATE),
            Outcome::Recalled(_)
        ));
    }

    #[test]
    fn one_that_fails_more_is_recalled_at_once() {
        let (new, old) = (sum(1000, 200, 1000), sum(1000, 50, 1000));
        let Outcome::Recalled(why) = judge(&CANARY, new, old, EARLY) else {
            panic!("it goes on");
        };
        assert_eq!(
            why,
            "of 1000 records it failed 20.0 %, and the old one 5.0 %"
        );
    }

    #[test]
    fn one_that_is_slower_is_recalled_when_the_time_is_over() {
        let (new, old) = (sum(1000, 0, 3000), sum(1000, 0, 1000));
        assert_eq!(judge(&CANARY, new, old, EARLY), Outcome::GoesOn);
        let Outcome::Recalled(why) = judge(&CANARY, new, old, LATE) else {
            panic!("it goes on");
        };
        assert_eq!(why, "it takes 3.0 µs a record, and the old one 1.0 µs");
    }

    #[test]
    fn one_that_works_alone_goes_on_until_the_old_one_has_worked_too() {
        let new = sum(1000, 0, 3000);
        assert_eq!(judge(&CANARY, new, sum(0, 0, 0), LATE), Outcome::GoesOn);
        let all = Canary {
            share: 1.0,
            ..CANARY
        };
        assert_eq!(judge(&all, new, sum(0, 0, 0), LATE), Outcome::Promoted);
    }

    #[test]
    fn one_that_does_as_well_is_promoted_when_the_time_is_over() {
        let (new, old) = (sum(1000, 50, 1050), sum(9000, 450, 9000));
        assert_eq!(judge(&CANARY, new, old, EARLY), Outcome::GoesOn);
        assert_eq!(judge(&CANARY, new, old, LATE), Outcome::Promoted);
    }
}
