//! Returns one verdict more than there are messages for a batch that holds the
//! value `poison`; forwards the rest.

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
        let poison = |message: &Message| message.value.as_deref() == Some(b"poison");
        let wrong = usize::from(batch.messages.iter().any(poison));
        vec![Verdict::Forward; batch.messages.len() + wrong]
    }
}

millrace_sdk::plugin!(TooManyVerdicts);
