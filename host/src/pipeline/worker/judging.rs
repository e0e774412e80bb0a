//! What is fetched is decoded, judged and encoded; a call that breaks makes the next
//! one smaller.

use super::{Pace, Worker};
use crate::pipeline::batch;
use crate::pipeline::isolate;
use crate::pipeline::lane::Later;
use crate::pipeline::ports::{Failure, Fault, Halt, Interrupted, Judge, OffsetStore, Sink, Source};
use crate::pipeline::pulse::Spot;
use crate::record::{Decoded, Judged, Record};

impl<S, K, O, J> Worker<S, K, O, J>
where
    S: Source,
    K: Sink<S::Record>,
    O: OffsetStore,
    J: Judge,
{
    /// Decodes and judges the next records.
    pub(super) fn judge(&mut self, index: usize) -> Result<Pace, Failure> {
        let lane = &mut self.lanes[index];
        let Some(work) = &mut lane.work else {
            return Ok(Pace::Idle);
        };
        let waiting = &work.records.as_ref()[work.next..];
        let most = self.governor.most().min(work.hunt.most(work.next));
        let limits = batch::Limits {
            records: self.settings.batch.records.min(most),
            ..self.settings.batch
        };
        let batch = &waiting[..limits.cut(waiting)];
        if work.hunt.wants_fresh(work.next) && !std::mem::replace(&mut self.fresh, true) {
            self.judge.discard();
        }
        let begun = self.source.now();
        let call = self
            .pulse
            .call(Spot::Plugin, Some((lane.id, batch[0].offset())));
        let answer = self.judge.judge(&lane.partition, batch);
        drop(call);
        let took = self.source.now().saturating_duration_since(begun);
        match answer {
            Ok(judged) => {
                self.governor.took(judged.len(), took);
                self.fresh = false;
                let batch = &batch[..judged.len()];
                let bytes = batch.iter().map(Record::size).sum();
                self.counters.consumed(batch.len(), bytes);
                work.judged = judged.into();
                lane.later = Later::default();
                Ok(Pace::Busy)
            }
            Err(halt) => {
                let count = batch.len();
                // What only waits says nothing of the plugin.
                if let Halt::Fault(..) = halt {
                    self.governor.took(count, took);
                }
                self.halted(index, count, halt)
            }
        }
    }

    /// Encodes what the next verdicts send.
    pub(super) fn encode(&mut self, index: usize) -> Result<Pace, Failure> {
        let lane = &mut self.lanes[index];
        let Some(work) = &mut lane.work else {
            return Ok(Pace::Idle);
        };
        let most = self.governor.most().min(work.hunt.most(work.next));
        let count = work.judged.len().min(most);
        let batch = &work.records.as_ref()[work.next..][..count];
        let judged = &mut work.judged.make_contiguous()[..count];
        if work.hunt.wants_fresh(work.next) && !std::mem::replace(&mut self.fresh, true) {
            self.judge.discard();
        }
        if self.tap.is_some() {
            for judged in judged.iter_mut().filter(|judged| judged.said.is_none()) {
                judged.said = Some(Box::new(judged.verdict.clone()));
            }
        }
        let begun = self.source.now();
        let call = self
            .pulse
            .call(Spot::Plugin, Some((lane.id, batch[0].offset())));
        let answer = self.judge.encode(batch, judged);
        drop(call);
        let took = self.source.now().saturating_duration_since(begun);
        self.governor.also_took(count, took);
        match answer {
            Ok(encoded) => {
                self.fresh = false;
                let encoded = work.judged.drain(..encoded);
                work.verdicts.extend(encoded.map(|judged| match self.tap {
                    Some(_) => judged,
                    // Nobody looks at it any more.
                    None => Judged {
                        decoded: Decoded::default(),
                        ..judged
                    },
                }));
                lane.later = Later::default();
                Ok(Pace::Busy)
            }
            Err(halt) => self.halted(index, count, halt),
        }
    }

    /// Nothing could be said of the next records.
    fn halted(&mut self, index: usize, count: usize, halt: Halt) -> Result<Pace, Failure> {
        let lane = &mut self.lanes[index];
        let Some(work) = &mut lane.work else {
            return Ok(Pace::Idle);
        };
        let record = &work.records.as_ref()[work.next];
        let at = lane.partition.at(record.offset());
        let (stage, kind, fault) = match halt {
            Halt::Later(why) => {
                if lane.later.is_long(self.source.now()) {
                    let why = why
                        .as_deref()
                        .unwrap_or("the registry has not answered yet");
                    self.counters.waits_for_schema(&at, why);
                }
                return Ok(Pace::Idle);
            }
            Halt::Fault(_, Fault::Fatal(error)) => {
                let interrupted = error.is::<Interrupted>();
                let failure = Failure::Fatal(error);
                return match !interrupted && self.takes_plugin_back(&failure) {
                    true => Ok(Pace::Busy),
                    false => Err(failure),
                };
            }
            Halt::Fault(stage, fault @ Fault::Broke(_)) => (stage, isolate::Kind::Broke, fault),
            Halt::Fault(stage, fault @ Fault::TimedOut(_)) => {
                (stage, isolate::Kind::TimedOut, fault)
            }
        };
        let fresh = std::mem::replace(&mut self.fresh, true);
        let first = !work.hunt.is_on(work.next);
        self.counters.plugin_broke(&at, count, &fault, first);
        match work.hunt.failed(work.next, count, kind, fresh) {
            isolate::Next::Again => {}
            isolate::Next::Culprit => {
                if work.judged.pop_front().is_none() {
                    self.counters.consumed(1, record.size());
                }
                let failed = Judged::failed(stage, fault.to_string());
                work.verdicts.push_back(failed);
            }
        }
        Ok(Pace::Busy)
    }
}
