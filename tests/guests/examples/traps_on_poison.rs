//! Panics at the value `poison`, wherever it stands; forwards the rest.

use millrace_sdk::{Message, Result, Source, Transform, Verdict};

struct TrapsOnPoison;

impl Transform for TrapsOnPoison {
    fn new(_config: &str) -> Result<Self> {
        Ok(TrapsOnPoison)
    }

    fn transform(&mut self, message: Message, _source: &Source<'_>) -> Result<Verdict> {
        assert!(message.value.as_deref() != Some(b"poison"), "poison");
        Ok(Verdict::Forward)
    }
}

millrace_sdk::plugin!(TrapsOnPoison);
