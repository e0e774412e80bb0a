//! Forwards everything: the smallest plugin, and the cost of the boundary alone.
use millrace_sdk::{Message, Result, Source, Transform, Verdict};

pub struct Passthrough;
impl Transform for Passthrough {
    fn new(_config: &str) -> Result<Self> {
        Ok(Passthrough)
    }
    fn transform(&mut self, _message: Message, _source: &Source<'_>) -> Result<Verdict> {
        Ok(Verdict::Forward)
    }
}
millrace_sdk::plugin!(Passthrough);
