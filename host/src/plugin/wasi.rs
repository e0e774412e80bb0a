//! WASI 0.2 as plugins see it: virtual, so that a plugin is a function of its
//! input and its configuration. No files, no environment, random numbers from
//! a fixed seed, clocks that stand at the batch's latest timestamp; `--allow`
//! puts the real clock, random or a variable there. What is printed goes to the
//! host's log.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx};

use super::id::PluginId;
use crate::config::Capability;

/// The seed of every plugin's random numbers.
const SEED: u128 = 0x6d69_6c6c_7261_6365;

/// How many lines that an instance printed are kept for the reason of a fault.
const KEPT_LINES: usize = 8;

/// The longest line that is logged, in bytes; the rest is cut off.
const LONGEST_LINE: usize = 4096;

/// The virtual time, in milliseconds since the epoch.
#[derive(Clone, Default)]
pub struct Clock {
    wall: Arc<AtomicI64>,
    /// The latest that the wall clock ever was: batches of several partitions
    /// may take it back, and this clock must not follow.
    monotonic: Arc<AtomicI64>,
}

impl Clock {
    pub fn set(&self, ms: i64) {
        self.wall.store(ms, Ordering::Relaxed);
        self.monotonic.fetch_max(ms, Ordering::Relaxed);
    }
}

fn since_the_epoch(clock: &AtomicI64) -> Duration {
    Duration::from_millis(u64::try_from(clock.load(Ordering::Relaxed)).unwrap_or(0))
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        since_the_epoch(&self.wall)
    }
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        u64::try_from(since_the_epoch(&self.monotonic).as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The context of one instance.
pub fn context(allow: &[Capability], clock: &Clock, printed: &Printed) -> WasiCtx {
    let mut builder = WasiCtx::builder();
    builder
        .stdout(printed.stream("stdout"))
        .stderr(printed.stream("stderr"))
        .allow_tcp(false)
        .allow_udp(false);
    if !allow.contains(&Capability::Clock) {
        builder.wall_clock(clock.clone());
        builder.monotonic_clock(clock.clone());
    }
    if !allow.contains(&Capability::Random) {
        let bytes = SEED.to_le_bytes().to_vec();
        builder.secure_random(Deterministic::new(bytes.clone()));
        builder.insecure_random(Deterministic::new(bytes));
        builder.insecure_random_seed(SEED);
    }
    for capability in allow {
        if let Capability::Env(name) = capability
            && let Ok(value) = std::env::var(name)
        {
            builder.env(name, &value);
        }
    }
    builder.build()
}

/// The beginning of a text that fits a log line.
pub fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST_LINE)]
}

/// What an instance printed lately, for the reason of a fault.
#[derive(Clone)]
pub struct Printed {
    plugin: PluginId,
    lately: Arc<Mutex<Vec<String>>>,
}

impl Printed {
    pub fn new(plugin: PluginId) -> Self {
        Self {
            plugin,
            lately: Arc::default(),
        }
    }

    /// Forgets what was printed before.
    pub fn clear(&self) {
        self.lines().clear();
    }

    /// The last lines, oldest first.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines())
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stream(&self, name: &'static str) -> Stream {
        Stream {
            name,
            printed: self.clone(),
            line: Arc::default(),
        }
    }

    fn line(&self, stream: &'static str, line: &[u8]) {
        let line = String::from_utf8_lossy(&line[..line.len().min(LONGEST_LINE)]);
        let line = line.trim_end();
        if line.is_empty() {
            return;
        }
        tracing::info!(target: "plugin", plugin = %self.plugin, stream, "{line}");
        let mut lately = self.lines();
        if lately.len() == KEPT_LINES {
            lately.remove(0);
        }
        lately.push(line.to_owned());
    }
}

/// stdout or stderr: bytes in, lines out.
#[derive(Clone)]
struct Stream {
    name: &'static str,
    printed: Printed,
    /// The line that is not ended yet.
    line: Arc<Mutex<Vec<u8>>>,
}

impl Stream {
    fn take(&self, mut bytes: &[u8]) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            line.extend_from_slice(&bytes[..end]);
            self.printed.line(self.name, &line);
            line.clear();
            bytes = &bytes[end + 1..];
        }
        // A line without end must not grow without end.
        let room = LONGEST_LINE.saturating_sub(line.len());
        line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if Arc::strong_count(&self.line) == 1 {
            let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
            self.printed.line(self.name, &line);
        }
    }
}

impl IsTerminal for Stream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stream {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // WASI 0.3's way in, which no plugin of this contract takes.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {}
}

impl OutputStream for Stream {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 * 1024)
    }
}
