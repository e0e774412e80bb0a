//! Forwards everything, with its version in the header `version`. The version is six
//! digits in the component's bytes, which a test changes: so a version is another file
//! without a build. `broken` in their place makes one that traps on every record. A value
//! that begins with `fail ` is rejected, and one with `panic ` is a trap.

use std::hint::black_box;

use millrace_sdk::{Header, Message, Output, Result, Source, Transform, Verdict};

/// What the test looks for, and the digits behind it.
static VERSION: [u8; 22] = *b"version-of-this:000000";

struct StampsVersion;

impl Transform for StampsVersion {
    fn new(_config: &str) -> Result<Self> {
        Ok(StampsVersion)
    }

    fn transform(&mut self, message: Message, _source: &Source<'_>) -> Result<Verdict> {
        let version = &black_box(&VERSION)[16..];
        assert_ne!(version, b"broken", "this version is broken");
        let value = message.value.unwrap_or_default();
        assert!(!value.starts_with(b"panic "), "it was told to");
        if value.starts_with(b"fail ") {
            return Err("it was told to".into());
        }
        Ok(Output::source()
            .with_header(Header::new("version", version))
            .into())
    }
}

millrace_sdk::plugin!(StampsVersion);
