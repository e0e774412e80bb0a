//! What of a schema counts: names, references, logical types, and what is none.

use std::time::{Duration, Instant};

use super::{decoded, encoded, record_of, schema};
use crate::codec::avro::{Decoder, Schema};

#[test]
fn the_name_of_a_schema_is_its_roots_full_one() {
    let named = |text: &str| schema(text).name().map(str::to_owned);
    let record = |attributes: &str| {
        named(&format!(
            r#"{{"type": "record", {attributes}, "fields": []}}"#
        ))
    };
    assert_eq!(record(r#""name": "R""#).as_deref(), Some("R"));
    assert_eq!(
        record(r#""name": "R", "namespace": "a.b""#).as_deref(),
        Some("a.b.R")
    );
    assert_eq!(
        record(r#""name": "c.R", "namespace": "a.b""#).as_deref(),
        Some("c.R")
    );
    assert_eq!(named(r#""string""#), None);
    assert_eq!(
        named(r#"{"type": {"type": "enum", "name": "E", "symbols": []}}"#).as_deref(),
        Some("E")
    );
}

#[test]
fn names_inherit_the_namespace_around_them() {
    let schema = schema(
        r#"{"type": "record", "name": "R", "namespace": "a", "fields": [
            {"name": "x", "type": {"type": "enum", "name": "E", "symbols": ["S"]}},
            {"name": "y", "type": {"type": "record", "name": "b.Q", "fields": [
                {"name": "z", "type": ["null", "a.E", {"type": "fixed", "name": "F", "size": 1}]}]}},
            {"name": "w", "type": ["E", "b.F", "b.Q"]}]}"#,
    );
    let json = r#"{"x":"S","y":{"z":{"b.F":"AQ=="}},"w":{"a.E":"S"}}"#;
    let bytes = encoded(&schema, json).unwrap();
    assert_eq!(decoded(&schema, &bytes).as_deref(), Ok(json));
}

#[test]
fn references_are_the_schemas_that_are_named() {
    let line = r#"{"type": "record", "name": "shop.Line", "fields": [{"name": "n", "type": "shop.Count"}]}"#;
    let count = r#"{"type": "fixed", "name": "shop.Count", "size": 1}"#;
    let references = [count.to_owned(), line.to_owned(), count.to_owned()];
    let order = r#"{"type": "array", "items": "shop.Line"}"#;
    let schema = Schema::parse(order, &references).unwrap();
    assert_eq!(
        decoded(&schema, &[2, 7, 0]).as_deref(),
        Ok(r#"[{"n":"Bw=="}]"#)
    );
    assert_eq!(
        Schema::parse(order, &references[1..2]).unwrap_err(),
        "in a referenced schema: shop.Line.n: no schema is called shop.Count"
    );
    let root = Schema::parse(r#""shop.Line""#, &references).unwrap();
    assert_eq!(root.name(), Some("shop.Line"));
}

#[test]
fn a_name_means_one_type() {
    let twice = |second: &str| {
        Schema::parse(
            &format!(
                r#"{{"type": "record", "name": "R", "fields": [
                    {{"name": "a", "type": {{"type": "fixed", "name": "F", "size": 1}}}},
                    {{"name": "b", "type": {second}}}]}}"#
            ),
            &[],
        )
    };
    assert!(twice(r#"{"type": "fixed", "name": "F", "size": 1}"#).is_ok());
    assert_eq!(
        twice(r#"{"type": "fixed", "name": "F", "size": 2}"#).unwrap_err(),
        "R.b: F is defined twice, differently"
    );
}

#[test]
fn a_logical_type_that_is_none_leaves_the_type_as_it_is() {
    for (of, json) in [
        (r#"{"type": "int", "logicalType": "no-such"}"#, "7"),
        (r#"{"type": "int", "logicalType": "timestamp-millis"}"#, "7"),
        (r#"{"type": "string", "logicalType": "date"}"#, r#""x""#),
        (r#"{"type": "long", "logicalType": 5}"#, "7"),
        (
            r#"{"type": "bytes", "logicalType": "decimal"}"#,
            r#""AQ==""#,
        ),
        (
            r#"{"type": "bytes", "logicalType": "decimal", "precision": 0}"#,
            r#""AQ==""#,
        ),
        (
            r#"{"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 3}"#,
            r#""AQ==""#,
        ),
        (
            r#"{"type": "bytes", "logicalType": "decimal", "precision": "2"}"#,
            r#""AQ==""#,
        ),
        (
            r#"{"type": "bytes", "logicalType": "big-decimal"}"#,
            r#""AQ==""#,
        ),
        // 127 has two digits and a bit.
        (
            r#"{"type": "fixed", "name": "F", "size": 1, "logicalType": "decimal", "precision": 3}"#,
            r#""AQ==""#,
        ),
        (
            r#"{"type": "fixed", "name": "F", "size": 1, "logicalType": "duration"}"#,
            r#""AQ==""#,
        ),
        (
            r#"{"type": "fixed", "name": "F", "size": 1, "logicalType": "uuid"}"#,
            r#""AQ==""#,
        ),
    ] {
        let schema = schema(of);
        let bytes = encoded(&schema, json).unwrap();
        assert_eq!(decoded(&schema, &bytes).as_deref(), Ok(json), "{of}");
    }
}

#[test]
fn a_named_type_keeps_its_logical_type_wherever_it_is_named() {
    let schema = schema(
        r#"{"type": "record", "name": "R", "fields": [
            {"name": "a", "type": {"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}},
            {"name": "b", "type": "U"}]}"#,
    );
    let json = decoded(&schema, &[0; 32]).unwrap();
    let nil = "00000000-0000-0000-0000-000000000000";
    assert_eq!(json, format!(r#"{{"a":"{nil}","b":"{nil}"}}"#));
}

#[test]
fn attributes_may_be_on_a_type_inside_of_a_type() {
    let schema = schema(r#"{"type": {"type": "long"}, "logicalType": "timestamp-millis"}"#);
    assert_eq!(
        decoded(&schema, &[0]).as_deref(),
        Ok(r#""1970-01-01T00:00:00.000Z""#)
    );
}

#[test]
fn what_is_no_schema_is_refused_and_never_a_panic() {
    for (text, error) in [
        (
            "",
            "the schema is not JSON: EOF while parsing a value at line 1 column 0",
        ),
        ("5", "5 is not a schema"),
        ("{}", "a schema without a type"),
        (r#"{"type": 5}"#, "a schema without a type"),
        (r#""nothing""#, "no schema is called nothing"),
        (r#"{"type": "array"}"#, "an array without items"),
        (r#"{"type": "map"}"#, "a map without values"),
        (
            r#"{"type": "record", "fields": []}"#,
            "a named type without a name",
        ),
        (
            r#"{"type": "record", "name": "", "fields": []}"#,
            "a type can't be called \"\"",
        ),
        (
            r#"{"type": "record", "name": "int", "fields": []}"#,
            "a type can't be called \"int\"",
        ),
        (
            r#"{"type": "record", "name": "R"}"#,
            "R: a record without fields",
        ),
        (
            r#"{"type": "record", "name": "R", "fields": [5]}"#,
            "R: a field without a name and a type",
        ),
        (
            r#"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}, {"name": "a", "type": "int"}]}"#,
            "R: two fields are called a",
        ),
        (
            r#"{"type": "enum", "name": "E"}"#,
            "E: an enum without symbols",
        ),
        (
            r#"{"type": "enum", "name": "E", "symbols": ["A", "A"]}"#,
            "E: two symbols are called A",
        ),
        (
            r#"{"type": "enum", "name": "E", "symbols": ["A"], "default": "B"}"#,
            "E: the default B is not one of the symbols",
        ),
        (
            r#"{"type": "fixed", "name": "F"}"#,
            "F: a fixed without a size",
        ),
        (
            r#"{"type": "fixed", "name": "F", "size": -1}"#,
            "F: a fixed without a size",
        ),
        (r#"["int", "int"]"#, "a union with two branches of int"),
        (
            r#"["int", {"type": "int", "logicalType": "date"}]"#,
            "a union with two branches of int",
        ),
        (r#"["int", ["null"]]"#, "a union directly inside a union"),
    ] {
        assert_eq!(Schema::parse(text, &[]).unwrap_err(), error, "{text}");
    }
}

#[test]
fn a_schema_nested_without_end_is_refused() {
    let deep = |levels: usize| {
        let before = r#"{"type": "array", "items": "#.repeat(levels);
        Schema::parse(&format!("{before}\"int\"{}", "}".repeat(levels)), &[])
    };
    assert!(deep(100).is_ok());
    assert!(deep(200).is_err());
    assert!(deep(100_000).is_err());
}

#[test]
fn a_chain_of_types_may_be_long() {
    // Flat in the text, deep in what it says.
    let count = 20_000;
    let references: Vec<String> = (0..count)
        .map(|n| {
            let (of, default) = match n {
                0 => ("\"int\"".to_owned(), "0".to_owned()),
                _ => (format!("\"R{}\"", n - 1), "{}".to_owned()),
            };
            format!(
                r#"{{"type": "record", "name": "R{n}", "fields": [{{"name": "f", "type": {of}, "default": {default}}}]}}"#
            )
        })
        .collect();
    let root = format!("\"R{}\"", count - 1);
    let schema = Schema::parse(&root, &references).unwrap();
    assert!(
        encoded(&schema, "{}")
            .unwrap_err()
            .contains("nested too deeply")
    );
    let decoder = Decoder::new(&schema, Some(&schema)).unwrap();
    let error = decoder.decode(&[0], &mut Vec::new()).unwrap_err();
    assert!(error.ends_with("nested deeper than 120 levels"), "{error}");
}

#[test]
fn a_record_that_contains_itself_without_end_has_no_data() {
    let schema = schema(
        r#"{"type": "record", "name": "R", "fields": [
            {"name": "a", "type": "R", "default": {}}, {"name": "b", "type": "R", "default": {}}]}"#,
    );
    let decoder = Decoder::new(&schema, Some(&schema)).unwrap();
    let error = decoder.decode(&[], &mut Vec::new()).unwrap_err();
    assert!(error.ends_with("nested deeper than 120 levels"), "{error}");
    assert_eq!(
        encoded(&schema, "{}").unwrap_err(),
        "a: missing, and the default contains itself"
    );
}

#[test]
fn defaults_do_not_multiply_without_bound() {
    // Each record is two of the one before.
    let references: Vec<String> = (0..60)
        .map(|n| {
            let of = match n {
                0 => "\"int\"".to_owned(),
                _ => format!("\"R{}\"", n - 1),
            };
            let default = if n == 0 { "0" } else { "{}" };
            format!(
                r#"{{"type": "record", "name": "R{n}", "fields": [
                    {{"name": "a", "type": {of}, "default": {default}}},
                    {{"name": "b", "type": {of}, "default": {default}}}]}}"#
            )
        })
        .collect();
    let schema = Schema::parse("\"R59\"", &references).unwrap();
    assert!(encoded(&schema, "{}").unwrap_err().contains("too large"));
}

#[test]
fn branches_that_fail_late_do_not_copy_defaults_without_bound() {
    let mut references = vec![format!(
        r#"{{"type": "record", "name": "R0", "fields": [
            {{"name": "s", "type": "string", "default": "{}"}}]}}"#,
        "x".repeat(100_000)
    )];
    references.extend((1..7).map(|n| {
        let of = n - 1;
        format!(
            r#"{{"type": "record", "name": "R{n}", "fields": [
                {{"name": "a", "type": "R{of}", "default": {{}}}},
                {{"name": "b", "type": "R{of}", "default": {{}}}}]}}"#
        )
    }));
    let root = format!(
        r#"{{"type": "record", "name": "Root", "fields": [{{"name": "v", "type":
            {{"type": "array", "items": [
                {{"type": "record", "name": "Late", "fields": [
                    {{"name": "r", "type": "R6", "default": {{}}}},
                    {{"name": "must", "type": "int"}}]}},
                {{"type": "record", "name": "Nothing", "fields": []}}]}},
            "default": [{}{{}}]}}]}}"#,
        "{},".repeat(20_000)
    );
    let began = Instant::now();
    let schema = Schema::parse(&root, &references).unwrap();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(
        encoded(&schema, "{}").unwrap_err(),
        "v: missing, and the schema's defaults are too large"
    );
}

#[test]
fn a_default_is_of_the_branch_that_takes_all_of_it() {
    let schema = record_of(
        r#"[{"type": "record", "name": "Card", "fields": [
                {"name": "no", "type": "string", "default": ""}]},
            {"type": "record", "name": "Cash", "fields": [{"name": "sum", "type": "int"}]}],
            "default": {"sum": 5}"#,
    );
    let bytes = encoded(&schema, "{}").unwrap();
    assert_eq!(
        decoded(&schema, &bytes).as_deref(),
        Ok(r#"{"v":{"Cash":{"sum":5}}}"#)
    );
}

#[test]
fn a_default_that_contains_itself_is_not_another_branch() {
    let schema = schema(
        r#"{"type": "record", "name": "R", "fields": [{"name": "next", "type":
            ["R", {"type": "map", "values": "int"}], "default": {}}]}"#,
    );
    assert_eq!(
        encoded(&schema, "{}").unwrap_err(),
        "next: missing, and the default contains itself"
    );
}

