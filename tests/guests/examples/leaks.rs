//! Forgets 100 KiB at each record, whatever it is; forwards all.

use std::hint::black_box;

use millrace_sdk::{Message, Result, Source, Transform, Verdict};

const EACH: usize = 100 * 1024;

struct Leaks;

impl Transform for Leaks {
    fn new(_config: &str) -> Result<Self> {
        Ok(Leaks)
    }

    fn transform(&mut self, _message: Message, _source: &Source<'_>) -> Result<Verdict> {
        black_box(vec![1u8; EACH].leak());
        Ok(Verdict::Forward)
    }
}

millrace_sdk::plugin!(Leaks);
