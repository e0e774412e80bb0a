//! A running plugin of any kind: its store and what bounds it, its calls and
//! their faults. After a fault, or when it has grown enough, the next call finds
//! a fresh instance. What is asked of it, its faces know: `instance`, `codec`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use wasmtime::{Store, Trap};

use super::component::Component;
use super::engine::ticks;
use super::kind::Exports;
use super::limits::{Limits, MOST_HANDED_OVER};
use super::reason::{self, Budget};
use super::said::Said;
use super::state::{self, GivenUp, State};
use super::wasi::{self, Clock};
use crate::pipeline::ports::{Fatal, Fault, Interrupted};
use crate::telemetry;
use crate::throttle::Throttle;

/// How often a worker says that it takes fresh instances: a plugin that leaks
/// fast does so many times a second.
const RECYCLED_EVERY: Duration = Duration::from_secs(10);

/// What a call is given, and what it owes for each, as its fault names them.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// One of `given` is what `plugin.time` is for.
    pub count: usize,
    pub given: &'static str,
    pub owed: &'static str,
    pub each: &'static str,
}

/// See the module's words.
pub struct Guest {
    pub(super) component: Arc<Component>,
    clock: Clock,
    said: Said,
    pub(super) running: Option<(Store<State>, Exports)>,
    recycled: Throttle,
}

impl Guest {
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
        let exports = component
            .linked
            .instantiate(&mut store)
            .map_err(|error| anyhow!(self.describe(&error, budget)))
            .with_context(|| format!("plugin {} could not be instantiated", component.id))?;
        let answer = exports
            .init(&mut store, &settings.config)
            .map_err(|error| anyhow!(self.describe(&error, budget)))
            .with_context(|| format!("plugin {}: its init broke", component.id))?;
        if let Err(why) = answer {
            bail!("plugin {}: its init refused: {why}", component.id);
        }
        store.data_mut().limits.begin();
        self.running = Some((store, exports));
        Ok(())
    }

    /// What it takes for the time, in milliseconds since the epoch, from the next
    /// call on.
    pub fn at(&mut self, millis: i64) {
        self.clock.set(millis);
    }

    /// One call, which owes so many answers, or why it gave none.
    pub fn call<T>(
        &mut self,
        asked: Asked,
        call: impl Fn(&mut Store<State>, &Exports) -> wasmtime::Result<Vec<T>>,
    ) -> Result<Vec<T>, Fault> {
        if self.running.is_none() {
            self.instantiate().map_err(|error| {
                Fault::Fatal(match self.component.engine.is_given_up() {
                    true => Interrupted.into(),
                    false => error,
                })
            })?;
        }
        let budget = self.budget(asked.count);
        self.said.call_begins();
        let Some((store, exports)) = &mut self.running else {
            return Err(Fault::Fatal(anyhow!("the plugin has no instance")));
        };
        store.set_epoch_deadline(ticks(budget.time));
        store.data_mut().call_ends = Instant::now() + budget.time;
        let answer = call(store, exports);
        let grown = store.data().limits.grown_enough();
        match answer {
            Ok(answers) if answers.len() == asked.count => {
                if let Some(bytes) = grown {
                    self.recycle(bytes);
                }
                Ok(answers)
            }
            Ok(answers) => {
                self.discard();
                let Asked {
                    count,
                    given,
                    owed,
                    each,
                } = asked;
                Err(Fault::Broke(format!(
                    "plugin {} returned {} {owed} for {count} {given}: it must return exactly one \
                     a {each}",
                    self.component.id,
                    answers.len(),
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

    fn budget(&self, count: usize) -> Budget {
        let settings = &self.component.settings;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Budget {
            time: settings.time.saturating_mul(count).min(settings.call),
            keys: "plugin.time, plugin.call",
        }
    }

    /// Between two calls, so that no record is lost to a leak: waiting for the
    /// limit would break a call.
    fn recycle(&mut self, bytes: usize) {
        self.discard();
        let so_far = self.component.tally.recycled();
        if self.recycled.pass(Instant::now()).is_some() {
            telemetry::plugin_recycled(&self.component.id, bytes, so_far);
        }
    }

    /// The next call finds a fresh instance.
    pub fn discard(&mut self) {
        self.running = None;
        self.said.instance_gone();
    }

    fn describe(&self, error: &wasmtime::Error, budget: Budget) -> String {
        reason::of(&self.component.id, error, budget, &self.said.lately())
    }
}
