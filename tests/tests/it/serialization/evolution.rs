//! Schemas that change while `host` runs, that name each other, and readers'
//! schemas, to which what was written otherwise is resolved.

use std::fs;
use std::path::Path;

use millrace_tests::registry::{Language, Reference, framed};
use millrace_tests::topics::unique;
use millrace_tests::{Record, shared_registry};
use serde_json::json;

use super::{DECODE, POINT, POINT_2, RECODE, jsons, long, point, point_2, reasons, start, string};
use crate::pipeline::{Pipeline, assert_says, stop};

/// A file with this schema, as a setting names it.
fn file(folder: &Path, schema: &str) -> String {
    let path = folder.join("schema.avsc");
    fs::write(&path, schema).expect("it can be written");
    format!("file:{}", path.display())
}

#[test]
fn a_writers_schema_that_is_new_needs_no_restart() {
    let registry = shared_registry();
    let pipeline = Pipeline::with_dead_letters("evolves", 1);
    let subject = format!("{}-value", pipeline.input);
    let old = registry.register(&subject, POINT);
    pipeline.feed([point(old, 1)]);
    let host = start(&pipeline, &registry.url(), DECODE);
    pipeline.wait_for_committed(&[(0, 1)]);

    let new = registry.register(&subject, POINT_2);
    assert_ne!(new, old);
    pipeline.feed([point_2(new, 2, 3), point(old, 4)]);
    pipeline.wait_for_committed(&[(0, 3)]);
    stop(host);

    assert_eq!(
        jsons(&pipeline.outputs()),
        [
            json!({ "x": 1 }),
            json!({ "x": 2, "y": 3 }),
            json!({ "x": 4 })
        ]
    );
    assert_eq!(pipeline.letters(), []);
}

#[test]
fn a_readers_schema_makes_all_writers_look_alike() {
    // Renamed with an alias, promoted, with a default, with a symbol that is none of
    // the reader's, and one field that it does not know.
    let first = r#"{"type":"record","name":"Order","fields":[
        {"name":"number","type":"int"},
        {"name":"gone","type":"string"},
        {"name":"state","type":{"type":"enum","name":"State","symbols":["NEW","ODD"]}}]}"#;
    let second = r#"{"type":"record","name":"Order","fields":[
        {"name":"state","type":{"type":"enum","name":"State","symbols":["PAID","NEW"]}},
        {"name":"id","type":"long"},
        {"name":"note","type":["null","string"]}]}"#;
    let reader = r#"{"type":"record","name":"Order","fields":[
        {"name":"id","aliases":["number"],"type":"double"},
        {"name":"note","type":["string","null"],"default":"none"},
        {"name":"state","type":{"type":"enum","name":"State","symbols":["UNKNOWN","NEW","PAID"],
            "default":"UNKNOWN"}}]}"#;
    let registry = shared_registry();
    let subject = unique("writers");
    let first = registry.register(&subject, first);
    let second = registry.register(&subject, second);
    let readers = unique("readers");
    registry.register(&readers, reader);
    let folder = tempfile::tempdir().expect("a folder");
    let written = [
        framed(first, &[long(5), string("x"), long(0)].concat()),
        framed(first, &[long(6), string("x"), long(1)].concat()),
        framed(second, &[long(0), long(7), long(1), string("n")].concat()),
        framed(second, &[long(1), long(8), long(0)].concat()),
    ];

    for source in [
        file(folder.path(), reader),
        format!("subject:{readers}"),
        format!("subject:{readers}@1"),
    ] {
        let pipeline = Pipeline::with_dead_letters("reader", 1);
        pipeline.feed(
            written
                .iter()
                .map(|value| Record::value(value).to_partition(0)),
        );
        let setting = format!("decode.value_reader={source}");
        let flags = [DECODE, &["--set", &setting]].concat();
        let host = start(&pipeline, &registry.url(), &flags);
        pipeline.wait_for_committed(&[(0, 4)]);
        stop(host);
        assert_eq!(
            jsons(&pipeline.outputs()),
            [
                json!({ "id": 5.0, "note": "none", "state": "NEW" }),
                json!({ "id": 6.0, "note": "none", "state": "UNKNOWN" }),
                json!({ "id": 7.0, "note": "n", "state": "PAID" }),
                json!({ "id": 8.0, "note": null, "state": "NEW" }),
            ]
        );
        assert_eq!(pipeline.letters(), []);
    }
}

