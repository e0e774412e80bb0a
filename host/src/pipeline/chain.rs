//! Plugins one after the other: the outputs of one are the messages of the next
//! (`passed`), in memory, and what all of them say is put together to one verdict a
//! record (`join`). Pure, but for the time that it measures.

mod held;
mod join;
mod passed;

use std::sync::Arc;
use std::time::{Duration, Instant};

use self::held::Held;
use self::join::join;
use self::passed::Passed;
use crate::pipeline::batch::Limits;
use crate::pipeline::ports::{Fault, Transform, Versioned};
use crate::record::{NextOffset, Record, TopicPartition, Verdict};

/// One plugin of a chain.
pub struct Link<T> {
    /// As the reasons of what it fails name it.
    pub name: Arc<str>,
    pub transform: T,
}

/// What a chain takes for one batch.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The most that one call of a plugin behind the first one is given: a record may
    /// have become many.
    pub batch: Limits,
    /// Of all calls together. No further one begins after that.
    pub time: Duration,
}

/// See the module's words. Of one link it is that link.
pub struct Chain<T> {
    first: Link<T>,
    rest: Vec<Link<T>>,
    bounds: Bounds,
}

impl<T> Chain<T> {
    pub fn new(first: Link<T>, rest: Vec<Link<T>>, bounds: Bounds) -> Self {
        Self {
            first,
            rest,
            bounds,
        }
    }

    /// All of them, in order.
    fn links(&mut self) -> impl Iterator<Item = &mut Link<T>> {
        std::iter::once(&mut self.first).chain(&mut self.rest)
    }
}

impl<T: Transform> Transform for Chain<T> {
    /// A fault of one link is the whole call's.
    fn process<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Verdict>, Fault> {
        if self.rest.is_empty() {
            return self.first.transform.process(partition, records);
        }
        let verdicts = self.pass(partition, records);
        if verdicts.is_err() {
            Transform::discard(self);
        }
        verdicts
    }

    fn discard(&mut self) {
        self.links()
            .for_each(|link| Transform::discard(&mut link.transform));
    }
}

impl<T: Transform> Versioned for Chain<T> {
    fn has_news(&self) -> bool {
        let mut links = std::iter::once(&self.first).chain(&self.rest);
        links.any(|link| link.transform.has_news())
    }

    fn renew(&mut self, from: &[(TopicPartition, NextOffset)]) -> bool {
        self.links()
            .fold(false, |any, link| any | link.transform.renew(from))
    }

    fn take_back(&mut self, why: &str, from: &[(TopicPartition, NextOffset)]) -> bool {
        self.links()
            .fold(false, |any, link| any | link.transform.take_back(why, from))
    }

    fn digest(&self) -> Option<String> {
        let links = std::iter::once(&self.first).chain(&self.rest);
        let digests: Option<Vec<_>> = links.map(|link| link.transform.digest()).collect();
        digests.map(|digests| digests.join(","))
    }
}

impl<T: Transform> Chain<T> {
    /// From link to link. Between two of them, the verdicts say of each record what
    /// would go out if the chain ended there.
    fn pass<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Verdict>, Fault> {
        let begun = Instant::now();
        let mut held = Held::default();
        let mut verdicts = self.first.call(partition, records, &mut held)?;
        for link in &mut self.rest {
            let messages = Passed::all(records, &verdicts);
            let mut answers = Vec::with_capacity(messages.len());
            while let waiting @ [_, ..] = &messages[answers.len()..] {
                if begun.elapsed() >= self.bounds.time {
                    return Err(Fault::TimedOut(format!(
                        "the chain took longer than the {:?} that it may (plugin.call of all its \
                         plugins together), and plugin {} was not done",
                        self.bounds.time, link.name
                    )));
                }
                let batch = &waiting[..self.bounds.batch.cut(waiting)];
                answers.extend(link.call(partition, batch, &mut held)?);
            }
            verdicts = join(verdicts, answers, &mut held).map_err(|why| link.broke(&why))?;
        }
        Ok(verdicts)
    }
}

impl<T: Transform> Link<T> {
    /// One call. What it fails, it signs.
    fn call<R: Record>(
        &mut self,
        partition: &TopicPartition,
        messages: &[R],
        held: &mut Held,
    ) -> Result<Vec<Verdict>, Fault> {
        let mut verdicts = self.transform.process(partition, messages)?;
        if verdicts.len() != messages.len() {
            return Err(self.broke(&"did not give one verdict a message"));
        }
        for verdict in &mut verdicts {
            match verdict {
                Verdict::Forward | Verdict::Drop => Ok(()),
                Verdict::Replace(output) => held.add(std::slice::from_ref(output)),
                Verdict::Expand(outputs) => held.add(outputs),
                Verdict::Fail(reason) => {
                    *reason = format!("plugin {}: {reason}", self.name);
                    Ok(())
                }
            }
            .map_err(|why| self.broke(&why))?;
        }
        Ok(verdicts)
    }

    fn broke(&self, why: &dyn std::fmt::Display) -> Fault {
        Fault::Broke(format!("plugin {} {why}", self.name))
    }
}

#[cfg(test)]
mod tests;
