//! A fault in words. The first line is the same for the same fault, so that dead
//! letters can be grouped by it; what the plugin printed and where it was follow.

use std::time::Duration;

use wasmtime::{Error, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::id::PluginId;
use super::limits::{MOST_HANDED_OVER, OutOfMemory};
use crate::pipeline::dead_letter::LONGEST_REASON;

/// The first line is cut after so many bytes; only a strange file name makes it
/// as long.
const LONGEST_SUMMARY: usize = 512;

/// A printed line, in bytes: the last three always fit.
const LONGEST_PRINTED: usize = 400;

/// A function's name, in bytes: generics make long ones.
const LONGEST_NAME: usize = 160;

/// How many functions are named.
const MOST_FRAMES: usize = 12;

/// How long a call may take, and which keys say so.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    pub time: Duration,
    pub keys: &'static str,
}

/// Why a call did not come back: a summary, the last printed lines, and as much
/// of the backtrace as fits behind them.
pub fn of(plugin: &PluginId, error: &Error, budget: Budget, printed: &[String]) -> String {
    let summary = format!("plugin {plugin} {}", summary(error, budget));
    compose(&summary, printed, &frames(error))
}

fn summary(error: &Error, budget: Budget) -> String {
    if let Some(trap) = error.downcast_ref::<Trap>() {
        let text = trap.to_string();
        let text = text.strip_prefix("wasm trap: ").unwrap_or(&text);
        return match trap {
            Trap::Interrupt => {
                let Budget { time, keys } = budget;
                format!("took longer than the {time:?} that it may ({keys})")
            }
            Trap::StackOverflow => format!("used up its stack ({text})"),
            _ => format!("trapped: {text}"),
        };
    }
    if let Some(error) = error.downcast_ref::<OutOfMemory>() {
        return error.to_string();
    }
    // Its status says no more than success or not (`wasi:cli/exit`).
    if error.downcast_ref::<I32Exit>().is_some() {
        return "exited in the middle of a call".to_owned();
    }
    let cause = error.root_cause().to_string();
    // The type is wasmtime's own, and private.
    if cause.contains("fuel allocated for hostcalls") {
        // A result is taken over when the guest's code has returned.
        let how = match error.downcast_ref::<WasmBacktrace>() {
            None => "returned",
            Some(_) => "handed a host function",
        };
        return format!("{how} more than {MOST_HANDED_OVER} bytes");
    }
    format!("broke: {cause}")
}

/// The names of the functions that it was in, innermost first.
fn frames(error: &Error) -> Vec<String> {
    let name = |frame: &wasmtime::FrameInfo| match frame.func_name() {
        // The alternate form leaves the hashes out.
        Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
        None => format!("function {}", frame.func_index()),
    };
    error
        .downcast_ref::<WasmBacktrace>()
        .map(|trace| without_panic(trace.frames().iter().map(name).collect()))
        .unwrap_or_default()
}

/// Leaves out how a panic of Rust came to its trap, which is always the same
/// ten functions: the marks are those of Rust's own short backtraces.
fn without_panic(mut names: Vec<String>) -> Vec<String> {
    let ends = |name: &String| {
        name.contains("__rust_end_short_backtrace") || name.contains("rust_begin_unwind")
    };
    if let Some(last) = names.iter().rposition(ends) {
        names.drain(..=last);
    }
    names.truncate(MOST_FRAMES);
    names
}

/// Puts the parts together within [`LONGEST_REASON`]: of the printed lines the
/// last ones, of the functions the innermost.
fn compose(summary: &str, printed: &[String], frames: &[String]) -> String {
    let mut text = plain(summary, LONGEST_SUMMARY);
    let mut lines = Vec::new();
    let mut room = LONGEST_REASON - text.len();
    for line in printed.iter().rev().filter(|line| !is_advice(line)) {
        let line = format!("\nprinted: {}", plain(line, LONGEST_PRINTED));
        let Some(left) = room.checked_sub(line.len()) else {
            break;
        };
        room = left;
        lines.push(line);
    }
    text.extend(lines.into_iter().rev());
    for frame in frames {
        let line = format!("\n  at {}", plain(frame, LONGEST_NAME));
        if text.len() + line.len() > LONGEST_REASON {
            break;
        }
        text += &line;
    }
    text
}

/// Rust's advice to set a variable, which a plugin can't follow.
fn is_advice(line: &str) -> bool {
    line.starts_with("note: run with `RUST_BACKTRACE")
}

/// The beginning of a text, in one line that does nothing to a terminal.
fn plain(text: &str, longest: usize) -> String {
    text[..text.floor_char_boundary(longest)]
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests;
