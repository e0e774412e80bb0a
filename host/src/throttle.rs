//! Lets so many log lines pass in a window of time, and counts the others: what
//! goes wrong ten thousand times a second is one line and a number. Pure.

use std::time::{Duration, Instant};

#[derive(Debug)]
pub struct Throttle {
    most: u32,
    window: Duration,
    since: Option<Instant>,
    passed: u32,
    left_out: u64,
}

impl Throttle {
    /// `most` lines in each `window`.
    pub fn new(most: u32, window: Duration) -> Self {
        Self {
            most,
            window,
            since: None,
            passed: 0,
            left_out: 0,
        }
    }

    /// Whether a line may be written now: `Some` with the number of lines that
    /// were left out since the last written one, or `None`, and it is counted.
    pub fn pass(&mut self, now: Instant) -> Option<u64> {
        self.turn(now);
        if self.passed == self.most {
            self.left_out += 1;
            return None;
        }
        self.passed += 1;
        Some(std::mem::take(&mut self.left_out))
    }

    /// How many lines were left out, once the window that they belong to is
    /// over, for a summary where no further line comes; 0 before.
    pub fn take_left_out(&mut self, now: Instant) -> u64 {
        self.turn(now);
        if self.passed == self.most {
            return 0;
        }
        std::mem::take(&mut self.left_out)
    }

    fn turn(&mut self, now: Instant) {
        if self
            .since
            .is_none_or(|since| now.saturating_duration_since(since) >= self.window)
        {
            self.since = Some(now);
            self.passed = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(1);

    #[test]
    fn as_many_as_allowed_pass_and_the_others_are_counted() {
        let mut throttle = Throttle::new(2, WINDOW);
        let begun = Instant::now();
        assert_eq!(throttle.pass(begun), Some(0));
        assert_eq!(throttle.pass(begun), Some(0));
        assert_eq!(throttle.pass(begun), None);
        assert_eq!(throttle.pass(begun), None);
        assert_eq!(throttle.take_left_out(begun), 0, "the window is not over");
        assert_eq!(throttle.pass(begun + WINDOW), Some(2));
        assert_eq!(throttle.pass(begun + WINDOW), Some(0));
    }

    #[test]
    fn what_was_left_out_can_be_asked_for_once_the_window_is_over() {
        let mut throttle = Throttle::new(1, WINDOW);
        let begun = Instant::now();
        throttle.pass(begun);
        throttle.pass(begun);
        assert_eq!(throttle.take_left_out(begun + WINDOW), 1);
        assert_eq!(throttle.take_left_out(begun + WINDOW), 0);
        assert_eq!(throttle.pass(begun + WINDOW), Some(0));
    }
}
