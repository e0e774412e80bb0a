//! The sink's transactions: what was sent in the open one counts together with its
//! positions, or not at all. What goes wrong with them is chosen at each call.

use super::{Held, World};
use crate::pipeline::ports::Commit;
use crate::pipeline::worker::tests::simulation::plan::{Topic, index};
use crate::pipeline::worker::tests::simulation::trace::{At, Event};

/// The transactions of one transactional id, over all lives of its worker.
#[derive(Debug, Default)]
pub struct Transactions {
    /// This life's producer may begin one.
    registered: bool,
    /// Something was sent in the open one.
    begun: bool,
    /// It can only be aborted.
    doomed: bool,
    /// The positions that are in it, which the store holds back until it ends.
    entered: Vec<At>,
    /// It counts, whether the worker knows it or not.
    counts: bool,
    /// What a call that is under way asks for.
    asked: Vec<At>,
}

impl Transactions {
    fn is_under_way(&self) -> bool {
        self.begun || !self.entered.is_empty()
    }

    /// Whether it holds a partition's position back.
    pub fn holds_back(&self, number: i32) -> bool {
        !self.counts && self.entered.iter().any(|(held, _)| *held == number)
    }
}

impl World {
    fn transactions(&mut self) -> &mut Transactions {
        self.transactions.as_mut().expect("it has transactions")
    }

    fn trouble(&mut self) -> bool {
        let percent = self.plan.trouble.transactions;
        !self.heals && self.chance(percent)
    }

    /// Whether an output may be sent now; it is in the open transaction then.
    pub fn takes_part(&mut self) -> bool {
        let Some(transactions) = &mut self.transactions else {
            return true;
        };
        let takes = !transactions.doomed;
        if !transactions.registered {
            self.happened(Event::Unready);
        } else if takes {
            transactions.begun = true;
        }
        takes
    }

    pub fn is_ready(&mut self) -> bool {
        let trouble = self.trouble();
        let transactions = self.transactions();
        if transactions.registered && transactions.is_under_way() {
            transactions.doomed |= trouble;
            return !transactions.doomed;
        }
        // Its producer may have to give way to a new one.
        transactions.registered = !trouble;
        if transactions.registered {
            // Which ends what an earlier life left open.
            self.undo();
        }
        !trouble
    }

    /// What is under way counts, or nothing of it ever will.
    fn undo(&mut self) {
        let transactions = self.transactions();
        let undone = transactions.is_under_way() && !transactions.counts;
        *transactions = Transactions {
            registered: transactions.registered,
            ..Transactions::default()
        };
        if undone {
            self.happened(Event::Undone);
        }
    }

    fn count(&mut self) {
        let transactions = self.transactions();
        transactions.counts = true;
        let entered = transactions.entered.clone();
        for (number, position) in &entered {
            self.stored[index(*number)] = Some(*position);
        }
        self.happened(Event::Counts(entered));
    }

    /// A call to commit begins, in which the worker may crash.
    pub fn asks_to_commit(&mut self, positions: Vec<At>) {
        if !self.crashed {
            self.happened(Event::Ends(positions.clone()));
            self.transactions().asked = positions;
        }
    }

    pub fn commit_transaction(&mut self) -> Commit {
        let positions = std::mem::take(&mut self.transactions().asked);
        let later = self.trouble();
        let refused = self.trouble();
        let transactions = self.transactions();
        if !transactions.registered || transactions.doomed {
            return Commit::Refused("it can't go on".to_owned());
        }
        if transactions.entered.is_empty() && !positions.is_empty() {
            if later {
                return Commit::Later;
            }
            if refused || !self.enter(positions) {
                self.transactions().doomed = true;
                return Commit::Refused("the positions were not taken".to_owned());
            }
        }
        if self.trouble() {
            return Commit::Later;
        }
        if self.trouble() && !self.transactions().counts {
            self.transactions().doomed = true;
            return Commit::Refused("it was not committed".to_owned());
        }
        if !self.transactions().counts {
            self.count();
        }
        if self.trouble() {
            return Commit::Later;
        }
        if self.trouble() {
            self.transactions().doomed = true;
            return Commit::Refused("no answer".to_owned());
        }
        self.undo();
        self.happened(Event::Done);
        Commit::Done
    }

    /// The store takes the positions into the transaction, unless their generation is
    /// not that of the group any more.
    fn enter(&mut self, positions: Vec<At>) -> bool {
        let is_lost = |(number, _): &At| self.held[index(*number)] == Held::Lost;
        let takes = !positions.iter().any(is_lost);
        if takes {
            self.transactions().entered = positions.clone();
            self.happened(Event::Entered(positions));
        }
        takes
    }

    pub fn abort_transaction(&mut self) -> bool {
        self.happened(Event::Aborts);
        if self.trouble() {
            return false;
        }
        for topic in Topic::ALL {
            self.topics[topic as usize].in_flight.clear();
        }
        // Answers to what is aborted mean nothing, and may come all the same.
        if self.rng.bool() {
            self.ready.clear();
        }
        self.undo();
        if self.trouble() {
            self.transactions().registered = false;
            return false;
        }
        self.happened(Event::Aborted);
        true
    }

    /// The worker is gone in the middle of one. Its end may be on its way.
    pub(super) fn abandon_transaction(&mut self) {
        let Some(transactions) = &mut self.transactions else {
            return;
        };
        let asked = std::mem::take(&mut transactions.asked);
        let goes_on = std::mem::take(&mut transactions.registered) && !transactions.doomed;
        if goes_on && transactions.entered.is_empty() && !asked.is_empty() && self.rng.bool() {
            self.enter(asked);
        }
        let transactions = self.transactions();
        let may_count = !transactions.entered.is_empty() && !transactions.counts;
        if goes_on && may_count && self.rng.bool() {
            self.count();
        }
    }
}
