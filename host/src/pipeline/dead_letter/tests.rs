use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::pipeline::fakes::{FakeRecord, partition};

fn provenance() -> Provenance {
    Provenance {
        pipeline: "clean".to_owned(),
        plugin: "orders".to_owned(),
        digest: "ab12".to_owned(),
        contract: "millrace:plugin@0.1.0".to_owned(),
        version: "0.1.0".to_owned(),
    }
}

fn rejected(offset: i64, reason: &str) -> Rejected {
    Rejected {
        stage: Stage::Transform,
        position: partition(3).at(offset),
        reason: reason.to_owned(),
    }
}

fn letter(record: &FakeRecord, reason: &str) -> Output {
    let now = UNIX_EPOCH + Duration::from_millis(1_764_000_000_123);
    write(
        "dead",
        record,
        &rejected(record.offset, reason),
        &provenance(),
        now,
    )
}

/// The record that a reader of the dead-letter topic finds.
fn written(record: &FakeRecord, letter: &Output) -> FakeRecord {
    let kept = match letter.headers.keep_source() {
        true => record.headers.clone(),
        false => Vec::new(),
    };
    let own = letter.headers.own().iter().cloned();
    FakeRecord {
        value: letter.value.resolve(record.value()).map(<[u8]>::to_vec),
        headers: kept
            .into_iter()
            .chain(own.map(|header| (header.name, header.value)))
            .collect(),
        ..FakeRecord::new(0, 9)
    }
}

fn with_headers(headers: &[(&str, Option<&str>)]) -> FakeRecord {
    FakeRecord {
        headers: headers
            .iter()
            .map(|(name, value)| {
                (
                    name.as_bytes().to_vec(),
                    value.map(|v| v.as_bytes().to_vec()),
                )
            })
            .collect(),
        ..FakeRecord::new(3, 42)
    }
}

