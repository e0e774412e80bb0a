//! Panics in `init` once the clock is past its configuration, which is
//! milliseconds since the epoch: the first instance is made, a later one is not.
//! It wants the real clock (`--allow clock`). At the value `poison` it panics too.

use std::time::{SystemTime, UNIX_EPOCH};

use millrace_sdk::{Message, Result, Source, Transform, Verdict};

struct InitTrapsLater;

impl Transform for InitTrapsLater {
    fn new(config: &str) -> Result<Self> {
        let until: u128 = config.parse()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        assert!(now <= until, "told to panic after {until}");
        Ok(InitTrapsLater)
    }

    fn transform(&mut self, message: Message, _source: &Source<'_>) -> Result<Verdict> {
        assert!(message.value.as_deref() != Some(b"poison"), "poison");
        Ok(Verdict::Forward)
    }
}

millrace_sdk::plugin!(InitTrapsLater);
