//! JSON behind the id of its JSON Schema: the frame is read and written, and the
//! schema holds on both sides.

use millrace_tests::registry::{Language, Reference, framed, unframed};
use millrace_tests::{Record, shared_registry};
use serde_json::json;

use super::{jsons, reasons, start};
use crate::pipeline::{Pipeline, assert_says, stop, texts};

const SCHEMA: &str = r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object",
    "properties":{"x":{"type":"integer","minimum":0}},"required":["x"]}"#;

/// Apicurio takes nothing for a JSON Schema that does not say so.
const DRAFT: &str = r#""$schema":"http://json-schema.org/draft-07/schema#""#;

#[test]
fn what_its_schema_allows_is_decoded_and_nothing_else() {
    let registry = shared_registry();
    let pipeline = Pipeline::with_dead_letters("json-schema", 1);
    let subject = format!("{}-value", pipeline.input);
    let id = registry.register_with(&subject, SCHEMA, Language::Json, &[]);
    let written = [
        framed(id, br#"{"x": 1}"#),
        framed(id, br#"{"x": -1}"#),
        framed(id, br#"{"y": 1}"#),
        framed(id, br#"{"x": 1"#),
        br#"{"x": 1}"#.to_vec(),
    ];
    pipeline.feed(
        written
            .iter()
            .map(|value| Record::value(value).to_partition(0)),
    );

    let flags = ["--decode-value", "json-schema", "--encode-value", "json"];
    let host = start(&pipeline, &registry.url(), &flags);
    pipeline.wait_for_committed(&[(0, 5)]);
    stop(host);

    assert_eq!(texts(&pipeline.outputs()), [r#"{"x": 1}"#]);
    let letters = pipeline.letters();
    let values: Vec<_> = letters.iter().filter_map(|l| l.value.clone()).collect();
    assert_eq!(values, written[1..]);
    let reasons = reasons(&letters);
    assert!(reasons.iter().all(|(stage, _)| *stage == "decode-value"));
    assert_says(reasons[0].1, &["x"]);
    assert_says(reasons[1].1, &["x"]);
}

#[test]
fn what_the_schema_of_the_output_allows_is_framed_and_nothing_else() {
    let registry = shared_registry();
    let pipeline = Pipeline::with_dead_letters("json-schema-out", 1);
    let subject = format!("{}-value", pipeline.output);
    let id = registry.register_with(&subject, SCHEMA, Language::Json, &[]);
    pipeline.feed_at_once([r#"{"x":1}"#, r#"{"x":-1}"#]);

    let flags = ["--decode-value", "json", "--encode-value", "json-schema"];
    let host = start(&pipeline, &registry.url(), &flags);
    pipeline.wait_for_committed(&[(0, 2)]);
    stop(host);

    let outputs = pipeline.outputs();
    assert_eq!(outputs.len(), 1);
    let value = outputs[0].value.as_deref().expect("a value");
    assert_eq!(unframed(value), (id, br#"{"x":1}"#.as_slice()));
    let letters = pipeline.letters();
    assert_eq!(jsons(&letters), [json!({ "x": -1 })]);
    assert_eq!(reasons(&letters)[0].0, "encode-value");
}

/// A name under an `$id` is one of the references as well as a plain one.
#[test]
fn a_schema_is_checked_with_those_that_it_names() {
    let registry = shared_registry();
    for id in ["", r#""$id":"https://a.example/of/order.json","#] {
        let pipeline = Pipeline::with_dead_letters("json-schema-names", 1);
        let subject = format!("{}-value", pipeline.input);
        let refers = |name: &str, subject: &str| Reference {
            name: name.to_owned(),
            subject: subject.to_owned(),
            version: 1,
        };
        let (named, by) = (format!("{subject}-name"), format!("{subject}-by"));
        let schema = |body: &str| format!("{{{DRAFT},{body}}}");
        let name = schema(r#""type":"string""#);
        registry.register_with(&named, &name, Language::Json, &[]);
        let customer = schema(r#""type":"object","properties":{"name":{"$ref":"name.json"}}"#);
        let reference = refers("name.json", &named);
        registry.register_with(&by, &customer, Language::Json, &[reference]);
        let order = r#""type":"object","properties":{"by":{"$ref":"customer.json"}}"#;
        let order = schema(&format!("{id}{order}"));
        let reference = refers("customer.json", &by);
        let id = registry.register_with(&subject, &order, Language::Json, &[reference]);
        let written = [r#"{"by":{"name":"a"}}"#, r#"{"by":{"name":1}}"#];
        let framed = |text: &str| Record::value(framed(id, text.as_bytes())).to_partition(0);
        pipeline.feed(written.map(framed));

        let flags = ["--decode-value", "json-schema", "--encode-value", "json"];
        let host = start(&pipeline, &registry.url(), &flags);
        pipeline.wait_for_committed(&[(0, 2)]);
        stop(host);
        assert_eq!(texts(&pipeline.outputs()), written[..1]);
        assert_says(reasons(&pipeline.letters())[0].1, &["/by/name: 1 is not"]);
    }
}
