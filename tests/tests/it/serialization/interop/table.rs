//! Values of every type, as Python's clients have them (in the notation of
//! `tests/python/plain.py`) and as Millrace's plugins see them.

use serde_json::{Value, json};

/// One type, and values of it: Python's and Millrace's.
pub struct Case {
    name: &'static str,
    schema: Value,
    values: Vec<(Value, Value)>,
}

/// The schema of a record with a field for each case, called like it.
pub fn schema() -> String {
    let field = |case: Case| json!({ "name": case.name, "type": case.schema });
    let fields: Vec<_> = cases().into_iter().map(field).collect();
    json!({ "type": "record", "name": "Everything", "namespace": "mill", "fields": fields })
        .to_string()
}

/// So many records that each value is in one: Python's and Millrace's.
pub fn rows() -> Vec<(Value, Value)> {
    let cases = cases();
    let count = cases.iter().map(|case| case.values.len()).max();
    let row = |number| {
        let (mut python, mut millrace) = (json!({}), json!({}));
        for Case { name, values, .. } in &cases {
            let (theirs, ours): &(Value, Value) = &values[number % values.len()];
            python[name] = theirs.clone();
            millrace[name] = ours.clone();
        }
        (python, millrace)
    };
    (0..count.unwrap_or(0)).map(row).collect()
}

/// A logical type on another type.
fn logical(on: &str, name: &str) -> Value {
    json!({ "type": on, "logicalType": name })
}

fn case(name: &'static str, schema: Value, values: impl Into<Vec<(Value, Value)>>) -> Case {
    let values = values.into();
    Case {
        name,
        schema,
        values,
    }
}

/// Where both sides have the same.
fn same<const N: usize>(name: &'static str, schema: Value, values: [Value; N]) -> Case {
    case(name, schema, values.map(|value| (value.clone(), value)))
}

/// Where Python has a type of its own: `$NAME` and each text, beside Millrace's text.
fn tagged<const N: usize>(
    name: &'static str,
    schema: Value,
    tag: &str,
    values: [(&str, &str); N],
) -> Case {
    case(
        name,
        schema,
        values.map(|(theirs, ours)| (json!({ tag: theirs }), json!(ours))),
    )
}

fn cases() -> Vec<Case> {
    [primitives(), logicals(), complexes()]
        .into_iter()
        .flatten()
        .collect()
}

fn primitives() -> Vec<Case> {
    let mut doubles = vec![0.1, 1.0, -0.0, f64::MAX, f64::MIN_POSITIVE, 5e-324]
        .into_iter()
        .map(|number| (json!(number), json!(number)))
        .collect::<Vec<_>>();
    for (theirs, ours) in [("nan", "NaN"), ("inf", "Infinity"), ("-inf", "-Infinity")] {
        doubles.push((json!({ "$float": theirs }), json!(ours)));
    }
    let floats = vec![
        (json!(1.5), json!(1.5)),
        (json!({ "$float": "nan" }), json!("NaN")),
        (json!({ "$float": "-inf" }), json!("-Infinity")),
    ];
    vec![
        same("flag", json!("boolean"), [json!(true), json!(false)]),
        same(
            "int",
            json!("int"),
            [json!(i32::MIN), json!(-1), json!(0), json!(i32::MAX)],
        ),
        same(
            "long",
            json!("long"),
            [
                json!(i64::MIN),
                json!(i64::MAX),
                // No double is this.
                json!(9_007_199_254_740_993_i64),
                json!(-64),
                json!(64),
            ],
        ),
        case("float", json!("float"), floats),
        case("double", json!("double"), doubles),
        same(
            "text",
            json!("string"),
            [json!(""), json!("a\"\\\n\u{0}ü€𝄞"), json!("x".repeat(1000))],
        ),
        tagged(
            "bytes",
            json!("bytes"),
            "$bytes",
            [("", ""), ("AP8=", "AP8="), ("AAECAwQ=", "AAECAwQ=")],
        ),
        tagged(
            "fixed",
            json!({ "type": "fixed", "name": "Three", "size": 3 }),
            "$bytes",
            [("AAEC", "AAEC"), ("////", "////")],
        ),
        same(
            "choice",
            json!({ "type": "enum", "name": "Choice", "symbols": ["A", "B_2", "C"] }),
            [json!("A"), json!("C"), json!("B_2")],
        ),
    ]
}

