//! Compiled code on disk, so that a start loads it in a millisecond instead of
//! compiling for seconds. Compiled code runs unchecked, so a file is used only
//! if nobody else can write it and its checksum is right
//! (docs/decisions/compiled-code-cache.md).

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::engine::Engine;

const MAGIC: &[u8; 8] = b"MILLRACE";
const CHECKSUM: usize = 32;
const HEADER: usize = MAGIC.len() + CHECKSUM;

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
        // wasmtime's own statement of what compiled code depends on.
        let mut hasher = DefaultHasher::new();
        engine
            .native()
            .precompile_compatibility_hash()
            .hash(&mut hasher);
        let name = format!("{digest}-{:016x}.cwasm", hasher.finish());
        Some(Self {
            path: folder.join(name),
        })
    }

    /// The compiled code, if there is any and it is whole.
    pub fn read(&self) -> Option<Vec<u8>> {
        let mut file = match fs::read(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(file = %self.path.display(), %error, "a cached plugin can't be read");
                return None;
            }
        };
        if let Err(why) = fs::metadata(&self.path)
            .map_err(|error| error.to_string())
            .and_then(|metadata| only_ours(&metadata))
        {
            tracing::warn!(file = %self.path.display(), %why, "a cached plugin is not used");
            return None;
        }
        let whole = file.len() > HEADER
            && file.starts_with(MAGIC)
            && file[MAGIC.len()..HEADER] == self.checksum(&file[HEADER..]);
        if !whole {
            tracing::warn!(file = %self.path.display(), "a cached plugin is damaged; it is compiled anew");
            return None;
        }
        file.drain(..HEADER);
        Some(file)
    }

    /// Keeps compiled code. Readers see the old file or the whole new one.
    pub fn write(&self, code: &[u8]) {
        if let Err(error) = self.try_write(code) {
            tracing::warn!(file = %self.path.display(), %error, "a compiled plugin could not be cached");
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
        let temporary = self
            .path
            .with_extension(format!("{}.part", std::process::id()));
        let written = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)
            .and_then(|mut file| {
                file.write_all(MAGIC)?;
                file.write_all(&self.checksum(code))?;
                file.write_all(code)
            })
            .and_then(|()| fs::rename(&temporary, &self.path));
        if written.is_err() {
            // It may not exist; either way there is nothing more to do.
            let _ = fs::remove_file(&temporary);
        }
        written
    }
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
