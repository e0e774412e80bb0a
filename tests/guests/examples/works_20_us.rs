//! Forwards everything, and works about 20 µs for each record: a plugin that costs
//! far more than what is around it.

use std::hint::black_box;

use millrace_sdk::{Message, Result, Source, Transform, Verdict};

/// About 1 ns each on the machines of 2026.
const STEPS: u32 = 20_000;

struct Works;

impl Transform for Works {
    fn new(_config: &str) -> Result<Self> {
        Ok(Works)
    }

    fn transform(&mut self, message: Message, _source: &Source<'_>) -> Result<Verdict> {
        let mut state = message.value.as_deref().map_or(1, |v| v.len() as u64) | 1;
        for _ in 0..STEPS {
            // A chain, so that no step can be left out or run beside another.
            state ^= state << 13;
            state ^= state >> 7;
        }
        black_box(state);
        Ok(Verdict::Forward)
    }
}

millrace_sdk::plugin!(Works);
