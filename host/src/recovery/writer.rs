//! The thread that writes the store, and each worker's port to it. A worker only
//! hands its positions over; what came from all of them meanwhile is one
//! transaction.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Context as _, anyhow};

use super::contents::{Contents, Place};
use super::file::Store;
use crate::pipeline::mailbox::Mailbox;
use crate::pipeline::ports::{Fatal, OffsetStore, SourceEvent};
use crate::record::{NextOffset, TopicId, TopicPartition};

/// What all workers of a process share of its store.
#[derive(Clone)]
pub struct Writer {
    dir: Arc<PathBuf>,
    requests: Sender<Request>,
    /// What the store certainly holds.
    durable: Arc<Mutex<Contents>>,
}

/// One change, and who hears what became of it.
struct Request {
    change: Change,
    answer: Answer,
}

enum Change {
    /// Each with its topic's id.
    Positions(Vec<(TopicPartition, NextOffset)>, Vec<Option<TopicId>>),
    /// The topic has so many partitions now.
    Grown(String, i32),
}

enum Answer {
    Event(Mailbox),
    Now(Sender<Result<(), String>>),
}

impl Writer {
    /// Starts the thread. It ends, and gives the store back, when the last clone
    /// and the last port of the writer are dropped.
    pub fn start(store: Store) -> std::io::Result<(Self, JoinHandle<Store>)> {
        let (requests, asked) = channel();
        let durable = Arc::new(Mutex::new(store.contents().clone()));
        let writer = Self {
            dir: Arc::new(store.dir().to_owned()),
            requests,
            durable: Arc::clone(&durable),
        };
        let thread = thread::Builder::new()
            .name("recovery".to_owned())
            .spawn(move || write(store, &asked, &durable))?;
        Ok((writer, thread))
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A worker's port. Answers to its commits go into its mailbox.
    pub fn offsets(&self, mailbox: Mailbox, origins: Box<dyn Origins>) -> StoreOffsets {
        StoreOffsets {
            writer: self.clone(),
            mailbox,
            origins,
        }
    }

    /// Notes that a topic has so many partitions now, and returns, once that is
    /// durable, those that are new and of the store's share.
    pub fn grown(&self, topic: &str, partitions: i32) -> Result<Vec<TopicPartition>, Fatal> {
        let new = self.durable().clone().grow(topic, partitions);
        let answer = self.request(Change::Grown(topic.to_owned(), partitions))?;
        let outcome = answer.recv().context(ENDED)?;
        outcome.map_err(|why| anyhow!(why)).map(|()| new)
    }

    fn request(&self, change: Change) -> Result<Receiver<Result<(), String>>, Fatal> {
        let (answer, answers) = channel();
        self.send(change, Answer::Now(answer))?;
        Ok(answers)
    }

    fn send(&self, change: Change, answer: Answer) -> Result<(), Fatal> {
        let request = Request { change, answer };
        self.requests.send(request).ok().context(ENDED)
    }

    fn durable(&self) -> MutexGuard<'_, Contents> {
        lock(&self.durable)
    }
}

const ENDED: &str = "the recovery store's writer has ended";

/// Of which topics a worker's positions are. Its source shares it.
pub trait Origins {
    /// Looks which topics are there now.
    fn look(&self);

    /// The id of the topic that a partition's positions are of, if it is known.
    fn id_of(&self, partition: &TopicPartition) -> Option<TopicId>;

    /// The stored position is of this topic, or nobody knows of which one.
    fn note(&self, partition: &TopicPartition, id: Option<TopicId>);
}

/// Positions in the recovery store: one worker's port to it.
pub struct StoreOffsets {
    writer: Writer,
    mailbox: Mailbox,
    origins: Box<dyn Origins>,
}

impl StoreOffsets {
    fn change(&self, positions: &[(TopicPartition, NextOffset)]) -> Change {
        let ids = positions
            .iter()
            .map(|(p, _)| self.origins.id_of(p))
            .collect();
        Change::Positions(positions.to_vec(), ids)
    }
}

impl OffsetStore for StoreOffsets {
    fn stored(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<NextOffset>>, Fatal> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        self.origins.look();
        let durable = self.writer.durable();
        partitions
            .iter()
            .map(|partition| match durable.places.get(partition) {
                Some(Place::At(position)) => {
                    let id = durable.ids.get(partition).cloned();
                    self.origins.note(partition, id);
                    Ok(Some(*position))
                }
                Some(Place::Start | Place::Beginning) => {
                    self.origins.note(partition, None);
                    Ok(None)
                }
                None => Err(anyhow!(
                    "the recovery store {} is not for {partition}",
                    self.writer.dir.display()
                )),
            })
            .collect()
    }

    fn commit(&mut self, positions: &[(TopicPartition, NextOffset)]) -> Result<(), Fatal> {
        let answer = Answer::Event(self.mailbox.clone());
        self.writer.send(self.change(positions), answer)
    }

    fn commit_now(
        &mut self,
        positions: &[(TopicPartition, NextOffset)],
        deadline: Instant,
    ) -> Result<(), Fatal> {
        let answer = self.writer.request(self.change(positions))?;
        let left = deadline.saturating_duration_since(Instant::now());
        match answer.recv_timeout(left) {
            Ok(outcome) => outcome.map_err(|why| anyhow!(why)),
            Err(RecvTimeoutError::Timeout) => Err(anyhow!(
                "the recovery store {} did not take positions within {left:?}",
                self.writer.dir.display()
            )),
            Err(RecvTimeoutError::Disconnected) => Err(anyhow!(ENDED)),
        }
    }
}

/// Writes until nobody can ask any more.
fn write(mut store: Store, asked: &Receiver<Request>, durable: &Mutex<Contents>) -> Store {
    while let Ok(first) = asked.recv() {
        let requests: Vec<_> = std::iter::once(first).chain(asked.try_iter()).collect();
        let outcome = store.write(|contents| {
            for request in &requests {
                request.change.apply(contents);
            }
        });
        let outcome = outcome.map_err(|why| why.to_string());
        if outcome.is_ok() {
            store.contents().clone_into(&mut lock(durable));
        }
        for request in requests {
            request.answer(&outcome);
        }
    }
    store
}

impl Change {
    fn apply(&self, contents: &mut Contents) {
        match self {
            Self::Positions(positions, ids) => {
                for ((partition, position), id) in positions.iter().zip(ids) {
                    contents.put(partition.clone(), *position, id.clone());
                }
            }
            Self::Grown(topic, partitions) => drop(contents.grow(topic, *partitions)),
        }
    }
}

impl Request {
    fn answer(self, outcome: &Result<(), String>) {
        match (self.answer, self.change) {
            // Who asked may have stopped waiting.
            (Answer::Now(answer), _) => drop(answer.send(outcome.clone())),
            (Answer::Event(mailbox), Change::Positions(positions, _)) => {
                mailbox.put(match outcome {
                    Ok(()) => SourceEvent::Committed(positions),
                    Err(reason) => SourceEvent::CommitFailed {
                        partitions: positions.into_iter().map(|(p, _)| p).collect(),
                        reason: reason.clone(),
                    },
                });
            }
            (Answer::Event(_), Change::Grown(..)) => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
