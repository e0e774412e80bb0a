//! Decoding and encoding with schemas, against a real registry and against one that
//! fails; a file a theme. What the formats are in detail is tested beside the codecs.

mod commands;
mod encoding;
mod evolution;
mod examples;
mod faults;
mod interop;
mod json_schema;
mod outages;
mod plain;
mod plugins;
mod settings;
mod untouched;

use std::path::Path;

use millrace_tests::registry::framed;
use millrace_tests::{Host, Record, eventually, eventually_ok, plugin};
use serde_json::Value;

use crate::pipeline::{Pipeline, SOON, log, texts, told};

/// What the plugin sees goes out as JSON.
const DECODE: &[&str] = &["--decode-value", "avro", "--encode-value", "json"];

/// JSON comes in.
const ENCODE: &[&str] = &["--decode-value", "json", "--encode-value", "avro"];

/// Avro on both sides.
const RECODE: &[&str] = &["--decode-value", "avro", "--encode-value", "avro"];

/// A record of one long.
const POINT: &str = r#"{"type":"record","name":"Point","namespace":"geo","fields":[
    {"name":"x","type":"long"}]}"#;

/// [`POINT`] as it is written later.
const POINT_2: &str = r#"{"type":"record","name":"Point","namespace":"geo","fields":[
    {"name":"x","type":"long"},{"name":"y","type":"long","default":7}]}"#;

/// A [`POINT`], whose schema has this id.
fn point(id: u32, x: i64) -> Record {
    Record::value(framed(id, &long(x))).to_partition(0)
}

/// A [`POINT_2`].
fn point_2(id: u32, x: i64, y: i64) -> Record {
    Record::value(framed(id, &[long(x), long(y)].concat())).to_partition(0)
}

/// A long as Avro writes it: near zero is short, negative or not, and the lowest
/// seven bits come first.
fn long(value: i64) -> Vec<u8> {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(rest & 0x7f).expect("seven bits");
        rest >>= 7;
        if rest == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A string as Avro writes it.
fn string(text: &str) -> Vec<u8> {
    let length = i64::try_from(text.len()).expect("small");
    [&long(length), text.as_bytes()].concat()
}

/// `host run` with the plugin that forwards, this registry and the dead-letter
/// topic.
fn start(pipeline: &Pipeline, registry: &str, more: &[&str]) -> Host {
    start_with(&plugin("passthrough"), pipeline, registry, more)
}

/// Like [`start`], with another plugin.
fn start_with(plugin: &Path, pipeline: &Pipeline, registry: &str, more: &[&str]) -> Host {
    let registry = ["--schema-registry", registry];
    pipeline.start_with_dead_letters(plugin, &[&registry, more].concat())
}

/// The values as JSON.
#[track_caller]
fn jsons(records: &[Record]) -> Vec<Value> {
    let json = |text| serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    texts(records).into_iter().map(json).collect()
}

/// Why each dead letter is there: stage and reason.
fn reasons(letters: &[Record]) -> Vec<(&str, &str)> {
    letters
        .iter()
        .map(|letter| (told(letter, "stage"), told(letter, "reason")))
        .collect()
}

/// Waits until `host` says that it waits for the registry, and why: the line holds
/// this text.
#[track_caller]
fn wait_for_trouble(host: &Host, why: &str) {
    let what = format!("a word of the registry's trouble, with {why:?}");
    eventually_ok(SOON, &what, || {
        let lines = log(host);
        let waits = lines.iter().filter(|line| {
            let message = line["message"].as_str().unwrap_or_default();
            message.contains("waiting") && message.contains("schema registry")
        });
        let whys: Vec<String> = waits.map(|line| line["why"].to_string()).collect();
        match whys.iter().any(|found| found.contains(why)) {
            true => Ok(()),
            false => Err(format!("{whys:?}")),
        }
    });
}

/// Waits until `host` says that the registry is well again.
#[track_caller]
fn wait_for_recovery(host: &mut Host) {
    host.wait_for_log("registry answers again", SOON);
}

/// Waits until there are so many dead letters, and returns them.
#[track_caller]
fn wait_for_letters(pipeline: &Pipeline, wanted: usize) -> Vec<Record> {
    let what = format!("{wanted} dead letters");
    eventually(SOON, &what, || {
        Some(pipeline.letters()).filter(|letters| letters.len() >= wanted)
    })
}
