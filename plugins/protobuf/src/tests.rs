//! The two ways together, over `tests/shop.proto`. The bytes are what Python's
//! protobuf makes of the same JSON.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use millrace_sdk::Field;
use serde_json::{Value as Json, json};

use super::*;

const SHOP: &[u8] = include_bytes!("tests/shop.binpb");

const PLACE: Place<'_> = Place {
    topic: "orders",
    field: Field::Value,
};

/// A configuration with the shop's descriptors and these keys.
fn config(mut keys: Json) -> String {
    keys["descriptors"] = BASE64_STANDARD.encode(SHOP).into();
    keys.to_string()
}

fn from(keys: Json) -> FromProtobuf {
    FromProtobuf::new(&config(keys)).unwrap()
}

fn to(keys: Json) -> ToProtobuf {
    ToProtobuf::new(&config(keys)).unwrap()
}

fn unframed(message: &str) -> Json {
    json!({"framing": "none", "message": message})
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn read(from: &mut FromProtobuf, payload: &[u8]) -> String {
    String::from_utf8(from.deserialize(payload, &PLACE).unwrap()).unwrap()
}

fn unread(from: &mut FromProtobuf, payload: &[u8]) -> String {
    from.deserialize(payload, &PLACE).unwrap_err().to_string()
}

fn unwritten(to: &mut ToProtobuf, json: &str) -> String {
    let error = to.serialize(json.as_bytes(), &PLACE).unwrap_err();
    error.to_string()
}

#[test]
fn messages_are_jsons_and_back_to_the_byte() {
    for (message, hex, json) in [
        ("shop.Order", "", "{}"),
        // Longs are text, and enums are names.
        (
            "shop.Order",
            "08ffffffffffffffffff011202c3a42001",
            r#"{"orderId":"18446744073709551615","customer":"ä","status":"PAID"}"#,
        ),
        (
            "shop.Order",
            "1a1a0a016110051a130900000000000029401208cdcccc3d0000803f1a00",
            r#"{"lines":[{"sku":"a","pieces":-3,"price":{"amount":12.5,"rates":[0.1,1.0]}},{}]}"#,
        ),
        (
            "shop.Order",
            "2a0e0a016110ffffffffffffffffff01",
            r#"{"counts":{"a":"-1"}}"#,
        ),
        // A oneof's default is there.
        ("shop.Order", "3200", r#"{"card":""}"#),
        (
            "shop.Order",
            "3a100a034555521080808080808080808001",
            r#"{"cash":{"currency":"EUR","cents":"-9223372036854775808"}}"#,
        ),
        (
            "shop.Order",
            "20ffffffffffffffffff014000",
            r#"{"status":"VOID","discount":0}"#,
        ),
        // A number that the enum has no name for.
        ("shop.Order", "2007", r#"{"status":7}"#),
        (
            "shop.Everything",
            "0a0300ff80110100000000002000",
            r#"{"blob":"AP+A","fixed":"9007199254740993"}"#,
        ),
        (
            "shop.Everything",
            "1a0808c0e381af061001221608ffffffffffffffffff011080b6ca91feffffffff01",
            r#"{"at":"2024-02-29T12:00:00.000000001Z","took":"-1.500s"}"#,
        ),
        (
            "shop.Everything",
            "2a2a0a280a0161122332210a0911000000000000f03f0a0208000a031a01780a0b2a090a070a016212022001",
            r#"{"data":{"a":[1.0,null,"x",{"b":true}]}}"#,
        ),
        ("shop.Everything", "3200", r#"{"maybe":"0"}"#),
        (
            "shop.Everything",
            "3a2b0a23747970652e676f6f676c65617069732e636f6d2f73686f702e4f726465722e4e6f746512040a026869",
            r#"{"any":{"@type":"type.googleapis.com/shop.Order.Note","text":"hi"}}"#,
        ),
        (
            "shop.Everything",
            "420a0a01610a05622e635f64",
            r#"{"mask":"a,b.cD"}"#,
        ),
        (
            "shop.Everything",
            "4801521008ffffffffffffffffff0112030a016e5d0000c07f",
            r#"{"flag":true,"notes":{"-1":{"text":"n"}},"ratio":"NaN"}"#,
        ),
        ("shop.Everything", "62020800", r#"{"value":null}"#),
        ("shop.Everything", "5dcdcccc3d", r#"{"ratio":0.1}"#),
        (
            "shop.Order.Line.Price",
            "09000000000000f0ff",
            r#"{"amount":"-Infinity"}"#,
        ),
    ] {
        let hex = bytes(hex);
        assert_eq!(read(&mut from(unframed(message)), &hex), json);
        let back = to(unframed(message)).serialize(json.as_bytes(), &PLACE);
        assert_eq!(back.unwrap(), hex, "{json}");
    }
}

#[test]
fn other_json_of_the_same_message_is_taken() {
    for (json, hex) in [
        (r#"{"order_id": 7, "status": 1}"#, "08072001"),
        (r#"{"orderId":"7","customer":null}"#, "0807"),
        (r#"{"lines":[{"pieces":"-3"}]}"#, "1a021005"),
        (r#"{"counts":{}}"#, ""),
    ] {
        let message = to(unframed("shop.Order")).serialize(json.as_bytes(), &PLACE);
        assert_eq!(message.unwrap(), bytes(hex), "{json}");
    }
    // base64url, and no padding.
    let message = to(unframed("shop.Everything")).serialize(br#"{"blob":"AP-A_w"}"#, &PLACE);
    assert_eq!(message.unwrap(), bytes("0a0400ff80ff"));
}

#[test]
fn a_frame_says_which_message_it_is() {
    let mut from = from(json!({}));
    for (frame, rest, json) in [
        ("000000000100", "0807", r#"{"orderId":"7"}"#),
        ("00000000010200", "0807", r#"{"orderId":"7"}"#),
        ("00000000010202", "4801", r#"{"flag":true}"#),
        // Order's first nested message is the entry of its map.
        ("0000000001040002", "1005", r#"{"pieces":-3}"#),
        ("0000000001040004", "0a026869", r#"{"text":"hi"}"#),
        (
            "000000000106000200",
            "09000000000000e03f",
            r#"{"amount":0.5}"#,
        ),
    ] {
        let payload = bytes(&format!("{frame}{rest}"));
        assert_eq!(read(&mut from, &payload), json);
    }
}

#[test]
fn a_serializer_writes_its_messages_frame() {
    for (message, json, hex) in [
        ("shop.Order", r#"{"orderId":"7"}"#, "0001020304000807"),
        ("shop.Everything", r#"{"flag":true}"#, "000102030402024801"),
        (".shop.Order.Line", "{}", "0001020304040002"),
        ("shop.Order.Line.Price", "{}", "000102030406000200"),
        ("common.Money", "{}", "000102030400"),
    ] {
        let keys = json!({"message": message, "id": 0x0102_0304});
        let payload = to(keys.clone()).serialize(json.as_bytes(), &PLACE).unwrap();
        assert_eq!(payload, bytes(hex), "{message}");
        assert_eq!(read(&mut from(keys), &payload), json);
    }
}

#[test]
fn indexes_may_be_counted_as_in_the_text() {
    let keys = json!({"message": "shop.Order.Note", "id": 1, "indexes": "text"});
    let payload = to(keys.clone()).serialize(b"{}", &PLACE).unwrap();
    assert_eq!(payload, bytes("0000000001040002"));
    assert_eq!(read(&mut from(keys), &payload), "{}");
}

#[test]
fn indexes_count_in_the_file_that_is_named() {
    let mut common = from(json!({"file": "common.proto"}));
    assert_eq!(
        read(&mut common, &bytes("0000000001001002")),
        r#"{"cents":"2"}"#
    );
    let keys = json!({"message": "shop.Order", "file": "common.proto", "id": 1});
    let error = ToProtobuf::new(&config(keys)).err().unwrap();
    assert_eq!(
        error.to_string(),
        "`file`: shop.Order is not in common.proto"
    );
}

#[test]
fn an_unknown_index_is_named_with_the_file() {
    let mut from = from(json!({}));
    for (frame, indexes) in [
        ("000000000104060200", "[3, 1]"),
        ("00000000010206", "[3]"),
        // A map's entry is no message of anybody's.
        ("0000000001040000", "[0, 0]"),
        ("00000000010600000000", "[0, 0, 0]"),
    ] {
        assert_eq!(
            unread(&mut from, &bytes(frame)),
            format!(
                "shop.proto has no message {indexes} (by index, from 0): is it the schema's file, \
                 and in its version?"
            )
        );
    }
}

#[test]
fn bytes_that_are_no_message_say_what_and_where() {
    let mut from = from(json!({}));
    for (hex, why) in [
        ("08", "invalid varint, near byte 7 of 7"),
        ("120561", "buffer underflow, near byte 8 of 9"),
        (
            "0d00000000",
            "invalid wire type: ThirtyTwoBit (expected Varint), near byte 7 of 11",
        ),
        (
            "1202c328",
            "invalid string value: data is not UTF-8 encoded, near byte 10 of 10",
        ),
        ("07", "invalid wire type value: 7, near byte 7 of 7"),
        ("00", "invalid tag value: 0, near byte 7 of 7"),
    ] {
        let payload = bytes(&format!("000000000100{hex}"));
        assert_eq!(
            unread(&mut from, &payload),
            format!("not a shop.Order: {why}")
        );
    }
}

#[test]
fn every_beginning_of_a_payload_is_read_or_refused() {
    let payload = bytes(
        "0000000001001a1a0a016110051a130900000000000029401208cdcccc3d0000803f1a002a0e0a016110ffffffffffffffffff01",
    );
    let mut from = from(json!({}));
    for end in 0..payload.len() {
        let _ = from.deserialize(&payload[..end], &PLACE);
        for byte in [0, 0x7f, 0x80, 0xff] {
            let mut damaged = payload.clone();
            damaged[end] = byte;
            let _ = from.deserialize(&damaged, &PLACE);
        }
    }
}

#[test]
fn a_message_within_messages_without_end_is_refused() {
    let tree = |depth: usize| {
        let mut payload = Vec::new();
        for _ in 0..depth {
            let mut length = Vec::new();
            prost::encoding::encode_varint(payload.len() as u64, &mut length);
            payload = [&[0x0a], &length[..], &payload].concat();
        }
        payload
    };
    let mut from = from(unframed("shop.Tree"));
    let json = read(&mut from, &tree(99));
    assert!(json.starts_with(r#"{"child":{"child":"#));
    let mut to = to(unframed("shop.Tree"));
    assert_eq!(to.serialize(json.as_bytes(), &PLACE).unwrap(), tree(99));
    let error = unread(&mut from, &tree(10_000));
    assert!(error.contains("recursion limit reached"), "{error}");
    let deep = format!("{}{}", r#"{"child":"#.repeat(10_000), "}".repeat(10_000));
    let error = unwritten(&mut to, &deep);
    assert!(error.contains("recursion limit exceeded"), "{error}");
}

#[test]
fn what_the_descriptors_do_not_have_is_left_out_or_refused() {
    // Field 9 in a line, which is not in them.
    let payload = bytes("1a02480108071a001a0348ff01");
    let mut lenient = from(unframed("shop.Order"));
    assert!(!lenient.has_warned);
    for _ in 0..2 {
        let json = read(&mut lenient, &payload);
        assert_eq!(json, r#"{"orderId":"7","lines":[{},{},{}]}"#);
        assert!(lenient.has_warned);
    }
    let mut keys = unframed("shop.Order");
    keys["unknown_fields"] = "refuse".into();
    assert_eq!(
        unread(&mut from(keys), &payload),
        "shop.Order.Line has no field 9 in the descriptors, and one came"
    );
}

#[test]
fn names_and_defaults_are_as_the_configuration_says() {
    let mut keys = unframed("shop.Order.Line");
    keys["defaults"] = true.into();
    assert_eq!(read(&mut from(keys), b""), r#"{"sku":"","pieces":0}"#);
    let mut keys = unframed("shop.Order");
    keys["names"] = "proto".into();
    assert_eq!(read(&mut from(keys), &bytes("0807")), r#"{"order_id":"7"}"#);
}

#[test]
fn json_that_does_not_fit_is_told_where() {
    let mut to = to(unframed("shop.Order"));
    for (json, why) in [
        ("", "not JSON: EOF while parsing a value at line 1 column 0"),
        (
            "{oops}",
            "not JSON: key must be a string at line 1 column 2",
        ),
        ("{} {}", "not JSON: trailing characters at line 1 column 4"),
        (
            "[]",
            "not a shop.Order: invalid type: sequence, expected a map",
        ),
        (
            r#"{"lines":[{},{"price":{"amount":"much"}}]}"#,
            "not a shop.Order: lines[1].price.amount: ",
        ),
        (r#"{"orderId":-1}"#, "not a shop.Order: orderId: "),
        (r#"{"status":"NONE"}"#, "not a shop.Order: status: "),
        (r#"{"nothing":1}"#, "not a shop.Order: "),
        (r#"{"card":"1","cash":{}}"#, "not a shop.Order: "),
    ] {
        let error = unwritten(&mut to, json);
        assert!(error.starts_with(why), "{error}");
        assert!(
            !why.starts_with("not a ") || !error.contains(" at line "),
            "{error}"
        );
    }
    assert!(unwritten(&mut to, r#"{"nothing":1}"#).contains("nothing"));
}

#[test]
fn a_configuration_that_is_not_right_says_why() {
    let reading = |config: &str| FromProtobuf::new(config).err().unwrap().to_string();
    let writing = |keys| ToProtobuf::new(&config(keys)).err().unwrap().to_string();
    for (config, why) in [
        ("", "it needs a configuration: {\"descriptors\": …}"),
        (
            "{}",
            "its configuration is not right: missing field `descriptors`",
        ),
        (r#"{"descriptors":"?"}"#, "`descriptors` is not base64: "),
        (
            r#"{"descriptors":"AAAA"}"#,
            "`descriptors` is no whole FileDescriptorSet (protoc --include_imports \
             --descriptor_set_out): ",
        ),
        (
            r#"{"descriptors":""}"#,
            "`descriptors`: there is no file in it",
        ),
        (
            &config(json!({"mesage": "x"})),
            "its configuration is not right: unknown field `mesage`",
        ),
        (
            &config(json!({"framing": "none"})),
            "`message` is missing: without a frame",
        ),
        (
            &config(json!({"message": "Order"})),
            "`message`: no Order in the descriptors; there is shop.Order",
        ),
        (
            &config(json!({"message": "shop.Orders"})),
            "`message`: no shop.Orders in the descriptors, whose files are common.proto, ",
        ),
        (
            &config(json!({"file": "other.proto"})),
            "`file`: no other.proto in the descriptors: common.proto, ",
        ),
    ] {
        let error = reading(config);
        assert!(error.starts_with(why), "{error}");
    }
    assert_eq!(
        writing(json!({"id": 1})),
        "`message` is missing: a serializer writes messages of one name"
    );
    assert_eq!(
        writing(json!({"message": "shop.Order"})),
        "`id` is missing: the schema's id, which stands before each message"
    );
}

#[test]
fn descriptors_may_be_broken_into_lines() {
    let digits = BASE64_STANDARD.encode(SHOP);
    let lines: Vec<_> = digits
        .as_bytes()
        .chunks(76)
        .map(String::from_utf8_lossy)
        .collect();
    let config = json!({"descriptors": lines.join("\n")}).to_string();
    assert!(FromProtobuf::new(&config).is_ok());
}
