//! A writer's data by a reader's schema: the cases of the specification's "Schema
//! Resolution", and what it leaves open.

use super::{decoded_by, encoded, schema};
use crate::codec::avro::Decoder;

/// What the reader makes of what the writer encodes.
fn read(writer: &str, json: &str, reader: &str) -> Result<String, String> {
    let (writer, reader) = (schema(writer), schema(reader));
    let bytes = encoded(&writer, json).unwrap();
    decoded_by(&Decoder::new(&writer, Some(&reader))?, &bytes)
}

fn refused(writer: &str, reader: &str) -> String {
    Decoder::new(&schema(writer), Some(&schema(reader))).unwrap_err()
}

fn record(fields: &str) -> String {
    format!(r#"{{"type": "record", "name": "R", "fields": [{fields}]}}"#)
}

fn long_of(logical: &str) -> String {
    format!(r#"{{"type": "long", "logicalType": "{logical}"}}"#)
}

#[test]
fn types_are_promoted_as_the_specification_says() {
    for (writer, json, reader, read_as) in [
        ("int", "5", "long", "5"),
        ("int", "5", "float", "5.0"),
        ("int", "5", "double", "5.0"),
        ("long", "16777217", "float", "16777216.0"),
        ("long", "5", "double", "5.0"),
        ("float", "0.1", "double", "0.10000000149011612"),
        ("float", r#""NaN""#, "double", r#""NaN""#),
        ("string", r#""é""#, "bytes", r#""w6k=""#),
        ("bytes", r#""w6k=""#, "string", r#""é""#),
    ] {
        let (writer, reader) = (format!("\"{writer}\""), format!("\"{reader}\""));
        assert_eq!(
            read(&writer, json, &reader).as_deref(),
            Ok(read_as),
            "{writer} {reader}"
        );
    }
    for (writer, reader) in [
        ("long", "int"),
        ("double", "float"),
        ("double", "long"),
        ("float", "long"),
        ("boolean", "int"),
        ("string", "int"),
        ("null", "string"),
    ] {
        assert_eq!(
            refused(&format!("\"{writer}\""), &format!("\"{reader}\"")),
            format!("the writer's {writer} can't be read as {reader}")
        );
    }
    assert!(
        read(r#""bytes""#, r#""/w==""#, r#""string""#)
            .unwrap_err()
            .contains("UTF-8")
    );
}

#[test]
fn fields_are_matched_by_name_and_put_in_the_readers_order() {
    let writer = record(
        r#"{"name": "a", "type": "int"}, {"name": "b", "type": "string"}, {"name": "c", "type": "int"}"#,
    );
    let json = r#"{"a": 1, "b": "x", "c": 3}"#;
    let reader = record(
        r#"{"name": "c", "type": "long"}, {"name": "d", "type": "int", "default": 9}, {"name": "a", "type": "double"}"#,
    );
    assert_eq!(
        read(&writer, json, &reader).as_deref(),
        Ok(r#"{"c":3,"d":9,"a":1.0}"#)
    );
    let reader = record(
        r#"{"name": "z", "type": "int", "default": 0}, {"name": "a", "type": "int"},
           {"name": "y", "type": ["null", "int"], "default": null}, {"name": "c", "type": "int"},
           {"name": "x", "type": {"type": "array", "items": "int"}, "default": [1, 2]}"#,
    );
    assert_eq!(
        read(&writer, json, &reader).as_deref(),
        Ok(r#"{"z":0,"a":1,"y":null,"c":3,"x":[1,2]}"#)
    );
    assert_eq!(read(&writer, json, &record("")).as_deref(), Ok("{}"));
}

#[test]
fn a_field_that_the_writer_lacks_needs_a_default() {
    assert_eq!(
        refused(&record(""), &record(r#"{"name": "a", "type": "int"}"#)),
        "the writer's schema has no field a of R, and the reader's has no default for it"
    );
    assert_eq!(
        refused(
            &record(""),
            &record(r#"{"name": "a", "type": "int", "default": "x"}"#)
        ),
        r#"the writer's schema has no field a of R, and the default "x" is no int"#
    );
}

#[test]
fn aliases_are_the_readers_other_names_for_what_the_writer_has() {
    let writer = r#"{"type": "record", "name": "old.Order", "fields": [
        {"name": "nr", "type": "int"}, {"name": "state", "type":
            {"type": "enum", "name": "State", "symbols": ["OPEN"]}}]}"#;
    let reader = r#"{"type": "record", "name": "new.Purchase", "aliases": ["old.Order"], "fields": [
        {"name": "number", "aliases": ["id", "nr"], "type": "long"},
        {"name": "status", "aliases": ["state"], "type":
            {"type": "enum", "name": "Status", "aliases": ["old.State"], "symbols": ["OPEN", "SHUT"]}}]}"#;
    assert_eq!(
        read(writer, r#"{"nr": 5, "state": "OPEN"}"#, reader).as_deref(),
        Ok(r#"{"number":5,"status":"OPEN"}"#)
    );
    assert_eq!(
        refused(writer, &reader.replace(r#""old.Order""#, r#""Order""#)),
        "the writer's old.Order can't be read as new.Purchase"
    );
    // A field of that very name comes first.
    let both = record(r#"{"name": "nr", "type": "int"}, {"name": "id", "type": "int"}"#);
    let reader = record(r#"{"name": "id", "aliases": ["nr"], "type": "int"}"#);
    assert_eq!(
        read(&both, r#"{"nr": 1, "id": 2}"#, &reader).as_deref(),
        Ok(r#"{"id":2}"#)
    );
}

#[test]
fn an_alias_takes_a_field_before_another_one_of_that_very_name() {
    let writer = record(r#"{"name": "amount", "type": "int"}, {"name": "old", "type": "int"}"#);
    let json = r#"{"amount": 5, "old": 7}"#;
    for (fields, read_as) in [
        (
            r#"{"name": "gross", "aliases": ["amount"], "type": "int", "default": 0},
               {"name": "amount", "type": "int", "default": 0}"#,
            r#"{"gross":5,"amount":0}"#,
        ),
        // Whose name is taken has its aliases left.
        (
            r#"{"name": "old", "type": "int", "default": 1},
               {"name": "amount", "aliases": ["old"], "type": "int", "default": 0},
               {"name": "gross", "aliases": ["amount"], "type": "int", "default": 0}"#,
            r#"{"old":1,"amount":7,"gross":5}"#,
        ),
        (
            r#"{"name": "old", "aliases": ["amount"], "type": "int"},
               {"name": "amount", "aliases": ["old"], "type": "int"}"#,
            r#"{"old":7,"amount":5}"#,
        ),
    ] {
        assert_eq!(
            read(&writer, json, &record(fields)).as_deref(),
            Ok(read_as),
            "{fields}"
        );
    }
}

#[test]
fn a_branch_known_by_an_alias_goes_before_one_of_the_same_short_name() {
    let of = |name: &str, aliases: &str| {
        format!(r#"{{"type": "record", "name": "{name}", "aliases": [{aliases}], "fields": []}}"#)
    };
    let reader = format!("[{}, {}]", of("a.R", ""), of("c.S", r#""b.R""#));
    assert_eq!(
        read(&of("b.R", ""), "{}", &reader).as_deref(),
        Ok(r#"{"c.S":{}}"#)
    );
}

#[test]
fn names_match_without_their_namespaces() {
    let of = |namespace: &str, size: u8| {
        format!(
            r#"{{"type": "record", "name": "{namespace}.R", "fields": [
                {{"name": "f", "type": {{"type": "fixed", "name": "F", "size": {size}}}}}]}}"#
        )
    };
    assert_eq!(
        read(&of("a", 1), r#"{"f": "AQ=="}"#, &of("b", 1)).as_deref(),
        Ok(r#"{"f":"AQ=="}"#)
    );
    assert_eq!(
        refused(&of("a", 1), &of("b", 2)),
        "f: the writer's a.F can't be read as b.F"
    );
}

#[test]
fn a_symbol_that_the_reader_lacks_is_its_default_or_an_error_of_the_datum() {
    let of = |attributes: &str| format!(r#"{{"type": "enum", "name": "E", {attributes}}}"#);
    let writer = of(r#""symbols": ["A", "B", "C"]"#);
    let reader = of(r#""symbols": ["C", "X", "A"], "default": "X""#);
    for (written, read_as) in [("A", "A"), ("B", "X"), ("C", "C")] {
        let written = format!("\"{written}\"");
        assert_eq!(
            read(&writer, &written, &reader),
            Ok(format!("\"{read_as}\""))
        );
    }
    let strict = of(r#""symbols": ["A"]"#);
    assert_eq!(read(&writer, r#""A""#, &strict).as_deref(), Ok(r#""A""#));
    assert_eq!(
        read(&writer, r#""B""#, &strict),
        Err("the reader's E has no symbol B".to_owned())
    );
}

#[test]
fn a_writers_union_is_resolved_branch_by_branch() {
    let writer = r#"["null", "int", "string"]"#;
    assert_eq!(read(writer, "5", r#""long""#).as_deref(), Ok("5"));
    assert_eq!(
        read(writer, r#""x""#, r#""long""#),
        Err("the writer's string can't be read as long".to_owned())
    );
    assert_eq!(
        read(writer, "5", r#"["null", "double"]"#).as_deref(),
        Ok("5.0")
    );
    assert_eq!(
        read(writer, r#""x""#, r#"["null", "double"]"#),
        Err("the reader's union (null, double) has no branch for the writer's string".to_owned())
    );
    // Branches in another order, and told by their names.
    assert_eq!(
        read(writer, "5", r#"["string", "double", "int"]"#).as_deref(),
        Ok(r#"{"int":5}"#)
    );
}

#[test]
fn a_union_of_which_no_branch_can_be_read_is_refused_at_the_start() {
    assert_eq!(
        refused(
            &record(r#"{"name": "a", "type": ["int", "string"]}"#),
            &record(r#"{"name": "a", "type": "boolean"}"#)
        ),
        "a: the writer's int can't be read as boolean"
    );
}

#[test]
fn a_readers_union_takes_the_exact_branch_before_one_to_promote_to() {
    assert_eq!(
        read(r#""int""#, "5", r#"["null", "double", "boolean"]"#).as_deref(),
        Ok("5.0")
    );
    assert_eq!(
        read(r#""int""#, "5", r#"["double", "int"]"#).as_deref(),
        Ok(r#"{"int":5}"#)
    );
    assert_eq!(
        read(r#""int""#, "5", r#"["float", "long"]"#).as_deref(),
        Ok(r#"{"float":5.0}"#)
    );
    assert_eq!(
        refused(r#""string""#, r#"["null", "int"]"#),
        "the reader's union (null, int) has no branch for the writer's string"
    );
    let writer = r#"{"type": "record", "name": "b.R", "fields": [{"name": "x", "type": "int"}]}"#;
    let reader = r#"[{"type": "record", "name": "a.R", "fields": []},
        {"type": "record", "name": "b.R", "fields": [{"name": "x", "type": "int"}]}]"#;
    assert_eq!(
        read(writer, r#"{"x": 1}"#, reader).as_deref(),
        Ok(r#"{"b.R":{"x":1}}"#)
    );
}

#[test]
fn records_that_contain_themselves_are_resolved_once() {
    let writer = r#"{"type": "record", "name": "Node", "fields": [
        {"name": "v", "type": "int"}, {"name": "next", "type": ["null", "Node"]}]}"#;
    let reader = r#"{"type": "record", "name": "Node", "fields": [
        {"name": "next", "type": ["null", "Node"]}, {"name": "v", "type": "long"},
        {"name": "w", "type": "string", "default": "d"}]}"#;
    assert_eq!(
        read(
            writer,
            r#"{"v": 1, "next": {"v": 2, "next": null}}"#,
            reader
        )
        .as_deref(),
        Ok(r#"{"next":{"next":null,"v":2,"w":"d"},"v":1,"w":"d"}"#)
    );
}

#[test]
fn logical_types_have_to_mean_the_same() {
    let decimal = |of: &str, precision: u8, scale: u8| {
        format!(r#"{{{of}, "logicalType": "decimal", "precision": {precision}, "scale": {scale}}}"#)
    };
    let on_bytes = r#""type": "bytes""#;
    let on_fixed = r#""type": "fixed", "name": "F", "size": 8"#;
    let smaller = r#""type": "fixed", "name": "G", "size": 6"#;
    for (writer, reader) in [
        (on_bytes, on_fixed),
        (on_fixed, on_bytes),
        (on_fixed, smaller),
    ] {
        assert_eq!(
            read(&decimal(writer, 9, 2), r#""-1.5""#, &decimal(reader, 9, 2)).as_deref(),
            Ok(r#""-1.50""#)
        );
        assert!(refused(&decimal(writer, 9, 2), &decimal(reader, 9, 3)).contains("can't be read"));
    }
    assert_eq!(
        refused(&decimal(on_bytes, 9, 2), &decimal(on_bytes, 8, 2)),
        "the writer's bytes can't be read as bytes, a logical type that differs"
    );
    assert_eq!(
        refused(&long_of("timestamp-millis"), &long_of("timestamp-micros")),
        "the writer's long can't be read as long, a logical type that differs"
    );
    assert!(
        !refused(
            &long_of("timestamp-millis"),
            &long_of("local-timestamp-millis")
        )
        .is_empty()
    );
    // One that only one side knows: the numbers are what they are.
    assert_eq!(
        read(&long_of("timestamp-millis"), "5", r#""long""#).as_deref(),
        Ok("5")
    );
    assert_eq!(
        read(r#""int""#, "5", &long_of("timestamp-millis")).as_deref(),
        Ok(r#""1970-01-01T00:00:00.005Z""#)
    );
}

#[test]
fn what_cannot_be_read_at_all_says_where() {
    let of = |leaf: &str| {
        record(&format!(
            r#"{{"name": "lines", "type": {{"type": "array", "items":
                {{"type": "record", "name": "L", "fields": [{{"name": "x", "type": {{"type": "map", "values": {leaf}}}}}]}}}}}}"#
        ))
    };
    assert_eq!(
        refused(&of(r#""string""#), &of(r#""int""#)),
        "lines[*].x[*]: the writer's string can't be read as int"
    );
}

#[test]
fn what_the_reader_lacks_is_passed_over_whatever_it_is() {
    let writer = record(
        r#"{"name": "a", "type": {"type": "record", "name": "All", "fields": [
            {"name": "n", "type": "null"}, {"name": "b", "type": "boolean"}, {"name": "i", "type": "int"},
            {"name": "l", "type": "long"}, {"name": "f", "type": "float"}, {"name": "d", "type": "double"},
            {"name": "s", "type": "string"}, {"name": "y", "type": "bytes"},
            {"name": "x", "type": {"type": "fixed", "name": "X", "size": 3}},
            {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A"]}},
            {"name": "r", "type": {"type": "array", "items": ["null", "int", "string"]}},
            {"name": "m", "type": {"type": "map", "values": "All2"}}]}},
           {"name": "z", "type": "int"}"#,
    )
    .replace("\"All2\"", "\"string\"");
    let json = r#"{"a": {"n": null, "b": true, "i": 1, "l": 2, "f": 1, "d": 2, "s": "abc", "y": "AQ==",
        "x": "AQID", "e": "A", "r": [null, 5, "x"], "m": {"k": "v"}}, "z": 77}"#;
    let reader = record(r#"{"name": "z", "type": "int"}"#);
    assert_eq!(read(&writer, json, &reader).as_deref(), Ok(r#"{"z":77}"#));
    // Blocks that say their size are passed over at once.
    let writer = record(
        r#"{"name": "a", "type": {"type": "array", "items": "int"}}, {"name": "z", "type": "int"}"#,
    );
    let decoder = Decoder::new(&schema(&writer), Some(&schema(&reader))).unwrap();
    assert_eq!(
        decoded_by(&decoder, &[3, 4, 4, 6, 0, 8]).as_deref(),
        Ok(r#"{"z":4}"#)
    );
}
