//! Whether the registry is well, over all questions, and what is said of it: the
//! first fault, some of the others, and that it is over. Pure but for the log.

use std::time::{Duration, Instant};

use crate::telemetry;
use crate::throttle::Throttle;

/// How often it is said that the registry does not answer.
const SAY: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Health {
    /// How many questions have had no answer but a fault so far.
    failing: usize,
    /// Since when there is such a question.
    since: Instant,
    /// It was said since then.
    is_said: bool,
    lines: Throttle,
}

impl Health {
    pub fn new() -> Self {
        Self {
            failing: 0,
            since: Instant::now(),
            is_said: false,
            lines: Throttle::new(1, SAY),
        }
    }

    /// A question met a fault; `is_first`: its first one.
    pub fn fails(&mut self, is_first: bool, what: &str, why: &str, now: Instant) {
        if is_first {
            self.failing += 1;
            if self.failing == 1 {
                self.since = now;
                self.is_said = false;
            }
        }
        if let Some(left_out) = self.lines.pass(now) {
            self.is_said = true;
            telemetry::registry_fails(what, why, left_out);
        }
    }

    /// A question that had met faults has its answer.
    pub fn recovers(&mut self, now: Instant) {
        self.failing = self.failing.saturating_sub(1);
        if self.failing == 0 && self.is_said {
            self.is_said = false;
            telemetry::registry_answers_again(now.saturating_duration_since(self.since));
        }
    }

    #[cfg(test)]
    pub fn failing(&self) -> usize {
        self.failing
    }
}

#[cfg(test)]
mod tests;
