//! Each line of the table, in both directions.

use super::{decoded, encoded, schema};

/// This JSON and these bytes are each other.
fn same(of: &str, json: &str, bytes: &[u8]) {
    let schema = schema(of);
    assert_eq!(encoded(&schema, json).as_deref(), Ok(bytes), "{of}: {json}");
    assert_eq!(decoded(&schema, bytes).as_deref(), Ok(json), "{of}: {json}");
}

/// This JSON is taken as what that JSON is.
fn taken(of: &str, json: &str, canonical: &str) {
    let schema = schema(of);
    let bytes = encoded(&schema, json).unwrap_or_else(|error| panic!("{of}: {json}: {error}"));
    assert_eq!(
        decoded(&schema, &bytes).as_deref(),
        Ok(canonical),
        "{of}: {json}"
    );
}

#[test]
fn null_and_booleans_are_themselves() {
    same(r#""null""#, "null", &[]);
    same(r#""boolean""#, "true", &[1]);
    same(r#""boolean""#, "false", &[0]);
}

#[test]
fn whole_numbers_have_their_full_range() {
    same(r#""int""#, "-2147483648", &[0xff, 0xff, 0xff, 0xff, 0x0f]);
    same(r#""int""#, "2147483647", &[0xfe, 0xff, 0xff, 0xff, 0x0f]);
    same(r#""long""#, "0", &[0]);
    same(r#""long""#, "-64", &[0x7f]);
    same(
        r#""long""#,
        "9223372036854775807",
        &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
    );
    same(
        r#""long""#,
        "-9223372036854775808",
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
    );
}

#[test]
fn whole_numbers_may_come_as_digits_in_a_string() {
    taken(
        r#""long""#,
        r#""9223372036854775807""#,
        "9223372036854775807",
    );
    taken(r#""int""#, r#""-5""#, "-5");
    taken(r#"["null", "long"]"#, r#""7""#, "7");
    taken(r#"["long", "string"]"#, r#""7""#, r#""7""#);
}

#[test]
fn floats_have_as_many_digits_as_they_need() {
    same(r#""float""#, "0.1", &0.1_f32.to_le_bytes());
    same(r#""float""#, "3.4028235e+38", &f32::MAX.to_le_bytes());
    same(r#""float""#, "1e-45", &f32::from_bits(1).to_le_bytes());
    same(r#""double""#, "0.1", &0.1_f64.to_le_bytes());
    same(r#""double""#, "5e-324", &f64::from_bits(1).to_le_bytes());
    same(r#""double""#, "-0.0", &(-0.0_f64).to_le_bytes());
    same(r#""float""#, "-0.0", &(-0.0_f32).to_le_bytes());
    taken(r#""double""#, "5", "5.0");
    taken(r#""float""#, "-5", "-5.0");
}

#[test]
fn every_float_survives_the_way_over_a_double() {
    let schema = schema(r#""float""#);
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..100_000 {
        let float = f32::from_bits(random.u32(..));
        if float.is_nan() {
            continue;
        }
        let json = decoded(&schema, &float.to_le_bytes()).unwrap();
        assert_eq!(
            encoded(&schema, &json).unwrap(),
            float.to_le_bytes(),
            "{json}"
        );
    }
}

#[test]
fn a_whole_number_is_rounded_to_a_float_once() {
    // The double next to it lies in the middle between two floats.
    for (json, float) in [
        ("9007199791611905", 9_007_200_328_482_816_f32),
        ("-9007199791611905", -9_007_200_328_482_816_f32),
    ] {
        assert_eq!(
            encoded(&schema(r#""float""#), json).as_deref(),
            Ok(&float.to_le_bytes()[..]),
            "{json}"
        );
    }
}

#[test]
fn what_no_json_number_is_becomes_a_string() {
    for (text, double, float) in [
        ("NaN", f64::NAN, f32::NAN),
        ("Infinity", f64::INFINITY, f32::INFINITY),
        ("-Infinity", f64::NEG_INFINITY, f32::NEG_INFINITY),
    ] {
        let json = format!("\"{text}\"");
        same(r#""double""#, &json, &double.to_le_bytes());
        same(r#""float""#, &json, &float.to_le_bytes());
    }
}

#[test]
fn bytes_and_fixed_are_base64() {
    same(r#""bytes""#, r#""""#, &[0]);
    same(r#""bytes""#, r#""AQ==""#, &[2, 1]);
    same(r#""bytes""#, r#""+/8B""#, &[6, 0xfb, 0xff, 1]);
    same(
        r#"{"type": "fixed", "name": "F", "size": 2}"#,
        r#""AQI=""#,
        &[1, 2],
    );
}

#[test]
fn strings_are_escaped_where_json_asks_for_it() {
    same(r#""string""#, r#""a\"\\\n\r\t\u0001\u001fé€😀/""#, &{
        let text = "a\"\\\n\r\t\u{1}\u{1f}é€😀/";
        let mut bytes = super::varint(text.len());
        bytes.extend_from_slice(text.as_bytes());
        bytes
    });
    taken(r#""string""#, r#""\u00e9\/\ud83d\ude00""#, r#""é/😀""#);
}

#[test]
fn an_enum_is_its_symbol() {
    let of = r#"{"type": "enum", "name": "E", "symbols": ["A", "B"]}"#;
    same(of, r#""B""#, &[2]);
}

#[test]
fn arrays_and_maps_keep_their_order() {
    let of = r#"{"type": "array", "items": "int"}"#;
    same(of, "[]", &[0]);
    same(of, "[3,1]", &[4, 6, 2, 0]);
    let of = r#"{"type": "map", "values": "int"}"#;
    same(of, "{}", &[0]);
    same(of, r#"{"b":1,"a":2}"#, &[4, 2, b'b', 2, 2, b'a', 4, 0]);
    // Avro's maps may say a key twice, and so may JSON.
    same(of, r#"{"a":1,"a":2}"#, &[4, 2, b'a', 2, 2, b'a', 4, 0]);
}

#[test]
fn a_long_array_has_a_count_of_several_bytes() {
    let of = schema(r#"{"type": "array", "items": "int"}"#);
    for count in [63, 64, 8191, 8192, 100_000] {
        let json = format!("[{}]", vec!["1"; count].join(","));
        let bytes = encoded(&of, &json).unwrap();
        let mut expected = super::varint(count);
        expected.resize(expected.len() + count, 2);
        expected.push(0);
        assert!(bytes == expected, "{count}");
        assert!(decoded(&of, &bytes).unwrap() == json, "{count}");
    }
}

#[test]
fn blocks_are_read_however_they_are_cut() {
    let of = schema(r#"{"type": "array", "items": "int"}"#);
    let blocks = [2, 2, 3, 4, 4, 6, 0]; // One item; two, behind the two bytes they take.
    assert_eq!(decoded(&of, &blocks).as_deref(), Ok("[1,2,3]"));
}

#[test]
fn a_decimal_has_all_the_digits_of_its_scale() {
    let of = r#"{"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}"#;
    same(of, r#""0.00""#, &[2, 0]);
    same(of, r#""12.34""#, &[4, 0x04, 0xd2]);
    same(of, r#""-0.05""#, &[2, 0xfb]);
    same(of, r#""-1.28""#, &[2, 0x80]);
    same(of, r#""1.28""#, &[4, 0, 0x80]);
    same(of, r#""9999999.99""#, &[8, 0x3b, 0x9a, 0xc9, 0xff]);
    taken(of, "12", r#""12.00""#);
    taken(of, "12.3", r#""12.30""#);
    taken(of, r#""-7""#, r#""-7.00""#);
    taken(of, r#""-0""#, r#""0.00""#);
    taken(of, r#""0000000000012""#, r#""12.00""#);
    let whole = r#"{"type": "bytes", "logicalType": "decimal", "precision": 3}"#;
    same(whole, r#""-999""#, &[4, 0xfc, 0x19]);
}

#[test]
fn a_decimal_may_be_of_any_length() {
    let of = r#"{"type": "bytes", "logicalType": "decimal", "precision": 60, "scale": 30}"#;
    let json = r#""-123456789012345678901234567890.123456789012345678901234567890""#;
    let schema = schema(of);
    let bytes = encoded(&schema, json).unwrap();
    assert_eq!(decoded(&schema, &bytes).as_deref(), Ok(json));
    taken(of, r#""1""#, r#""1.000000000000000000000000000000""#);
}

#[test]
fn a_decimal_on_a_fixed_fills_it_with_its_sign() {
    let of = r#"{"type": "fixed", "name": "F", "size": 4, "logicalType": "decimal", "precision": 5, "scale": 1}"#;
    same(of, r#""0.5""#, &[0, 0, 0, 5]);
    same(of, r#""-0.5""#, &[0xff, 0xff, 0xff, 0xfb]);
}

#[test]
fn dates_and_times_of_day_are_what_rfc_3339_calls_them() {
    let date = r#"{"type": "int", "logicalType": "date"}"#;
    same(date, r#""1970-01-01""#, &[0]);
    same(date, r#""2024-02-29""#, &super::varint(19_782));
    same(date, r#""0000-01-01""#, &super::varint(-719_528));
    same(date, r#""9999-12-31""#, &super::varint(2_932_896));
    let millis = r#"{"type": "int", "logicalType": "time-millis"}"#;
    same(millis, r#""13:45:00.123""#, &super::varint(49_500_123));
    taken(millis, r#""13:45:00""#, r#""13:45:00.000""#);
    let micros = r#"{"type": "long", "logicalType": "time-micros"}"#;
    same(
        micros,
        r#""23:59:59.999999""#,
        &super::varint(86_399_999_999_i64),
    );
}

#[test]
fn instants_are_rfc_3339_in_utc() {
    let of = |name| format!(r#"{{"type": "long", "logicalType": "{name}"}}"#);
    let instant = 1_709_214_300_123_456_789_i64; // 2024-02-29T13:45:00.123456789Z
    for (name, text, unit) in [
        ("timestamp-millis", "2024-02-29T13:45:00.123Z", 1_000_000),
        ("timestamp-micros", "2024-02-29T13:45:00.123456Z", 1_000),
        ("timestamp-nanos", "2024-02-29T13:45:00.123456789Z", 1),
        (
            "local-timestamp-millis",
            "2024-02-29T13:45:00.123",
            1_000_000,
        ),
        (
            "local-timestamp-micros",
            "2024-02-29T13:45:00.123456",
            1_000,
        ),
        ("local-timestamp-nanos", "2024-02-29T13:45:00.123456789", 1),
    ] {
        same(
            &of(name),
            &format!("\"{text}\""),
            &super::varint(instant / unit),
        );
    }
    let millis = of("timestamp-millis");
    same(&millis, r#""1969-12-31T23:59:59.999Z""#, &[1]);
    for text in [
        "2024-02-29T14:45:00.5+01:00",
        "2024-02-29t12:15:00.500000000-01:30",
        "2024-02-29 13:45:00.50z",
    ] {
        let json = format!("\"{text}\"");
        taken(&millis, &json, r#""2024-02-29T13:45:00.500Z""#);
    }
}

#[test]
fn times_that_rfc_3339_cannot_say_are_numbers() {
    let of = |on, name| format!(r#"{{"type": "{on}", "logicalType": "{name}"}}"#);
    for (on, name, number) in [
        ("int", "date", 2_932_897_i64),
        ("int", "date", -719_529),
        ("int", "date", i64::from(i32::MIN)),
        ("int", "time-millis", -1),
        ("int", "time-millis", 86_400_000),
        ("long", "time-micros", 86_400_000_000),
        ("long", "timestamp-millis", 253_402_300_800_000),
        ("long", "timestamp-millis", i64::MAX),
        ("long", "timestamp-micros", i64::MIN),
        ("long", "local-timestamp-micros", i64::MAX),
    ] {
        same(&of(on, name), &number.to_string(), &super::varint(number));
    }
    taken(
        &of("long", "timestamp-millis"),
        "0",
        r#""1970-01-01T00:00:00.000Z""#,
    );
    // An offset may lead out of the years that can be said.
    taken(
        &of("long", "timestamp-millis"),
        r#""9999-12-31T23:59:59-01:00""#,
        "253402304399000",
    );
}

#[test]
fn every_day_of_ten_thousand_years_is_the_one_that_jiff_says() {
    let mut text = Vec::new();
    let epoch = jiff::civil::date(1970, 1, 1);
    let mut day = jiff::civil::date(0, 1, 1);
    loop {
        let days = epoch.until(day).unwrap().get_days();
        text.clear();
        assert!(crate::codec::avro::time::put_date(
            &mut text,
            i64::from(days)
        ));
        let text = std::str::from_utf8(&text).unwrap().trim_matches('"');
        assert_eq!(text, day.to_string());
        assert_eq!(crate::codec::avro::time::date(text), Ok(i64::from(days)));
        match day.tomorrow() {
            Ok(tomorrow) => day = tomorrow,
            Err(_) => break, // After 9999-12-31.
        }
    }
}

#[test]
fn a_uuid_is_hyphenated_hex() {
    let text = r#""550e8400-e29b-41d4-a716-446655440000""#;
    let mut on_string = vec![72];
    on_string.extend_from_slice(&text.as_bytes()[1..37]);
    same(
        r#"{"type": "string", "logicalType": "uuid"}"#,
        text,
        &on_string,
    );
    let on_fixed = [
        0x55, 0x0e, 0x84, 0x00, 0xe2, 0x9b, 0x41, 0xd4, 0xa7, 0x16, 0x44, 0x66, 0x55, 0x44, 0, 0,
    ];
    let of = r#"{"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}"#;
    same(of, text, &on_fixed);
    taken(of, &text.to_uppercase(), text);
}

#[test]
fn a_duration_is_three_numbers() {
    let of = r#"{"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"}"#;
    let bytes = [1, 0, 0, 0, 2, 1, 0, 0, 0xff, 0xff, 0xff, 0xff];
    same(of, r#"{"months":1,"days":258,"millis":4294967295}"#, &bytes);
    taken(
        of,
        r#"{"millis": 1, "months": 2, "days": 3}"#,
        r#"{"months":2,"days":3,"millis":1}"#,
    );
}

#[test]
fn a_union_of_types_that_look_different_is_not_wrapped() {
    let of = r#"["null", "int", "string", "boolean", {"type": "array", "items": "int"}, {"type": "map", "values": "int"}]"#;
    same(of, "null", &[0]);
    same(of, "5", &[2, 10]);
    same(of, r#""5""#, &[4, 2, b'5']);
    same(of, "true", &[6, 1]);
    same(of, "[1]", &[8, 2, 2, 0]);
    same(of, r#"{"a":1}"#, &[10, 2, 2, b'a', 2, 0]);
    same(r#"["string", "null"]"#, "null", &[2]);
    same(
        r#"["double", "null"]"#,
        r#""NaN""#,
        &[0, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f],
    );
}

#[test]
fn a_union_of_types_that_look_alike_says_which_one_it_is() {
    let of = r#"["null", "int", "long", "boolean"]"#;
    same(of, "null", &[0]);
    same(of, r#"{"int":5}"#, &[2, 10]);
    same(of, r#"{"long":5}"#, &[4, 10]);
    same(of, r#"{"boolean":true}"#, &[6, 1]);
    // A double may be the string "NaN", a date may be a number.
    same(
        r#"["double", "string"]"#,
        r#"{"string":"NaN"}"#,
        &[2, 6, b'N', b'a', b'N'],
    );
    same(
        r#"[{"type": "int", "logicalType": "date"}, "string"]"#,
        r#"{"int":"1970-01-02"}"#,
        &[0, 2],
    );
    let of =
        r#"[{"type": "record", "name": "a.R", "fields": []}, {"type": "map", "values": "int"}]"#;
    same(of, r#"{"a.R":{}}"#, &[0]);
    same(
        of,
        r#"{"map":{"a.R":1}}"#,
        &[2, 2, 6, b'a', b'.', b'R', 2, 0],
    );
}

#[test]
fn a_record_is_an_object() {
    let of = r#"{"type": "record", "name": "R", "fields": [
        {"name": "a", "type": "int"}, {"name": "b", "type": "string"}]}"#;
    same(of, r#"{"a":1,"b":"x"}"#, &[2, 2, b'x']);
    taken(of, r#"{"b":"x","a":1}"#, r#"{"a":1,"b":"x"}"#);
    same(
        r#"{"type": "record", "name": "R", "fields": []}"#,
        "{}",
        &[],
    );
}

#[test]
fn a_field_that_is_missing_takes_its_default() {
    let of = r#"{"type": "record", "name": "R", "fields": [
        {"name": "a", "type": "int", "default": 7},
        {"name": "b", "type": "bytes", "default": "\u00ff\u0001"},
        {"name": "c", "type": ["null", "string"], "default": null},
        {"name": "d", "type": ["null", "string"], "default": "second branch"},
        {"name": "e", "type": {"type": "array", "items": "R"}, "default": []},
        {"name": "f", "type": {"type": "record", "name": "S", "fields": [
            {"name": "x", "type": "int", "default": 1},
            {"name": "y", "type": {"type": "long", "logicalType": "timestamp-millis"}}]},
         "default": {"y": 0}},
        {"name": "g", "type": "double", "default": 1}]}"#;
    let all = r#"{"a":7,"b":"/wE=","c":null,"d":"second branch","e":[],"f":{"x":1,"y":"1970-01-01T00:00:00.000Z"},"g":1.0}"#;
    taken(of, "{}", all);
    taken(of, r#"{"g": 1, "c": null}"#, all);
    taken(of, r#"{"a": 7, "d": "second branch"}"#, all);
}

#[test]
fn fields_in_any_order_are_put_in_theirs() {
    let of = r#"{"type": "record", "name": "R", "fields": [
        {"name": "a", "type": "int"}, {"name": "b", "type": ["null", "R"], "default": null},
        {"name": "c", "type": "string"}, {"name": "d", "type": "int", "default": 4}]}"#;
    taken(
        of,
        r#"{"c": "1", "b": {"d": 2, "c": "3", "a": 5}, "a": 6}"#,
        r#"{"a":6,"b":{"a":5,"b":null,"c":"3","d":2},"c":"1","d":4}"#,
    );
    taken(
        of,
        r#"{"a": 6, "c": "1", "d": 9, "b": null}"#,
        r#"{"a":6,"b":null,"c":"1","d":9}"#,
    );
}
