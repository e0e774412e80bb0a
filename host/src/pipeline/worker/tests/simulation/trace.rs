//! What happened between a worker and its world, in its order. It is all that
//! the checker knows of a run.

use std::fmt;
use std::time::Duration;

use super::plan::Topic;
use crate::pipeline::dead_letter::Letter;
use crate::pipeline::ports::Failure;
use crate::record::Rejected;

/// A partition's number and a position in it.
pub type At = (i32, i64);

#[derive(Debug, PartialEq)]
pub enum Event {
    /// A worker begins, with nothing but what the store has.
    Begins,
    Assigned(i32),
    Started(At),
    Rewound(At),
    Judged {
        number: i32,
        offsets: Vec<i64>,
        answer: Answer,
    },
    /// The sink took an output of the record at `source`.
    Handed {
        id: usize,
        source: At,
        what: What,
    },
    /// The broker wrote it.
    Written(usize),
    /// The broker refused it.
    Refused(usize, String),
    /// The worker was told what became of it.
    Told(usize),
    /// The worker asks the store to take these positions.
    Commits {
        positions: Vec<At>,
        waits: bool,
    },
    Stored(At),
    /// The store did not answer that it has these.
    Unstored(Vec<i32>),
    /// The worker was told that it is to give a partition up, and when.
    Revoked(i32, Duration),
    Lost(i32),
    Released(i32, Duration),
    /// Another worker moved a partition on.
    Elsewhere(At),
    /// The worker asks for the end of its transaction, with these positions.
    Ends(Vec<At>),
    /// The store has these, which count once the transaction does.
    Entered(Vec<At>),
    /// The transaction counts, with these positions.
    Counts(Vec<At>),
    /// The worker was told so.
    Done,
    /// Nothing of the open transaction will ever count.
    Undone,
    /// The worker asks for that.
    Aborts,
    /// It was told that its transaction is over.
    Aborted,
    /// Something was sent before a transaction may begin.
    Unready,
    /// The worker asks for a position that a transaction of its own holds back.
    Blocks(i32),
    /// From now on everything works.
    Heals,
    Crashes,
    Closed,
    Ended(End),
}

#[derive(Debug, PartialEq)]
pub enum Answer {
    Verdicts,
    Broke,
    TimedOut,
}

/// What an output is, as far as it shows.
#[derive(Debug, PartialEq)]
pub enum What {
    /// Which output of which record, by its value.
    Output {
        of: At,
        nth: usize,
        topic: Topic,
    },
    Letter {
        letter: Box<Letter>,
        /// Whether it has a value, which is that of the record.
        value: Option<bool>,
    },
    Strange(String),
}

/// How a worker ended.
#[derive(Debug, PartialEq)]
pub enum End {
    Well,
    Rejected(Rejected),
    /// Too many records failed.
    Breaker(String),
    /// A dead letter can't be written.
    Letter(String),
    /// Not everything in flight was acknowledged and committed.
    Undone(String),
    NoInstance,
    /// Not all was done after a time in which it should have been, though
    /// everything worked.
    Endless,
    Other(String),
}

impl End {
    pub fn of(result: Result<(), Failure>) -> Self {
        let text = match result {
            Ok(()) => return Self::Well,
            Err(Failure::Rejected(rejected)) => return Self::Rejected(rejected),
            Err(failure) => failure.to_string(),
        };
        let says = |what: &str| text.contains(what);
        match () {
            () if says("errors.breaker") => Self::Breaker(text),
            () if says("the dead letter of the record at") => Self::Letter(text),
            () if says("will be read again") => Self::Undone(text),
            () if says("no instance") => Self::NoInstance,
            () => Self::Other(text),
        }
    }

    /// Whether the policy ended the run, so that another one would end as well.
    pub fn is_the_policys(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::Breaker(_) | Self::Letter(_))
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |(number, offset): &At| format!("{number}/{offset}");
        let list = |positions: &[At]| {
            let positions: Vec<_> = positions.iter().map(at).collect();
            positions.join(" ")
        };
        match self {
            Self::Begins => write!(f, "a worker begins"),
            Self::Assigned(number) => write!(f, "assigned {number}"),
            Self::Started(position) => write!(f, "started at {}", at(position)),
            Self::Rewound(position) => write!(f, "rewound to {}", at(position)),
            Self::Judged {
                number,
                offsets,
                answer,
            } => write!(f, "judged {number}/{offsets:?}: {answer:?}"),
            Self::Handed { id, source, what } => {
                write!(f, "#{id} of {} handed over: {what}", at(source))
            }
            Self::Written(id) => write!(f, "#{id} written"),
            Self::Refused(id, why) => write!(f, "#{id} refused, {why}"),
            Self::Told(id) => write!(f, "#{id} told"),
            Self::Commits { positions, waits } => {
                let how = if *waits { "commits now" } else { "commits" };
                write!(f, "{how} {}", list(positions))
            }
            Self::Stored(position) => write!(f, "stored {}", at(position)),
            Self::Unstored(numbers) => write!(f, "no commit of {numbers:?}"),
            Self::Revoked(number, when) => write!(f, "revoked {number} after {when:?}"),
            Self::Lost(number) => write!(f, "lost {number}"),
            Self::Released(number, when) => write!(f, "released {number} after {when:?}"),
            Self::Elsewhere(position) => write!(f, "another worker came to {}", at(position)),
            Self::Ends(positions) => write!(f, "ends with {}", list(positions)),
            Self::Entered(positions) => write!(f, "entered {}", list(positions)),
            Self::Counts(positions) => write!(f, "counts with {}", list(positions)),
            Self::Done => write!(f, "ended"),
            Self::Undone => write!(f, "the open transaction is undone"),
            Self::Aborts => write!(f, "aborts"),
            Self::Aborted => write!(f, "aborted"),
            Self::Unready => write!(f, "no transaction may begin"),
            Self::Blocks(number) => write!(f, "waits for the store's position of {number}"),
            Self::Heals => write!(f, "everything heals"),
            Self::Crashes => write!(f, "the worker crashes"),
            Self::Closed => write!(f, "closed"),
            Self::Ended(end) => write!(f, "ended: {end:?}"),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output {
                of: (number, offset),
                nth,
                topic,
            } => write!(
                f,
                "output {number}/{offset}.{nth} to topic {}",
                topic.name()
            ),
            Self::Letter { letter, value } => write!(
                f,
                "a dead letter ({}, {}, value {value:?})",
                letter.origin.stage, letter.origin.reason
            ),
            Self::Strange(what) => write!(f, "{what}, which is nothing known"),
        }
    }
}
