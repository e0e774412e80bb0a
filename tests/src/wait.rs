//! Waiting for a condition, never for time to pass: polls until it holds, and
//! says what did not come true when the deadline is over.

use std::convert::Infallible;
use std::fmt::Display;
use std::time::{Duration, Instant};

/// Between two looks: short beside anything that a test waits for, and long
/// enough to leave the processor to what is waited for.
const POLL: Duration = Duration::from_millis(10);

/// Polls until `look` returns something, and returns that.
///
/// `what` completes the sentence "waited 5s in vain for …".
#[track_caller]
pub fn eventually<T>(deadline: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    match poll(deadline, || look().ok_or(None::<Infallible>)) {
        Ok(found) => found,
        Err(_) => panic!("waited {deadline:?} in vain for {what}"),
    }
}

/// Like [`eventually`] for a look that can say what it saw instead: the last
/// such answer becomes part of the failure.
#[track_caller]
pub fn eventually_ok<T, E: Display>(
    deadline: Duration,
    what: &str,
    look: impl FnMut() -> Result<T, E>,
) -> T {
    match poll(deadline, look) {
        Ok(found) => found,
        Err(last) => panic!("waited {deadline:?} in vain for {what}; at last: {last}"),
    }
}

/// Looks at least once, also when the deadline is zero.
fn poll<T, E>(deadline: Duration, mut look: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let start = Instant::now();
    loop {
        match look() {
            Err(_) if start.elapsed() < deadline => std::thread::sleep(POLL),
            done => return done,
        }
    }
}
