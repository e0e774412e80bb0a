//! Returns one verdict more than there are messages.

use millrace_sdk::{Batch, Message, Result, Source, Transform, Verdict};

struct TooManyVerdicts;

impl Transform for TooManyVerdicts {
    fn new(_config: &str) -> Result<Self> {
        Ok(TooManyVerdicts)
    }

    fn transform(&mut self, _message: Message, _source: &Source<'_>) -> Result<Verdict> {
        Ok(Verdict::Forward)
    }

    fn transform_batch(&mut self, batch: Batch) -> Vec<Verdict> {
        vec![Verdict::Forward; batch.messages.len() + 1]
    }
}

millrace_sdk::plugin!(TooManyVerdicts);
