use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::pipeline::fakes::FakeRecord;
use crate::record::Timestamp;

const NOON: i64 = 1_764_000_000_000;

/// A dead letter that was written so many seconds after noon.
fn letter(partition: i32, offset: i64, after: i64, stage: &str, reason: &str) -> FakeRecord {
    let time = moment(NOON + after * 1000);
    let headers = [
        ("millrace.stage", stage),
        ("millrace.reason", reason),
        ("millrace.topic", "orders"),
        ("millrace.partition", "3"),
        ("millrace.offset", "42"),
        ("millrace.pipeline", "clean"),
        ("millrace.plugin", "orders"),
        ("millrace.plugin-digest", "ab12cd34ef56"),
        ("millrace.time", &time),
    ];
    let headers = headers.map(|(name, value)| (name.into(), Some(value.into())));
    FakeRecord {
        headers: headers.to_vec(),
        timestamp: Timestamp::Create(NOON + after * 1000),
        ..FakeRecord::new(partition, offset)
    }
}

fn with(record: FakeRecord, name: &str, value: &str) -> FakeRecord {
    let mut headers = record.headers;
    headers.retain(|(header, _)| header != name.as_bytes());
    headers.push((name.into(), Some(value.into())));
    FakeRecord { headers, ..record }
}

fn list(records: &[FakeRecord]) -> List {
    limited(None, None, records)
}

fn limited(stage: Option<Stage>, since: Option<i64>, records: &[FakeRecord]) -> List {
    let mut list = List {
        stage,
        since,
        ..List::default()
    };
    for record in records {
        list.add(record.partition, record);
    }
    list
}

fn mixed() -> Vec<FakeRecord> {
    vec![
        letter(0, 7, 0, "transform", "no such customer"),
        letter(1, 0, 9, "transform", "not a number\nat line 3"),
        FakeRecord::new(0, 8),
        letter(1, 1, 5, "transform", "not a number\nat line 8"),
        letter(0, 9, 2, "produce", "too large"),
    ]
}

#[test]
fn letters_with_the_same_first_line_are_one_group_and_large_groups_come_first() {
    assert_eq!(
        list(&mixed()).text("dead", None),
        "\
COUNT  NEWEST  FIRST                 LAST                  STAGE      PLUGIN           REASON
    2  1:0     2025-11-24T16:00:05Z  2025-11-24T16:00:09Z  transform  orders@ab12cd34  not a number
    1  0:9     2025-11-24T16:00:02Z  2025-11-24T16:00:02Z  produce    orders@ab12cd34  too large
    1  0:7     2025-11-24T16:00:00Z  2025-11-24T16:00:00Z  transform  orders@ab12cd34  no such customer
4 dead letters in 3 groups, and 1 record that is no dead letter
"
    );
}

#[test]
fn each_plugin_digest_and_stage_has_groups_of_its_own() {
    let one = letter(0, 1, 0, "transform", "r");
    let groups = list(&[
        one.clone(),
        with(one.clone(), "millrace.plugin", "other"),
        with(one.clone(), "millrace.plugin-digest", "ff"),
        with(one.clone(), "millrace.stage", "decode-value"),
        with(one, "millrace.pipeline", "another name of the same"),
    ]);
    let mut counts: Vec<usize> = groups.sorted().iter().map(|(_, g)| g.count).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 1, 1, 2]);
}

#[test]
fn each_plugin_of_a_chain_is_named_with_its_digest() {
    let chain = |names, digests| {
        let one = letter(0, 1, 0, "transform", "r");
        let one = with(one, "millrace.plugin", names);
        let groups = list(&[with(one, "millrace.plugin-digest", digests)]);
        plugins(groups.sorted()[0].0)
    };
    assert_eq!(
        chain("a,b", "0123456789,abcdef012345"),
        "a@01234567,b@abcdef01"
    );
    // A name may have a comma of its own.
    assert_eq!(chain("a,b", "0123456789"), "a,b@01234567");
}

#[test]
fn a_group_as_json_names_its_newest_letter() {
    let first = with(
        letter(0, 5, 3, "transform", "r"),
        "millrace.pipeline",
        "old",
    );
    let list = list(&[letter(1, 2, 4, "transform", "r\nmore"), first]);
    assert_eq!(
        list.json().unwrap(),
        "{\"count\":2,\"first\":\"2025-11-24T16:00:03.000Z\",\"last\":\"2025-11-24T16:00:04.000Z\",\
         \"stage\":\"transform\",\"plugin\":\"orders\",\"digest\":\"ab12cd34ef56\",\
         \"pipeline\":\"clean\",\"reason\":\"r\",\"partition\":1,\"offset\":2}\n"
    );
}

