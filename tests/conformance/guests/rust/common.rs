//! What the three guests of the conformance suite share (tests/conformance/README.md).

use millrace_sdk::{Result, log};

/// What `init` does with its configuration. (Nothing that Rust throws can be caught, so
/// `throw` is an error like `refuse`.)
pub fn configure(config: &str) -> Result<()> {
    if let ("refuse" | "throw", text) = command(config.as_bytes())? {
        return Err(text.into());
    }
    match config {
        "" => Ok(()),
        "log" => {
            log::trace!("trace line");
            log::debug!("debug line");
            log::info!("info line");
            log::warn!("warn line");
            log::error!("error line");
            Ok(())
        }
        other => Err(format!("unknown configuration: {other}").into()),
    }
}

/// The word, and the argument as text.
fn command(bytes: &[u8]) -> Result<(&str, &str)> {
    let (word, argument) = split(bytes);
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| "bad argument");
    Ok((text(word)?, text(argument)?))
}

/// The word, and what is behind the first space.
pub fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b' ') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, b""),
    }
}

/// What a codec makes of a payload, between these.
#[allow(dead_code, reason = "the transform is no codec")]
pub fn convert(
    payload: &[u8],
    place: &millrace_sdk::Place<'_>,
    before: &str,
    after: &str,
) -> Result<Vec<u8>> {
    if let (b"fail" | b"throw", text) = split(payload) {
        let text = std::str::from_utf8(text).map_err(|_| "bad argument")?;
        return Err(text.into());
    }
    let field = match place.field {
        millrace_sdk::Field::Key => "key",
        millrace_sdk::Field::Value => "value",
    };
    let start = format!("{before}{field}:{}:", place.topic);
    Ok([start.as_bytes(), payload, after.as_bytes()].concat())
}
