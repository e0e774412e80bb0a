use std::sync::Arc;

use proptest::prelude::*;
use wasmtime::ResourceLimiter as _;

use super::*;
use crate::plugin::limits::Limits;

const BUDGET: Budget = Budget {
    time: Duration::from_secs(2),
    keys: "plugin.time, plugin.call",
};

fn reason(error: &Error, printed: &[&str]) -> String {
    let plugin = PluginId {
        name: Arc::from("orders"),
        digest: Arc::from("ab12cd34ffff"),
    };
    let printed: Vec<String> = printed.iter().map(|&line| line.to_owned()).collect();
    of(&plugin, error, BUDGET, &printed)
}

fn strings(lines: impl IntoIterator<Item = impl ToString>) -> Vec<String> {
    lines.into_iter().map(|line| line.to_string()).collect()
}

#[test]
fn each_kind_of_fault_has_its_own_words() {
    let out_of_memory = Limits::new(100).memory_growing(0, 101, None).unwrap_err();
    for (error, says) in [
        (
            Trap::UnreachableCodeReached.into(),
            "trapped: wasm `unreachable` instruction executed",
        ),
        (
            Trap::Interrupt.into(),
            "took longer than the 2s that it may (plugin.time, plugin.call)",
        ),
        (
            Trap::StackOverflow.into(),
            "used up its stack (call stack exhausted)",
        ),
        (
            out_of_memory,
            "wanted more memory than plugin.memory allows (100 bytes)",
        ),
        (Error::from(I32Exit(3)), "exited in the middle of a call"),
        (Error::msg("something else"), "broke: something else"),
    ] {
        assert_eq!(
            reason(&error, &[]),
            format!("plugin orders@ab12cd34 {says}")
        );
    }
}

#[test]
fn what_it_printed_stands_behind_the_summary() {
    let error = Trap::UnreachableCodeReached.into();
    let printed = [
        "thread 'main' panicked at src/lib.rs:1:2:",
        "for a good\treason\u{1b}[2J",
        "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
    ];
    assert_eq!(
        reason(&error, &printed),
        "plugin orders@ab12cd34 trapped: wasm `unreachable` instruction executed\n\
         printed: thread 'main' panicked at src/lib.rs:1:2:\n\
         printed: for a good reason [2J"
    );
}

#[test]
fn how_a_panic_came_to_its_trap_is_left_out() {
    let names = strings([
        "abort",
        "std::panicking::panic_with_hook",
        "std::sys::backtrace::__rust_end_short_backtrace",
        "__rustc::rust_begin_unwind",
        "core::panicking::panic_fmt",
        "orders::price",
    ]);
    assert_eq!(
        without_panic(names),
        ["core::panicking::panic_fmt", "orders::price"]
    );
    assert_eq!(
        without_panic(strings(0..20)),
        strings(0..12),
        "others keep all that have room"
    );
}

#[test]
fn the_backtrace_is_cut_before_what_was_printed() {
    let printed = strings((0..8).map(|n| format!("{n} {}", "p".repeat(150))));
    let frames = strings((0..12).map(|n| format!("f{n}::{}", "f".repeat(150))));
    let text = compose("summary", &printed, &frames);
    assert!(text.len() <= LONGEST_REASON);
    for line in &printed {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.contains("\n  at f0::"), "{text}");
    assert!(!text.contains("\n  at f11::"), "{text}");
}

#[test]
fn of_long_printed_lines_the_last_ones_survive() {
    let printed = strings((0..8).map(|n| format!("{n} {}", "p".repeat(4000))));
    let text = compose(&"s".repeat(10_000), &printed, &[]);
    assert!(text.len() <= LONGEST_REASON);
    assert!(!text.contains("printed: 0"));
    for n in 5..8 {
        assert!(text.contains(&format!("printed: {n}")), "{text}");
    }
}

proptest! {
    #[test]
    fn it_always_fits_and_its_first_line_is_the_summary(
        summary in "\\PC*",
        printed: Vec<String>,
        frames: Vec<String>,
    ) {
        let text = compose(&summary, &printed, &frames);
        prop_assert!(text.len() <= LONGEST_REASON);
        let first = text.split('\n').next().unwrap_or_default();
        prop_assert!(summary.starts_with(first));
    }
}
