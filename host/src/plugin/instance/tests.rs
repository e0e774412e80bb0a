mod versions;

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::config::Plugin;
use crate::pipeline::ports::Interrupted;
use crate::plugin::Engine;
use crate::record::{Header, Timestamp};

const MIB: usize = 1024 * 1024;

struct Plain(i64);

impl Record for Plain {
    fn key(&self) -> Option<&[u8]> {
        None
    }

    fn value(&self) -> Option<&[u8]> {
        Some(b"value")
    }

    fn headers(&self) -> Vec<Header<'_>> {
        Vec::new()
    }

    fn offset(&self) -> i64 {
        self.0
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp::Create(self.0)
    }
}

/// A component whose `process` does this (`plugin.wat`), with so much memory.
fn component_with(engine: &Engine, memory: usize, body: &str) -> Arc<Component> {
    let text = include_str!("plugin.wat").replace("(;body;)", body);
    let settings = Plugin {
        path: PathBuf::from("test.wasm"),
        config: String::new(),
        allow: Vec::new(),
        memory,
        time: Duration::from_millis(100),
        call: Duration::from_secs(10),
        watch: false,
        canary: None,
        shadow: None,
    };
    let bytes = wat::parse_str(text).unwrap();
    let component = Component::of_bytes(engine, &settings, Kind::Transform, &bytes);
    Arc::new(component)
}

fn instance_with(memory: usize, body: &str) -> Instance {
    Instance::new(&component_with(&Engine::new().unwrap(), memory, body)).unwrap()
}

fn instance(body: &str) -> Instance {
    instance_with(256 * MIB, body)
}

/// One call with so many records.
fn call(instance: &mut Instance, records: i64) -> Result<usize, Fault> {
    let records: Vec<_> = (0..records).map(Plain).collect();
    let partition = TopicPartition::new("in", 0);
    instance
        .process(&partition, &records)
        .map(|verdicts| verdicts.len())
}

