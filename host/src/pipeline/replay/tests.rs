use super::*;
use crate::pipeline::dead_letter::{self, Provenance};
use crate::pipeline::fakes::{FakeRecord, World, output, partition};
use crate::record::{Output, OutputHeaders, Rejected, Stage};

/// What the plugin says of records on their way again.
fn judged<R: Record>(world: &World, records: &[R]) -> Vec<Verdict> {
    let judged = Again(world.ports().3).judge(&partition(0), records);
    let judged = judged.expect("it judges").into_iter();
    judged.map(|judged| judged.verdict).collect()
}

fn provenance(pipeline: &str) -> Provenance {
    Provenance {
        pipeline: pipeline.to_owned(),
        plugin: "x".to_owned(),
        digest: "d".to_owned(),
        contract: "c".to_owned(),
        version: "v".to_owned(),
    }
}

/// The dead letter of a record of `in`, as it stands at `offset` of the
/// dead-letter topic.
fn letter(pipeline: &str, record: &FakeRecord, offset: i64) -> FakeRecord {
    let rejected = Rejected {
        stage: Stage::Transform,
        position: partition(record.partition).at(record.offset),
        reason: "no order".to_owned(),
    };
    let now = std::time::UNIX_EPOCH;
    let mut written = dead_letter::write("dead", record, &rejected, &provenance(pipeline), now);
    if record.value.is_none() {
        dead_letter::omit_value(&mut written, record);
    }
    written_as(record, &written, offset)
}

fn written_as(record: &FakeRecord, written: &Output, offset: i64) -> FakeRecord {
    let mut headers = record.headers.clone();
    if matches!(written.headers, OutputHeaders::Only(_)) {
        headers.clear();
    }
    headers.extend(
        written
            .headers
            .own()
            .iter()
            .map(|h| (h.name.clone(), h.value.clone())),
    );
    FakeRecord {
        headers,
        partition: 0,
        offset,
        timestamp: Timestamp::Create(9_999),
        ..record.clone()
    }
}

/// The records of a dead-letter topic that holds these.
fn read(records: Vec<FakeRecord>) -> (Vec<Replayed>, Skipped) {
    let world = World::default();
    for record in records {
        world.write_record(record);
    }
    let skipped = Skipped::default();
    let mut source = Letters::new(world.ports().0, "clean".to_owned(), skipped.clone());
    let lane = LaneId(0);
    source
        .start(&[(lane, partition(0), NextOffset(0))])
        .unwrap();
    (source.fetch(lane, 100).unwrap().unwrap(), skipped)
}

#[test]
fn a_letter_is_read_as_its_first_record_at_the_letter_s_offset() {
    let first = FakeRecord {
        headers: vec![(b"trace".to_vec(), None)],
        ..FakeRecord::new(3, 42)
    };
    let (records, skipped) = read(vec![letter("clean", &first, 7)]);
    let record = &records[0];
    assert_eq!(record.offset(), 7);
    assert_eq!(record.key(), first.key());
    assert_eq!(record.value(), first.value());
    assert_eq!(record.headers(), first.headers());
    assert_eq!(record.timestamp(), first.timestamp());
    let origin = record.origin().unwrap();
    assert_eq!(origin.position, partition(3).at(42));
    assert_eq!(origin.reason, "no order");
    assert!(skipped.counts().is_empty());
}

#[test]
fn what_is_not_this_pipelines_is_counted_and_passed_over() {
    let first = FakeRecord::new(3, 42);
    let (records, skipped) = read(vec![
        letter("clean", &first, 0),
        letter("other", &first, 1),
        FakeRecord::new(0, 2),
        letter("other", &first, 3),
    ]);
    let counts: Vec<_> = skipped.counts().into_iter().collect();
    assert_eq!(counts, [(String::new(), 1), ("other".to_owned(), 2)]);
    let world = World::default();
    let verdicts = judged(&world, &records);
    let names: Vec<_> = verdicts.iter().map(Verdict::name).collect();
    assert_eq!(names, ["forward", "drop", "drop", "drop"]);
    assert_eq!(world.calls(), [[42]]);
}

#[test]
fn the_plugin_sees_batches_of_one_partition_in_the_order_of_their_offsets() {
    let places = [(3, 42), (3, 43), (1, 5), (3, 44), (3, 40)];
    let letters = (0..).zip(places);
    let (records, _) = read(
        letters
            .map(|(at, (number, offset))| letter("clean", &FakeRecord::new(number, offset), at))
            .collect(),
    );
    let world = World::default();
    for (number, offset) in places {
        let text = format!("{number}/{offset}");
        world.says(number, offset, Verdict::Replace(output(&text)));
    }
    let verdicts = judged(&world, &records);
    let expected: Vec<Verdict> = places
        .iter()
        .map(|(number, offset)| Verdict::Replace(output(&format!("{number}/{offset}"))))
        .collect();
    assert_eq!(verdicts, expected);
    assert_eq!(world.calls(), [vec![42, 43], vec![5], vec![44], vec![40]]);
}

#[test]
fn a_letter_without_its_value_fails_and_names_its_source() {
    let first = FakeRecord {
        value: None,
        ..FakeRecord::new(3, 42)
    };
    let (records, _) = read(vec![
        letter("clean", &first, 0),
        letter("clean", &FakeRecord::new(3, 43), 1),
    ]);
    let world = World::default();
    let verdicts = judged(&world, &records);
    let Verdict::Fail(reason) = &verdicts[0] else {
        panic!("{verdicts:?}");
    };
    assert!(
        reason.contains("topic in, partition 3, offset 42"),
        "{reason}"
    );
    assert_eq!(world.calls(), [[43]]);
}

#[test]
fn a_fault_in_one_batch_is_a_fault_of_the_call() {
    let records = [(3, 42), (1, 5)];
    let (records, _) = read(
        (0..)
            .zip(records)
            .map(|(at, (number, offset))| letter("clean", &FakeRecord::new(number, offset), at))
            .collect(),
    );
    let world = World::default();
    world.state().poison.insert((1, 5));
    let halt = Again(world.ports().3).judge(&partition(0), &records);
    let Err(Halt::Fault(Stage::Transform, fault)) = halt else {
        panic!("{halt:?}");
    };
    assert_eq!(fault.to_string(), "offset 5 is poison");
}
