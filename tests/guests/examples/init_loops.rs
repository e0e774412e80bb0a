//! Never comes back from `init`.

use millrace_sdk::{Message, Result, Source, Transform, Verdict};

struct InitLoops;

impl Transform for InitLoops {
    fn new(_config: &str) -> Result<Self> {
        loop {
            std::hint::spin_loop();
        }
    }

    fn transform(&mut self, _message: Message, _source: &Source<'_>) -> Result<Verdict> {
        Ok(Verdict::Forward)
    }
}

millrace_sdk::plugin!(InitLoops);
