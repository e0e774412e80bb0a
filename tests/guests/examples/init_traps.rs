//! Panics in `init`.

use millrace_sdk::{Message, Result, Source, Transform, Verdict};

struct InitTraps;

impl Transform for InitTraps {
    fn new(config: &str) -> Result<Self> {
        panic!("told to panic: {config}")
    }

    fn transform(&mut self, _message: Message, _source: &Source<'_>) -> Result<Verdict> {
        Ok(Verdict::Forward)
    }
}

millrace_sdk::plugin!(InitTraps);
