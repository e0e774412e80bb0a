use super::*;
use crate::cli::json;
use crate::record::Record as _;

fn read(text: &str) -> Vec<Given> {
    records("stdin", text.as_bytes()).unwrap()
}

fn wrong(text: &str) -> String {
    records("stdin", text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn what_is_missing_takes_a_default() {
    let read = read("{}\n");
    let [Given { partition, record }] = &read[..] else {
        panic!("{read:?}")
    };
    assert_eq!(*partition, TopicPartition::new("test", 0));
    assert_eq!((record.key(), record.value()), (None, None));
    assert_eq!((record.offset(), record.headers()), (0, vec![]));
    assert_eq!(record.timestamp(), Timestamp::Create(0));
}

#[test]
fn offsets_go_on_in_each_partition() {
    let lines =
        "{}\n{\"topic\":\"b\"}\n{}\n{\"offset\":40}\n{}\n{\"partition\":1}\n{\"topic\":\"b\"}";
    let offsets: Vec<i64> = read(lines).iter().map(|it| it.record.offset()).collect();
    assert_eq!(offsets, [0, 0, 1, 40, 41, 0, 1]);
}

#[test]
fn what_host_prints_of_a_record_is_that_record() {
    let line = concat!(
        r#"{"topic":"orders","partition":3,"offset":42,"timestamp":1764000000000,"key":{"base64":"/w=="},"#,
        r#""value":"{\"id\":1}","headers":[["trace","abc"],["trace",null],[{"base64":"/w=="},""]]}"#
    );
    let read = read(line);
    let printed = json::record(&read[0].partition, &read[0].record);
    assert_eq!(printed.to_string(), line);
}

#[test]
fn a_time_that_is_not_there_stays_so() {
    let read = read(r#"{"timestamp":null}"#);
    assert_eq!(read[0].record.timestamp(), Timestamp::NotAvailable);
}

#[test]
fn what_became_of_a_record_is_passed_over() {
    let more = r#"{"value":"x","verdict":"fail","outputs":[{}],"stage":"transform","reason":"r","dead_letter":{}}"#;
    assert_eq!(read(more)[0].record.value(), Some(&b"x"[..]));
}

#[test]
fn empty_lines_are_passed_over_and_counted() {
    assert_eq!(read("\n  \r\n{}\r\n\n{}").len(), 2);
    assert!(wrong("\n\n{").starts_with("stdin, line 3, column "));
}

#[test]
fn what_is_no_record_is_named_with_its_place() {
    for (text, says) in [
        (
            "{}\n{\"value\":1}",
            "stdin, line 2, column 10: invalid type: integer `1`, expected a text, {\"base64\":\"…\"} or null",
        ),
        (
            "[\"orders\",0]",
            "column 1: invalid type: sequence, expected a record",
        ),
        ("hello", "column 1: expected value"),
        ("{\"value\":\"x\"} {}", "column 15: trailing characters"),
        (
            "{\"vlaue\":\"x\"}",
            "unknown field `vlaue`, expected one of `topic`",
        ),
        (
            "{\"value\":\"x\",\"value\":\"y\"}",
            "duplicate field `value`",
        ),
        ("{\"value\":{\"base64\":\"=\"}}", "that is no base64"),
        (
            "{\"value\":{\"hex\":\"\"}}",
            "unknown field `hex`, expected `base64`",
        ),
        ("{\"value\":{}}", "missing field `base64`"),
        ("{\"value\":\"\\ud800\"}", "column 17: "),
        ("{\"topic\":\"a b\"}", "is no legal topic name"),
        ("{\"topic\":null}", "invalid type: null"),
        ("{\"partition\":-1}", "-1 is out of its range"),
        (
            "{\"partition\":2147483648}",
            "2147483648 is out of its range",
        ),
        ("{\"offset\":-1}", "-1 is out of its range"),
        ("{\"timestamp\":1.5}", "invalid type: floating point"),
        (
            "{\"headers\":[[null,\"x\"]]}",
            "the name of a header can't be null",
        ),
        ("{\"headers\":[[\"x\"]]}", "invalid length 1"),
        ("{\"headers\":{\"x\":\"y\"}}", "invalid type: map"),
    ] {
        let error = wrong(text);
        assert!(error.contains(says), "{text}: {error}");
        assert!(error.starts_with("stdin, line "), "{error}");
        assert!(
            !error.contains(" at line "),
            "the place is said once: {error}"
        );
    }
    let error = records("stdin", b"{\"value\":\"\xff\"}")
        .unwrap_err()
        .to_string();
    assert!(error.contains("invalid unicode"), "{error}");
}
