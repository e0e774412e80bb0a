//! What becomes of a rejected record: the run stops, a dead letter is written,
//! or it is dropped; and the breaker, which ends a run that would reject nearly
//! everything. Pure.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::anyhow;

use crate::pipeline::dead_letter::{self, Provenance};
use crate::pipeline::lane::Fallen;
use crate::pipeline::ports::Failure;
use crate::record::{Record, Rejected};

/// What to do with a rejected record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// Everything before it is finished and committed, nothing from it on.
    Stop,
    DeadLetter {
        topic: Arc<str>,
        by: Provenance,
    },
    /// Counted and logged.
    Drop,
}

/// When too many records fail: at so many of so many consecutive ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// From 1.
    pub failed: u64,
    pub of: u64,
}

/// One worker's policy, and how it went lately.
#[derive(Debug)]
pub struct Errors {
    policy: Policy,
    breaker: Option<Breaker>,
    /// How many records were judged.
    count: u64,
    /// Which of them failed, of those that the breaker still looks at.
    failures: VecDeque<u64>,
}

impl Errors {
    pub fn new(policy: Policy, breaker: Option<Breaker>) -> Self {
        Self {
            policy,
            breaker,
            count: 0,
            failures: VecDeque::new(),
        }
    }

    /// The dead-letter topic, where there is one.
    pub fn topic(&self) -> Option<&str> {
        match &self.policy {
            Policy::DeadLetter { topic, .. } => Some(topic),
            Policy::Stop | Policy::Drop => None,
        }
    }

    /// A record went through.
    pub fn passed(&mut self) {
        self.count += 1;
    }

    /// What a rejected record leads to; a failure if the run is to end with it.
    /// One that is rejected `again`, because it was read again, is one failure.
    pub fn rejected(
        &mut self,
        rejected: Rejected,
        again: bool,
        record: &dyn Record,
        now: SystemTime,
    ) -> Result<Fallen, Failure> {
        if self.policy == Policy::Stop {
            return Err(Failure::Rejected(rejected));
        }
        if !again && let Some(breaker) = self.trips() {
            return Err(Failure::Fatal(anyhow!(
                "{} of the last {} records failed, which is what errors.breaker allows; the run \
                 stops before the record at {} (stage {}): {}",
                breaker.failed,
                breaker.of,
                rejected.position,
                rejected.stage,
                rejected.reason
            )));
        }
        let letter = match &self.policy {
            Policy::DeadLetter { topic, by } => {
                Some(dead_letter::write(topic, record, &rejected, by, now))
            }
            Policy::Stop | Policy::Drop => None,
        };
        Ok(Fallen { rejected, letter })
    }

    /// Dead letters name plugins of these digests from now on.
    pub fn signed_by(&mut self, digest: String) {
        if let Policy::DeadLetter { by, .. } = &mut self.policy {
            by.digest = digest;
        }
    }

    /// What failed so far was not the records' fault.
    pub fn forget(&mut self) {
        self.failures.clear();
    }

    /// Counts a failure, and says whether it is one too many.
    fn trips(&mut self) -> Option<Breaker> {
        let breaker = self.breaker?;
        self.count += 1;
        self.failures.push_back(self.count);
        while self
            .failures
            .front()
            .is_some_and(|first| self.count - first >= breaker.of)
        {
            self.failures.pop_front();
        }
        (self.failures.len() as u64 >= breaker.failed).then_some(breaker)
    }
}

#[cfg(test)]
mod tests;
