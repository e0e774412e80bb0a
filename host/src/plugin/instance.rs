//! A running plugin: one a worker. It implements the worker loop's transform
//! port; after a fault, or when it has grown enough, the next call finds a fresh
//! instance.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use wasmtime::{Store, Trap};

use super::bindings::Transformer;
use super::bindings::millrace::plugin::types as wit;
use super::component::Component;
use super::convert::{Headers, messages};
use super::engine::ticks;
use super::limits::{Limits, MOST_HANDED_OVER};
use super::reason::{self, Budget};
use super::said::Said;
use super::state::{self, GivenUp, State};
use super::wasi::{self, Clock};
use crate::pipeline::ports::{Fatal, Fault, Interrupted, Transform};
use crate::record::{Record, TopicPartition, Verdict};
use crate::telemetry;
use crate::throttle::Throttle;

/// How often a worker says that it takes fresh instances: a plugin that leaks
/// fast does so many times a second.
const RECYCLED_EVERY: Duration = Duration::from_secs(10);

/// See the module's words.
pub struct Instance {
    component: Arc<Component>,
    clock: Clock,
    said: Said,
    running: Option<(Store<State>, Transformer)>,
    recycled: Throttle,
}

impl Instance {
    /// Makes an instance and calls its `init`. An error of that refuses the plugin.
    pub fn new(component: &Arc<Component>) -> Result<Self, Fatal> {
        let mut this = Self {
            component: Arc::clone(component),
            clock: Clock::default(),
            said: Said::new(component.id.clone()),
            running: None,
            recycled: Throttle::new(1, RECYCLED_EVERY),
        };
        this.instantiate()?;
        Ok(this)
    }

    fn instantiate(&mut self) -> Result<(), Fatal> {
        let component = &self.component;
        let settings = &component.settings;
        let budget = Budget {
            time: settings.call,
            keys: "plugin.call",
        };
        self.said.call_begins();
        let state = State::new(
            wasi::context(&settings.allow, &self.clock, &self.said),
            self.said.clone(),
            Limits::new(settings.memory),
            Instant::now() + budget.time,
            component.engine.given_up(),
        );
        let mut store = Store::new(component.engine.native(), state);
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(MOST_HANDED_OVER);
        store.epoch_deadline_callback(state::look);
        store.set_epoch_deadline(ticks(budget.time));
        let bindings = component
            .pre
            .instantiate(&mut store)
            .map_err(|error| anyhow!(self.describe(&error, budget)))
            .with_context(|| format!("plugin {} could not be instantiated", component.id))?;
        let answer = bindings
            .millrace_plugin_transform()
            .call_init(&mut store, &settings.config)
            .map_err(|error| anyhow!(self.describe(&error, budget)))
            .with_context(|| format!("plugin {}: its init broke", component.id))?;
        if let Err(why) = answer {
            bail!("plugin {}: its init refused: {why}", component.id);
        }
        store.data_mut().limits.begin();
        self.running = Some((store, bindings));
        Ok(())
    }

    fn call<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Verdict>, Fault> {
        if self.running.is_none() {
            self.instantiate().map_err(|error| {
                Fault::Fatal(match self.component.engine.is_given_up() {
                    true => Interrupted.into(),
                    false => error,
                })
            })?;
        }
        let budget = self.budget(records.len());
        if let Some(latest) = records.iter().filter_map(|r| r.timestamp().millis()).max() {
            self.clock.set(latest);
        }
        self.said.call_begins();
        let Some((store, bindings)) = &mut self.running else {
            return Err(Fault::Fatal(anyhow!("the plugin has no instance")));
        };
        store.set_epoch_deadline(ticks(budget.time));
        store.data_mut().call_ends = Instant::now() + budget.time;
        let headers = Headers::of(records);
        let lowered = headers.lowered();
        let messages = messages(records, &headers, &lowered);
        let batch = wit::Batch {
            topic: &partition.topic,
            partition: partition.partition,
            messages: &messages,
        };
        let answer = bindings
            .millrace_plugin_transform()
            .call_process(&mut *store, batch);
        let grown = store.data().limits.grown_enough();
        match answer {
            Ok(verdicts) if verdicts.len() == records.len() => {
                if let Some(bytes) = grown {
                    self.recycle(bytes);
                }
                Ok(verdicts.into_iter().map(Verdict::from).collect())
            }
            Ok(verdicts) => {
                let count = verdicts.len();
                self.discard();
                Err(Fault::Broke(format!(
                    "plugin {} returned {count} verdicts for {} messages: it must return exactly \
                     one a message",
                    self.component.id,
                    records.len()
                )))
            }
            Err(error) => {
                let reason = self.describe(&error, budget);
                self.discard();
                if error.downcast_ref::<GivenUp>().is_some() {
                    return Err(Fault::Fatal(Interrupted.into()));
                }
                Err(match error.downcast_ref::<Trap>() {
                    Some(Trap::Interrupt) => Fault::TimedOut(reason),
                    _ => Fault::Broke(reason),
                })
            }
        }
    }

    fn budget(&self, records: usize) -> Budget {
        let settings = &self.component.settings;
        let records = u32::try_from(records).unwrap_or(u32::MAX);
        Budget {
            time: settings.time.saturating_mul(records).min(settings.call),
            keys: "plugin.time, plugin.call",
        }
    }

    /// Between two calls, so that no record is lost to a leak: waiting for the
    /// limit would break a call.
    fn recycle(&mut self, bytes: usize) {
        self.discard();
        let so_far = self.component.recycled.fetch_add(1, Ordering::Relaxed) + 1;
        if self.recycled.pass(Instant::now()).is_some() {
            telemetry::plugin_recycled(&self.component.id, bytes, so_far);
        }
    }

    fn discard(&mut self) {
        self.running = None;
        self.said.instance_gone();
    }

    fn describe(&self, error: &wasmtime::Error, budget: Budget) -> String {
        reason::of(&self.component.id, error, budget, &self.said.lately())
    }
}

impl Transform for Instance {
    fn process<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Verdict>, Fault> {
        self.call(partition, records)
    }
}

#[cfg(test)]
mod tests;
