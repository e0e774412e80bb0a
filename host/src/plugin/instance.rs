//! A running plugin: one a worker. It implements the worker loop's transform
//! port; after a fault the next call finds a fresh instance.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use wasmtime::component::{Resource, ResourceTable};
use wasmtime::{Store, Trap};
use wasmtime_wasi::clocks::WasiClocksView as _;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::bindings::Transformer;
use super::bindings::millrace::plugin::{log, types as wit};
use super::component::Component;
use super::engine::{TICK, ticks};
use super::id::PluginId;
use super::limits::Limits;
use super::wasi::{self, Clock, Printed};
use crate::pipeline::ports::{Fatal, Fault, Transform};
use crate::record::{
    Header, Output, OutputHeaders, OwnedHeader, Payload, Record, Timestamp, TopicPartition, Verdict,
};

/// How far a sleep may outlast its call: until the epoch that ends the call has
/// surely come.
const PAST_THE_END: Duration = TICK.saturating_mul(3);

/// What a store holds.
pub struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    limits: Limits,
    plugin: PluginId,
    /// When the call that runs now has used up its time.
    call_ends: Instant,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl log::Host for State {
    fn log(&mut self, level: log::Level, message: String) {
        let plugin = &self.plugin;
        let message = wasi::cut(&message);
        match level {
            log::Level::Trace => tracing::trace!(target: "plugin", %plugin, "{message}"),
            log::Level::Debug => tracing::debug!(target: "plugin", %plugin, "{message}"),
            log::Level::Info => tracing::info!(target: "plugin", %plugin, "{message}"),
            log::Level::Warn => tracing::warn!(target: "plugin", %plugin, "{message}"),
            log::Level::Error => tracing::error!(target: "plugin", %plugin, "{message}"),
        }
    }
}

/// Epochs interrupt a guest that computes, not one that sleeps in the host: so
/// no sleep outlasts its call, and the guest that wakes is interrupted.
impl monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.clocks().now()
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        self.clocks().resolution()
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let now = self.clocks().now()?;
        self.subscribe_duration(when.saturating_sub(now))
    }

    fn subscribe_duration(&mut self, nanos: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let left = self.call_ends.saturating_duration_since(Instant::now()) + PAST_THE_END;
        let left = u64::try_from(left.as_nanos()).unwrap_or(u64::MAX);
        self.clocks().subscribe_duration(nanos.min(left))
    }
}

/// See the module's words.
pub struct Instance {
    component: Arc<Component>,
    clock: Clock,
    printed: Printed,
    running: Option<(Store<State>, Transformer)>,
}

impl Instance {
    /// Makes an instance and calls its `init`. An error of that refuses the plugin.
    pub fn new(component: &Arc<Component>) -> Result<Self, Fatal> {
        let mut this = Self {
            component: Arc::clone(component),
            clock: Clock::default(),
            printed: Printed::new(component.id.clone()),
            running: None,
        };
        this.instantiate()?;
        Ok(this)
    }

    fn instantiate(&mut self) -> Result<(), Fatal> {
        let component = &self.component;
        let settings = &component.settings;
        let state = State {
            wasi: wasi::context(&settings.allow, &self.clock, &self.printed),
            table: ResourceTable::new(),
            limits: Limits::new(settings.memory),
            plugin: component.id.clone(),
            call_ends: Instant::now() + settings.call,
        };
        let mut store = Store::new(component.engine.native(), state);
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(ticks(settings.call));
        self.printed.clear();
        let begun = Instant::now();
        let bindings = component
            .pre
            .instantiate(&mut store)
            .map_err(|error| anyhow!(self.describe(&error, begun, settings.call)))
            .with_context(|| format!("plugin {} could not be instantiated", component.id))?;
        let answer = bindings
            .millrace_plugin_transform()
            .call_init(&mut store, &settings.config)
            .map_err(|error| anyhow!(self.describe(&error, begun, settings.call)))
            .with_context(|| format!("plugin {}: its init broke", component.id))?;
        if let Err(why) = answer {
            bail!("plugin {}: its init refused: {why}", component.id);
        }
        self.running = Some((store, bindings));
        Ok(())
    }

    fn call<R: Record>(
        &mut self,
        partition: &TopicPartition,
        records: &[R],
    ) -> Result<Vec<Verdict>, Fault> {
        if self.running.is_none() {
            self.instantiate().map_err(Fault::Fatal)?;
        }
        let budget = self
            .component
            .settings
            .time
            .saturating_mul(u32::try_from(records.len()).unwrap_or(u32::MAX))
            .min(self.component.settings.call);
        if let Some(latest) = records.iter().filter_map(|r| r.timestamp().millis()).max() {
            self.clock.set(latest);
        }
        self.printed.clear();
        let Some((store, bindings)) = &mut self.running else {
            return Err(Fault::Fatal(anyhow!("the plugin has no instance")));
        };
        store.set_epoch_deadline(ticks(budget));
        let begun = Instant::now();
        store.data_mut().call_ends = begun + budget;
        let headers = Headers::of(records);
        let lowered = headers.lowered();
        let messages = messages(records, &headers.counts, &lowered);
        let batch = wit::Batch {
            topic: &partition.topic,
            partition: partition.partition,
            messages: &messages,
        };
        match bindings
            .millrace_plugin_transform()
            .call_process(store, batch)
        {
            Ok(verdicts) if verdicts.len() == records.len() => {
                Ok(verdicts.into_iter().map(Verdict::from).collect())
            }
            Ok(verdicts) => {
                let count = verdicts.len();
                self.running = None;
                Err(Fault::Broke(format!(
                    "plugin {} returned {count} verdicts for {} messages: it must return exactly \
                     one a message",
                    self.component.id,
                    records.len()
                )))
            }
            Err(error) => {
                let reason = self.describe(&error, begun, budget);
                self.running = None;
                Err(match error.downcast_ref::<Trap>() {
                    Some(Trap::Interrupt) => Fault::TimedOut(reason),
                    _ => Fault::Broke(reason),
                })
            }
        }
    }

