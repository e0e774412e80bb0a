//! Files that are no plugin, or none that works: the one that runs goes on.

use std::fs;

use millrace_tests::{Host, Record, guest, plugin};

use super::{Plugin, lines, version_of, wait_for_lines, wait_for_swaps};
use crate::feeder::{Feeder, assert_all_once_in_order};
use crate::pipeline::{LONG, Pipeline, expect_exit, stop, told};

const REFUSED: &str = "a plugin file is not taken";

/// Each in mid-stream, one after the other, and then a good one.
#[test]
fn what_can_not_run_is_refused_and_the_old_one_goes_on() {
    let pipeline = Pipeline::new("bad-builds", 2);
    let file = Plugin::new();
    let feeder = Feeder::start(&pipeline, 1000);
    let host = pipeline.start(
        &file.path,
        &["--set", "plugin.call=5s", "--set", "plugin.time=5s"],
    );
    pipeline.wait_for_flow(500);
    let whole = file.version("000009");
    let of_guest = |name: &str| fs::read(guest(name)).expect("it is built");
    let mut other_contract = of_guest("traps_on_poison");
    let name = b"millrace:plugin/transform@0.1.0";
    let places: Vec<usize> = (0..other_contract.len() - name.len())
        .filter(|at| other_contract[*at..].starts_with(name))
        .collect();
    assert!(!places.is_empty(), "the export is not found");
    for at in places {
        other_contract[at + name.len() - 3] = b'7';
    }
    let bad: Vec<(&str, Vec<u8>, &str)> = vec![
        ("text", b"not Wasm at all".to_vec(), "no WebAssembly"),
        ("nothing", vec![], "empty"),
        ("half a file", whole[..whole.len() / 2].to_vec(), ""),
        ("a header", whole[..8].to_vec(), ""),
        ("a third", whole[..whole.len() / 3].to_vec(), ""),
        (
            "all but its end",
            whole[..whole.len() * 9 / 10].to_vec(),
            "",
        ),
        ("another contract", other_contract, "contract"),
        ("an init that traps", of_guest("init_traps"), "init broke"),
        (
            "an init that refuses",
            of_guest("init_fails"),
            "init refused",
        ),
        (
            "an init that never returns",
            of_guest("init_loops"),
            "plugin.call",
        ),
        ("a network", of_guest("dials_out"), "wasi:sockets"),
        ("a compile bomb", compile_bomb(), "MiB to compile"),
        (
            "another kind",
            fs::read(plugin("protobuf")).expect("it is built"),
            "no transform",
        ),
    ];
    for (number, (what, bytes, why)) in bad.iter().enumerate() {
        file.is_replaced_by(bytes);
        wait_for_lines(&host, REFUSED, number + 1);
        let line = &lines(&host, REFUSED)[number];
        let said = line["why"].as_str().unwrap_or_default();
        assert!(said.contains(why), "{what}: {said}");
    }
    assert!(lines(&host, "plugin swapped").is_empty());
    pipeline.wait_for_flow(500);
    file.becomes("000001");
    wait_for_swaps(&host, 1);
    pipeline.wait_for_flow(500);
    let written = feeder.finish();
    pipeline.wait_for_committed_total(written, LONG);
    stop(host);
    let outputs = pipeline.outputs();
    assert_all_once_in_order(&outputs, written);
    assert!(outputs.iter().all(|output| version_of(output) != "000009"));
}

/// A small plugin that takes more than a GiB of memory to compile: one function of three
/// million instructions.
fn compile_bomb() -> Vec<u8> {
    const NAME: &str = "millrace:plugin/transform@0.1.0";
    const STEP: &str = "local.get 0 local.get 1 i32.mul local.get 2 i32.xor local.tee 0 \
                        local.get 1 i32.add local.set 1\n";
    let steps = STEP.repeat(400_000);
    let module = format!(
        r#"(module
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "{NAME}#init") (param i32 i32) (result i32) unreachable)
            (func (export "{NAME}#process") (param i32 i32 i32 i32 i32) (result i32) unreachable)
            (func (param i32 i32 i32) (result i32) {steps} local.get 0))"#
    );
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (core, component) = (
        folder.path().join("core.wasm"),
        folder.path().join("bomb.wasm"),
    );
    fs::write(&core, wat::parse_str(module).expect("it is WAT")).expect("it can be written");
    let mut command = Host::command();
    command
        .arg("componentize")
        .arg(&core)
        .arg("-o")
        .arg(&component);
    expect_exit(&mut Host::spawn(command), 0);
    fs::read(&component).expect("it was made")
}

/// With a dead-letter topic, the breaker takes it back: its letters can be replayed.
#[test]
fn the_breaker_takes_a_plugin_back_that_fails_every_record() {
    let pipeline = Pipeline::with_dead_letters("swap-breaker", 1);
    let file = Plugin::new();
    let more = ["--set", "errors.breaker=100% of 20"];
    let host = pipeline.start_with_dead_letters(&file.path, &more);
    pipeline.feed((0..10).map(|n| Record::value(n.to_string())));
    pipeline.wait_for_outputs(10);
    file.becomes("broken");
    wait_for_swaps(&host, 1);
    pipeline.feed((10..100).map(|n| Record::value(n.to_string())));
    pipeline.wait_for_committed_total(100, LONG);
    wait_for_lines(&host, "a plugin was taken back", 1);
    let loaded = lines(&host, "plugin loaded");
    // What was taken back is not taken again, and what is mended is.
    file.becomes("000002");
    wait_for_swaps(&host, 3);
    pipeline.feed([Record::value("100")]);
    pipeline.wait_for_committed_total(101, LONG);
    stop(host);
    let (outputs, letters) = (pipeline.outputs(), pipeline.letters());
    assert_eq!((outputs.len(), letters.len()), (101 - 19, 19));
    assert_eq!(version_of(outputs.last().expect("the last")), "000002");
    let digests: std::collections::BTreeSet<_> = letters
        .iter()
        .map(|letter| told(letter, "plugin-digest").to_owned())
        .collect();
    assert_eq!(digests.len(), 1, "all of the broken one");
    let before = loaded[0]["plugin"]
        .as_str()
        .and_then(|id| id.split_once('@'))
        .expect("an id")
        .1
        .to_owned();
    assert!(
        digests.iter().all(|digest| !digest.starts_with(&before)),
        "they name the one before"
    );
}

/// Without one, the run would end at the first record: the version before judges it.
#[test]
fn with_the_policy_stop_a_plugin_that_fails_at_once_is_taken_back() {
    let pipeline = Pipeline::new("swap-stop", 1);
    let file = Plugin::new();
    let host = pipeline.start(&file.path, &["--workers", "1"]);
    pipeline.feed((0..10).map(|n| Record::value(n.to_string())));
    pipeline.wait_for_outputs(10);
    file.becomes("broken");
    wait_for_swaps(&host, 1);
    pipeline.feed((10..100).map(|n| Record::value(n.to_string())));
    pipeline.wait_for_committed_total(100, LONG);
    stop(host);
    let outputs = pipeline.outputs();
    assert_eq!(outputs.len(), 100);
    assert!(outputs.iter().all(|output| version_of(output) == "000000"));
}
