//! What is refused on the way in, and where the error says it was.

use super::{Schema, encoded, record_of, schema};

/// The error of this JSON as a field `v` of this type.
fn refused(of: &str, json: &str) -> String {
    encoded(&record_of(of), &format!(r#"{{"v": {json}}}"#)).unwrap_err()
}

#[test]
fn an_error_says_where_in_the_record_it_was() {
    let order = schema(
        r#"{"type": "record", "name": "shop.Event", "fields": [{"name": "order", "type":
            {"type": "record", "name": "Order", "fields": [{"name": "lines", "type":
                {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
                    {"name": "amount", "type":
                        {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
                    {"name": "tags", "type": {"type": "map", "values": ["int", "long"]},
                     "default": {}}]}}}]}}]}"#,
    );
    let line = |third: &str| {
        let json = format!(
            r#"{{"order": {{"lines": [{{"amount": "1"}}, {{"amount": 2}}, {{"amount": "3"}}, {third}]}}}}"#
        );
        encoded(&order, &json).unwrap_err()
    };
    assert_eq!(
        line(r#"{"amount": "12.345"}"#),
        r#"order.lines[3].amount: "12.345" has more than 2 digits behind the point"#
    );
    assert_eq!(
        line("{}"),
        "order.lines[3].amount: missing, and it has no default"
    );
    assert_eq!(
        line(r#"{"amount": "1", "note": 5}"#),
        "order.lines[3].note: shop.Line has no such field"
    );
    assert_eq!(
        line(r#"{"amount": "1", "amount": "1"}"#),
        "order.lines[3].amount: there twice"
    );
    assert_eq!(
        line(r#"{"tags": {"a b": {"int": "x"}}, "amount": "1"}"#),
        r#"order.lines[3].tags["a b"]["int"]: expected an int, found "x""#
    );
    assert_eq!(
        line("7"),
        "order.lines[3]: expected an object (shop.Line), found 7"
    );
    assert_eq!(
        encoded(&order, r#"{"order": {"lines": {}}}"#),
        Err("order.lines: expected an array, found an object".to_owned())
    );
    assert_eq!(
        encoded(&order, "[]"),
        Err("expected an object (shop.Event), found an array".to_owned())
    );
}

#[test]
fn numbers_have_to_be_of_their_type() {
    assert_eq!(
        refused(r#""int""#, "2147483648"),
        "v: 2147483648 is outside of the range of an int"
    );
    assert_eq!(refused(r#""int""#, "5.0"), "v: expected an int, found 5.0");
    assert_eq!(
        refused(r#""long""#, "1e3"),
        "v: expected a long, found 1000.0"
    );
    assert_eq!(
        refused(r#""long""#, "9223372036854775808"),
        "v: expected a long, found 9223372036854775808"
    );
    for text in [
        r#""""#, r#""-""#, r#""+5""#, r#"" 5""#, r#""5.0""#, r#""0x5""#,
    ] {
        assert_eq!(
            refused(r#""long""#, text),
            format!("v: expected a long, found {text}")
        );
    }
    assert_eq!(
        refused(r#""float""#, "1e39"),
        "v: 1e39 is outside of the range of a float"
    );
    assert_eq!(
        refused(r#""double""#, r#""nan""#),
        r#"v: expected a double, found "nan""#
    );
    assert_eq!(
        refused(r#""boolean""#, "1"),
        "v: expected a boolean, found 1"
    );
    assert_eq!(refused(r#""null""#, "0"), "v: expected null, found 0");
    assert_eq!(
        refused(r#""string""#, "null"),
        "v: expected a string, found null"
    );
}

#[test]
fn bytes_have_to_be_base64_and_of_their_length() {
    for text in [
        r#""AQ""#,
        r#""A===""#,
        r#""AR==""#,
        r#""A Q=""#,
        r#""====""#,
    ] {
        assert_eq!(
            refused(r#""bytes""#, text),
            format!("v: expected bytes in base64, found {text}")
        );
    }
    assert_eq!(
        refused(
            r#"{"type": "fixed", "name": "a.F", "size": 2}"#,
            r#""AQ==""#
        ),
        "v: 1 bytes, where a.F has 2"
    );
    assert_eq!(
        refused(
            r#"{"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}"#,
            r#""550e8400e29b41d4a716446655440000""#
        ),
        r#"v: expected a hyphenated UUID, found "550e8400e29b41d4a716446655440000""#
    );
}

#[test]
fn a_symbol_has_to_be_one_of_the_enum() {
    let of = r#"{"type": "enum", "name": "a.E", "symbols": ["A"], "default": "A"}"#;
    assert_eq!(
        refused(of, r#""B""#),
        r#"v: expected a symbol of a.E, found "B""#
    );
}

#[test]
fn a_decimal_has_to_fit_its_precision_and_scale() {
    let of = r#"{"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}"#;
    assert_eq!(
        refused(of, r#""100""#),
        r#"v: "100" has more digits than a decimal of precision 4 and scale 2"#
    );
    assert_eq!(
        refused(of, "0.001"),
        r#"v: "0.001" has more than 2 digits behind the point"#
    );
    for text in [
        r#""""#,
        r#"".5""#,
        r#""5.""#,
        r#""1e1""#,
        r#""+1""#,
        r#""-""#,
        r#""1.2.3""#,
        r#""٣""#,
    ] {
        assert_eq!(refused(of, text), format!("v: {text} is not a decimal"));
    }
    assert_eq!(refused(of, "true"), "v: expected a decimal, found true");
    // Whether it was meant as the decimal that it is the nearest double to, nobody knows.
    let long = r#"{"type": "bytes", "logicalType": "decimal", "precision": 40, "scale": 20}"#;
    assert_eq!(
        refused(long, "12345678901234.567"),
        "v: 12345678901234.566 has more digits than a JSON number holds for certain; a string holds all"
    );
}

#[test]
fn a_whole_number_of_more_digits_than_javascript_keeps_is_no_decimal() {
    let of = r#"{"type": "bytes", "logicalType": "decimal", "precision": 20}"#;
    for number in ["12345678901234568", "-1234567890123456"] {
        assert_eq!(
            refused(of, number),
            format!(
                "v: {number} has more digits than a JSON number holds for certain; a string holds all"
            )
        );
        encoded(&record_of(of), &format!(r#"{{"v": "{number}"}}"#)).unwrap();
    }
    encoded(&record_of(of), r#"{"v": -123456789012345}"#).unwrap();
}

#[test]
fn times_have_to_be_times_and_no_finer_than_their_unit() {
    let millis = r#"{"type": "long", "logicalType": "timestamp-millis"}"#;
    let expected = "v: expected an instant such as 2024-02-29T13:45:00.123Z, found";
    assert_eq!(
        refused(millis, r#""2024-02-29T13:45:00.1234Z""#),
        format!(r#"{expected} "2024-02-29T13:45:00.1234Z": finer than a millisecond"#)
    );
    for text in [
        "2024-02-29T13:45:00.123",
        "2023-02-29T13:45:00Z",
        "2024-13-01T13:45:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T23:59:60Z",
        "2024-01-01T23:59:00.Z",
        "2024-01-01T23:59:00+0100",
        "2024-01-01",
        "24-01-01T00:00:00Z",
        "2024-01-01T00:00:00Zx",
    ] {
        assert_eq!(
            refused(millis, &format!("\"{text}\"")),
            format!(r#"{expected} "{text}""#)
        );
    }
    let nanos = r#"{"type": "long", "logicalType": "timestamp-nanos"}"#;
    assert_eq!(
        refused(nanos, r#""2300-01-01T00:00:00Z""#),
        format!(r#"{expected} "2300-01-01T00:00:00Z": out of range"#)
    );
    let local = r#"{"type": "long", "logicalType": "local-timestamp-millis"}"#;
    assert!(refused(local, r#""2024-02-29T13:45:00Z""#).starts_with("v: expected a local time"));
    let date = r#"{"type": "int", "logicalType": "date"}"#;
    assert!(refused(date, r#""2024-02-30""#).starts_with("v: expected a date"));
    assert!(refused(date, r#""19782""#).starts_with("v: expected a date"));
}

#[test]
fn a_duration_has_all_its_parts_once() {
    let of = r#"{"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"}"#;
    assert_eq!(
        refused(of, r#"{"months": 1, "days": 1}"#),
        "v.millis: missing"
    );
    assert_eq!(
        refused(of, r#"{"months": 1, "months": 1}"#),
        "v.months: there twice"
    );
    assert_eq!(
        refused(of, r#"{"years": 1}"#),
        "v.years: no part of a duration"
    );
    assert!(refused(of, r#"{"days": -1}"#).starts_with("v.days: invalid value"));
    assert_eq!(
        refused(of, r#""P1D""#),
        r#"v: expected an object of months, days and millis, found "P1D""#
    );
}

#[test]
fn a_unions_value_has_to_be_one_of_its_branches() {
    assert_eq!(
        refused(r#"["null", "int", "boolean"]"#, r#""x""#),
        "v: expected one of null, int, boolean, found a string"
    );
    let alike = r#"["null", "int", "long"]"#;
    assert_eq!(
        refused(alike, "5"),
        "v: expected {\"name\": value} with one of the names null, int, long, found a number"
    );
    assert_eq!(
        refused(alike, r#"{"string": 5}"#),
        r#"v: "string" is none of the names null, int, long"#
    );
    assert_eq!(
        refused(alike, r#"{"int": 5, "long": 5}"#),
        "v: more than one name of a union's branches"
    );
    assert!(refused(alike, "{}").starts_with("v: expected {\"name\": value}"));
    // One type and null: what it should have been is clear.
    assert_eq!(
        refused(r#"["null", "int"]"#, "true"),
        "v: expected an int, found true"
    );
}

#[test]
fn text_that_is_no_json_is_told_from_json_that_does_not_fit() {
    let of = record_of(r#""int""#);
    for (json, error) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        (
            r#"{"v": 1"#,
            "EOF while parsing an object at line 1 column 7",
        ),
        (r#"{"v": 1} x"#, "trailing characters at line 1 column 10"),
        (r#"{"v": 01}"#, "v: invalid number at line 1 column 8"),
        (r#"{"v": x}"#, "v: expected value at line 1 column 7"),
    ] {
        let error = error.to_owned();
        assert_eq!(encoded(&of, json), Err(error), "{json}");
    }
    let not_utf_8 = schema(r#""string""#);
    assert!(not_utf_8.encode(b"\"\xff\"", &mut Vec::new()).is_err());
}

#[test]
fn long_values_are_cut_in_errors() {
    let long = format!("\"{}\"", "x".repeat(10_000));
    let error = refused(r#""int""#, &long);
    assert!(error.len() < 200, "{error}");
}

#[test]
fn long_lists_of_names_are_cut_in_errors() {
    let name = "N".repeat(1_000);
    let branches: Vec<String> = (0..1_000)
        .map(|n| format!(r#"{{"type": "fixed", "name": "F{n}{name}", "size": 1}}"#))
        .collect();
    let of = format!("[{}]", branches.join(","));
    for json in ["5", r#"{"x": 5}"#, "[]", "{}"] {
        let error = refused(&of, json);
        assert!(
            error.ends_with(" and 990 more, found a number") || error.len() < 1_000,
            "{error}"
        );
    }
    let default = format!(r#""int", "default": "{}""#, "x".repeat(10_000));
    let error = encoded(&record_of(&default), "{}").unwrap_err();
    assert!(error.len() < 200, "{error}");
    for schema in [
        format!("\"{name}\""),
        format!(r#"{{"type": "enum", "name": "E", "symbols": ["{name}", "{name}"]}}"#),
        format!(r#"{{"type": "enum", "name": "E", "symbols": [], "default": "{name}"}}"#),
        format!(r#"[{0}, {0}]"#, branches[0]),
    ] {
        let error = Schema::parse(&schema, &[]).unwrap_err();
        assert!(error.len() < 200, "{error}");
    }
}
