//! What one store holds, and the host functions that a guest reaches through
//! it: WASI's context, the log, and the clock whose sleeps have an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use wasmtime::component::{Resource, ResourceTable};
use wasmtime::{StoreContextMut, UpdateDeadline};
use wasmtime_wasi::clocks::WasiClocksView as _;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::bindings::millrace::plugin::log;
use super::engine::{LOOK, TICK, ticks};
use super::limits::Limits;
use super::said::Said;

/// How far a sleep may outlast its call: until the epoch that ends the call has
/// surely come.
const PAST_THE_END: Duration = TICK.saturating_mul(3);

/// See the module's words.
pub struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    said: Said,
    pub limits: Limits,
    /// When the call that runs now has used up its time.
    pub call_ends: Instant,
    /// Whether it is given up.
    given_up: Arc<AtomicBool>,
}

/// The call was given up, because the run ends: for no fault of the plugin.
#[derive(Debug, thiserror::Error)]
#[error("the call was given up")]
pub struct GivenUp;

/// Looks at a guest that computes: ends it, or lets it go on until the next look.
pub fn look(store: StoreContextMut<'_, State>) -> wasmtime::Result<UpdateDeadline> {
    let state = store.data();
    if state.given_up.load(Ordering::Relaxed) {
        return Err(GivenUp.into());
    }
    match state.call_ends.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Ok(UpdateDeadline::Interrupt),
        left => Ok(UpdateDeadline::Continue(ticks(left))),
    }
}

impl State {
    /// The call that begins with it may take until `call_ends`.
    pub fn new(
        wasi: WasiCtx,
        said: Said,
        limits: Limits,
        call_ends: Instant,
        given_up: Arc<AtomicBool>,
    ) -> Self {
        Self {
            given_up,
            wasi,
            table: ResourceTable::new(),
            said,
            limits,
            call_ends,
        }
    }
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
        self.said.logged(level, &message);
    }
}

/// Epochs interrupt a guest that computes, not one that sleeps in the host: so
/// no sleep outlasts its call, and the guest that wakes is interrupted. The
/// pollables of this clock are all that a guest can wait for: what it prints is
/// taken at once, and its stdin has ended.
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
        let sleep = self.table.push(Sleep {
            until: Instant::now() + left.min(Duration::from_nanos(nanos)),
            given_up: Arc::clone(&self.given_up),
        })?;
        subscribe(&mut self.table, sleep)
    }
}

/// A sleep that ends early when its call is given up.
struct Sleep {
    until: Instant,
    given_up: Arc<AtomicBool>,
}

#[wasmtime_wasi::async_trait]
impl Pollable for Sleep {
    async fn ready(&mut self) {
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.given_up.load(Ordering::Relaxed) {
                return tokio::task::yield_now().await;
            }
            tokio::time::sleep(left.min(LOOK)).await;
        }
    }
}

#[cfg(test)]
mod tests;
