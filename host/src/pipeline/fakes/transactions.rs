//! A sink whose outputs count with their positions or not at all, as a test
//! scripts it.

use std::collections::VecDeque;

use super::{FakeSink, Happened, State};
use crate::pipeline::ports::{Commit, Fatal, Transaction};
use crate::record::{NextOffset, TopicPartition};

/// What becomes of a transaction that is to be committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Later,
    Refused,
    /// Done, but that is not what the worker hears.
    DoneAndRefused,
}

/// A test's script for transactions, and what became of them.
pub struct Transactions {
    pub is_ready: bool,
    /// What the next commits are answered; the others are done.
    pub answers: VecDeque<Answer>,
    /// So many calls do not abort it yet.
    pub slow_aborts: usize,
    /// The outputs of the open one, as indices into what was sent.
    open: Vec<usize>,
    /// The sources of the outputs that count.
    pub counted: Vec<(i32, i64)>,
    /// How often what was on its way was hurried.
    pub hurried: usize,
}

impl Default for Transactions {
    fn default() -> Self {
        Self {
            is_ready: true,
            answers: VecDeque::new(),
            slow_aborts: 0,
            open: Vec::new(),
            counted: Vec::new(),
            hurried: 0,
        }
    }
}

impl Transactions {
    /// The last output that was sent is part of the open one.
    pub(super) fn sent(&mut self, index: usize) {
        self.open.push(index);
    }
}

impl State {
    /// The transactions of a world that has them.
    pub fn transactions(&mut self) -> &mut Transactions {
        self.transactions.as_mut().expect("it has transactions")
    }

    fn count(&mut self, positions: &[(TopicPartition, NextOffset)]) {
        let sent = &self.sent;
        if let Some(transactions) = &mut self.transactions {
            let open = transactions.open.drain(..);
            let sources = open.map(|index| sent[index].source);
            transactions.counted.extend(sources);
        }
        let plain = |(p, at): &(TopicPartition, NextOffset)| (p.partition, at.0);
        let ended = positions.iter().map(plain).collect();
        self.history.push(Happened::Ended(ended));
        self.store(positions);
    }
}

impl Transaction for FakeSink {
    fn is_ready(&mut self) -> Result<bool, Fatal> {
        Ok(self.0.state().transactions().is_ready)
    }

    fn hurry(&mut self) {
        self.0.state().transactions().hurried += 1;
    }

    fn commit(&mut self, positions: &[(TopicPartition, NextOffset)]) -> Result<Commit, Fatal> {
        let mut state = self.0.state();
        assert!(state.unacknowledged.is_empty(), "it does not wait");
        Ok(match state.transactions().answers.pop_front() {
            None => {
                state.count(positions);
                Commit::Done
            }
            Some(Answer::Later) => Commit::Later,
            Some(Answer::Refused) => Commit::Refused("it can't be committed".to_owned()),
            Some(Answer::DoneAndRefused) => {
                state.count(positions);
                Commit::Refused("no answer".to_owned())
            }
        })
    }

    fn abort(&mut self) -> Result<bool, Fatal> {
        let mut state = self.0.state();
        if let Some(less) = state.transactions().slow_aborts.checked_sub(1) {
            state.transactions().slow_aborts = less;
            return Ok(false);
        }
        state.transactions().open.clear();
        state.unacknowledged.clear();
        state.acks.clear();
        state.history.push(Happened::Aborted);
        Ok(true)
    }
}
