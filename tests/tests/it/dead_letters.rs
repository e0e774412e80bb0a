//! Dead letters as any Kafka client reads them: the record byte for byte, and
//! headers that say where it is from and why it is there.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use millrace_tests::{Record, guest, plugin};
use rdkafka::Timestamp;

use crate::pipeline::{Pipeline, assert_says, error_of, expect_exit, origin, stop, texts, told};

/// What every dead letter says, in this order.
const NAMES: [&str; 13] = [
    "stage",
    "reason",
    "topic",
    "partition",
    "offset",
    "timestamp",
    "pipeline",
    "plugin",
    "plugin-digest",
    "contract",
    "attempts",
    "version",
    "time",
];

/// The names after `millrace.` of the headers that are not the original's.
fn own_names(letter: &Record) -> Vec<&str> {
    letter
        .headers
        .iter()
        .filter_map(|(name, _)| name.strip_prefix(b"millrace."))
        .map(|name| std::str::from_utf8(name).expect("they are text"))
        .collect()
}

/// The text of a header of one name, where there are several.
fn last<'a>(letter: &'a Record, name: &str) -> &'a [u8] {
    let mut headers = letter.headers.iter().rev();
    let found = headers.find(|(found, _)| found == name.as_bytes());
    found.and_then(|(_, value)| value.as_deref()).expect(name)
}

fn now() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970")
}

/// What `sha256sum` says of a file.
fn sha256(path: &std::path::Path) -> String {
    let output = Command::new("sha256sum").arg(path).output();
    let output = output.expect("sha256sum is there");
    let text = String::from_utf8(output.stdout).expect("it is text");
    text.split(' ').next().expect("a digest").to_owned()
}

#[test]
fn a_dead_letter_is_its_record_byte_for_byte() {
    const BEFORE: i64 = 1_700_000_000_000;
    let pipeline = Pipeline::with_dead_letters("byte-for-byte", 2);
    // None of them is an order.
    let records = [
        Record::value("no order").key("key"),
        Record::value([0, 255, 254, 0]).key([255, 0, 128]),
        Record::value("").key(""),
        Record::null(),
        Record::null().key("tombstone"),
        Record::value("with headers")
            .header("again", "1")
            .null_header("again")
            .header("again", "")
            .header("again", [255, 0, 1])
            .header("", "without a name")
            .null_header("")
            .header([255, 254], "no UTF-8"),
        Record::value([b'x'; 100_000]).key([b'k'; 10_000]),
    ];
    let records = records.map(|record| record.at(BEFORE).to_partition(1));
    pipeline.feed(records.clone());
    let begun = now();

    let host = pipeline.start_with_dead_letters(&plugin("orders"), &["--name", "cleaner"]);
    pipeline.wait_for_committed(&[(0, 0), (1, 7)]);
    let ended = now();
    stop(host);

    let mut letters = pipeline.letters();
    letters.sort_by_key(origin);
    assert_eq!(letters.len(), records.len());
    assert_eq!(pipeline.outputs(), []);
    for (offset, (letter, record)) in letters.iter().zip(&records).enumerate() {
        assert_eq!(letter.key, record.key);
        assert_eq!(letter.value, record.value);
        let (original, own) = letter.headers.split_at(record.headers.len());
        assert_eq!(original, record.headers);
        assert_eq!(own.len(), NAMES.len());
        assert_eq!(own_names(letter), NAMES);

        let known = [
            ("stage", "transform"),
            ("topic", &pipeline.input),
            ("partition", "1"),
            ("offset", &offset.to_string()),
            ("timestamp", &BEFORE.to_string()),
            ("pipeline", "cleaner"),
            ("plugin", "orders"),
            ("plugin-digest", &sha256(&plugin("orders"))),
            ("contract", "millrace:plugin@0.1.0"),
            ("attempts", "1"),
            ("version", env!("CARGO_PKG_VERSION")),
        ];
        for (name, value) in known {
            assert_eq!(told(letter, name), value, "{name}");
        }
        assert!(!told(letter, "reason").is_empty());
        let time = humantime::parse_rfc3339(told(letter, "time")).expect("RFC 3339");
        let time = time.duration_since(UNIX_EPOCH).expect("after 1970");
        // It is told in milliseconds.
        let about = begun - Duration::from_millis(1)..=ended;
        assert!(about.contains(&time), "{time:?}");
        // Kafka's own timestamp is the time of writing, not the original's.
        let Timestamp::CreateTime(written) = letter.timestamp else {
            panic!("{:?}", letter.timestamp)
        };
        let written = Duration::from_millis(u64::try_from(written).expect("after 1970"));
        assert!(about.contains(&written), "{written:?}");
    }
}

