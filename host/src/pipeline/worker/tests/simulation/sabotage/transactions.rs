//! Transactions that are broken in one way each.

use super::{Sabotage, Sabotaged};
use crate::pipeline::ports::{Commit, Fatal, Transaction};
use crate::record::{NextOffset, TopicPartition};

impl Sabotaged {
    /// What was committed since then as far as this worker was told, and not what the
    /// store has.
    pub(super) fn remembered(
        &self,
        partitions: &[TopicPartition],
        stored: Vec<Option<NextOffset>>,
    ) -> Vec<Option<NextOffset>> {
        let mut memory = self.memory.borrow_mut();
        for (partition, stored) in partitions.iter().zip(stored) {
            if let Some(stored) = stored {
                memory.entry(partition.clone()).or_insert(stored);
            }
        }
        partitions.iter().map(|p| memory.get(p).copied()).collect()
    }
}

impl Transaction for Sabotaged {
    fn is_ready(&mut self) -> Result<bool, Fatal> {
        Ok(self.port.is_ready()? || self.does(Sabotage::BeginsTooEarly))
    }

    fn hurry(&mut self) {
        self.port.hurry();
    }

    fn commit(&mut self, positions: &[(TopicPartition, NextOffset)]) -> Result<Commit, Fatal> {
        if self.does(Sabotage::NeverCommits) {
            return Ok(Commit::Done);
        }
        let mut changed = self.positions(positions);
        if self.does(Sabotage::LeavesPositionsOut) {
            changed.pop();
        }
        let answer = Transaction::commit(&mut self.port, &changed)?;
        if answer == Commit::Done {
            self.memory.borrow_mut().extend(positions.iter().cloned());
        }
        match answer {
            Commit::Later if self.does(Sabotage::CommitsWithoutAnAnswer) => Ok(Commit::Done),
            answer => Ok(answer),
        }
    }

    fn abort(&mut self) -> Result<bool, Fatal> {
        match self.does(Sabotage::AbortsNothing) {
            true => Ok(true),
            false => self.port.abort(),
        }
    }
}
