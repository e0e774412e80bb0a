//! `plugin:FILE`: a deserializer and a serializer of one's own, and what is at fault
//! when they break.

use millrace_tests::{Record, guest, plugin};

use super::reasons;
use crate::pipeline::{LONG, Pipeline, stop, texts};

/// Short enough for a test that waits for a payload that never comes back, and so
/// little memory that it is used up long before.
const LIMITS: &[&str] = &[
    "--set",
    "plugin.time=2s",
    "--set",
    "plugin.call=5s",
    "--set",
    "plugin.memory=16MiB",
];

/// What a codec does with these is no answer.
const CULPRITS: [(&str, &str); 5] = [
    ("fail no such thing", "no such thing"),
    ("panic at the door", "at the door"),
    ("loop", "plugin.time"),
    ("alloc", "plugin.memory"),
    ("too-few", "exactly one a payload"),
];

fn puppet() -> String {
    format!("plugin:{}", guest("puppet_codec").display())
}

#[test]
fn a_deserializer_is_told_where_a_payload_belongs_and_sees_no_null() {
    let pipeline = Pipeline::with_dead_letters("own-codec", 1);
    let record = |value: &str| Record::value(value).key("place").to_partition(0);
    let tombstone = Record::null().key("upper k").to_partition(0);
    pipeline.feed([record("place"), record("config"), record("kind"), tombstone]);

    let puppet = puppet();
    let key = ["--decode-key", &puppet, "--encode-key", "string"];
    let value = ["--decode-value", &puppet, "--encode-value", "string"];
    let config = ["--set", "decode.value_config=told so"];
    let flags = [&key[..], &value, &config].concat();
    let host = pipeline.start_with_dead_letters(&plugin("passthrough"), &flags);
    pipeline.wait_for_committed(&[(0, 4)]);
    stop(host);

    assert_eq!(pipeline.letters(), []);
    let outputs = pipeline.outputs();
    let of_input = |field: &str| format!("{}/{field}", pipeline.input);
    let values = [&*of_input("value"), "told so", "deserializer"];
    assert_eq!(texts(&outputs[..3]), values);
    assert_eq!(outputs[3].value, None);
    let keys: Vec<_> = outputs.iter().map(|output| output.key.clone()).collect();
    let place = Some(of_input("key").into_bytes());
    let upper = Some(b"K".to_vec());
    assert_eq!(keys, [place.clone(), place.clone(), place, upper]);
}

#[test]
fn a_serializer_is_one_of_keys_too_and_sees_no_null() {
    let pipeline = Pipeline::with_dead_letters("own-serializer", 1);
    let record = |key: &str| Record::null().key(key).to_partition(0);
    let value = Record::value("kind").to_partition(0);
    pipeline.feed([record("kind"), record("place"), value]);

    let puppet = puppet();
    let flags = ["--encode-key", &*puppet, "--encode-value", &*puppet];
    let host = pipeline.start_with_dead_letters(&plugin("passthrough"), &flags);
    pipeline.wait_for_committed(&[(0, 3)]);
    stop(host);

    assert_eq!(pipeline.letters(), []);
    let outputs = pipeline.outputs();
    let text =
        |bytes: &Option<Vec<u8>>| bytes.clone().map(|it| String::from_utf8(it).expect("text"));
    let parts = outputs.iter().map(|it| (text(&it.key), text(&it.value)));
    let place = format!("{}/key", pipeline.output);
    let serializer = || Some("serializer".to_owned());
    let expected = [
        (serializer(), None),
        (Some(place), None),
        (None, serializer()),
    ];
    assert_eq!(parts.collect::<Vec<_>>(), expected);
}

/// Culprits among others: each is a dead letter of this stage, as it came, and all
/// others go out in their order.
fn assert_blames_the_guilty_alone(stem: &str, flags: &[&str], stage: &str) {
    let pipeline = Pipeline::with_dead_letters(stem, 1);
    let innocent = |number: usize| format!("upper record {number}");
    let mut records: Vec<String> = (0..200).map(innocent).collect();
    for (number, (culprit, _)) in CULPRITS.iter().enumerate() {
        // Side by side, too.
        records.insert(20 + number * number * 9, (*culprit).to_owned());
    }
    pipeline.feed_at_once(&records);

    let flags = [flags, LIMITS].concat();
    let host = pipeline.start_with_dead_letters(&plugin("passthrough"), &flags);
    pipeline.wait_for_committed_total(records.len(), LONG);
    stop(host);

    let letters = pipeline.letters();
    assert_eq!(texts(&letters), CULPRITS.map(|(culprit, _)| culprit));
    for ((found, reason), (culprit, wanted)) in reasons(&letters).iter().zip(CULPRITS) {
        assert_eq!(*found, stage, "{culprit}: {reason}");
        assert!(reason.contains(wanted), "{culprit}: {reason}");
    }
    let expected: Vec<String> = (0..200).map(|number| format!("RECORD {number}")).collect();
    assert_eq!(texts(&pipeline.outputs()), expected);
}

#[test]
fn a_payload_that_breaks_a_deserializer_is_rejected_alone() {
    let puppet = puppet();
    let flags = ["--decode-value", &puppet, "--encode-value", "string"];
    assert_blames_the_guilty_alone("deserializer-breaks", &flags, "decode-value");
}

#[test]
fn a_payload_that_breaks_a_serializer_is_rejected_alone() {
    let puppet = puppet();
    let flags = ["--encode-value", puppet.as_str()];
    assert_blames_the_guilty_alone("serializer-breaks", &flags, "encode-value");
}
