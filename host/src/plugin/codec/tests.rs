//! Codecs as text, and real ones: `make plugins guests` first.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::config::Plugin;
use crate::plugin::{Engine, Instance};

const MIB: usize = 1024 * 1024;

fn settings(path: PathBuf, config: &str) -> Plugin {
    Plugin {
        path,
        config: config.to_owned(),
        allow: Vec::new(),
        memory: 64 * MIB,
        time: Duration::from_millis(100),
        call: Duration::from_secs(10),
        watch: false,
        canary: None,
        shadow: None,
    }
}

/// What `codec.wat` becomes with this body.
fn component(kind: Kind, body: &str) -> Arc<Component> {
    let function = match kind {
        Kind::Deserializer => "deserialize",
        _ => "serialize",
    };
    let text = include_str!("codec.wat")
        .replace("INTERFACE", kind.name())
        .replace("FUNCTION", function)
        .replace("(;body;)", body);
    let settings = settings(PathBuf::from("test.wasm"), "");
    let bytes = wat::parse_str(text).unwrap();
    let engine = Engine::new().unwrap();
    Arc::new(Component::of_bytes(&engine, &settings, kind, &bytes))
}

fn codec(body: &str) -> CodecInstance {
    CodecInstance::new(&component(Kind::Deserializer, body)).unwrap()
}

/// What `make plugins guests` leaves in the target folder.
fn made(file: &str, kind: Kind, config: &str) -> anyhow::Result<Arc<Component>> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")),
        PathBuf::from,
    );
    let path = target.join(file);
    assert!(path.exists(), "no {path:?}: run make plugins guests");
    let mut settings = settings(path, config);
    settings.time = Duration::from_secs(2); // The machine may be busy.
    Ok(Arc::new(Component::load(&Engine::new()?, &settings, kind)?))
}

/// The puppet of `tests/guests`.
fn puppet(kind: Kind, config: &str) -> anyhow::Result<CodecInstance> {
    CodecInstance::new(&made("guests/puppet_codec.wasm", kind, config)?)
}

fn convert(
    codec: &mut CodecInstance,
    payloads: &[&str],
) -> Result<Vec<Result<String, String>>, Fault> {
    let payloads: Vec<_> = payloads.iter().map(|payload| payload.as_bytes()).collect();
    let results = codec.convert("in", Field::Value, &payloads, None)?;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ok(results.into_iter().map(|result| result.map(text)).collect())
}