#[test]
fn what_a_reader_cannot_take_is_a_dead_letter() {
    let reader = POINT.replace("\"x\"", "\"z\"");
    let registry = shared_registry();
    let id = registry.register(&unique("unresolved"), POINT);
    let folder = tempfile::tempdir().expect("a folder");
    let pipeline = Pipeline::with_dead_letters("unresolved", 1);
    pipeline.feed([point(id, 1)]);

    let setting = format!("decode.value_reader={}", file(folder.path(), &reader));
    let flags = [DECODE, &["--set", &setting]].concat();
    let host = start(&pipeline, &registry.url(), &flags);
    pipeline.wait_for_committed(&[(0, 1)]);
    stop(host);

    let letters = pipeline.letters();
    let [(stage, reason)] = reasons(&letters)[..] else {
        panic!("{letters:?}")
    };
    assert_eq!(stage, "decode-value");
    assert_says(reason, &["z"]);
    assert_eq!(letters[0].value, point(id, 1).value);
}

#[test]
fn schemas_name_each_other_over_several_subjects() {
    let registry = shared_registry();
    let (points, lines, ways) = (unique("points"), unique("lines"), unique("ways"));
    let line = r#"{"type":"record","name":"Line","namespace":"geo","fields":[
        {"name":"from","type":"Point"},{"name":"to","type":["null","geo.Point"]}]}"#;
    let way = r#"{"type":"record","name":"Way","namespace":"map","fields":[
        {"name":"lines","type":{"type":"array","items":"geo.Line"}},
        {"name":"end","type":"geo.Point"}]}"#;
    registry.register(&points, POINT);
    let to_point = Reference::new("geo.Point", &points, 1);
    registry.register_with(
        &lines,
        line,
        Language::Avro,
        std::slice::from_ref(&to_point),
    );
    let to_line = Reference::new("geo.Line", &lines, 1);
    let id = registry.register_with(&ways, way, Language::Avro, &[to_line, to_point]);
    // The version that is named counts, and not the latest.
    registry.register(&points, POINT_2);

    let pipeline = Pipeline::with_dead_letters("references", 1);
    let datum = [
        long(2),
        [long(1), long(1), long(2)].concat(),
        [long(3), long(0)].concat(),
        long(0),
        long(4),
    ]
    .concat();
    pipeline.feed([Record::value(framed(id, &datum)).to_partition(0)]);
    let host = start(&pipeline, &registry.url(), DECODE);
    pipeline.wait_for_committed(&[(0, 1)]);
    stop(host);

    let way = json!({
        "lines": [
            { "from": { "x": 1 }, "to": { "x": 2 } },
            { "from": { "x": 3 }, "to": null },
        ],
        "end": { "x": 4 },
    });
    assert_eq!(jsons(&pipeline.outputs()), [way]);
    assert_eq!(pipeline.letters(), []);
}

#[test]
fn what_was_written_otherwise_goes_out_by_the_schema_of_the_output() {
    let registry = shared_registry();
    let pipeline = Pipeline::with_dead_letters("recoded", 1);
    let old = registry.register(&format!("{}-value", pipeline.input), POINT);
    let new = registry.register(&format!("{}-value", pipeline.output), POINT_2);
    pipeline.feed([point(old, 1), point_2(new, 2, 3)]);

    let host = start(&pipeline, &registry.url(), RECODE);
    pipeline.wait_for_committed(&[(0, 2)]);
    stop(host);

    // The first one gets the default of what it has not.
    let values: Vec<_> = pipeline.outputs().into_iter().map(|o| o.value).collect();
    assert_eq!(values, [point_2(new, 1, 7).value, point_2(new, 2, 3).value]);
    assert_eq!(pipeline.letters(), []);
}
