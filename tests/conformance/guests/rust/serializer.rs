//! The conformance suite's serializer (tests/conformance/README.md).

mod common;

use millrace_sdk::{Place, Result, Serializer};

struct Guest;

impl Serializer for Guest {
    fn new(config: &str) -> Result<Self> {
        common::configure(config).map(|()| Guest)
    }

    fn serialize(&mut self, payload: &[u8], place: &Place<'_>) -> Result<Vec<u8>> {
        common::convert(payload, place, "[", "]")
    }
}

millrace_sdk::plugin!(serializer: Guest);
