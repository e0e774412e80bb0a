use console::strip_ansi_codes;
use serde_json::json;

use super::*;

fn text(expected: &[Value], got: &[Value]) -> String {
    let differences = Differences::between(expected, got);
    strip_ansi_codes(&differences.text()).into_owned()
}

#[test]
fn the_order_of_fields_is_no_difference() {
    let one: Value = serde_json::from_str(r#"{"a":1,"b":[{"c":null,"d":"x"}]}"#).unwrap();
    let other: Value = serde_json::from_str(r#"{ "b":[{"d":"x","c":null}], "a":1 }"#).unwrap();
    assert!(Differences::between(&[one], &[other]).is_empty());
}

#[test]
fn what_differs_is_shown_by_line_and_path() {
    let expected = [
        json!({"offset": 0, "verdict": "drop"}),
        json!({"offset": 1, "outputs": [{"value": "a"}, {"value": "b"}], "reason": "r"}),
    ];
    let got = [
        json!({"offset": 0, "verdict": "drop"}),
        json!({"offset": 1, "outputs": [{"value": "a"}, {"value": null}, {}], "stage": "s"}),
    ];
    assert_eq!(
        text(&expected, &got),
        "line 2\n  outputs[1].value\n  - \"b\"\n  + null\n  outputs[2]\n  + {}\n  reason\n  - \"r\"\n  stage\n  + \"s\"\n"
    );
    let differences = Differences::between(&expected, &got);
    assert_eq!(differences.summary(), "1 line differs");
}

#[test]
fn null_and_nothing_differ() {
    assert_eq!(
        text(&[json!({"a": null})], &[json!({})]),
        "line 1\n  a\n  - null\n"
    );
}

#[test]
fn too_few_and_too_many_lines_differ() {
    let lines = [json!(1), json!(2)];
    assert_eq!(text(&lines, &lines[..1]), "line 2\n  missing\n  - 2\n");
    assert_eq!(text(&lines[..1], &lines), "line 2\n  one too many\n  + 2\n");
    let differences = Differences::between(&lines[..1], &lines);
    assert_eq!(differences.summary(), "1 line differs (2 came for 1)");
}

#[test]
fn not_every_difference_is_shown() {
    let expected: Vec<Value> = (0..50).map(|n| json!(n)).collect();
    let text = text(&expected, &[]);
    assert!(text.ends_with("and 30 lines more\n"), "{text}");
    assert!(!text.contains("line 21\n"), "{text}");
}

#[test]
fn what_would_steer_a_terminal_is_escaped() {
    let text = text(&[json!({"a\u{1b}": "\u{9b}2J"})], &[]);
    assert!(!text.contains(['\u{1b}', '\u{9b}']), "{text:?}");
}
