use super::*;
use crate::pipeline::fakes::FakeRecord;
use crate::record::Timestamp;

const NOON: i64 = 1_764_000_000_000;

fn headers(headers: &[(&str, Option<&[u8]>)]) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let header = |(name, value): &(&str, Option<&[u8]>)| {
        (name.as_bytes().to_vec(), value.map(<[u8]>::to_vec))
    };
    headers.iter().map(header).collect()
}

fn dead(own: &[(&str, Option<&[u8]>)]) -> FakeRecord {
    let ours: &[(&str, Option<&[u8]>)] = &[
        ("millrace.stage", Some(b"transform")),
        ("millrace.reason", Some(b"no such customer\nasked: crm")),
        ("millrace.topic", Some(b"orders")),
        ("millrace.partition", Some(b"3")),
        ("millrace.offset", Some(b"42")),
        ("millrace.timestamp", Some(b"1764000000000")),
        ("millrace.pipeline", Some(b"clean")),
        ("millrace.plugin", Some(b"orders")),
        ("millrace.plugin-digest", Some(b"ab12")),
        ("millrace.contract", Some(b"millrace:plugin@0.1.0")),
        ("millrace.attempts", Some(b"2")),
        ("millrace.version", Some(b"0.1.0")),
        ("millrace.time", Some(b"2025-11-24T16:00:01.500Z")),
    ];
    FakeRecord {
        key: Some(b"c1".to_vec()),
        value: Some(b"{\"id\":1}\n".to_vec()),
        headers: headers(&[own, ours].concat()),
        timestamp: Timestamp::Create(NOON + 1500),
        ..FakeRecord::new(0, 7)
    }
}

fn original(record: FakeRecord) -> Original<FakeRecord> {
    Original::of(record).unwrap()
}

fn shown(record: FakeRecord, screen: Screen) -> String {
    let original = original(record);
    page(&about(&original.letter), &original, screen)
}

/// What is below the words about the letter.
fn below(record: FakeRecord, screen: Screen) -> String {
    let page = shown(record, screen);
    page.split_once("\n\n").unwrap().1.to_owned()
}

#[test]
fn a_letter_is_shown_with_its_whole_reason_above_the_original() {
    let record = dead(&[
        ("trace", Some(b"abc")),
        ("trace", None),
        ("b", Some(b"\xff")),
    ]);
    assert_eq!(
        shown(record, Screen::File),
        r#"stage      transform
reason     no such customer
           asked: crm
from       topic orders, partition 3, offset 42
timestamp  2025-11-24T16:00:00.000Z (1764000000000)
time       2025-11-24T16:00:01.500Z
pipeline   clean
plugin     orders
digest     ab12
contract   millrace:plugin@0.1.0
attempts   2
host       0.1.0

key        "c1"
headers    ["trace","abc"]
           ["trace",null]
           ["b",{"base64":"/w=="}]
value      9 bytes of text

{"id":1}

"#
    );
}

#[test]
fn null_empty_and_binary_can_be_told_apart() {
    let nothing = FakeRecord {
        key: None,
        value: None,
        ..dead(&[])
    };
    assert_eq!(
        below(nothing, Screen::File),
        "key        null\nheaders    none\nvalue      null\n"
    );
    let empty = FakeRecord {
        key: Some(Vec::new()),
        value: Some(Vec::new()),
        ..dead(&[("", Some(b""))])
    };
    assert_eq!(
        below(empty, Screen::File),
        "key        \"\"\nheaders    [\"\",\"\"]\nvalue      0 bytes of text\n\n\n"
    );
    let binary = FakeRecord {
        key: Some(vec![0xff]),
        value: Some(vec![0, 0xff]),
        ..dead(&[])
    };
    assert_eq!(
        below(binary, Screen::File),
        "key        {\"base64\":\"/w==\"}\nheaders    none\nvalue      2 bytes, in base64\n\nAP8=\n"
    );
}

#[test]
fn a_value_is_escaped_for_a_terminal_only() {
    let record = FakeRecord {
        value: Some(b"a\n\tb\x1b[2J".to_vec()),
        ..dead(&[])
    };
    assert!(below(record.clone(), Screen::File).ends_with("\n\na\n\tb\u{1b}[2J\n"));
    assert!(below(record, Screen::Terminal).ends_with("\n\na\n\tb\\u{1b}[2J\n"));
}

#[test]
fn an_omitted_value_is_told_with_its_size() {
    let mut record = dead(&[]);
    record.value = None;
    record
        .headers
        .extend(headers(&[("millrace.value-omitted", Some(b"1048577"))]));
    let page = shown(record.clone(), Screen::File);
    assert!(
        page.contains("\nvalue omitted  its 1048577 bytes had no room"),
        "{page}"
    );
    let line = of_letter(&TopicPartition::new("dead", 0), &original(record));
    assert_eq!(line["value"], Value::Null);
    assert_eq!(line["dead_letter"]["value_omitted"], 1_048_577);
}

#[test]
fn the_line_is_the_originals_and_says_why() {
    let record = dead(&[("trace", Some(b"abc"))]);
    let line = of_letter(&TopicPartition::new("dead", 0), &original(record));
    assert_eq!(
        line.to_string(),
        r#"{"topic":"orders","partition":3,"offset":42,"timestamp":1764000000000,"key":"c1","value":"{\"id\":1}\n","headers":[["trace","abc"]],"dead_letter":{"stage":"transform","reason":"no such customer\nasked: crm","pipeline":"clean","plugin":"orders","digest":"ab12","contract":"millrace:plugin@0.1.0","attempts":2,"version":"0.1.0","time":"2025-11-24T16:00:01.500Z","topic":"dead","partition":0,"offset":7,"value_omitted":null}}"#
    );
}

#[test]
fn a_record_that_is_no_letter_has_its_own_line() {
    let record = FakeRecord::new(1, 5);
    let line = of_other(&TopicPartition::new("dead", 1), &record);
    assert_eq!(
        line.to_string(),
        r#"{"topic":"dead","partition":1,"offset":5,"timestamp":1005,"key":"key","value":"value 5","headers":[],"dead_letter":null}"#
    );
}

#[test]
fn a_place_is_a_partition_and_an_offset() {
    let place = |text: &str| text.parse::<Place>();
    let wanted = Place {
        partition: 0,
        offset: 42,
    };
    assert_eq!(place("0:42"), Ok(wanted));
    for wrong in [
        "",
        ":",
        "1",
        "1:",
        ":1",
        "-1:5",
        "1:-5",
        "+1:5",
        "1:2:3",
        "a:b",
        "1 :2",
        "2147483648:0",
        "0:9223372036854775808",
    ] {
        let error = place(wrong).unwrap_err();
        assert!(error.contains("write PARTITION:OFFSET"), "{error}");
    }
}