#[test]
fn a_long_reason_is_cut_where_a_character_ends() {
    let pipeline = Pipeline::with_dead_letters("long-reason", 1);
    // The 2048th byte is within a character of three.
    let long = "€".repeat(1000);
    pipeline.feed_at_once([format!("fail {long}"), format!("fail {}", "y".repeat(2048))]);

    let host = pipeline.start_with_dead_letters(&guest("puppet"), &[]);
    pipeline.wait_for_committed(&[(0, 2)]);
    stop(host);

    let letters = pipeline.letters();
    assert_eq!(told(&letters[0], "reason"), "€".repeat(2048 / 3));
    assert_eq!(told(&letters[1], "reason"), "y".repeat(2048));
    assert_eq!(letters[0].text(), format!("fail {long}"));
}

#[test]
fn the_reason_of_a_trap_tells_what_was_printed_and_where_it_was() {
    let pipeline = Pipeline::with_dead_letters("reason-of-trap", 1);
    pipeline.feed_at_once(["1", "panic for a good reason", "recurse", "2"]);

    let host = pipeline.start_with_dead_letters(&guest("puppet"), &[]);
    pipeline.wait_for_committed(&[(0, 4)]);
    stop(host);

    let letters = pipeline.letters();
    let digest = sha256(&guest("puppet"));
    let panic = told(&letters[0], "reason");
    let first = format!(
        "plugin puppet@{} trapped: wasm `unreachable` instruction executed",
        &digest[..8]
    );
    assert_eq!(panic.lines().next(), Some(&*first));
    assert_says(
        panic,
        &[
            "\nprinted: for a good reason",
            "\n  at core::panicking::panic_fmt",
            "millrace:plugin/transform@0.1.0#process",
        ],
    );
    assert_says(
        told(&letters[1], "reason"),
        &["used up its stack", "\n  at puppet::recurse\n"],
    );
}

/// A chain of two pipelines: the second one's input is the first one's dead
/// letters.
#[test]
fn the_dead_letter_of_a_dead_letter_keeps_its_first_origin() {
    let first = Pipeline::with_dead_letters("first", 2);
    let mut second = Pipeline::with_dead_letters("second", 1);
    second.input.clone_from(&first.dead);
    first.feed([
        Record::value("innocent").to_partition(1),
        Record::value("fail at first")
            .header("trace", "abc")
            .at(1_700_000_000_000)
            .to_partition(1),
    ]);
    let host = first.start_with_dead_letters(&guest("puppet"), &["--name", "one"]);
    first.wait_for_committed(&[(0, 0), (1, 2)]);
    stop(host);

    let host = second.start_with_dead_letters(&guest("puppet"), &["--name", "two"]);
    second.wait_for_committed_total(1, crate::pipeline::SOON);
    stop(host);

    let letters = second.letters();
    assert_eq!(texts(&letters), ["fail at first"]);
    let letter = &letters[0];
    assert_eq!(own_names(letter), NAMES);
    assert_eq!(
        letter.headers[0],
        (b"trace".to_vec(), Some(b"abc".to_vec()))
    );
    assert_eq!(told(letter, "topic"), first.input);
    assert_eq!(origin(letter), (1, 1));
    assert_eq!(told(letter, "timestamp"), "1700000000000");
    assert_eq!(told(letter, "attempts"), "2");
    assert_eq!(told(letter, "pipeline"), "two");
    assert_eq!(told(letter, "reason"), "at first");
}

/// Whoever sends `millrace.` headers that are no dead letter's loses nothing.
#[test]
fn headers_that_only_look_like_ours_are_kept() {
    let pipeline = Pipeline::with_dead_letters("lookalike", 1);
    let record = Record::value("fail it")
        .header("millrace.reason", "mine")
        .header("millrace.topic", "mine")
        .header("millrace.custom", "mine");
    pipeline.feed([record.clone()]);

    let host = pipeline.start_with_dead_letters(&guest("puppet"), &[]);
    pipeline.wait_for_committed(&[(0, 1)]);
    stop(host);

    let letters = pipeline.letters();
    assert_eq!(letters[0].headers[..3], record.headers);
    assert_eq!(last(&letters[0], "millrace.reason"), b"it");
    assert_eq!(
        last(&letters[0], "millrace.topic"),
        pipeline.input.as_bytes()
    );
    assert_eq!(told(&letters[0], "attempts"), "1");
}