#[test]
fn the_order_of_reading_changes_nothing() {
    let mut records = mixed();
    records.push(letter(2, 1, 9, "transform", "not a number"));
    let forwards = list(&records);
    records.reverse();
    let backwards = list(&records);
    assert_eq!(forwards.text("t", None), backwards.text("t", None));
    assert_eq!(forwards.json().unwrap(), backwards.json().unwrap());
    assert!(forwards.text("t", None).contains(" 2:1 "));
}

#[test]
fn a_letter_without_a_time_has_its_records() {
    let list = list(&[with(
        letter(0, 1, 6, "transform", "r"),
        "millrace.time",
        "late",
    )]);
    let (_, group) = list.sorted()[0];
    assert_eq!(group.first, Some(NOON + 6000));
    assert_eq!(group.newest.time, Some(NOON + 6000));
}

#[test]
fn a_letter_without_any_time_keeps_the_times_of_its_group() {
    let mut none = with(letter(0, 1, 0, "transform", "r"), "millrace.time", "");
    none.timestamp = Timestamp::NotAvailable;
    let alone = list(std::slice::from_ref(&none));
    assert!(
        alone
            .text("t", None)
            .contains("    1  0:1     -      -     transform")
    );
    assert!(
        alone
            .json()
            .unwrap()
            .contains("\"first\":null,\"last\":null")
    );
    let list = list(&[none.clone(), letter(0, 2, 6, "transform", "r"), none]);
    let (_, group) = list.sorted()[0];
    assert_eq!((group.count, group.first), (3, Some(NOON + 6000)));
    assert_eq!(group.newest.offset, 2);
}

#[test]
fn a_reason_is_cut_to_the_terminals_width_and_is_whole_elsewhere() {
    let list = list(&[letter(0, 1, 0, "transform", &"ä".repeat(200))]);
    assert!(list.text("t", Some(130)).contains("  ää"));
    assert!(list.text("t", Some(130)).contains("ää…\n"));
    assert!(list.text("t", None).contains(&"ä".repeat(200)));
}

#[test]
fn a_reason_can_not_steer_the_terminal() {
    let list = list(&[letter(0, 1, 0, "transform", "red\u{1b}[31m")]);
    assert!(list.text("t", None).contains("red\\u{1b}[31m\n"));
}

#[test]
fn the_list_can_be_limited_to_a_stage_and_a_time() {
    let list = limited(Some(Stage::Transform), Some(NOON + 5000), &mixed());
    assert_eq!((list.letters, list.others), (2, 0));
    assert!(list.text("dead", None).ends_with(
        "2 dead letters in 1 group of stage transform since 2025-11-24T16:00:05.000Z\n"
    ));
}

#[test]
fn nothing_found_is_said() {
    assert_eq!(list(&[]).text("dead", None), "no dead letters in dead\n");
    assert_eq!(list(&[]).json().unwrap(), "");
    let others = [FakeRecord::new(0, 1), FakeRecord::new(0, 2)];
    assert_eq!(
        list(&others).text("dead", None),
        "no dead letters in dead, and 2 records that are no dead letters\n"
    );
    assert_eq!(
        limited(Some(Stage::Produce), None, &mixed()[..1]).text("dead", None),
        "no dead letters in dead of stage produce\n"
    );
}

#[test]
fn since_is_a_time_a_number_or_how_long_ago() {
    let now = UNIX_EPOCH + Duration::from_millis(NOON.unsigned_abs());
    let read = |text| since(text, now);
    assert_eq!(read("2025-11-24T16:00:00Z"), Ok(NOON));
    assert_eq!(read("2025-11-24T17:00:00+01:00"), Ok(NOON));
    assert_eq!(read("1764000000001"), Ok(NOON + 1));
    assert_eq!(read("0"), Ok(0));
    assert_eq!(read("2h"), Ok(NOON - 7_200_000));
    assert_eq!(read("1day 30s"), Ok(NOON - 86_430_000));
    assert_eq!(read("1000years"), Ok(0));
    for wrong in ["", "yesterday", "-1", "99999999999999999999"] {
        let error = read(wrong).unwrap_err();
        assert!(error.contains("is no time"), "{error}");
    }
}
