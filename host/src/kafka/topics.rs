//! Which topics exist: looked up in the background when a plugin first names
//! one, so that no worker waits for the cluster's answer.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::cluster::{Cluster, Topic};
use crate::doorbell::Doorbell;
use crate::telemetry;

/// How long one look-up waits for the cluster before it tries again.
const ASK: Duration = Duration::from_secs(5);

/// How long a look-up that failed at once waits before it tries again.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// How often a topic must be missing to be called so.
const MISSES: u32 = 3;

/// How often the cluster's client is relieved of what gathers in its queue.
const DRAIN: Duration = Duration::from_secs(1);

/// The topics of one cluster, as far as somebody asked for them.
#[derive(Clone)]
pub struct Topics {
    known: Arc<Mutex<HashMap<String, Topic>>>,
    questions: Sender<(String, Doorbell)>,
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
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(topic) = known.get(name) {
            return topic.clone();
        }
        known.insert(name.to_owned(), Topic::Asked);
        // The thread ends only after every sender.
        let _ = self.questions.send((name.to_owned(), bell.clone()));
        Topic::Asked
    }
}

fn answer(
    cluster: &Cluster,
    asked: &Receiver<(String, Doorbell)>,
    known: &Mutex<HashMap<String, Topic>>,
) {
    loop {
        cluster.drain();
        let (name, bell) = match asked.recv_timeout(DRAIN) {
            Ok(question) => question,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let topic = ask(cluster, &name);
        known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name, topic);
        bell.ring();
    }
}

/// Asks until there is an answer, and a few times more before a topic is called
/// missing: one that was just made is not known to every broker yet.
fn ask(cluster: &Cluster, name: &str) -> Topic {
    let mut misses = 0;
    loop {
        match cluster.topic(name, ASK) {
            Ok(missing @ Topic::Missing { .. }) => {
                misses += 1;
                if misses == MISSES {
                    return missing;
                }
            }
            Ok(topic) => return topic,
            Err(error) => {
                telemetry::waiting(&format!("topic {name} is looked up"), &format!("{error:#}"));
            }
        }
        thread::sleep(ASK_AGAIN);
    }
}
