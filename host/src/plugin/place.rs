//! A plugin's place in a worker: the guest that works there, the one before it while
//! the new one has not shown that it works, and one that is only tried. What the next
//! guest is, the plugin's desk says.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use wasmtime::Store;

use super::component::Component;
use super::desk::{Desk, News, Taken};
use super::guest::{Asked, Guest};
use super::id::PluginId;
use super::kind::{Exports, Kind};
use super::state::State;
use crate::pipeline::ports::{Fatal, Fault, Interrupted, Versioned};
use crate::record::{NextOffset, TopicPartition};
use crate::telemetry;

/// See the module's words.
pub struct Place {
    pub(super) guest: Guest,
    /// Where the worker goes back to, as long as `guest` has answered well for no
    /// record in any worker.
    before: Option<Guest>,
    /// Whether `guest` was asked anything here.
    was_asked: bool,
    trial: Option<Trial>,
    desk: Arc<Desk>,
}

/// A guest that gets some of the calls.
struct Trial {
    guest: Guest,
    /// From 0 to 1.
    share: f64,
    /// What it has a claim to. From 1 on the next call is its.
    claim: f64,
}

impl Place {
    /// Makes an instance and calls its `init`. An error of that refuses the plugin.
    pub fn new(component: &Arc<Component>, kinds: &[Kind]) -> Result<Self, Fatal> {
        component.is_for(kinds)?;
        Ok(Self {
            guest: Guest::new(component)?,
            before: None,
            was_asked: false,
            trial: None,
            desk: Arc::default(),
        })
    }

    /// Where the next guest is handed over.
    pub fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// What works there.
    pub fn id(&self) -> &PluginId {
        &self.guest.component.id
    }

    /// One call, at `latest` (milliseconds since the epoch), which owes so many
    /// answers, or why it gave none; `failed` says which answers are failures. Where
    /// a guest that is tried does not do well, the other one is asked, too, and its
    /// answers count: a trial costs no record anything.
    pub fn call<T>(
        &mut self,
        asked: Asked,
        latest: Option<i64>,
        failed: impl Fn(&T) -> bool,
        call: impl Fn(&mut Store<State>, &Exports) -> wasmtime::Result<Vec<T>>,
    ) -> Result<Vec<T>, Fault> {
        let run = |guest: &mut Guest| {
            if let Some(latest) = latest {
                guest.at(latest);
            }
            let begun = Instant::now();
            let answer = guest.call(asked, &call);
            let tally = &guest.component.tally;
            match &answer {
                Ok(answers) => {
                    let failures = answers.iter().filter(|answer| failed(answer)).count();
                    tally.answered(answers.len(), failures, begun.elapsed());
                    (failures == 0, answer)
                }
                // Nobody waits for it any more: no news of it.
                Err(Fault::Fatal(error)) if error.is::<Interrupted>() => (false, answer),
                Err(_) => {
                    tally.broke(asked.count, begun.elapsed());
                    (false, answer)
                }
            }
        };
        if let Some(trial) = &mut self.trial
            && trial.is_due()
            && let (true, answer) = run(&mut trial.guest)
        {
            return answer;
        }
        self.was_asked = true;
        let (_, answer) = run(&mut self.guest);
        self.look_at_proof();
        answer
    }

    /// One that has worked anywhere has nothing to be taken back for.
    fn look_at_proof(&mut self) {
        if self.before.is_some() && self.guest.component.tally.sum().has_worked() {
            let gone = self.before.take();
            gone.into_iter().for_each(|gone| self.desk.leave(gone));
        }
    }

    fn swap(&mut self, guest: Guest, from: &[(TopicPartition, NextOffset)], begun: Instant) {
        self.look_at_proof();
        let old = std::mem::replace(&mut self.guest, guest);
        self.was_asked = false;
        match self.before {
            // It has not shown that it works: nothing to go back to.
            Some(_) => self.desk.leave(old),
            None => self.before = Some(old),
        }
        let pause = begun.elapsed();
        telemetry::plugin_swapped(self.id(), from, pause);
        self.has_taken(from, pause);
    }

    /// For whoever watches the plugins.
    fn has_taken(&self, from: &[(TopicPartition, NextOffset)], pause: Duration) {
        self.desk.has_taken(Taken {
            plugin: self.id().clone(),
            at: SystemTime::now(),
            from: from.to_vec(),
            pause,
        });
    }

    fn recall(&mut self) {
        let trial = self.trial.take();
        trial
            .into_iter()
            .for_each(|trial| self.desk.leave(trial.guest));
    }

    /// The next calls find fresh instances.
    pub fn discard(&mut self) {
        self.guest.discard();
        if let Some(trial) = &mut self.trial {
            trial.guest.discard();
        }
    }
}

impl Versioned for Place {
    fn has_news(&self) -> bool {
        self.desk.has_news()
    }

    fn renew(&mut self, from: &[(TopicPartition, NextOffset)]) -> bool {
        let begun = Instant::now();
        let mut swapped = false;
        for news in self.desk.take() {
            match news {
                News::Swap(guest) => {
                    self.recall();
                    self.swap(guest, from, begun);
                    swapped = true;
                }
                News::Try(guest, share) => {
                    self.recall();
                    self.trial = Some(Trial {
                        guest,
                        share,
                        claim: 0.0,
                    });
                }
                News::Promote => {
                    if let Some(trial) = self.trial.take() {
                        self.swap(trial.guest, from, begun);
                        swapped = true;
                    }
                }
                News::Recall => self.recall(),
            }
        }
        swapped
    }

    fn take_back(&mut self, why: &str, from: &[(TopicPartition, NextOffset)]) -> bool {
        let begun = Instant::now();
        self.look_at_proof();
        if !self.was_asked {
            return false;
        }
        let Some(before) = self.before.take() else {
            return false;
        };
        let bad = std::mem::replace(&mut self.guest, before);
        let id = bad.component.id.clone();
        telemetry::plugin_taken_back(&id, self.id(), from, why);
        self.desk.leave(bad);
        self.has_taken(from, begun.elapsed());
        self.desk.has_taken_back(id, why);
        true
    }

    fn digest(&self) -> Option<String> {
        Some(self.id().digest.to_string())
    }
}

impl Trial {
    /// Whether the next call is its.
    fn is_due(&mut self) -> bool {
        self.claim += self.share;
        let due = self.claim >= 1.0;
        if due {
            self.claim -= 1.0;
        }
        due
    }
}
