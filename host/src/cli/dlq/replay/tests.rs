use super::*;
use crate::pipeline::fakes::{FakeRecord, output, partition};
use crate::record::{Payload, Rejected, Stage};

fn shown(redirected: bool) -> Shown {
    Shown {
        json: false,
        letters: "dead".to_owned(),
        place: Some("out".to_owned()),
        redirected,
    }
}

fn origin() -> Origin {
    Origin {
        position: partition(3).at(42),
        timestamp: Some(1),
        attempts: 2,
        value_omitted: None,
        stage: "transform".to_owned(),
        reason: "no order\n  at parse".to_owned(),
    }
}

fn difference(shown: &Shown, outcome: Outcome<'_>) -> String {
    let text = shown.difference(&partition(0), &FakeRecord::new(0, 7), &origin(), outcome);
    console::strip_ansi_codes(&text).into_owned()
}

#[test]
fn a_difference_shows_what_the_letter_said_and_what_would_come() {
    let elsewhere = Output {
        topic: Some("elsewhere".to_owned()),
        partition: Some(1),
        key: Payload::Null,
        ..output("new")
    };
    let verdict = Verdict::Expand(vec![output("ä\n"), elsewhere]);
    assert_eq!(
        difference(&shown(false), Outcome::Judged(&verdict)),
        concat!(
            "dead 0:7, from in/3 at 42 (attempt 2)\n",
            "- transform: no order\n",
            r#"+ {"topic":"out","key":"key","value":"ä\n","headers":[]}"#,
            "\n",
            r#"+ {"topic":"elsewhere","partition":1,"key":null,"value":"new","headers":[]}"#,
            "\n",
        )
    );
    let redirected = difference(&shown(true), Outcome::Judged(&verdict));
    assert!(!redirected.contains("elsewhere"), "{redirected}");
    assert!(!redirected.contains(r#""partition""#), "{redirected}");
}

#[test]
fn a_difference_says_that_a_record_is_dropped_or_fails_again() {
    let dropped = difference(&shown(false), Outcome::Judged(&Verdict::Drop));
    assert!(dropped.ends_with("\n+ dropped\n"), "{dropped}");
    let rejected = Rejected {
        stage: Stage::Produce,
        position: partition(0).at(7),
        reason: "topic a b\nmore".to_owned(),
    };
    let again = difference(&shown(false), Outcome::Rejected(&rejected));
    assert!(
        again.ends_with("\n+ a dead letter again: produce: topic a b\n"),
        "{again}"
    );
}

fn summary(dry_run: bool, records_in: u64, skipped: &[(&str, u64)]) -> String {
    let summary = Summary {
        pipeline: "clean",
        topic: "dead",
        dry_run,
        interrupted: false,
        totals: Totals {
            records_in,
            records_out: 3,
            dead_letters: 1,
            ..Totals::default()
        },
        skipped: skipped
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect(),
    };
    summary.text()
}

#[test]
fn the_summary_counts_what_was_replayed_and_what_was_left_alone() {
    assert_eq!(
        summary(false, 4, &[]),
        "4 dead letters of pipeline clean replayed: 3 outputs written, 1 failed again\n"
    );
    assert_eq!(
        summary(true, 6, &[("", 1), ("other", 4)]),
        "1 dead letter of pipeline clean would be replayed: 3 outputs, 1 would fail again; nothing \
         was written; left alone: 1 record without a dead letter's headers; left alone: 4 dead letters of pipeline \
         other (--name says whose are replayed)\n"
    );
    assert_eq!(
        summary(false, 2, &[("other", 2)]),
        "no dead letter of pipeline clean in dead is left to replay; left alone: 2 dead letters of \
         pipeline other (--name says whose are replayed)\n"
    );
}
