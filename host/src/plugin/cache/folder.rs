//! The cache's folder: what lies in it, and how much of that is kept. Other processes
//! write, read and tidy up in it at the same time; a file that has gone meanwhile is no
//! error.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Engine, KEPT, PART, settings};

/// The most that all files together may take, in bytes. Compiled code has about three
/// times the size of its component: a plugin in Rust has some hundred KiB to a few MiB of it,
/// and one that brings an engine for scripts, of 10 to 20 MiB, three times that. So this is
/// enough for a team's plugins and some versions of each, and no burden to a laptop's disk.
pub const MOST_BYTES: u64 = 1 << 30;

/// See the module's words.
pub struct Cache {
    folder: PathBuf,
}

/// The compiled code of one plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The SHA-256 of the plugin's file, in hexadecimal digits.
    pub digest: String,
    /// What it was compiled for: this host has one of these, another version another.
    settings: String,
    pub bytes: u64,
    /// When it was last read, or written.
    pub used: SystemTime,
    path: PathBuf,
}

impl Kept {
    /// Whether this engine takes it.
    pub fn is_for(&self, engine: &Engine) -> bool {
        self.settings == settings(engine)
    }
}

impl Cache {
    /// This user's; `None` where there is no place for one.
    pub fn of_this_user() -> Option<Self> {
        super::folder().map(|folder| Self { folder })
    }

    pub(super) fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is kept, the last used first.
    pub fn kept(&self) -> io::Result<Vec<Kept>> {
        let mut kept: Vec<Kept> = self.files(KEPT)?.into_iter().filter_map(Kept::at).collect();
        kept.sort_by(|a, b| (b.used, &a.path).cmp(&(a.used, &b.path)));
        Ok(kept)
    }

    /// Removes all of it, and says what that was.
    pub fn clear(&self) -> io::Result<Vec<Kept>> {
        let mut kept = self.kept()?;
        let mut outcome = Ok(());
        kept.retain(|kept| match fs::remove_file(&kept.path) {
            Ok(()) => true,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound && outcome.is_ok() {
                    outcome = Err(error);
                }
                false
            }
        });
        self.remove_left_over()?;
        outcome.map(|()| kept)
    }

    /// Removes what was not used for longest, as long as all of it takes more than
    /// `most` bytes, and what ended processes left half written.
    pub(super) fn tidy(&self, most: u64) {
        if let Err(error) = self.try_tidy(most) {
            tracing::warn!(folder = %self.folder.display(), %error, "the cache of compiled plugins could not be tidied up");
        }
    }

    fn try_tidy(&self, most: u64) -> io::Result<()> {
        let mut bytes = 0u64;
        for kept in self.kept()? {
            bytes = bytes.saturating_add(kept.bytes);
            if bytes > most {
                remove(&kept.path)?;
            }
        }
        self.remove_left_over()
    }

    /// A file that is being written is locked by who writes it, as long as that process lives.
    fn remove_left_over(&self) -> io::Result<()> {
        for path in self.files(PART)? {
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            // Where there are no locks, nobody can say whose it is.
            if file.try_lock().is_ok() {
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// The files whose names end like this; none where there is no folder.
    fn files(&self, ending: &str) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|it| it == ending) {
                files.push(path);
            }
        }
        Ok(files)
    }
}

impl Kept {
    /// `None`: it has gone meanwhile, or is none of ours.
    fn at(path: PathBuf) -> Option<Self> {
        let metadata = fs::symlink_metadata(&path)
            .ok()
            .filter(fs::Metadata::is_file)?;
        let (digest, settings) = path.file_stem()?.to_str()?.split_once('-')?;
        Some(Self {
            digest: digest.to_owned(),
            settings: settings.to_owned(),
            bytes: metadata.len(),
            used: metadata.modified().ok()?,
            path,
        })
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
