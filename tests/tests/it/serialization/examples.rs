//! The pipeline files of `examples/`, as they stand there but for the addresses and
//! the places of the plugins.

use millrace_tests::registry::{framed, unframed};
use millrace_tests::{Host, Record, plugin, shared_registry};

use super::string;
use crate::pipeline::{Pipeline, expect_exit, texts};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");

/// 2026-01-01T00:00:00Z, in milliseconds.
const AT: i64 = 1_767_225_600_000;

fn schema(name: &str) -> String {
    let path = format!("{FOLDER}/schemas/{name}.avsc");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs one of the examples to the end of its input.
fn run(pipeline: &Pipeline, example: &str, more: &[&str]) {
    let config = format!("{FOLDER}/{example}.toml");
    let more = [&["--config", &config, "--until", "end"], more].concat();
    let mut host: Host = pipeline.start_with_dead_letters(&plugin("sensors"), &more);
    expect_exit(&mut host, 0);
}

fn key() -> Vec<u8> {
    [string("s1"), string("hall")].concat()
}

/// A reading of so many degrees; the second one has them in Fahrenheit, too.
fn reading(celsius: f64) -> Vec<u8> {
    [super::long(AT), celsius.to_le_bytes().to_vec()].concat()
}

fn reading_and_fahrenheit(celsius: f64, fahrenheit: f64) -> Vec<u8> {
    [reading(celsius), fahrenheit.to_le_bytes().to_vec()].concat()
}

#[test]
fn avro_with_a_registry_of_confluents_or_redpandas() {
    let registry = shared_registry();
    for example in ["confluent-registry", "redpanda-registry"] {
        let pipeline = Pipeline::with_dead_letters(example, 1);
        let key_id = registry.register(&format!("{}-key", pipeline.input), &schema("sensor-key"));
        let subject = format!("{}-value", pipeline.input);
        let value_id = registry.register(&subject, &schema("sensor-value"));
        let record = |celsius| {
            Record::value(framed(value_id, &reading(celsius)))
                .key(framed(key_id, &key()))
                .to_partition(0)
        };
        pipeline.feed([record(20.0), record(1000.0)]);

        run(&pipeline, example, &["--schema-registry", &registry.url()]);

        let outputs = pipeline.outputs();
        assert_eq!(outputs.len(), 1, "{example}");
        assert_eq!(outputs[0].key, Some(framed(key_id, &key())));
        let registered = registry.latest(&format!("{}-value", pipeline.output));
        let registered = registered.expect("the example registers it");
        let (id, datum) = unframed(outputs[0].value.as_deref().expect("a value"));
        assert_eq!(id, registered.id);
        assert_eq!(datum, reading_and_fahrenheit(20.0, 68.0));
        // The dead letter holds what came.
        let letters = pipeline.letters();
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0].value, record(1000.0).value);
    }
}

#[test]
fn avro_without_a_frame() {
    let registry = shared_registry();
    registry.register("sensor-key", &schema("sensor-key"));
    registry.register("sensor-value", &schema("sensor-value"));
    let pipeline = Pipeline::with_dead_letters("plain-avro", 1);
    let record = Record::value(reading(-40.0)).key(key());
    pipeline.feed([record.to_partition(0)]);

    run(
        &pipeline,
        "plain-avro",
        &["--schema-registry", &registry.url()],
    );

    let outputs = pipeline.outputs();
    assert_eq!(outputs.len(), 1);
    assert_eq!(outputs[0].key, Some(key()));
    assert_eq!(outputs[0].value, Some(reading_and_fahrenheit(-40.0, -40.0)));
    assert_eq!(pipeline.letters(), []);
}

#[test]
fn avro_in_and_json_out() {
    let registry = shared_registry();
    let pipeline = Pipeline::with_dead_letters("avro-to-json", 1);
    let subject = format!("{}-value", pipeline.input);
    let id = registry.register(&subject, &schema("sensor-value"));
    pipeline.feed([Record::value(framed(id, &reading(20.0))).to_partition(0)]);

    let flags = ["--schema-registry", &registry.url()];
    run(&pipeline, "avro-to-json", &flags);

    let expected = [r#"{"timestamp":"2026-01-01T00:00:00.000Z","celsius":20.0,"fahrenheit":68.0}"#];
    assert_eq!(texts(&pipeline.outputs()), expected);
    assert_eq!(pipeline.letters(), []);
}

#[test]
fn json() {
    let pipeline = Pipeline::with_dead_letters("json-example", 1);
    pipeline.feed_at_once([r#"{"timestamp":"t","celsius":20}"#, "{"]);

    run(&pipeline, "json", &[]);

    let expected = [r#"{"timestamp":"t","celsius":20,"fahrenheit":68.0}"#];
    assert_eq!(texts(&pipeline.outputs()), expected);
    assert_eq!(texts(&pipeline.letters()), ["{"]);
}

#[test]
fn a_deserializer_of_ones_own() {
    let pipeline = Pipeline::with_dead_letters("own-deserializer", 1);
    pipeline.feed_at_once(["2026-01-01T00:00:00Z,20", "no reading"]);

    let decode = format!("plugin:{}", plugin("csv-lines").display());
    run(
        &pipeline,
        "custom-deserializer",
        &["--decode-value", &decode],
    );

    let expected = [r#"{"timestamp":"2026-01-01T00:00:00Z","celsius":20,"fahrenheit":68.0}"#];
    assert_eq!(texts(&pipeline.outputs()), expected);
    assert_eq!(texts(&pipeline.letters()), ["no reading"]);
}
