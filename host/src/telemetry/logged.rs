//! What was logged, for a test to look at.

use std::io;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs `body` and returns the fields, `message` among them, of each line that it
/// logged at INFO and above.
pub fn logged(body: impl FnOnce()) -> Vec<serde_json::Value> {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::INFO)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, body);
    let bytes = lines.0.lock().unwrap();
    let fields = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["fields"].take()
    };
    std::str::from_utf8(&bytes)
        .unwrap()
        .lines()
        .map(fields)
        .collect()
}
