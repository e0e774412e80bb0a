//! What is known of each question, and which are open. It asks nothing and takes
//! the time from its caller.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Lookup, NewSchema, Registered};
use crate::doorbell::Doorbell;

/// How much is remembered. Beyond that, what nobody has asked for longest is
/// forgotten, which costs a question more. A topic of garbage names an id a record;
/// a cluster's schemas are far fewer.
const LIMITS: Limits = Limits {
    questions: 10_000,
    bytes: 256 << 20,
};

#[derive(Debug, Clone, Copy)]
struct Limits {
    questions: usize,
    /// Of the answers' texts.
    bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Question {
    Id(u32),
    Version(Arc<str>, u32),
    Latest(Arc<str>),
    Register(Arc<str>, Known),
    /// A schema that is to be there already.
    Find(Arc<str>, Known),
}

/// A schema that was asked to be registered, of which the table has one copy: the
/// copy stands for the text, which is not to be hashed for every record.
#[derive(Debug, Clone)]
pub struct Known(Arc<NewSchema>);

/// A question to be asked now.
#[derive(Debug, PartialEq, Eq)]
pub struct Ask {
    pub question: Question,
    /// How often it was missing already.
    pub misses: u32,
}

pub struct Table {
    refresh: Duration,
    missing: Duration,
    state: Mutex<State>,
}

struct State {
    limits: Limits,
    entries: HashMap<Question, Entry>,
    /// What was to be registered: the few that the pipeline's keys name.
    schemas: Vec<Known>,
    bells: Vec<Doorbell>,
    bytes: usize,
    /// Counts the look-ups, to tell what was asked for last.
    now: u64,
}

struct Entry {
    answer: Option<Answer>,
    /// It is asked for just now; why there is no answer yet, if it is a fault.
    open: Option<Option<Arc<str>>>,
    used: u64,
}

#[derive(Clone)]
enum Answer {
    Ready(Arc<Registered>, Instant),
    Missing(Arc<str>, Instant),
}

impl Table {
    /// `refresh`: how long a latest version counts; `missing`: how long a missing
    /// one does.
    pub fn new(refresh: Duration, missing: Duration) -> Self {
        Self::limited(refresh, missing, LIMITS)
    }

    fn limited(refresh: Duration, missing: Duration, limits: Limits) -> Self {
        Self {
            refresh,
            missing,
            state: Mutex::new(State {
                limits,
                entries: HashMap::new(),
                schemas: Vec::new(),
                bells: Vec::new(),
                bytes: 0,
                now: 0,
            }),
        }
    }

    pub fn rings(&self, bell: Doorbell) {
        self.state().bells.push(bell);
    }

    /// The table's copy of a schema.
    pub fn schema(&self, schema: &NewSchema) -> Known {
        let mut state = self.state();
        if let Some(known) = state.schemas.iter().find(|known| *known.0 == *schema) {
            return known.clone();
        }
        let known = Known(Arc::new(schema.clone()));
        state.schemas.push(known.clone());
        known
    }

    /// What is known, and what the caller has to ask.
    pub fn look_up(&self, question: Question, now: Instant) -> (Lookup, Option<Ask>) {
        let mut state = self.state();
        state.now += 1;
        let used = state.now;
        let Some(entry) = state.entries.get_mut(&question) else {
            if !state.make_room() {
                // All are open. It is asked when one of them has its answer.
                return (Lookup::Later(None), None);
            }
            let entry = Entry {
                answer: None,
                open: Some(None),
                used,
            };
            state.entries.insert(question.clone(), entry);
            let ask = Ask {
                question,
                misses: 0,
            };
            return (Lookup::Later(None), Some(ask));
        };
        entry.used = used;
        let is_old = match (&entry.answer, &question) {
            (Some(Answer::Ready(_, since)), Question::Latest(_)) => {
                since_is(since, now, self.refresh)
            }
            (Some(Answer::Ready(..)), _) | (None, _) => false,
            (Some(Answer::Missing(_, since)), _) => since_is(since, now, self.missing),
        };
        let ask = (is_old && entry.open.is_none()).then(|| {
            entry.open = Some(None);
            // What was missing before needs no second look; what was there does.
            let misses = u32::from(matches!(entry.answer, Some(Answer::Missing(..))));
            Ask { question, misses }
        });
        let found = match (&entry.answer, &entry.open) {
            (Some(Answer::Ready(registered, _)), _) => Lookup::Ready(Arc::clone(registered)),
            (Some(Answer::Missing(why, _)), None) => Lookup::Missing(Arc::clone(why)),
            (_, Some(why)) => Lookup::Later(why.clone()),
            (None, None) => Lookup::Later(None),
        };
        (found, ask)
    }

