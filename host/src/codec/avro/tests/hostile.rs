//! Input that nobody meant well with: no panic, no recursion without end, no more
//! memory than the input warrants. The fuzzer's targets (`host/fuzz`), driven here by a
//! seeded mutator over the same corpus, so that each `make test` runs some of it.

use std::path::Path;
use std::time::{Duration, Instant};

use super::generated::Generator;
use super::{Decoder, Schema, decoded, decoded_by, schema};

#[path = "../../../../fuzz/harness.rs"]
mod harness;

/// How many mutations of each of a target's corpus files a test run tries.
const MUTATIONS: u64 = 2_000;

/// Runs a target over its corpus, and over mutations of it.
fn run(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name);
    let mut files: Vec<_> = folder
        .read_dir()
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let corpus: Vec<Vec<u8>> = files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect();
    for (place, input) in corpus.iter().enumerate() {
        target(input);
        for seed in 0..MUTATIONS {
            let mut random = fastrand::Rng::with_seed(seed << 8 | place as u64);
            let mut mutated = input.clone();
            for _ in 0..random.usize(1..6) {
                mutate(&mut mutated, &corpus, &mut random);
            }
            target(&mutated);
        }
    }
}

fn mutate(input: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut fastrand::Rng) {
    const TELLING: [u8; 12] = [0, 1, 2, 3, 0x7f, 0x80, 0xfe, 0xff, b'"', b'{', b'[', b'9'];
    let at = random.usize(..=input.len());
    let some = |random: &mut fastrand::Rng| match random.bool() {
        true => TELLING[random.usize(..TELLING.len())],
        false => random.u8(..),
    };
    match random.u8(..7) {
        0 => input.truncate(at),
        1 => input.insert(at, some(random)),
        2 if at < input.len() => drop(input.remove(at)),
        3 if at < input.len() => input[at] = some(random),
        4 if at < input.len() => input[at] ^= 1 << random.u8(..8),
        5 => {
            // A piece of it, again.
            let end = random.usize(at..=input.len());
            let piece = input[at..end].to_vec();
            let to = random.usize(..=input.len());
            input.splice(to..to, piece);
        }
        _ => {
            let other = &corpus[random.usize(..corpus.len())];
            let from = random.usize(..=other.len());
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
    }
}

#[test]
fn bytes_of_any_kind_decode_or_are_refused() {
    run("avro_decode", harness::avro_decode);
}

#[test]
fn text_of_any_kind_encodes_or_is_refused() {
    run("avro_encode", harness::avro_encode);
}

#[test]
fn schemas_of_any_kind_are_taken_or_refused() {
    run("avro_schema", harness::avro_schema);
}

#[test]
fn data_that_is_cut_off_or_damaged_is_refused_or_is_other_data() {
    for seed in 0..1_000 {
        let mut generator = Generator::new(seed, false);
        let of = generator.of_size(30);
        let schema = schema(&generator.schema(&of).to_string());
        let decoder = Decoder::new(&schema, None).unwrap();
        let bytes = generator.datum(&of, 100);
        for cut in 0..bytes.len().min(200) {
            decoded_by(&decoder, &bytes[..cut]).unwrap_err();
        }
        let mut longer = bytes.clone();
        longer.push(0);
        decoded_by(&decoder, &longer).unwrap_err();
        for _ in 0..50 {
            let mut damaged = bytes.clone();
            mutate(
                &mut damaged,
                std::slice::from_ref(&bytes),
                &mut generator.random,
            );
            let _ = decoded_by(&decoder, &damaged);
        }
    }
}

#[test]
fn a_short_message_of_a_recursive_schema_does_not_overflow_the_stack() {
    let list = schema(
        r#"{"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]}"#,
    );
    let nested = |levels: usize| {
        let mut bytes = vec![2; levels - 1];
        bytes.push(0);
        bytes
    };
    let json = decoded(&list, &nested(120)).unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
    assert_eq!(super::encoded(&list, &json), Ok(nested(120)));
    let error = decoded(&list, &nested(121)).unwrap_err();
    assert!(error.ends_with("nested deeper than 120 levels"), "{error}");
    decoded(&list, &nested(1_000_000)).unwrap_err();
    let json = format!("{}null{}", r#"{"next":"#.repeat(121), "}".repeat(121));
    let error = super::encoded(&list, &json).unwrap_err();
    assert!(error.ends_with("nested deeper than 120 levels"), "{error}");
}

#[test]
fn a_duration_is_a_level_in_both_directions() {
    let list = schema(
        r#"{"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L",
            {"type": "array", "items": {"type": "fixed", "name": "D", "size": 12,
             "logicalType": "duration"}}]}]}"#,
    );
    let of = |records: usize| {
        let mut bytes = vec![2; records - 1];
        bytes.extend([4, 2]);
        bytes.extend([0; 12]);
        bytes.push(0);
        bytes
    };
    let json = decoded(&list, &of(118)).unwrap();
    assert_eq!(super::encoded(&list, &json), Ok(of(118)));
    let error = decoded(&list, &of(119)).unwrap_err();
    assert!(error.ends_with("nested deeper than 120 levels"), "{error}");
}

