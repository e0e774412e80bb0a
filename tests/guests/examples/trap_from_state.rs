//! Panics at the 10,001st record of an instance, whatever it is, and forwards
//! until then: a fresh instance takes what this one could not.

use millrace_sdk::{Message, Result, Source, Transform, Verdict};

const ENOUGH: u32 = 10_000;

struct TrapFromState {
    seen: u32,
}

impl Transform for TrapFromState {
    fn new(_config: &str) -> Result<Self> {
        Ok(TrapFromState { seen: 0 })
    }

    fn transform(&mut self, _message: Message, _source: &Source<'_>) -> Result<Verdict> {
        self.seen += 1;
        assert!(self.seen <= ENOUGH, "{ENOUGH} records are enough");
        Ok(Verdict::Forward)
    }
}

millrace_sdk::plugin!(TrapFromState);
