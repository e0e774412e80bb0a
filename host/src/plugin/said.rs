//! What an instance says: lines of stdout, of stderr and of the log import.
//! They go to the host's log, so long and so many, and the last printed ones
//! are kept for the reason of a fault. A guest that says things without end
//! takes neither memory nor the log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use super::bindings::millrace::plugin::log;
use super::id::PluginId;
use crate::telemetry;
use crate::throttle::Throttle;

/// How many printed lines are kept for the reason of a fault: a panic and what
/// led to it.
const KEPT_LINES: usize = 8;

/// The longest line, in bytes; the rest is cut off.
const LONGEST_LINE: usize = 4096;

/// So many lines in such a time: enough for one line a record while somebody
/// looks, and with the longest lines 400 KiB a second, which a disk of logs
/// takes and the other workers, who write to the same stderr, don't notice.
const MOST_LINES: u32 = 1000;
const WINDOW: Duration = Duration::from_secs(10);

/// The most that a guest may hand over at once, in bytes (WASI's `check-write`);
/// more is a trap. It bounds how long a call stays in the host, where epochs
/// don't interrupt it.
const MOST_AT_ONCE: usize = 64 * 1024;

/// One worker's, through all its instances: one that traps and says the same
/// again is held back too. Clones are the same.
#[derive(Clone)]
pub struct Said(Arc<Mutex<Inner>>);

struct Inner {
    plugin: PluginId,
    throttle: Throttle,
    /// The last printed lines, oldest first, whether they were logged or not.
    lately: VecDeque<String>,
    /// The lines of stdout and stderr that are not ended yet.
    unended: [Vec<u8>; 2],
}

impl Said {
    pub fn new(plugin: PluginId) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            plugin,
            throttle: Throttle::new(MOST_LINES, WINDOW),
            lately: VecDeque::with_capacity(KEPT_LINES),
            unended: Default::default(),
        })))
    }

    /// A call begins: what was printed before is not its doing.
    pub fn call_begins(&self) {
        let mut inner = self.lock();
        inner.lately.clear();
        inner.tell_left_out(Instant::now());
    }

    /// The last printed lines, oldest first.
    pub fn lately(&self) -> Vec<String> {
        let mut inner = self.lock();
        inner.end_lines();
        inner.lately.iter().cloned().collect()
    }

    /// The instance has gone: a line that it did not end is one all the same.
    pub fn instance_gone(&self) {
        self.lock().end_lines();
    }

    /// A line of the log import.
    pub fn logged(&self, level: log::Level, message: &str) {
        self.lock().logged(level, message);
    }

    pub fn stream(&self, which: Which) -> impl StdoutStream + use<> {
        Stream {
            which,
            said: self.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn printed(&mut self, which: Which, mut bytes: &[u8]) {
        let mut line = std::mem::take(&mut self.unended[which as usize]);
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            extend(&mut line, &bytes[..end]);
            self.line(which, &line);
            line.clear();
            bytes = &bytes[end + 1..];
        }
        extend(&mut line, bytes);
        self.unended[which as usize] = line;
    }

    fn end_lines(&mut self) {
        for which in [Which::Stdout, Which::Stderr] {
            let line = std::mem::take(&mut self.unended[which as usize]);
            self.line(which, &line);
        }
    }

    fn line(&mut self, which: Which, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end();
        if line.is_empty() {
            return;
        }
        if tracing::enabled!(target: "plugin", tracing::Level::INFO) && self.passes() {
            tracing::info!(target: "plugin", plugin = %self.plugin, stream = which.name(), "{line}");
        }
        if self.lately.len() == KEPT_LINES {
            self.lately.pop_front();
        }
        self.lately.push_back(line.to_owned());
    }

    fn logged(&mut self, level: log::Level, message: &str) {
        let message = &message[..message.floor_char_boundary(LONGEST_LINE)];
        // Each level is a constant to tracing. A line that nobody wants uses
        // up nothing.
        macro_rules! event {
            ($level:ident) => {
                if tracing::enabled!(target: "plugin", tracing::Level::$level) && self.passes() {
                    tracing::event!(target: "plugin", tracing::Level::$level, plugin = %self.plugin, "{message}");
                }
            };
        }
        match level {
            log::Level::Trace => event!(TRACE),
            log::Level::Debug => event!(DEBUG),
            log::Level::Info => event!(INFO),
            log::Level::Warn => event!(WARN),
            log::Level::Error => event!(ERROR),
        }
    }

    /// Whether one more line may be logged. The first one behind those that
    /// were left out says so before itself.
    fn passes(&mut self) -> bool {
        match self.throttle.pass(Instant::now()) {
            None => false,
            Some(left_out) => {
                self.tell(left_out);
                true
            }
        }
    }

    fn tell_left_out(&mut self, now: Instant) {
        let left_out = self.throttle.take_left_out(now);
        self.tell(left_out);
    }

    fn tell(&self, left_out: u64) {
        if left_out > 0 {
            telemetry::plugin_lines_left_out(&self.plugin, left_out);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end_lines();
        // No further window comes.
        self.tell_left_out(Instant::now() + WINDOW);
    }
}

/// Adds to a line as much as it may still hold: one without end must not grow
/// without end.
fn extend(line: &mut Vec<u8>, bytes: &[u8]) {
    let room = LONGEST_LINE.saturating_sub(line.len());
    line.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

/// A stream that a guest prints to.
#[derive(Debug, Clone, Copy)]
pub enum Which {
    Stdout,
    Stderr,
}

impl Which {
    fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// stdout or stderr: bytes in, lines out.
#[derive(Clone)]
struct Stream {
    which: Which,
    said: Said,
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
        if bytes.len() > MOST_AT_ONCE {
            return Err(StreamError::trap(
                "it printed more at once than check-write allows",
            ));
        }
        self.said.lock().printed(self.which, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MOST_AT_ONCE)
    }
}

#[cfg(test)]
mod tests;
