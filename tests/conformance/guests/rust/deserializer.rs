//! The conformance suite's deserializer (tests/conformance/README.md).

mod common;

use millrace_sdk::{Deserializer, Place, Result};

struct Guest;

impl Deserializer for Guest {
    fn new(config: &str) -> Result<Self> {
        common::configure(config).map(|()| Guest)
    }

    fn deserialize(&mut self, payload: &[u8], place: &Place<'_>) -> Result<Vec<u8>> {
        common::convert(payload, place, "", "")
    }
}

millrace_sdk::plugin!(deserializer: Guest);
