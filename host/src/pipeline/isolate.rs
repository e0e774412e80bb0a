//! The hunt for the record that breaks the plugin: how many records the next
//! call gets. Pure.
//!
//! A trap may come from the instance's state and not from a record, so a fresh
//! instance runs the whole batch once more. Then it is halved, until the culprit
//! stands alone. After a time-out records go one by one at once, because each
//! further time-out would cost as long again, and one is to blame when it was late
//! alone twice. The verdicts of every call that
//! went well are used, and the worker goes on with its other work between two
//! calls, so that a hunt never costs the membership.

/// How a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A trap, a wrong count, a limit.
    Broke,
    TimedOut,
}

/// What a failed call leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Smaller calls, or the same once more.
    Again,
    /// The call's only record is to blame.
    Culprit,
}

/// The hunt in the records of one fetch, which are counted from 0.
#[derive(Debug, Default)]
pub struct Hunt {
    /// A culprit stands before this one.
    until: usize,
    step: Step,
    /// The record that timed out last when it was alone.
    late: Option<usize>,
    /// The record that broke an instance alone which had been called before: whether
    /// it is to blame, a fresh one has to say, and the next call may be another lane's.
    alone: Option<usize>,
}

#[derive(Debug, Default, Clone, Copy)]
enum Step {
    /// All of them once more.
    #[default]
    Whole,
    /// The first half of them.
    Half,
    OneByOne,
}

impl Hunt {
    /// The most records of the next call, which begins at `next`.
    pub fn most(&self, next: usize) -> usize {
        match self.until.saturating_sub(next) {
            0 => usize::MAX,
            left => match self.step {
                Step::Whole => left,
                Step::Half => (left / 2).max(1),
                Step::OneByOne => 1,
            },
        }
    }

    /// Whether a culprit is looked for from `next` on.
    pub fn is_on(&self, next: usize) -> bool {
        next < self.until
    }

    /// Whether the next call, which begins at `next`, has to be the first one of its
    /// instance.
    pub fn wants_fresh(&self, next: usize) -> bool {
        self.alone == Some(next)
    }

    /// A call of the records from `next` on failed. `fresh`: it was the first one
    /// of its instance.
    pub fn failed(&mut self, next: usize, count: usize, kind: Kind, fresh: bool) -> Next {
        // A machine that stood still looks like a record that takes too long.
        let late = (kind == Kind::TimedOut && count == 1).then_some(next);
        let once_more = late.is_some() && self.late != late;
        self.late = late;
        if count == 1 && fresh && !once_more {
            return Next::Culprit;
        }
        self.alone = (count == 1 && !fresh).then_some(next);
        let hunting = self.is_on(next);
        self.step = match (kind, self.step) {
            (Kind::TimedOut, _) => Step::OneByOne,
            (Kind::Broke, Step::OneByOne) if hunting => Step::OneByOne,
            // The instance's state may be to blame, which halves would not tell.
            (Kind::Broke, _) if !hunting && !fresh => Step::Whole,
            (Kind::Broke, _) => Step::Half,
        };
        self.until = match self.step {
            // The others behind it are still to be tried one by one.
            Step::OneByOne if hunting => self.until,
            _ => next + count,
        };
        Next::Again
    }
}

#[cfg(test)]
mod tests;
