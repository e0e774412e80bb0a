//! What stands around a run: `--inspect`, `--check` and `host dlq replay` with codecs.

use millrace_tests::topics::unique;
use millrace_tests::{Host, plugin, shared_registry};
use serde_json::{Value, json};

use super::{DECODE, POINT, RECODE, point, start, start_with};
use crate::pipeline::{Pipeline, assert_says, error_of, expect_exit, stop, told};

#[test]
fn inspect_shows_what_the_plugin_saw_and_said() {
    let registry = shared_registry();
    for (encode, stem) in [("json", "inspect-json"), ("avro", "inspect-avro")] {
        let pipeline = Pipeline::with_dead_letters(stem, 1);
        let id = registry.register(&format!("{}-value", pipeline.input), POINT);
        registry.register(&format!("{}-value", pipeline.output), POINT);
        pipeline.feed([point(id, 1)]);

        let decode = ["--decode-value", "avro", "--encode-value", encode];
        let more = [&decode[..], &["--inspect", "--until", "end"]].concat();
        let mut host = start(&pipeline, &registry.url(), &more);
        expect_exit(&mut host, 0);
        let line: Value = serde_json::from_str(&host.stdout()).expect("one line of JSON");
        assert_eq!(line["value"], json!(r#"{"x":1}"#), "{line}");
        assert_eq!(line["verdict"], json!("forward"), "{line}");
        assert_eq!(line["outputs"], Value::Null, "{line}");
    }
}

#[test]
fn check_asks_for_what_the_settings_name() {
    let registry = shared_registry();
    let pipeline = Pipeline::with_dead_letters("check-schemas", 1);
    let subject = unique("checked");
    let check = |url: &str| {
        let schema = format!("decode.value_schema=subject:{subject}");
        let plain = ["--decode-value", "avro-plain", "--encode-value", "json"];
        let more = [&plain[..], &["--set", &schema, "--check"]].concat();
        start(&pipeline, url, &more)
    };
    let error = error_of(&mut check(&registry.url()), 2);
    assert_says(&error, &["decode.value_schema", &subject]);
    registry.register(&subject, POINT);
    expect_exit(&mut check(&registry.url()), 0);
    let error = error_of(&mut check("http://127.0.0.1:9/api"), 2);
    assert_says(&error, &["schema_registry.url", "127.0.0.1:9"]);

    // A run asks for nothing before it has a record.
    let mut host = start(&pipeline, "http://127.0.0.1:9/api", DECODE);
    host.wait_for_log("partition assigned", crate::pipeline::SOON);
    stop(host);
}

#[test]
fn dead_letters_are_decoded_again_and_a_dry_run_registers_nothing() {
    let registry = shared_registry();
    let pipeline = Pipeline::with_dead_letters("replay-avro", 1);
    let id = registry.register(&format!("{}-value", pipeline.input), POINT);
    let subject = format!("{}-value", pipeline.output);
    pipeline.feed([point(id, 1)]);
    let register = ["--set", "encode.register=true"];
    let recode = [RECODE, &register].concat();
    // A point is no order.
    let host = start_with(&plugin("orders"), &pipeline, &registry.url(), &recode);
    pipeline.wait_for_committed(&[(0, 1)]);
    stop(host);
    let letters = pipeline.letters();
    assert_eq!(told(&letters[0], "stage"), "transform");
    assert_eq!(letters[0].value, point(id, 1).value);

    let replay = |more: &[&str]| {
        let mut arguments = pipeline.arguments(&plugin("passthrough"));
        let topic = ["dlq", "replay", &pipeline.dead].map(str::to_owned);
        arguments.splice(0..1, topic);
        let url = registry.url();
        let flags = ["--name", "orders", "--schema-registry", &url];
        let flags = [&flags[..], &recode, more].concat();
        arguments.extend(flags.into_iter().map(str::to_owned));
        let mut host = Host::run(arguments);
        expect_exit(&mut host, 0);
        host.stdout()
    };
    let said = replay(&["--dry-run"]);
    assert!(said.contains(&pipeline.output), "{said}");
    assert!(!said.contains("a dead letter again"), "{said}");
    assert_eq!(registry.latest(&subject), None);
    assert_eq!(pipeline.outputs(), []);

    let said = replay(&[]);
    assert_says(&said, &["1 output written", "0 failed again"]);
    let registered = registry.latest(&subject).expect("it is registered now");
    assert_eq!(pipeline.outputs()[0].value, point(registered.id, 1).value);
}
