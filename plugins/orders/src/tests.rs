//! What an order is, what becomes of it, and what a bad one is told.

use super::*;

const ORDER: &str =
    r#"{"id":1,"customer":"c00042","amount":12.50,"currency":"EUR","status":"paid","note":"…"}"#;

fn cleaned(value: &str) -> String {
    let bytes = clean(value.as_bytes())
        .expect("an order")
        .expect("not void");
    String::from_utf8(bytes).expect("UTF-8 in, UTF-8 out")
}

fn reason(value: impl AsRef<[u8]>) -> String {
    clean(value.as_ref()).expect_err("no order").to_string()
}

fn cents(amount: &str) -> String {
    let text = cleaned(&ORDER.replace("12.50", amount));
    text.rsplit(':')
        .next()
        .expect("a last field")
        .trim_end_matches('}')
        .into()
}

fn verdict(message: Message) -> Result<Verdict> {
    Orders::new("")?.transform(
        message,
        &Source {
            topic: "orders",
            partition: 0,
        },
    )
}

#[test]
fn a_paid_order_gets_its_cents_and_keeps_the_rest_as_it_was() {
    assert_eq!(
        cleaned(ORDER),
        r#"{"id":1,"customer":"c00042","amount":12.50,"currency":"EUR","status":"paid","note":"…","total_cents":1250}"#,
    );
}

#[test]
fn fields_may_stand_in_any_order_with_spaces_between_and_others_are_kept() {
    assert_eq!(
        cleaned(
            "{ \"status\": \"new\", \"tags\": [1, {\"a\": null}], \"amount\": 3,\n \"id\": 7, \
             \"customer\": \"\\u0063\", \"currency\": \"EUR\" }\n"
        ),
        "{ \"status\": \"new\", \"tags\": [1, {\"a\": null}], \"amount\": 3,\n \"id\": 7, \
         \"customer\": \"\\u0063\", \"currency\": \"EUR\" ,\"total_cents\":300}",
    );
}

#[test]
fn key_headers_timestamp_and_topic_are_the_sources() {
    assert_eq!(
        verdict(Message::new(ORDER)).unwrap(),
        Output::value(cleaned(ORDER)).into(),
    );
}

#[test]
fn a_void_order_is_dropped_however_its_status_is_written() {
    for status in ["void", "\\u0076oid"] {
        let void = ORDER.replace("paid", status);
        assert_eq!(verdict(Message::new(void)).unwrap(), Verdict::Drop);
    }
    assert!(
        clean(ORDER.replace("paid", "VOID").as_bytes())
            .unwrap()
            .is_some()
    );
}

#[test]
fn cents_are_rounded_half_away_from_zero_from_the_double() {
    assert_eq!(cents("0"), "0");
    assert_eq!(cents("-0.0"), "0");
    assert_eq!(cents("0.29"), "29"); // 28.999999999999996
    assert_eq!(cents("0.125"), "13"); // exactly half
    assert_eq!(cents("-0.125"), "-13");
    assert_eq!(cents("1.005"), "100"); // the double is below 1.005: every language's double is
    assert_eq!(cents("1e3"), "100000");
    assert_eq!(cents("90071992547409.92"), "9007199254740992");
}

#[test]
fn an_amount_that_has_no_exact_cents_fails() {
    assert_eq!(
        reason(ORDER.replace("12.50", "1e300")),
        "not an order: amount 1e300 is too large",
    );
    assert_eq!(
        reason(ORDER.replace("12.50", "1e400")),
        "not JSON: number out of range at line 1 column 42",
    );
}

#[test]
fn a_null_value_fails() {
    let error = verdict(Message::tombstone()).unwrap_err();
    assert_eq!(error.to_string(), "the value is null");
}

#[test]
fn what_is_no_json_fails_and_says_where() {
    assert_eq!(
        reason(""),
        "not JSON: EOF while parsing a value at line 1 column 0"
    );
    assert_eq!(
        reason("{oops}"),
        "not JSON: key must be a string at line 1 column 2"
    );
    assert_eq!(
        reason(format!("{ORDER}}}")),
        "not JSON: trailing characters at line 1 column 90"
    );
    assert_eq!(
        reason(b"{\"id\":\"\xff\"}"),
        "not UTF-8: invalid utf-8 sequence of 1 bytes from index 7",
    );
}

#[test]
fn what_is_no_order_fails_and_names_the_field() {
    assert_eq!(
        reason("42"),
        "not an order: invalid type: integer `42`, expected struct Order",
    );
    assert_eq!(
        reason(r#"[1,"c00042",12.50,"EUR","paid",{}]"#),
        "not an order: `total_cents` is already there",
    );
    assert_eq!(
        reason(r#"[1,"c00042",12.50,"EUR","paid"]"#),
        "not an order: an array"
    );
    assert_eq!(
        reason(ORDER.replace("\"amount\":12.50,", "")),
        "not an order: missing field `amount`",
    );
    assert_eq!(
        reason(ORDER.replace("12.50", "\"12.50\"")),
        "not an order: invalid type: string \"12.50\", expected f64",
    );
    assert_eq!(
        reason(ORDER.replace("12.50", "\"far down, at line 7\"")),
        "not an order: invalid type: string \"far down, at line 7\", expected f64",
    );
    assert_eq!(
        reason(ORDER.replace("12.50", "null")),
        "not an order: invalid type: null, expected f64",
    );
    assert_eq!(
        reason(ORDER.replace("\"paid\"", "7")),
        "not an order: invalid type: integer `7`, expected a string",
    );
}

#[test]
fn an_order_that_was_cleaned_before_fails_even_with_null_cents() {
    for total in ["1250", "null"] {
        let twice = ORDER.replace("\"note\"", &format!("\"total_cents\":{total},\"note\""));
        assert!(reason(twice).starts_with("not an order: `total_cents` is already there"));
    }
}

#[test]
fn a_field_given_twice_fails() {
    let twice = ORDER.replace("\"note\"", "\"amount\":1,\"note\"");
    assert!(reason(twice).starts_with("not an order: duplicate field `amount`"));
}