#[test]
fn a_dead_letter_that_is_too_large_goes_without_its_value() {
    let pipeline = Pipeline::new("value-omitted", 1);
    let small = [("max.message.bytes", "4000")];
    pipeline.client.create_topic_with(&pipeline.dead, 1, &small);
    pipeline.feed([
        Record::value("before").key("k").to_partition(0),
        Record::value([b'x'; 10_000])
            .key("large")
            .header("h", "1")
            .to_partition(0),
        Record::value("behind").key("k").to_partition(0),
    ]);

    let host = pipeline.start_with_dead_letters(&plugin("orders"), &[]);
    pipeline.wait_for_committed(&[(0, 3)]);
    stop(host);

    let letters = pipeline.letters();
    let values: Vec<_> = letters.iter().map(|l| l.value.as_deref()).collect();
    assert_eq!(values, [Some(&b"before"[..]), None, Some(b"behind")]);
    let letter = &letters[1];
    assert_eq!(letter.key.as_deref(), Some(&b"large"[..]));
    assert_eq!(letter.headers[0], (b"h".to_vec(), Some(b"1".to_vec())));
    let names = [&NAMES[..], &["value-omitted"]].concat();
    assert_eq!(own_names(letter), names);
    assert_eq!(told(letter, "value-omitted"), "10000");
    let (partition, offset) = origin(letter);
    let source = &pipeline.client.read_all(&pipeline.input)[1];
    assert_eq!((source.partition, source.offset), (Some(partition), offset));
}

#[test]
fn sizes_that_only_the_broker_can_tell_lead_to_the_same() {
    let pipeline = Pipeline::new("late-sizes", 1);
    let small = [("max.message.bytes", "4000")];
    pipeline.client.create_topic_with(&pipeline.dead, 1, &small);
    // Letters of all sizes around the limit: some are refused when they are on
    // their way.
    const RECORDS: usize = 80;
    let size = |n: usize| 3350 + 2 * n;
    pipeline.feed((0..RECORDS).map(|n| Record::value(vec![b'x'; size(n)]).to_partition(0)));

    let host = pipeline.start_with_dead_letters(&plugin("orders"), &[]);
    pipeline.wait_for_committed(&[(0, 80)]);
    stop(host);

    let letters = pipeline.letters();
    let mut seen = [false; RECORDS];
    for letter in &letters {
        let (_, offset) = origin(letter);
        let number = usize::try_from(offset).expect("not negative");
        seen[number] = true;
        match &letter.value {
            Some(value) => assert_eq!(value.len(), size(number)),
            None => assert_eq!(told(letter, "value-omitted"), size(number).to_string()),
        }
    }
    assert!(seen.iter().all(|seen| *seen), "{seen:?}");
    let whole = |letter: &&Record| letter.value.is_some();
    let whole = letters.iter().filter(whole).count();
    assert!((1..letters.len()).contains(&whole), "{whole} whole ones");
}

#[test]
fn a_dead_letter_that_does_not_fit_at_all_stops_the_run() {
    let pipeline = Pipeline::new("fits-nowhere", 1);
    let small = [("max.message.bytes", "4000")];
    pipeline.client.create_topic_with(&pipeline.dead, 1, &small);
    pipeline.feed([
        Record::value("1").to_partition(0),
        Record::value("fail it").key([b'k'; 5000]).to_partition(0),
        Record::value("2").to_partition(0),
    ]);

    for _ in 0..2 {
        let mut host = pipeline.start_with_dead_letters(&guest("puppet"), &[]);
        let error = error_of(&mut host, 1);
        let position = format!("topic {}, partition 0, offset 1", pipeline.input);
        assert_says(
            &error,
            &[
                "dead letter",
                &position,
                &pipeline.dead,
                "max.message.bytes",
                "Nothing from that record on is committed",
            ],
        );
        pipeline.wait_for_committed(&[(0, 1)]);
        assert_eq!(texts(&pipeline.outputs()), ["1"]);
        assert_eq!(pipeline.letters(), []);
    }

    // With room, the same run goes on.
    let mut host = pipeline.start(&guest("puppet"), &["--on-error", "drop"]);
    pipeline.wait_for_committed(&[(0, 3)]);
    host.signal(millrace_tests::Signal::TERM);
    expect_exit(&mut host, 0);
    assert_eq!(texts(&pipeline.outputs()), ["1", "2"]);
}
