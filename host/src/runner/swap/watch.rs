//! Whether a plugin's file is another one than when it was read, and whole. Files are
//! looked at instead of listened for: events come from no network file system, and not
//! from behind every symlink, and a look costs a few microseconds
//! (docs/decisions/plugin-files-are-looked-at.md).

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a changed file must not change any more before it is read: what writes a
/// file in pieces pauses for less, and people wait for so little anyway.
pub const SETTLED: Duration = Duration::from_millis(300);

/// After which time a file is read again that could not be read.
pub const AGAIN: Duration = Duration::from_secs(5);

/// What tells one state of a file from another without reading it. The time of the
/// last change of its inode can't be set back, as that of its contents can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// Of what a path leads to, by whatever links; `None`: nothing is there now.
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            written: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// See the module's words.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    /// As it was when it was read.
    known: Option<Stamp>,
    /// As it is since a while, or is read again in a while.
    pending: Option<(Stamp, Instant)>,
}

impl Watch {
    /// Of a file that was read some time ago: whether it is still the same, only its
    /// contents tell, so that it is to be read once.
    pub fn new(path: &Path) -> Self {
        Self {
            known: None,
            path: path.to_path_buf(),
            pending: None,
        }
    }

    /// Whether it has changed, and then stayed as it is for [`SETTLED`]: it is to be
    /// read now. Says so once for each state.
    pub fn has_changed(&mut self, now: Instant) -> bool {
        // It may be away for a moment, between two states.
        let Some(stamp) = Stamp::of(&self.path) else {
            self.pending = None;
            return false;
        };
        if self.known == Some(stamp) {
            self.pending = None;
            return false;
        }
        match self.pending {
            Some((pending, since)) if pending == stamp => {
                let settled = now.saturating_duration_since(since) >= SETTLED;
                if settled {
                    self.known = Some(stamp);
                    self.pending = None;
                }
                settled
            }
            _ => {
                self.pending = Some((stamp, now));
                false
            }
        }
    }

    /// Whether it is still as it was when [`has_changed`](Self::has_changed) said that
    /// it had: what was read since then is whole.
    pub fn is_as_known(&self) -> bool {
        Stamp::of(&self.path) == self.known
    }

    /// It could not be read: it is read again after [`AGAIN`], changed or not.
    pub fn was_not_read(&mut self, now: Instant) {
        self.pending = self.known.take().map(|stamp| (stamp, now + AGAIN));
    }

    /// It is about to be read, whether it has changed or not.
    pub fn is_read(&mut self) {
        self.known = Stamp::of(&self.path);
        self.pending = None;
    }
}

#[cfg(test)]
mod tests;