#[test]
fn a_dead_letter_is_the_source_with_headers_behind_its_own() {
    let record = with_headers(&[("trace", Some("a")), ("trace", None)]);
    let letter = letter(&record, "no such customer");
    assert_eq!(letter.topic.as_deref(), Some("dead"));
    assert_eq!(letter.key, Payload::Source);
    assert_eq!(letter.value, Payload::Source);
    assert!(letter.headers.keep_source());
    let own: Vec<(String, String)> = letter
        .headers
        .own()
        .iter()
        .map(|header| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            (text(&header.name), text(header.value.as_deref().unwrap()))
        })
        .collect();
    let expected = [
        ("millrace.stage", "transform"),
        ("millrace.reason", "no such customer"),
        ("millrace.topic", "in"),
        ("millrace.partition", "3"),
        ("millrace.offset", "42"),
        ("millrace.timestamp", "1042"),
        ("millrace.pipeline", "clean"),
        ("millrace.plugin", "orders"),
        ("millrace.plugin-digest", "ab12"),
        ("millrace.contract", "millrace:plugin@0.1.0"),
        ("millrace.attempts", "1"),
        ("millrace.version", "0.1.0"),
        ("millrace.time", "2025-11-24T16:00:00.123Z"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(own, expected);
}

#[test]
fn what_was_written_is_read_again() {
    let record = with_headers(&[("trace", Some("a"))]);
    let read = Letter::read(&written(&record, &letter(&record, "why")).headers()).unwrap();
    assert_eq!(read.origin.stage, "transform");
    assert_eq!(read.origin.reason, "why");
    assert_eq!(read.origin.position, partition(3).at(42));
    assert_eq!(read.origin.timestamp, Some(1042));
    assert_eq!(read.origin.attempts, 1);
    assert_eq!(read.origin.value_omitted, None);
    assert_eq!(read.by, provenance());
    assert_eq!(read.time, "2025-11-24T16:00:00.123Z");
}

#[test]
fn a_reason_is_cut_at_2_kib_between_two_letters() {
    let record = FakeRecord::new(3, 42);
    let reason = format!("a{}", "é".repeat(2000));
    let read = Letter::read(&written(&record, &letter(&record, &reason)).headers()).unwrap();
    assert_eq!(read.origin.reason.len(), LONGEST_REASON - 1);
    assert!(reason.starts_with(&read.origin.reason));
}

#[test]
fn a_dead_letter_that_fails_again_keeps_its_first_origin_and_its_own_headers() {
    let first = with_headers(&[("trace", None), ("trace", Some("b"))]);
    let read = written(&first, &letter(&first, "first reason"));
    let again = written(&read, &letter(&read, "second reason"));
    let second = Letter::read(&again.headers()).unwrap();
    assert_eq!(second.origin.reason, "second reason");
    assert_eq!(second.origin.position, partition(3).at(42));
    assert_eq!(second.origin.timestamp, Some(1042));
    assert_eq!(second.origin.attempts, 2);
    let headers = again.headers();
    let own: Vec<_> = original(&headers)
        .map(|h| (h.name.to_vec(), h.value.map(<[u8]>::to_vec)))
        .collect();
    assert_eq!(own, first.headers);
    assert_eq!(
        headers.len(),
        2 + 13,
        "no header of ours stands there twice"
    );
}

#[test]
fn a_value_without_room_is_left_out_and_its_size_stays_known() {
    let record = FakeRecord::sized(42, 5000);
    let mut letter = letter(&record, "too large");
    assert!(!is_bare(&letter, &record));
    omit_value(&mut letter, &record);
    assert!(is_bare(&letter, &record));
    let read = written(&record, &letter);
    assert_eq!(read.value, None);
    let origin = Letter::read(&read.headers()).unwrap().origin;
    assert_eq!(origin.value_omitted, Some(5000));
    let again = self::letter(&read, "still");
    let origin = Letter::read(&written(&read, &again).headers())
        .unwrap()
        .origin;
    assert_eq!(origin.value_omitted, Some(5000));
}

#[test]
fn a_record_that_does_not_say_where_it_is_from_is_no_dead_letter() {
    for headers in [
        vec![],
        vec![("millrace.topic", Some("orders"))],
        vec![
            ("millrace.topic", Some("orders")),
            ("millrace.partition", Some("x")),
            ("millrace.offset", Some("1")),
        ],
    ] {
        assert_eq!(Letter::read(&with_headers(&headers).headers()), None);
    }
}

#[test]
fn each_stage_is_read_by_its_name() {
    for stage in Stage::ALL {
        assert_eq!(stage.name().parse(), Ok(stage));
    }
    let error = "transfrom".parse::<Stage>().unwrap_err();
    assert!(
        error.contains("decode-key, decode-value, transform"),
        "{error}"
    );
}

#[test]
fn a_dead_letter_reads_as_the_record_that_it_was_made_from() {
    let source = with_headers(&[("trace", Some("a")), ("trace", None)]);
    let dead = written(&source, &letter(&source, "no such customer"));
    let original = Original::of(dead.clone()).unwrap();
    assert_eq!(original.key(), source.key());
    assert_eq!(original.value(), source.value());
    assert_eq!(original.headers(), source.headers());
    assert_eq!(original.offset(), 42);
    assert_eq!(original.timestamp(), source.timestamp());
    assert_eq!(original.origin().unwrap().position, partition(3).at(42));
    assert_eq!(original.letter.origin.reason, "no such customer");
    assert_eq!(original.dead(), &dead);
}

#[test]
fn a_record_that_is_no_dead_letter_is_given_back() {
    let record = with_headers(&[("trace", Some("a"))]);
    assert_eq!(Original::of(record.clone()).unwrap_err(), record);
}

#[test]
fn headers_of_the_original_are_not_taken_for_the_letters_own() {
    let record = FakeRecord {
        timestamp: crate::record::Timestamp::NotAvailable,
        ..with_headers(&[
            ("millrace.value-omitted", Some("5")),
            ("millrace.timestamp", Some("6")),
        ])
    };
    let read = Letter::read(&written(&record, &letter(&record, "why")).headers()).unwrap();
    assert_eq!(read.origin.value_omitted, None);
    assert_eq!(read.origin.timestamp, None);
}
