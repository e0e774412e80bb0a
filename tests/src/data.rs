//! The folder of one server, `target/KIND/run/PROCESS-NUMBER`: held by a file
//! lock while its test process lives, removed at its end, or at the next start
//! of any of its kind where that process had no time to.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::target::target_dir;

/// The folder and its lock.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Held, not read: the kernel lets go of it when the process ends.
    _lock: File,
}

impl DataDir {
    /// A new, empty folder for a server of this kind, such as `kafka`; stale
    /// ones are removed on the way.
    pub fn create(kind: &str) -> DataDir {
        static NUMBER: AtomicU32 = AtomicU32::new(0);

        let run = target_dir().join(kind).join("run");
        fs::create_dir_all(&run).expect("the target folder can be written");
        // Held until our own lock stands: else another process could take the
        // new folder for a stale one.
        let all = create(&run.join("lock"));
        all.lock().expect("the file system can lock");
        remove_stale(&run);

        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = run.join(format!("{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a new folder");
        let lock = create(&path.join("lock"));
        lock.lock().expect("the file system can lock");
        DataDir { path, _lock: lock }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file for what the server prints.
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        // The server may still be writing its last files; the next start
        // removes what is left.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn remove_stale(run: &Path) {
    for entry in fs::read_dir(run).expect("it can be read").flatten() {
        let folder = entry.path();
        // Another process may be removing it as well.
        let lock = File::create(folder.join("lock"));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

fn create(path: &Path) -> File {
    File::create(path).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()))
}
