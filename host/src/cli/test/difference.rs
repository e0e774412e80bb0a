//! What came out beside what was expected. Lines are compared as JSON values, each
//! with the one at its place: every record has one line, in order. Pure.

use console::style;
use serde_json::Value;

use crate::cli::text::{counted, one_line};

/// How many lines that differ are shown: more are no help to a reader.
const MOST_SHOWN: usize = 20;

/// See the module's words.
#[derive(Debug, PartialEq, Eq)]
pub struct Differences<'a> {
    /// How many lines were expected, and how many came.
    counts: (usize, usize),
    lines: Vec<Line<'a>>,
}

/// A line that differs.
#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    /// From 1.
    number: usize,
    parts: Vec<Part<'a>>,
}

/// A value that differs; `None`: there is none.
#[derive(Debug, PartialEq, Eq)]
struct Part<'a> {
    /// Such as `outputs[0].value`; empty: the whole line.
    path: String,
    expected: Option<&'a Value>,
    got: Option<&'a Value>,
}

impl<'a> Differences<'a> {
    pub fn between(expected: &'a [Value], got: &'a [Value]) -> Self {
        let longest = expected.len().max(got.len());
        let lines = (0..longest).filter_map(|index| {
            let mut parts = Vec::new();
            compare(
                String::new(),
                (expected.get(index), got.get(index)),
                &mut parts,
            );
            (!parts.is_empty()).then_some(Line {
                number: index + 1,
                parts,
            })
        });
        Self {
            counts: (expected.len(), got.len()),
            lines: lines.collect(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// In a few words, up to "of what was expected".
    pub fn summary(&self) -> String {
        let differ = match self.lines.len() {
            1 => "1 line differs".to_owned(),
            n => format!("{n} lines differ"),
        };
        let (expected, got) = self.counts;
        match expected == got {
            true => differ,
            false => format!("{differ} ({got} came for {expected})"),
        }
    }

    /// For a person, coloured on a terminal.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in self.lines.iter().take(MOST_SHOWN) {
            text += &format!("{}\n", style(format!("line {}", line.number)).bold());
            for Part {
                path,
                expected,
                got,
            } in &line.parts
            {
                let path = match (path.as_str(), expected, got) {
                    ("", Some(_), None) => "missing",
                    ("", None, Some(_)) => "one too many",
                    (path, _, _) => path,
                };
                if !path.is_empty() {
                    text += &format!("  {}\n", one_line(path));
                }
                if let Some(expected) = expected {
                    let line = one_line(&format!("- {expected}"));
                    text += &format!("  {}\n", style(line).red());
                }
                if let Some(got) = got {
                    let line = one_line(&format!("+ {got}"));
                    text += &format!("  {}\n", style(line).green());
                }
            }
        }
        match self.lines.len().saturating_sub(MOST_SHOWN) {
            0 => {}
            more => text += &format!("and {} more\n", counted(more, "line")),
        }
        text
    }
}

/// Adds what differs, as deep inside as both have it.
fn compare<'a>(
    path: String,
    values: (Option<&'a Value>, Option<&'a Value>),
    into: &mut Vec<Part<'a>>,
) {
    match values {
        (Some(Value::Object(expected)), Some(Value::Object(got))) => {
            let more = got.keys().filter(|key| !expected.contains_key(*key));
            for key in expected.keys().chain(more) {
                let path = match path.as_str() {
                    "" => key.clone(),
                    path => format!("{path}.{key}"),
                };
                compare(path, (expected.get(key), got.get(key)), into);
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(got))) => {
            for index in 0..expected.len().max(got.len()) {
                let path = format!("{path}[{index}]");
                compare(path, (expected.get(index), got.get(index)), into);
            }
        }
        (expected, got) if expected == got => {}
        (expected, got) => into.push(Part {
            path,
            expected,
            got,
        }),
    }
}

#[cfg(test)]
mod tests;
