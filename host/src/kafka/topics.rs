//! Which topics exist: looked up in the background when a plugin first names
//! one, so that no worker waits for the cluster's answer.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::cluster::{Cluster, Topic};
use crate::doorbell::Doorbell;
use crate::telemetry;

/// How long one look-up waits for the cluster before it tries again.
const ASK: Duration = Duration::from_secs(5);

/// How long a look-up waits before it tries again.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// How often a topic that nobody has seen yet must be missing to be called so:
/// one that was just made is not known to every broker.
const MISSES: u32 = 3;

/// How long a missing topic is called so without being looked up again.
const MISSING_FOR: Duration = Duration::from_secs(5);

/// How often it is said that a topic is still waited for.
const SAY: Duration = Duration::from_secs(30);

/// How often the cluster's client is relieved of what gathers in its queue.
const DRAIN: Duration = Duration::from_secs(1);

/// The topics of one cluster, as far as somebody asked for them.
#[derive(Clone)]
pub struct Topics {
    known: Arc<Mutex<HashMap<String, Known>>>,
    questions: Sender<Question>,
}

struct Known {
    topic: Topic,
    since: Instant,
}

impl Known {
    fn new(topic: Topic) -> Self {
        Self {
            topic,
            since: Instant::now(),
        }
    }
}

struct Question {
    topic: String,
    /// It was there before: it is waited for until it is there again.
    known: bool,
    bell: Doorbell,
    misses: u32,
    /// When it was last said that it is waited for.
    said: Option<Instant>,
}

impl Topics {
    /// Starts the thread that asks. It ends when the last clone is dropped.
    pub fn new(cluster: Arc<Cluster>) -> std::io::Result<Self> {
        let known = Arc::new(Mutex::new(HashMap::new()));
        let (questions, asked) = channel();
        let answers = Arc::clone(&known);
        thread::Builder::new()
            .name("topics".to_owned())
            .spawn(move || answer(&cluster, &asked, &answers))?;
        Ok(Self { known, questions })
    }

    /// What is known of `name`. The first question for it is `Asked`, and `bell`
    /// rings with the answer.
    pub fn look_up(&self, name: &str, bell: &Doorbell) -> Topic {
        self.find(name, false, bell)
    }

    /// Like [`look_up`](Self::look_up), for a topic that was there at the start:
    /// it is never `Missing`, but `Asked` until it is there again.
    pub fn wait_for(&self, name: &str, bell: &Doorbell) -> Topic {
        self.find(name, true, bell)
    }

    fn find(&self, name: &str, was_there: bool, bell: &Doorbell) -> Topic {
        let mut known = lock(&self.known);
        let was_missing = match known.get_mut(name) {
            // It may have come into being meanwhile.
            Some(Known {
                topic: topic @ Topic::Missing { .. },
                since,
            }) if since.elapsed() >= MISSING_FOR => {
                *since = Instant::now();
                *topic = Topic::Asked;
                true
            }
            Some(Known { topic, .. }) => return topic.clone(),
            None => {
                known.insert(name.to_owned(), Known::new(Topic::Asked));
                false
            }
        };
        let misses = if was_missing { MISSES - 1 } else { 0 };
        self.ask(name, was_there, misses, bell);
        Topic::Asked
    }

    /// Asks for a topic that is known to exist, because it may have changed or be
    /// gone for a while. Until the answer, [`look_up`](Self::look_up) says `Asked`.
    pub fn look_up_again(&self, name: &str, bell: &Doorbell) {
        lock(&self.known).insert(name.to_owned(), Known::new(Topic::Asked));
        self.ask(name, true, 0, bell);
    }

    fn ask(&self, topic: &str, known: bool, misses: u32, bell: &Doorbell) {
        // The thread ends only after every sender.
        let _ = self.questions.send(Question {
            topic: topic.to_owned(),
            known,
            bell: bell.clone(),
            misses,
            said: None,
        });
    }
}

fn lock(known: &Mutex<HashMap<String, Known>>) -> MutexGuard<'_, HashMap<String, Known>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks one question after the other, and again those that have no answer yet.
fn answer(cluster: &Cluster, asked: &Receiver<Question>, known: &Mutex<HashMap<String, Known>>) {
    let mut open: Vec<Question> = Vec::new();
    loop {
        cluster.drain();
        let pause = if open.is_empty() { DRAIN } else { ASK_AGAIN };
        match asked.recv_timeout(pause) {
            Ok(question) => open.push(question),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        open.extend(asked.try_iter());
        open.retain_mut(|question| match question.ask(cluster) {
            None => true,
            Some(topic) => {
                lock(known).insert(question.topic.clone(), Known::new(topic));
                question.bell.ring();
                false
            }
        });
    }
}

impl Question {
    fn ask(&mut self, cluster: &Cluster) -> Option<Topic> {
        match cluster.topic(&self.topic, ASK) {
            Ok(missing @ Topic::Missing { .. }) => {
                self.misses += 1;
                if self.known {
                    self.say("it is gone");
                    return None;
                }
                (self.misses == MISSES).then_some(missing)
            }
            Ok(topic) => Some(topic),
            Err(error) => {
                self.say(&format!("{error:#}"));
                None
            }
        }
    }

    fn say(&mut self, why: &str) {
        if self.said.is_none_or(|said| said.elapsed() >= SAY) {
            self.said = Some(Instant::now());
            telemetry::waiting(&format!("topic {} is looked up", self.topic), why);
        }
    }
}