#[test]
fn values_of_no_bytes_come_to_an_end() {
    let most = super::varint(i64::MAX);
    let nulls = schema(r#"{"type": "array", "items": "null"}"#);
    let nothings = schema(
        r#"{"type": "record", "name": "R", "fields": [{"name": "a", "type":
            {"type": "array", "items": {"type": "record", "name": "N", "fields": []}}}]}"#,
    );
    let reader = schema(r#"{"type": "record", "name": "R", "fields": []}"#);
    let passed_over = Decoder::new(&nothings, Some(&reader)).unwrap();
    let began = Instant::now();
    for outcome in [
        decoded(&nulls, &most),
        decoded(&nothings, &most),
        decoded_by(&passed_over, &most),
    ] {
        let error = outcome.unwrap_err();
        assert!(error.contains("far more values or text"), "{error}");
    }
    assert!(began.elapsed() < Duration::from_secs(5));
    // As many as fit are no attack.
    let mut some = super::varint(1_000);
    some.push(0);
    assert_eq!(decoded(&nulls, &some).unwrap().len(), 5_001);
}

#[test]
fn claims_are_not_believed() {
    let most = super::varint(i64::MAX);
    let negative = super::varint(-1);
    for of in [r#""bytes""#, r#""string""#] {
        let of = schema(of);
        decoded(&of, &most).unwrap_err();
        assert_eq!(decoded(&of, &negative).unwrap_err(), "a length of -1 bytes");
    }
    let fixed = schema(r#"{"type": "fixed", "name": "F", "size": 4611686018427387904}"#);
    decoded(&fixed, &[0; 10]).unwrap_err();
    super::encoded(&fixed, r#""AQ==""#).unwrap_err();
    let array = schema(r#"{"type": "array", "items": "int"}"#);
    assert_eq!(
        decoded(&array, &[1, 1, 2, 0]).unwrap_err(),
        "a block of -1 bytes, where 2 are left"
    );
    let least = [super::varint(i64::MIN), super::varint(0), vec![2, 0]].concat();
    decoded(&array, &least).unwrap_err();
}

#[test]
fn what_no_writer_writes_is_refused() {
    for (of, bytes, error) in [
        (r#""boolean""#, &[2][..], "a boolean of 2"),
        (
            r#""int""#,
            &[0x80, 0x80, 0x80, 0x80, 0x10],
            "2147483648 is outside of the range of an int",
        ),
        (r#""long""#, &[0xff; 10], "an integer of more than 64 bits"),
        (r#""long""#, &[0x80; 11], "an integer of more than 64 bits"),
        (
            r#""long""#,
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
            "an integer of more than 64 bits",
        ),
        (r#""long""#, &[0x80], "the data ends inside an integer"),
        (r#""long""#, &[], "the data ends inside an integer"),
        (
            r#""double""#,
            &[0; 7],
            "the data ends: 8 bytes expected, 7 left",
        ),
        (r#""string""#, &[2, 0xff], "the string is not UTF-8"),
        (r#""null""#, &[0], "1 bytes behind the value"),
        (r#"["null", "int"]"#, &[4], "number 2 of 2 branches"),
        (r#"["null", "int"]"#, &[1], "number -1 of 2 branches"),
        ("[]", &[0], "number 0 of 0 branches"),
        (
            r#"{"type": "enum", "name": "E", "symbols": ["A"]}"#,
            &[2],
            "number 1 of 1 symbols",
        ),
        (
            r#"{"type": "record", "name": "R", "fields": [{"name": "a", "type":
            {"type": "array", "items": {"type": "map", "values": "boolean"}}}]}"#,
            &[2, 2, 2, b'k', 7],
            "a[0][\"k\"]: a boolean of 7",
        ),
    ] {
        assert_eq!(decoded(&schema(of), bytes).unwrap_err(), error, "{of}");
    }
}

#[test]
fn a_decimal_of_absurd_length_is_refused() {
    let of = schema(r#"{"type": "bytes", "logicalType": "decimal", "precision": 9}"#);
    let mut bytes = super::varint(1 << 20);
    bytes.resize(bytes.len() + (1 << 20), 0x7f);
    assert_eq!(
        decoded(&of, &bytes).unwrap_err(),
        "a decimal of 1048576 bytes"
    );
    let json = format!("\"{}\"", "9".repeat(1 << 20));
    super::encoded(&of, &json).unwrap_err();
    let zeros = format!("\"{}\"", "0".repeat(1 << 20));
    assert_eq!(super::encoded(&of, &zeros), Ok(vec![2, 0]));
}

#[test]
fn short_text_does_not_become_any_number_of_defaults() {
    let of = schema(&format!(
        r#"{{"type": "array", "items": {{"type": "record", "name": "R", "fields": [
            {{"name": "a", "type": "string", "default": "{}"}}]}}}}"#,
        "x".repeat(10_000)
    ));
    let json = format!("[{}{{}}]", "{},".repeat(10_000));
    let error = super::encoded(&of, &json).unwrap_err();
    assert!(error.contains("far more defaults"), "{error}");
}

#[test]
fn defaults_of_no_bytes_come_to_an_end() {
    let fields: Vec<String> = (0..10_000)
        .map(|n| format!(r#"{{"name": "f{n}", "type": "null", "default": null}}"#))
        .collect();
    let of = schema(&format!(
        r#"{{"type": "array", "items": {{"type": "record", "name": "R", "fields": [{}]}}}}"#,
        fields.join(",")
    ));
    let json = format!("[{}{{}}]", "{},".repeat(1_000));
    let error = super::encoded(&of, &json).unwrap_err();
    assert!(error.contains("far more defaults"), "{error}");
    super::encoded(&of, "[{},{},{}]").unwrap();
}

#[test]
fn nothing_behind_long_names_is_no_attack() {
    let fields: Vec<String> = (0..40)
        .map(|n| format!(r#"{{"name": "{n:060}", "type": ["null", "int"]}}"#))
        .collect();
    let nulls = schema(&format!(
        r#"{{"type": "array", "items": {{"type": "record", "name": "R", "fields": [{}]}}}}"#,
        fields.join(",").replace(r#""name": "0"#, r#""name": "n"#)
    ));
    let mut bytes = super::varint(1_000);
    bytes.resize(bytes.len() + 40_000 + 1, 0);
    assert!(decoded(&nulls, &bytes).unwrap().len() > 64 * bytes.len());
    let of = |name: &str| {
        format!(
            r#"{{"type": "enum", "name": "{}", "symbols": ["{}"]}}"#,
            name.repeat(100),
            "S".repeat(100)
        )
    };
    let enums = schema(&format!(
        r#"{{"type": "array", "items": [{}, {}]}}"#,
        of("A"),
        of("B")
    ));
    let mut bytes = super::varint(20_000);
    bytes.resize(bytes.len() + 40_000 + 1, 0);
    assert!(decoded(&enums, &bytes).unwrap().len() > 64 * bytes.len());
}

#[test]
fn defaults_count_as_levels() {
    let deep = format!(
        r#"{{"name": "deep", "type": {}"array", "items": "int"{}, "default": {}{}}}"#,
        r#"{"type": "array", "items": "#.repeat(19) + r#"{"type": "#,
        "}".repeat(20),
        "[".repeat(20),
        "]".repeat(20),
    );
    let next = r#"{"name": "next", "type": ["null", "L"]}"#;
    let of = |fields: &str| {
        schema(&format!(
            r#"{{"type": "record", "name": "L", "fields": [{fields}]}}"#
        ))
    };
    let (without, with) = (of(next), of(&format!("{next}, {deep}")));
    let json = |levels: usize| {
        let inner = r#"{"next":null}"#;
        format!(
            "{}{inner}{}",
            r#"{"next":"#.repeat(levels - 1),
            "}".repeat(levels - 1)
        )
    };
    let resolved = Decoder::new(&without, Some(&with)).unwrap();
    let read = |levels: usize| {
        let bytes = super::encoded(&without, &json(levels)).unwrap();
        decoded_by(&resolved, &bytes)
    };
    super::encoded(&with, &read(100).unwrap()).unwrap();
    super::encoded(&with, &json(100)).unwrap();
    let error = read(101).unwrap_err();
    assert!(
        error.ends_with("deep: nested deeper than 120 levels"),
        "{error}"
    );
    let error = super::encoded(&with, &json(101)).unwrap_err();
    assert!(error.ends_with("nested deeper than 120 levels"), "{error}");
}
