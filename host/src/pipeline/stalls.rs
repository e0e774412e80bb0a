//! The watch over the workers' pulses: what has waited for too long while it did
//! not move, said once per that time, and when it is over. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::pipeline::pulse::{Pulse, Spot, Wait, What};
use crate::record::Position;

/// What there is to say of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    pub worker: usize,
    pub spot: Spot,
    /// For how long nothing has moved there.
    pub long: Duration,
    pub what: Stall,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stall {
    /// It stands still: what has waited longest, where that is a record, and how
    /// many more wait at the same spot.
    Stands { at: Option<Position>, others: usize },
    /// It stood still, and does not any more.
    IsOver,
}

/// See the module's words.
pub struct Stalls {
    timeout: Duration,
    workers: Vec<Worker>,
}

impl Stalls {
    pub fn new(timeout: Duration, pulses: impl IntoIterator<Item = Arc<Pulse>>) -> Self {
        let workers = pulses.into_iter().map(Worker::new);
        Self {
            timeout,
            workers: workers.collect(),
        }
    }

    /// To be called several times in each time-out.
    pub fn look(&mut self, now: Instant) -> Vec<News> {
        let workers = self.workers.iter_mut().enumerate();
        let news = workers.flat_map(|(number, worker)| worker.look(number, now, self.timeout));
        news.collect()
    }
}

struct Worker {
    pulse: Arc<Pulse>,
    waits: BTreeMap<What, Waiting>,
    said: BTreeMap<Spot, Said>,
}

/// A wait, and since when its measure is the same.
struct Waiting {
    wait: Wait,
    since: Instant,
}

/// A stall that was said.
struct Said {
    last: Instant,
    since: Instant,
}

impl Worker {
    fn new(pulse: Arc<Pulse>) -> Self {
        Self {
            pulse,
            waits: BTreeMap::new(),
            said: BTreeMap::new(),
        }
    }

    fn look(&mut self, number: usize, now: Instant, timeout: Duration) -> Vec<News> {
        let waits = self.pulse.waits();
        // Of what else waits, nothing new is known until the call is over.
        let in_call = waits.iter().any(|wait| wait.what == What::Call);
        let mut before = match in_call {
            true => self.waits.remove(&What::Call).into_iter().collect(),
            false => std::mem::take(&mut self.waits)
                .into_values()
                .collect::<Vec<_>>(),
        };
        let mut stands: BTreeMap<Spot, Vec<(Instant, Option<Position>)>> = BTreeMap::new();
        for wait in waits {
            let same = |b: &Waiting| (b.wait.what, b.wait.measure) == (wait.what, wait.measure);
            let since = match before.iter().position(same) {
                Some(index) => before.swap_remove(index).since,
                None => now,
            };
            if now.saturating_duration_since(since) >= timeout {
                let stand = (since, wait.at.clone());
                stands.entry(wait.spot).or_default().push(stand);
            }
            self.waits.insert(wait.what, Waiting { wait, since });
        }
        let mut news = Vec::new();
        let mut tell = |spot, since, what| {
            news.push(News {
                worker: number,
                spot,
                long: now.saturating_duration_since(since),
                what,
            });
        };
        if !in_call {
            self.said.retain(|spot, said| {
                let stands = stands.contains_key(spot);
                if !stands {
                    tell(*spot, said.since, Stall::IsOver);
                }
                stands
            });
        }
        for (spot, stands) in stands {
            let others = stands.len() - 1;
            let Some((since, at)) = stands.into_iter().min_by_key(|(since, _)| *since) else {
                continue;
            };
            let said = self.said.get(&spot).map(|said| said.last);
            if said.is_none_or(|last| now.saturating_duration_since(last) >= timeout) {
                self.said.insert(spot, Said { last: now, since });
                tell(spot, since, Stall::Stands { at, others });
            }
        }
        news
    }
}

#[cfg(test)]
mod tests;
