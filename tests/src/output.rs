//! One pipe of a process, read by a thread of its own, so that a full pipe
//! never holds the process up.

use std::io::Read;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// What has come so far, and the thread that waits for more.
#[derive(Debug)]
pub struct Output {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Output {
    pub fn collect(mut pipe: impl Read + Send + 'static) -> Output {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 8192];
            // An error is an end as well: nothing more comes.
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                sink.lock()
                    .expect("nothing panics with it")
                    .extend_from_slice(&buffer[..count]);
            }
        });
        Output { bytes, reader }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("nothing panics with it")).into_owned()
    }

    /// Whether nothing more will come.
    pub fn ended(&self) -> bool {
        self.reader.is_finished()
    }
}