#[track_caller]
fn broken(codec: &mut CodecInstance, payloads: &[&str]) -> String {
    match convert(codec, payloads) {
        Err(Fault::Broke(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn timed_out(codec: &mut CodecInstance, payloads: &[&str]) -> String {
    match convert(codec, payloads) {
        Err(Fault::TimedOut(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

/// The first line, without the plugin's name and digest.
fn summary(reason: &str) -> &str {
    let line = reason.lines().next().unwrap_or_default();
    line.splitn(3, ' ').nth(2).unwrap_or_default()
}

#[test]
fn a_good_codec_answers_each_payload_in_order() {
    for kind in [Kind::Deserializer, Kind::Serializer] {
        let mut codec = CodecInstance::new(&component(kind, "")).unwrap();
        for payloads in [&["a"][..], &["a", "", "b"], &[]] {
            let results = convert(&mut codec, payloads).unwrap();
            let results: Vec<_> = results.into_iter().map(Result::unwrap).collect();
            assert_eq!(results, payloads);
        }
    }
}

#[test]
fn a_payloads_own_error_is_no_fault() {
    // The second one's tag: an error, with the payload for its text.
    let mut codec = codec("(i32.store (i32.const 1036) (i32.const 1))");
    assert_eq!(
        convert(&mut codec, &["a", "why", "b"]).unwrap(),
        [Ok("a".into()), Err("why".into()), Ok("b".into())]
    );
}

#[test]
fn a_wrong_count_is_a_fault() {
    let mut codec = codec("(local.set $results (i32.const 1))");
    let reason = broken(&mut codec, &["a", "b"]);
    assert!(reason.starts_with("plugin test@"), "{reason}");
    assert_eq!(
        summary(&reason),
        "returned 1 results for 2 payloads: it must return exactly one a payload"
    );
    assert_eq!(convert(&mut codec, &["a"]).unwrap(), [Ok("a".into())]);
}

#[test]
fn traps_loops_and_hunger_have_the_words_of_a_transforms() {
    assert_eq!(
        summary(&broken(&mut codec("unreachable"), &["a"])),
        "trapped: wasm `unreachable` instruction executed"
    );
    assert_eq!(
        summary(&timed_out(&mut codec("(loop (br 0))"), &["a", "b"])),
        "took longer than the 200ms that it may (plugin.time, plugin.call)"
    );
    let hungry = "(drop (memory.grow (i32.const 65000)))";
    assert_eq!(
        summary(&broken(&mut codec(hungry), &["a"])),
        "wanted more memory than plugin.memory allows (67108864 bytes)"
    );
}

#[test]
fn a_component_is_run_as_what_it_was_loaded_for() {
    let component = component(Kind::Serializer, "");
    let error = Instance::new(&component).err().unwrap().to_string();
    assert!(error.ends_with("was loaded as a serializer"), "{error}");
    let settings = settings(PathBuf::from("test.wasm"), "");
    let text = include_str!("../instance/plugin.wat");
    let bytes = wat::parse_str(text).unwrap();
    let transform = Component::of_bytes(component.engine(), &settings, Kind::Transform, &bytes);
    let error = CodecInstance::new(&Arc::new(transform)).err().unwrap();
    assert!(error.to_string().ends_with("was loaded as a transform"));
}

#[test]
fn one_file_of_the_sdk_deserializes_and_serializes() {
    for (kind, name) in [
        (Kind::Deserializer, "deserializer"),
        (Kind::Serializer, "serializer"),
    ] {
        let mut codec = puppet(kind, "its own").unwrap();
        assert_eq!(
            convert(&mut codec, &["upper abc", "fail why", "config", "kind"]).unwrap(),
            [
                Ok("ABC".into()),
                Err("why".into()),
                Ok("its own".into()),
                Ok(name.into()),
            ]
        );
        let key = codec.convert("t", Field::Key, &[b"place"], None).unwrap();
        assert_eq!(key, [Ok(b"t/key".to_vec())]);
    }
}

#[test]
fn a_codecs_clock_stands_where_it_is_set() {
    let mut codec = puppet(Kind::Deserializer, "").unwrap();
    for millis in [1_764_000_000_000, 1_000] {
        let time = codec.convert("in", Field::Value, &[b"time"], Some(millis));
        assert_eq!(time.unwrap(), [Ok(millis.to_string().into_bytes())]);
    }
}

#[test]
fn an_instance_of_the_sdk_is_fresh_after_a_fault_and_after_a_discard() {
    let mut codec = puppet(Kind::Serializer, "").unwrap();
    let count = |codec: &mut CodecInstance| convert(codec, &["count"]).unwrap().remove(0).unwrap();
    assert_eq!(
        (count(&mut codec), count(&mut codec)),
        ("1".into(), "2".into())
    );
    codec.discard();
    assert_eq!(count(&mut codec), "1");

    let reason = broken(&mut codec, &["panic no price"]);
    assert!(reason.contains("\nprinted: no price"), "{reason}");
    assert_eq!(count(&mut codec), "1");
    assert_eq!(
        summary(&broken(&mut codec, &["count", "too-few"])),
        "returned 1 results for 2 payloads: it must return exactly one a payload"
    );
    timed_out(&mut codec, &["loop"]);
    broken(&mut codec, &["alloc"]);
    assert_eq!(count(&mut codec), "1");
}

#[test]
fn a_codec_may_refuse_its_configuration() {
    let error = puppet(Kind::Deserializer, "refuse").err().unwrap();
    let text = format!("{error:#}");
    assert!(text.ends_with("its init refused: told to refuse"), "{text}");
}

#[test]
fn a_real_codec_is_no_transform() {
    let error = puppet(Kind::Transform, "").err().unwrap();
    let text = format!("{error:#}");
    assert!(
        text.contains("is no transform plugin: it exports "),
        "{text}"
    );
    assert!(text.contains("plugin/deserializer@0.1.0"), "{text}");
}

#[test]
fn one_file_may_be_of_every_kind() {
    let file = "guests/every_kind.wasm";
    for kind in [Kind::Deserializer, Kind::Serializer] {
        let mut codec = CodecInstance::new(&made(file, kind, "").unwrap()).unwrap();
        assert_eq!(
            convert(&mut codec, &["a"]).unwrap(),
            [Ok(kind.name().to_owned())]
        );
    }
    Instance::new(&made(file, Kind::Transform, "").unwrap()).unwrap();
}

/// The real one: what it makes of each message is in its own tests.
#[test]
fn the_protobuf_plugin_reads_and_writes_frames() {
    use base64::Engine as _;
    let descriptors = include_bytes!("../../../../plugins/protobuf/src/tests/shop.binpb");
    let digits = base64::prelude::BASE64_STANDARD.encode(descriptors);
    let config = format!(r#"{{"descriptors":"{digits}","message":"shop.Tree","id":7}}"#);
    let file = "plugins/protobuf.wasm";
    let codec = |kind| CodecInstance::new(&made(file, kind, &config).unwrap()).unwrap();
    let (mut decoder, mut encoder) = (codec(Kind::Deserializer), codec(Kind::Serializer));

    // As deep as JSON and Protobuf may be, on the guest's stack.
    let deep = format!(
        "{}{}",
        r#"{"child":"#.repeat(99),
        "{}".to_owned() + &"}".repeat(99)
    );
    let texts = [r#"{"leaf":-1}"#, "{}", r#"{"leaf":"x"}"#, &deep];
    let texts: Vec<_> = texts.iter().map(|text| text.as_bytes()).collect();
    let frames = encoder.convert("out", Field::Value, &texts, None).unwrap();
    let frame = frames[1].as_ref().unwrap();
    assert_eq!(frame, &[0, 0, 0, 0, 7, 2, 4]);
    let why = frames[2].as_ref().unwrap_err();
    assert!(why.starts_with("not a shop.Tree: leaf: "), "{why}");

    let payloads: Vec<_> = frames.iter().filter_map(|it| it.as_deref().ok()).collect();
    let back = decoder
        .convert("in", Field::Value, &payloads, None)
        .unwrap();
    let back: Vec<_> = back.into_iter().map(Result::unwrap).collect();
    assert_eq!(back, [texts[0], texts[1], texts[3]]);
    let no_frame = decoder.convert("in", Field::Key, &[b"{}"], None).unwrap();
    assert_eq!(
        no_frame,
        [Err("not framed: it has 2 bytes, and a frame 6".to_owned())]
    );
}
