//! The one wasmtime engine of the process, and the clock that ends calls which
//! take too long.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use wasmtime::Config;

use crate::pipeline::ports::Fatal;

/// How often a running guest can be interrupted: the grain of `plugin.time`.
pub const TICK: Duration = Duration::from_millis(10);

/// The stack of guest code, in bytes (wasmtime's default).
const GUEST_STACK: usize = 512 * 1024;

/// The stack of a thread that calls guests, in bytes. It must exceed the
/// guest's by a wide margin: at or under it a guest's recursion would end the
/// process instead of trapping.
pub const THREAD_STACK: usize = 4 * 1024 * 1024;

/// How many functions of a trap's backtrace are looked at: a panic of Rust has
/// ten of its own before the first that says something.
const BACKTRACE: usize = 32;

const _: () = assert!(THREAD_STACK >= GUEST_STACK + 1024 * 1024);

/// See the module's words. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    native: Arc<wasmtime::Engine>,
    given_up: Arc<AtomicBool>,
}

impl Engine {
    pub fn new() -> Result<Self, Fatal> {
        let engine = Arc::new(made(&config())?);
        let ticking = Arc::downgrade(&engine);
        thread::Builder::new()
            .name("epochs".to_owned())
            .spawn(move || tick(&ticking))
            .context("the thread that interrupts guests could not be started")?;
        Ok(Self {
            native: engine,
            given_up: Arc::default(),
        })
    }

    /// Ends every call that runs, because nobody waits for it any more.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    pub(super) fn given_up(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.given_up)
    }

    pub(super) fn native(&self) -> &wasmtime::Engine {
        &self.native
    }
}

/// An engine that only compiles, for one like [`Engine`]: on one core, and without
/// clocks.
pub fn compiling() -> Result<wasmtime::Engine, Fatal> {
    made(config().parallel_compilation(false))
}

fn made(config: &Config) -> Result<wasmtime::Engine, Fatal> {
    wasmtime::Engine::new(config)
        .map_err(|error| anyhow!("{error:#}"))
        .context("the WebAssembly engine could not be made on this machine")
}

fn config() -> Config {
    let mut config = Config::new();
    config
        // Interrupts a guest that takes too long. Half the cost of fuel.
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK)
        .wasm_backtrace_max_frames(NonZeroUsize::new(BACKTRACE))
        // A component call with it costs several times one without, and
        // the contract is synchronous.
        .concurrency_support(false);
    config
}

/// Keeps the epoch at the time that has passed: a sleep that took longer than a
/// tick counts as the ticks that it took.
fn tick(engine: &Weak<wasmtime::Engine>) {
    let begun = Instant::now();
    let mut epoch = 0;
    while let Some(engine) = engine.upgrade() {
        while TICK.saturating_mul(epoch) <= begun.elapsed() {
            engine.increment_epoch();
            epoch = epoch.saturating_add(1);
        }
        drop(engine);
        thread::sleep(TICK);
    }
}

/// How often a guest that computes is looked at: whether its time is over, and
/// whether its call is given up.
pub const LOOK: Duration = Duration::from_millis(100);

/// How many ticks a call that may take so long runs until it is looked at. One more than asked, because the first tick
/// may come at once.
pub fn ticks(left: Duration) -> u64 {
    let ticks = left.min(LOOK).as_millis().div_ceil(TICK.as_millis()) + 1;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}