    /// The registry has it. The same answer as before stays the same object, so
    /// that what was made of it stays good.
    pub fn ready(&self, question: &Question, registered: Registered, now: Instant) {
        let mut state = self.state();
        let before = match state.entries.get(question).map(|entry| &entry.answer) {
            Some(Some(Answer::Ready(before, _))) if **before == registered => {
                Some(Arc::clone(before))
            }
            _ => None,
        };
        let registered = before.unwrap_or_else(|| Arc::new(registered));
        state.answered(question, Answer::Ready(registered, now));
    }

    /// The registry says no.
    pub fn missing(&self, question: &Question, why: Arc<str>, now: Instant) {
        self.state().answered(question, Answer::Missing(why, now));
    }

    /// The registry has not answered, and is asked on.
    pub fn fault(&self, question: &Question, why: Arc<str>) {
        let mut state = self.state();
        let Some(entry) = state.entries.get_mut(question) else {
            return;
        };
        if entry.open.replace(Some(why)).flatten().is_none() {
            state.ring();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn answered(&mut self, question: &Question, answer: Answer) {
        if let Some(entry) = self.entries.get_mut(question) {
            self.bytes += answer.bytes();
            self.bytes -= entry.answer.replace(answer).map_or(0, |old| old.bytes());
            entry.open = None;
        }
        if self.bytes > self.limits.bytes {
            self.forget();
        }
        self.ring();
    }

    fn ring(&self) {
        self.bells.iter().for_each(Doorbell::ring);
    }

    /// Whether another question finds a place.
    fn make_room(&mut self) -> bool {
        if self.entries.len() >= self.limits.questions {
            self.forget();
        }
        self.entries.len() < self.limits.questions
    }

    /// Forgets what was not asked for longest, and is not open, until a quarter of
    /// the room is free; but never the last one, or a schema of that size would be
    /// fetched for every record.
    fn forget(&mut self) {
        let mut idle: Vec<(u64, Question)> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.open.is_none())
            .map(|(question, entry)| (entry.used, question.clone()))
            .collect();
        idle.sort_unstable_by_key(|(used, _)| *used);
        idle.pop();
        for (_, question) in idle {
            if self.entries.len() <= self.limits.questions / 4 * 3
                && self.bytes <= self.limits.bytes / 4 * 3
            {
                break;
            }
            let forgotten = self.entries.remove(&question);
            let answer = forgotten.and_then(|entry| entry.answer);
            self.bytes -= answer.map_or(0, |answer| answer.bytes());
        }
    }
}

fn since_is(since: &Instant, now: Instant, long: Duration) -> bool {
    now.saturating_duration_since(*since) >= long
}

impl Answer {
    fn bytes(&self) -> usize {
        match self {
            Self::Ready(registered, _) => {
                let references = registered.references.iter();
                registered.text.len() + references.map(|one| one.text.len()).sum::<usize>()
            }
            Self::Missing(why, _) => why.len(),
        }
    }
}

impl std::ops::Deref for Known {
    type Target = NewSchema;

    fn deref(&self) -> &NewSchema {
        &self.0
    }
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Known {}

impl Hash for Known {
    fn hash<H: Hasher>(&self, state: &mut H) {
        ptr::hash(Arc::as_ptr(&self.0), state);
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "schema id {id}"),
            Self::Version(subject, version) => write!(f, "subject {subject} version {version}"),
            Self::Latest(subject) => write!(f, "the latest version of subject {subject}"),
            Self::Find(subject, _) => write!(f, "the schema of subject {subject}"),
            Self::Register(subject, _) => write!(f, "the schema to register for subject {subject}"),
        }
    }
}

#[cfg(test)]
mod tests;
