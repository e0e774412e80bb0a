//! Refuses its configuration, whatever that is.

use millrace_sdk::{Message, Result, Source, Transform, Verdict};

struct InitFails;

impl Transform for InitFails {
    fn new(config: &str) -> Result<Self> {
        Err(format!("told to fail: {config}").into())
    }

    fn transform(&mut self, _message: Message, _source: &Source<'_>) -> Result<Verdict> {
        Ok(Verdict::Forward)
    }
}

millrace_sdk::plugin!(InitFails);