#[test]
fn what_lies_too_deep_in_one_default_is_whole_in_another() {
    let references: Vec<String> = (0..130)
        .map(|n| {
            let (of, default) = match n {
                0 => ("\"int\"".to_owned(), "0"),
                _ => (format!("\"R{}\"", n - 1), "{}"),
            };
            format!(
                r#"{{"type": "record", "name": "R{n}", "fields": [{{"name": "f", "type": {of}, "default": {default}}}]}}"#
            )
        })
        .collect();
    for n in 0..130 {
        let schema = Schema::parse(&format!("\"R{n}\""), &references).unwrap();
        let outcome = encoded(&schema, "{}");
        // One level for each record, and the deepest are 120.
        if n < 120 {
            let bytes = outcome.unwrap();
            decoded(&schema, &bytes).unwrap();
        } else {
            outcome.unwrap_err();
        }
    }
}

#[test]
fn a_default_that_does_not_fit_matters_only_where_it_is_needed() {
    let schema = schema(
        r#"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "default": "x"}]}"#,
    );
    assert_eq!(encoded(&schema, r#"{"a": 1}"#), Ok(vec![2]));
    assert_eq!(
        encoded(&schema, "{}").unwrap_err(),
        r#"a: missing, and the default "x" is no int"#
    );
}

#[test]
fn schemas_and_decoders_are_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    let schema = record_of("\"int\"");
    shared(&schema);
    shared(&Decoder::new(&schema, None).unwrap());
}
