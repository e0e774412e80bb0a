//! What the plugin leaves alone goes out as it came, byte for byte, where both codecs
//! and the schema agree; and null is null for every codec.

use millrace_tests::registry::{Language, framed, unframed};
use millrace_tests::topics::unique;
use millrace_tests::{Record, plugin, shared_registry};

use super::{POINT, POINT_2, RECODE, long, point, start};
use crate::pipeline::{Pipeline, stop};

/// The values as they are.
fn values(records: Vec<Record>) -> Vec<Option<Vec<u8>>> {
    records.into_iter().map(|record| record.value).collect()
}

#[test]
fn avro_goes_out_as_the_bytes_that_came() {
    let schema = r#"{"type":"record","name":"Numbers","fields":[
        {"name":"xs","type":{"type":"array","items":"long"}}]}"#;
    let registry = shared_registry();
    let pipeline = Pipeline::with_dead_letters("untouched", 1);
    let id = registry.register(&format!("{}-value", pipeline.output), schema);
    let datums = [
        // As one would write it, in two blocks, and in one that says its size.
        [long(2), long(1), long(2), long(0)].concat(),
        [long(1), long(1), long(1), long(2), long(0)].concat(),
        [long(-2), long(2), long(1), long(2), long(0)].concat(),
    ];
    let written: Vec<_> = datums.iter().map(|datum| framed(id, datum)).collect();
    pipeline.feed(
        written
            .iter()
            .map(|value| Record::value(value).to_partition(0)),
    );

    let host = start(&pipeline, &registry.url(), RECODE);
    pipeline.wait_for_committed(&[(0, 3)]);
    stop(host);

    let expected: Vec<_> = written.into_iter().map(Some).collect();
    assert_eq!(values(pipeline.outputs()), expected);
    assert_eq!(pipeline.letters(), []);
}

#[test]
fn another_schema_on_the_way_out_means_other_bytes() {
    let registry = shared_registry();
    let pipeline = Pipeline::with_dead_letters("other-schema", 1);
    let subject = format!("{}-value", pipeline.output);
    let old = registry.register(&subject, POINT);
    let new = registry.register(&subject, POINT_2);
    pipeline.feed([point(old, 1)]);

    let host = start(&pipeline, &registry.url(), RECODE);
    pipeline.wait_for_committed(&[(0, 1)]);
    stop(host);

    let outputs = pipeline.outputs();
    let value = outputs[0].value.as_deref().expect("a value");
    assert_eq!(unframed(value), (new, &*[long(1), long(7)].concat()));
}

#[test]
fn keys_and_values_are_looked_at_each_for_itself() {
    let registry = shared_registry();
    let pipeline = Pipeline::with_dead_letters("each", 1);
    let key = registry.register(&format!("{}-key", pipeline.output), POINT);
    let value = registry.register(&format!("{}-value", pipeline.output), POINT_2);
    pipeline.feed([Record::value(framed(key, &long(1)))
        .key(framed(key, &long(2)))
        .header("h", "1")
        .at(1_700_000_000_000)
        .to_partition(0)]);

    let flags = [RECODE, &["--decode-key", "avro", "--encode-key", "avro"]].concat();
    let host = start(&pipeline, &registry.url(), &flags);
    pipeline.wait_for_committed(&[(0, 1)]);
    stop(host);

    let expected = Record::value(framed(value, &[long(1), long(7)].concat()))
        .key(framed(key, &long(2)))
        .header("h", "1")
        .at(1_700_000_000_000);
    let outputs = pipeline.outputs();
    assert_eq!(outputs.len(), 1);
    assert_eq!(outputs[0].content(), expected.content());
}

#[test]
fn json_and_text_go_out_as_they_came() {
    let pipeline = Pipeline::with_dead_letters("as-is", 1);
    let written = Record::value("{ \"a\" : 1.0e0 , \"a\\u0062\" : [ ] }\n")
        .key("schlüssel")
        .to_partition(0);
    pipeline.feed([written.clone()]);
    let flags = [
        ["--decode-key", "string"],
        ["--encode-key", "string"],
        ["--decode-value", "json"],
        ["--encode-value", "json"],
    ]
    .concat();
    let host = pipeline.start_with_dead_letters(&plugin("passthrough"), &flags);
    pipeline.wait_for_committed(&[(0, 1)]);
    stop(host);
    let outputs = pipeline.outputs();
    assert_eq!(outputs[0].key, written.key);
    assert_eq!(outputs[0].value, written.value);
}

#[test]
fn null_is_null_for_every_codec() {
    let registry = shared_registry();
    let json = r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}"#;
    for format in ["string", "json", "avro", "avro-plain", "json-schema"] {
        let pipeline = Pipeline::with_dead_letters("nulls", 1);
        let source = format!("subject:{}", unique("nulls"));
        let name = source.split_once(':').expect("it has one").1;
        registry.register(name, POINT);
        // Nulls need no schema; but nothing here is to wait or fail for want of one.
        for field in ["key", "value"] {
            let subject = format!("{}-{field}", pipeline.output);
            match format {
                "json-schema" => registry.register_with(&subject, json, Language::Json, &[]),
                _ => registry.register(&subject, POINT),
            };
        }
        let mut flags: Vec<String> = Vec::new();
        for way in ["decode", "encode"] {
            for field in ["key", "value"] {
                flags.extend([format!("--{way}-{field}"), format.to_owned()]);
                if format == "avro-plain" {
                    let schema = format!("{way}.{field}_schema={source}");
                    flags.extend(["--set".to_owned(), schema]);
                }
            }
        }
        pipeline.feed([Record::null().to_partition(0)]);

        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let host = start(&pipeline, &registry.url(), &flags);
        pipeline.wait_for_committed(&[(0, 1)]);
        stop(host);

        let outputs = pipeline.outputs();
        assert_eq!(outputs.len(), 1, "{format}");
        assert_eq!((&outputs[0].key, &outputs[0].value), (&None, &None));
        assert_eq!(pipeline.letters(), [], "{format}");
    }
}

#[test]
fn a_tombstone_keeps_its_key() {
    let registry = shared_registry();
    let pipeline = Pipeline::with_dead_letters("tombstone", 1);
    let id = registry.register(&format!("{}-key", pipeline.input), POINT);
    pipeline.feed([Record::null().key(framed(id, &long(1))).to_partition(0)]);
    let flags = [
        super::DECODE,
        &["--decode-key", "avro", "--encode-key", "json"],
    ]
    .concat();
    let host = start(&pipeline, &registry.url(), &flags);
    pipeline.wait_for_committed(&[(0, 1)]);
    stop(host);
    let outputs = pipeline.outputs();
    assert_eq!(outputs[0].key.as_deref(), Some(br#"{"x":1}"#.as_slice()));
    assert_eq!(outputs[0].value, None);
}