fn logicals() -> Vec<Case> {
    let amount = json!({ "type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 2 });
    let price = json!({ "type": "fixed", "name": "Price", "size": 8, "logicalType": "decimal",
        "precision": 18, "scale": 4 });
    let whole = json!({ "type": "bytes", "logicalType": "decimal", "precision": 5 });
    vec![
        tagged(
            "decimal_bytes",
            amount,
            "$decimal",
            [
                ("0.00", "0.00"),
                ("-0.01", "-0.01"),
                ("1.28", "1.28"),
                (
                    "9999999999999999999999999999.99",
                    "9999999999999999999999999999.99",
                ),
                (
                    "-9999999999999999999999999999.99",
                    "-9999999999999999999999999999.99",
                ),
            ],
        ),
        tagged(
            "decimal_fixed",
            price,
            "$decimal",
            [
                ("1.2000", "1.2000"),
                ("-12345678901234.5678", "-12345678901234.5678"),
            ],
        ),
        tagged(
            "decimal_whole",
            whole,
            "$decimal",
            [("-128", "-128"), ("99999", "99999")],
        ),
        tagged(
            "date",
            logical("int", "date"),
            "$date",
            [
                ("2024-02-29", "2024-02-29"),
                ("1969-12-31", "1969-12-31"),
                ("0001-01-01", "0001-01-01"),
                ("9999-12-31", "9999-12-31"),
            ],
        ),
        tagged(
            "time_millis",
            logical("int", "time-millis"),
            "$time",
            [
                ("00:00:00", "00:00:00.000"),
                ("23:59:59.999000", "23:59:59.999"),
            ],
        ),
        tagged(
            "time_micros",
            logical("long", "time-micros"),
            "$time",
            [
                ("13:45:00", "13:45:00.000000"),
                ("23:59:59.999999", "23:59:59.999999"),
            ],
        ),
        tagged(
            "timestamp_millis",
            logical("long", "timestamp-millis"),
            "$datetime",
            [
                (
                    "2024-02-29T13:45:00.123000+00:00",
                    "2024-02-29T13:45:00.123Z",
                ),
                (
                    "1969-12-31T23:59:59.999000+00:00",
                    "1969-12-31T23:59:59.999Z",
                ),
                ("0001-01-01T00:00:00+00:00", "0001-01-01T00:00:00.000Z"),
            ],
        ),
        tagged(
            "timestamp_micros",
            logical("long", "timestamp-micros"),
            "$datetime",
            [
                (
                    "2024-02-29T13:45:00.123456+00:00",
                    "2024-02-29T13:45:00.123456Z",
                ),
                (
                    "9999-12-31T23:59:59.999999+00:00",
                    "9999-12-31T23:59:59.999999Z",
                ),
            ],
        ),
        tagged(
            "local_millis",
            logical("long", "local-timestamp-millis"),
            "$datetime",
            [
                ("2024-02-29T13:45:00.123000", "2024-02-29T13:45:00.123"),
                ("1969-12-31T23:59:59", "1969-12-31T23:59:59.000"),
            ],
        ),
        tagged(
            "local_micros",
            logical("long", "local-timestamp-micros"),
            "$datetime",
            [("2024-02-29T13:45:00.123456", "2024-02-29T13:45:00.123456")],
        ),
        // fastavro does not know these four: it has the number, or the bytes.
        case(
            "timestamp_nanos",
            logical("long", "timestamp-nanos"),
            [(
                json!(1_709_214_300_123_456_789_i64),
                json!("2024-02-29T13:45:00.123456789Z"),
            )],
        ),
        case(
            "local_nanos",
            logical("long", "local-timestamp-nanos"),
            [(
                json!(1_709_214_300_123_456_789_i64),
                json!("2024-02-29T13:45:00.123456789"),
            )],
        ),
        case(
            "uuid_fixed",
            json!({ "type": "fixed", "name": "Id", "size": 16, "logicalType": "uuid" }),
            [(
                json!({ "$bytes": "ASNFZ4mrze8BI0VniavN7w==" }),
                json!("01234567-89ab-cdef-0123-456789abcdef"),
            )],
        ),
        case(
            "duration",
            json!({ "type": "fixed", "name": "Span", "size": 12, "logicalType": "duration" }),
            [(
                json!({ "$bytes": "AQAAAAIAAAD/////" }),
                json!({ "months": 1, "days": 2, "millis": u32::MAX }),
            )],
        ),
        tagged(
            "uuid",
            logical("string", "uuid"),
            "$uuid",
            [(
                "01234567-89ab-cdef-0123-456789abcdef",
                "01234567-89ab-cdef-0123-456789abcdef",
            )],
        ),
    ]
}

fn complexes() -> Vec<Case> {
    let record = |name: &str| json!({ "type": "record", "name": name, "fields": [{ "name": "x", "type": "long" }] });
    // What Python is told of a union's branch, and tells of it.
    let branch = |name: &str, value: Value| json!({ "$branch": [format!("mill.{name}"), value] });
    let one = json!({ "x": 1 });
    let tree = json!({ "type": "record", "name": "Tree", "fields": [
        { "name": "label", "type": "string" },
        { "name": "kids", "type": { "type": "array", "items": "Tree" } },
        { "name": "next", "type": ["null", "Tree"], "default": null },
    ]});
    let leaf = |label: &str, kids: Value, next: Value| json!({ "label": label, "kids": kids, "next": next });
    vec![
        same(
            "list",
            json!({ "type": "array", "items": "string" }),
            [json!([]), json!(["a", "ü", ""])],
        ),
        same(
            "lists",
            json!({ "type": "array", "items": { "type": "array", "items": "int" } }),
            [json!([[1, 2], [], [3]])],
        ),
        same(
            "map",
            json!({ "type": "map", "values": "long" }),
            [json!({}), json!({ "a": 1, "": 2, "ü": i64::MIN })],
        ),
        case(
            "dates",
            json!({ "type": "map", "values": logical("int", "date") }),
            [(
                json!({ "leap": { "$date": "2024-02-29" } }),
                json!({ "leap": "2024-02-29" }),
            )],
        ),
        same(
            "optional",
            json!(["null", "string"]),
            [json!(null), json!("x")],
        ),
        same(
            "number_or_text",
            json!(["long", "string", "boolean", "null"]),
            [json!(1), json!("1"), json!(true), json!(null)],
        ),
        case(
            "optional_decimal",
            json!(["null", { "type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 1 }]),
            [
                (json!(null), json!(null)),
                (json!({ "$decimal": "-0.5" }), json!("-0.5")),
            ],
        ),
        case(
            "optional_time",
            json!(["null", logical("long", "timestamp-millis")]),
            [(
                json!({ "$datetime": "2024-02-29T13:45:00+00:00" }),
                json!("2024-02-29T13:45:00.000Z"),
            )],
        ),
        // Two branches look alike in JSON.
        case(
            "text_or_bytes",
            json!(["null", "string", "bytes"]),
            [
                (json!(null), json!(null)),
                (json!("AA=="), json!({ "string": "AA==" })),
                (json!({ "$bytes": "AA==" }), json!({ "bytes": "AA==" })),
            ],
        ),
        case(
            "left_or_right",
            json!([record("Left"), record("Right")]),
            [
                (branch("Left", one.clone()), json!({ "mill.Left": one })),
                (branch("Right", one.clone()), json!({ "mill.Right": one })),
            ],
        ),
        same(
            "nested",
            json!({ "type": "record", "name": "Outer", "namespace": "other", "fields": [
                { "name": "inner", "type": record("Inner") },
                { "name": "again", "type": { "type": "array", "items": "other.Inner" } },
            ]}),
            [json!({ "inner": { "x": 1 }, "again": [{ "x": 2 }, { "x": 3 }] })],
        ),
        case(
            "tree",
            tree,
            [
                (
                    leaf(
                        "root",
                        json!([leaf("kid", json!([]), json!(null))]),
                        json!(null),
                    ),
                    leaf(
                        "root",
                        json!([leaf("kid", json!([]), json!(null))]),
                        json!(null),
                    ),
                ),
                (
                    leaf(
                        "root",
                        json!([]),
                        branch("Tree", leaf("next", json!([]), json!(null))),
                    ),
                    leaf("root", json!([]), leaf("next", json!([]), json!(null))),
                ),
            ],
        ),
    ]
}
