//! Compiled code on disk, so that a start loads it in a millisecond instead of
//! compiling for seconds. Compiled code runs unchecked, so a file is used only
//! if nobody else can write it and its checksum is right
//! (docs/decisions/compiled-code-cache.md). How much is kept, `folder` says.

mod folder;

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use super::engine::Engine;

pub use self::folder::{Cache, Kept, MOST_BYTES};

const MAGIC: &[u8; 8] = b"MILLRACE";
const CHECKSUM: usize = 32;
const HEADER: usize = MAGIC.len() + CHECKSUM;

/// How the names of whole files end, and of those that are being written.
const KEPT: &str = "cwasm";
const PART: &str = "part";

/// Where one component's compiled code is kept.
pub struct Slot {
    path: PathBuf,
}

impl Slot {
    /// The place for a component with this digest, compiled with this engine's
    /// settings. `None` if this user has no cache folder, or an unsafe one.
    pub fn of(digest: &str, engine: &Engine) -> Option<Self> {
        Self::within(&folder()?, digest, engine)
    }

    fn within(folder: &Path, digest: &str, engine: &Engine) -> Option<Self> {
        if let Err(why) = secure(folder) {
            tracing::warn!(folder = %folder.display(), %why, "compiled plugins are not cached");
            return None;
        }
        let name = format!("{digest}-{}.{KEPT}", settings(engine));
        Some(Self {
            path: folder.join(name),
        })
    }

    /// Whether there is compiled code for a component with this digest. Makes no folder.
    pub fn holds(digest: &str, engine: &Engine) -> bool {
        let Some(folder) = folder() else {
            return false;
        };
        let ours = |path: &Path| fs::metadata(path).is_ok_and(|it| only_ours(&it).is_ok());
        ours(&folder) && ours(&folder.join(format!("{digest}-{}.{KEPT}", settings(engine))))
    }

    /// The compiled code, if there is any and it is whole.
    pub fn read(&self) -> Option<Vec<u8>> {
        // One file from here on, whatever others put in its place or remove.
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(file = %self.path.display(), %error, "a cached plugin can't be read");
                return None;
            }
        };
        if let Err(why) = file
            .metadata()
            .map_err(|error| error.to_string())
            .and_then(|metadata| only_ours(&metadata))
        {
            tracing::warn!(file = %self.path.display(), %why, "a cached plugin is not used");
            return None;
        }
        let mut bytes = Vec::new();
        if let Err(error) = (&file).read_to_end(&mut bytes) {
            tracing::warn!(file = %self.path.display(), %error, "a cached plugin can't be read");
            return None;
        }
        let whole = bytes.len() > HEADER
            && bytes.starts_with(MAGIC)
            && bytes[MAGIC.len()..HEADER] == self.checksum(&bytes[HEADER..]);
        if !whole {
            tracing::warn!(file = %self.path.display(), "a cached plugin is damaged; it is compiled anew");
            return None;
        }
        // What is used last is removed last. On a disk that is only read nothing is removed.
        let _ = file.set_modified(SystemTime::now());
        bytes.drain(..HEADER);
        Some(bytes)
    }

    /// Keeps compiled code. Readers see the old file or the whole new one. What was not
    /// used for longest makes room.
    pub fn write(&self, code: &[u8]) {
        if (HEADER + code.len()) as u64 > MOST_BYTES {
            tracing::warn!(file = %self.path.display(), "a compiled plugin is too large to be cached");
            return;
        }
        if let Err(error) = self.try_write(code) {
            tracing::warn!(file = %self.path.display(), %error, "a compiled plugin could not be cached");
        }
        if let Some(folder) = self.path.parent() {
            Cache::at(folder).tidy(MOST_BYTES);
        }
    }

    /// Of the code and of whose it is: another plugin's, or one of other
    /// settings, under this name is as wrong as a damaged one.
    fn checksum(&self, code: &[u8]) -> [u8; CHECKSUM] {
        let mut hasher = Sha256::new();
        hasher.update(self.path.file_name().unwrap_or_default().as_encoded_bytes());
        hasher.update(code);
        hasher.finalize().into()
    }

    fn try_write(&self, code: &[u8]) -> io::Result<()> {
        /// No two threads write one file.
        static NUMBER: AtomicU64 = AtomicU64::new(0);

        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let temporary = self
            .path
            .with_extension(format!("{}-{number}.{PART}", std::process::id()));
        let written = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)
            .and_then(|mut file| {
                // Whoever tidies up sees by it that somebody is writing. Where there are no
                // locks, nothing half written is removed.
                let _ = file.lock();
                file.write_all(MAGIC)?;
                file.write_all(&self.checksum(code))?;
                file.write_all(code)?;
                match fs::rename(&temporary, &self.path) {
                    // Removed before it was locked, or with the folder: somebody emptied it.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    outcome => outcome,
                }
            });
        if written.is_err() {
            // It may not exist; either way there is nothing more to do.
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

/// What compiled code depends on besides the component: wasmtime's own statement of it.
fn settings(engine: &Engine) -> String {
    let mut hasher = DefaultHasher::new();
    engine
        .native()
        .precompile_compatibility_hash()
        .hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// `$XDG_CACHE_HOME/millrace`, or `~/.cache/millrace` (XDG base directories).
fn folder() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let base = match set("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(set("HOME")?).join(".cache"),
    };
    base.is_absolute().then(|| base.join("millrace"))
}

/// Makes the folder, and makes sure that only this user can write it.
fn secure(folder: &Path) -> Result<(), String> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| format!("the folder can't be made: {error}"))?;
    let metadata = fs::metadata(folder).map_err(|error| error.to_string())?;
    only_ours(&metadata)
}

/// Whether only this user can have written it.
fn only_ours(metadata: &fs::Metadata) -> Result<(), String> {
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err("it is another user's".to_owned());
    }
    if metadata.mode() & 0o022 != 0 {
        return Err("others may write it (chmod go-w)".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
