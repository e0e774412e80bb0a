//! One output a line of the value, in order; an empty value is dropped, and one of a
//! single line is forwarded.

use millrace_sdk::{Message, Output, Result, Source, Transform, Verdict};

struct SplitsLines;

impl Transform for SplitsLines {
    fn new(_config: &str) -> Result<Self> {
        Ok(SplitsLines)
    }

    fn transform(&mut self, message: Message, _source: &Source<'_>) -> Result<Verdict> {
        let lines: Vec<_> = message.value_str()?.lines().collect();
        Ok(match lines[..] {
            [] => Verdict::Drop,
            [_] => Verdict::Forward,
            _ => lines
                .into_iter()
                .map(Output::value)
                .collect::<Vec<_>>()
                .into(),
        })
    }
}

millrace_sdk::plugin!(SplitsLines);