    /// A fault in words: which plugin, what the trap was, what it printed.
    fn describe(&self, error: &wasmtime::Error, begun: Instant, budget: Duration) -> String {
        let mut text = format!("plugin {} ", self.component.id);
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => {
                text += &format!(
                    "was interrupted after {:.1?}, of {budget:?} that it may take (plugin.time, \
                     plugin.call)",
                    begun.elapsed()
                );
            }
            Some(trap) => text += &format!("trapped: {trap}"),
            None => text += &format!("broke: {}", error.root_cause()),
        }
        let mut printed = self.printed.take();
        // Rust's advice to set a variable, which a plugin can't follow.
        printed.retain(|line| !line.starts_with("note: run with `RUST_BACKTRACE"));
        if !printed.is_empty() {
            text += &format!("; it printed: {}", printed.join(" | "));
        }
        text
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

/// The headers of a batch in the contract's form, which librdkafka's memory does
/// not hold: the messages borrow from here.
struct Headers<'a> {
    /// Of all records, one after the other. Names are text here, whatever they were.
    names: Vec<Cow<'a, str>>,
    values: Vec<Option<&'a [u8]>>,
    /// How many each record has. Empty where none has any, the common case.
    counts: Vec<usize>,
}

impl<'a> Headers<'a> {
    fn of<R: Record>(records: &'a [R]) -> Self {
        let mut this = Self {
            names: Vec::new(),
            values: Vec::new(),
            counts: Vec::new(),
        };
        for (i, record) in records.iter().enumerate() {
            let headers = record.headers();
            if headers.is_empty() && this.counts.is_empty() {
                continue;
            }
            this.counts.resize(i, 0);
            this.counts.push(headers.len());
            for Header { name, value } in headers {
                this.names.push(String::from_utf8_lossy(name));
                this.values.push(value);
            }
        }
        this
    }

    fn lowered(&self) -> Vec<wit::HeaderParam<'_>> {
        self.names
            .iter()
            .zip(&self.values)
            .map(|(name, value)| wit::HeaderParam {
                name,
                value: *value,
            })
            .collect()
    }
}

fn messages<'a, R: Record>(
    records: &'a [R],
    counts: &[usize],
    mut headers: &'a [wit::HeaderParam<'a>],
) -> Vec<wit::Message<'a>> {
    records
        .iter()
        .enumerate()
        .map(|(i, record)| {
            let (own, rest) = headers.split_at(counts.get(i).copied().unwrap_or(0));
            headers = rest;
            wit::Message {
                key: record.key(),
                value: record.value(),
                headers: own,
                offset: record.offset(),
                timestamp: match record.timestamp() {
                    Timestamp::NotAvailable => wit::Timestamp::NotAvailable,
                    Timestamp::Create(ms) => wit::Timestamp::CreateTime(ms),
                    Timestamp::LogAppend(ms) => wit::Timestamp::LogAppendTime(ms),
                },
            }
        })
        .collect()
}

impl From<wit::Verdict> for Verdict {
    fn from(verdict: wit::Verdict) -> Self {
        match verdict {
            wit::Verdict::Forward => Self::Forward,
            wit::Verdict::Drop => Self::Drop,
            wit::Verdict::Replace(output) => Self::Replace(output.into()),
            wit::Verdict::Expand(outputs) => {
                Self::Expand(outputs.into_iter().map(Output::from).collect())
            }
            wit::Verdict::Fail(reason) => Self::Fail(reason),
        }
    }
}

impl From<wit::Output> for Output {
    fn from(output: wit::Output) -> Self {
        Self {
            topic: output.topic,
            partition: output.partition,
            timestamp: output.timestamp,
            key: output.key.into(),
            value: output.value.into(),
            headers: match output.headers {
                wit::OutputHeaders::Source => OutputHeaders::Source,
                wit::OutputHeaders::Append(own) => OutputHeaders::Append(owned(own)),
                wit::OutputHeaders::Only(own) => OutputHeaders::Only(owned(own)),
            },
        }
    }
}

fn owned(headers: Vec<wit::HeaderResult>) -> Vec<OwnedHeader> {
    headers
        .into_iter()
        .map(|header| OwnedHeader {
            name: header.name.into_bytes(),
            value: header.value,
        })
        .collect()
}

impl From<wit::Payload> for Payload {
    fn from(payload: wit::Payload) -> Self {
        match payload {
            wit::Payload::Source => Self::Source,
            wit::Payload::Null => Self::Null,
            wit::Payload::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}