/// What the fault of one record says.
#[track_caller]
fn broken(instance: &mut Instance) -> String {
    match call(instance, 1) {
        Err(Fault::Broke(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn timed_out(instance: &mut Instance) -> String {
    match call(instance, 1) {
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
fn a_good_plugin_answers_each_message() {
    let mut instance = instance("");
    assert_eq!(call(&mut instance, 1).unwrap(), 1);
    assert_eq!(call(&mut instance, 100).unwrap(), 100);
}

#[test]
fn a_trap_names_the_functions_that_it_was_in_without_their_hashes() {
    let reason = broken(&mut instance(
        "(call $_ZN6orders5price17h0123456789abcdefE)",
    ));
    assert_eq!(
        summary(&reason),
        "trapped: wasm `unreachable` instruction executed"
    );
    assert!(reason.starts_with("plugin test@"), "{reason}");
    assert_eq!(reason.lines().nth(1), Some("  at orders::price"));
    assert_eq!(reason.lines().nth(2), Some("  at process"));
}

#[test]
fn the_same_fault_has_the_same_words() {
    let mut instance = instance("(call $_ZN6orders5price17h0123456789abcdefE)");
    assert_eq!(broken(&mut instance), broken(&mut instance));
}

#[test]
fn a_wrong_count_is_a_fault() {
    for (body, count) in [
        ("(local.set $verdicts (i32.const 0))", 0),
        ("(local.set $verdicts (i32.const 2))", 2),
    ] {
        assert_eq!(
            summary(&broken(&mut instance(body))),
            format!(
                "returned {count} verdicts for 1 messages: it must return exactly one a message"
            )
        );
    }
}

#[test]
fn a_full_stack_is_named() {
    let reason = broken(&mut instance(
        "(drop (call $process (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))",
    ));
    assert_eq!(summary(&reason), "used up its stack (call stack exhausted)");
}

#[test]
fn more_memory_than_allowed_is_named() {
    let reason = broken(&mut instance("(drop (memory.grow (i32.const 65000)))"));
    assert_eq!(
        summary(&reason),
        "wanted more memory than plugin.memory allows (268435456 bytes)"
    );
}

/// One verdict, `replace` with a value of so many bytes, which all are zero.
fn returns(bytes: usize) -> String {
    let pages = bytes / 65536 + 1;
    format!(
        "(drop (memory.grow (i32.const {pages})))
         (i32.store (i32.const 1024) (i32.const 2))
         (i32.store (i32.const 1084) (i32.const 2))
         (i32.store (i32.const 1088) (i32.const 65536))
         (i32.store (i32.const 1092) (i32.const {bytes}))"
    )
}

#[test]
fn what_a_call_returns_is_bounded() {
    let mut fits = instance_with(1024 * MIB, &returns(100 * MIB));
    assert_eq!(call(&mut fits, 1).unwrap(), 1);

    let reason = broken(&mut instance_with(1024 * MIB, &returns(200 * MIB)));
    assert_eq!(summary(&reason), "returned more than 134217728 bytes");
}

#[test]
fn what_a_host_function_is_handed_is_bounded() {
    let reason = broken(&mut instance_with(
        1024 * MIB,
        "(drop (memory.grow (i32.const 4096)))
         (call $log (i32.const 2) (i32.const 65536) (i32.const 200000000))",
    ));
    assert_eq!(
        summary(&reason),
        "handed a host function more than 134217728 bytes"
    );
}

#[test]
fn a_loop_is_interrupted() {
    assert_eq!(
        summary(&timed_out(&mut instance("(loop (br 0))"))),
        "took longer than the 100ms that it may (plugin.time, plugin.call)"
    );
}

/// Makes two pollables of an hour each, at 2048.
const TWO_HOURS: &str = "
    (i32.store (i32.const 2048) (call $subscribe (i64.const 3600000000000)))
    (i32.store (i32.const 2052) (call $subscribe (i64.const 3600000000000)))";

#[test]
fn a_wait_for_several_things_is_interrupted() {
    timed_out(&mut instance(&format!(
        "{TWO_HOURS} (call $poll (i32.const 2048) (i32.const 2) (i32.const 32)) (loop (br 0))"
    )));
    timed_out(&mut instance(&format!(
        "{TWO_HOURS}
         (loop (call $poll (i32.const 2048) (i32.const 2) (i32.const 32)) (br 0))"
    )));
}

#[test]
fn a_loop_that_polls_without_a_time_is_interrupted() {
    timed_out(&mut instance(
        "(loop
           (i32.store (i32.const 2048) (call $subscribe (i64.const 0)))
           (call $poll (i32.const 2048) (i32.const 1) (i32.const 32))
           (call $drop (i32.load (i32.const 2048)))
           (global.set $free (i32.const 65536))
           (br 0))",
    ));
}

#[test]
fn a_log_without_end_is_interrupted() {
    timed_out(&mut instance(
        "(loop (call $log (i32.const 2) (i32.const 1024) (i32.const 100)) (br 0))",
    ));
}

/// Grows by 16 MiB a call.
const LEAK: &str = "(drop (memory.grow (i32.const 256)))";

#[test]
fn an_instance_that_leaks_is_replaced_before_it_breaks() {
    let mut instance = instance_with(64 * MIB, LEAK);
    for _ in 0..100 {
        assert_eq!(call(&mut instance, 10).unwrap(), 10);
    }
    // Three calls are 48 MiB and a little: more than three quarters.
    let recycled = instance.place.guest.component.tally.sum().recycled;
    assert!((25..=34).contains(&recycled), "{recycled}");
}

#[test]
fn an_instance_that_does_not_grow_is_kept() {
    let mut instance = instance_with(64 * MIB, "");
    for _ in 0..100 {
        call(&mut instance, 10).unwrap();
    }
    assert_eq!(instance.place.guest.component.tally.sum().recycled, 0);
    assert!(instance.place.guest.running.is_some());
}

#[test]
fn a_call_finds_a_fresh_instance_after_a_discard() {
    let mut instance = instance(
        "(memory.size) (if (i32.gt_u (i32.const 3)) (then unreachable))
         (drop (memory.grow (i32.const 1)))",
    );
    for _ in 0..2 {
        call(&mut instance, 1).unwrap();
        instance.discard();
    }
    call(&mut instance, 1).unwrap();
    broken(&mut instance);
}

#[test]
fn a_call_that_is_given_up_is_no_fault_of_the_plugins() {
    let mut instance = instance("(loop br 0)");
    let engine = instance.place.guest.component.engine.clone();
    let giving_up = std::thread::spawn(move || engine.give_up());
    match call(&mut instance, 100) {
        Err(Fault::Fatal(error)) => assert!(error.is::<Interrupted>(), "{error}"),
        other => panic!("{other:?}"),
    }
    giving_up.join().unwrap();
}
