//! A plugin file that an upload replaces: what was there before is kept beside it, as
//! `FILE.before`, until the upload has proved good or is taken back.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::pipeline::ports::Fatal;

/// See the module's words.
#[derive(Debug)]
pub struct Kept {
    before: PathBuf,
    /// The digest of what was uploaded.
    gave_way_to: Arc<str>,
}

impl Kept {
    /// Keeps the file as it is, if it holds what runs; else there is nothing to keep.
    pub fn before(path: &Path, runs: &str, uploaded: &Arc<str>) -> Result<Option<Self>, Fatal> {
        let Ok(bytes) = fs::read(path) else {
            return Ok(None);
        };
        if hex(&Sha256::digest(&bytes)) != runs {
            return Ok(None);
        }
        let before = beside(path, ".before");
        write_for(&before, path, &bytes)?.replace(&before)?;
        Ok(Some(Self {
            before,
            gave_way_to: Arc::clone(uploaded),
        }))
    }

    /// Whether it is what was there before this version.
    pub fn gave_way_to(&self, digest: &str) -> bool {
        *self.gave_way_to == *digest
    }

    pub fn put_back(self, path: &Path) -> io::Result<()> {
        fs::rename(&self.before, path)
    }
}

/// A file that is whole, on the disk, and has no place yet. Dropped, it is gone.
#[derive(Debug)]
pub struct Written {
    part: PathBuf,
}

/// Writes these bytes into a file beside this one, with its permissions.
pub fn write_beside(path: &Path, bytes: &[u8]) -> Result<Written, Fatal> {
    write_for(path, path, bytes)
}

/// Writes these bytes into a file beside their place, with the permissions of another.
fn write_for(place: &Path, like: &Path, bytes: &[u8]) -> Result<Written, Fatal> {
    let part = beside(place, &format!(".{}.part", std::process::id()));
    let written = Written { part };
    let write = || {
        fs::write(&written.part, bytes)?;
        if let Ok(there) = fs::metadata(like) {
            fs::set_permissions(&written.part, there.permissions())?;
        }
        File::open(&written.part)?.sync_all()
    };
    write().with_context(|| format!("{} can't be written", written.part.display()))?;
    Ok(written)
}

impl Written {
    /// Takes this place at once.
    pub fn replace(self, path: &Path) -> Result<(), Fatal> {
        fs::rename(&self.part, path)
            .and_then(|()| match path.parent() {
                // The new name, too, is to outlive the machine's end.
                Some(folder) if folder != Path::new("") => File::open(folder)?.sync_all(),
                _ => Ok(()),
            })
            .with_context(|| format!("{} can't be replaced", path.display()))
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        // Mostly it has its place by now, and nothing is there.
        let _ = fs::remove_file(&self.part);
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(ending);
    name.into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.wasm");
        fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn digest(bytes: &[u8]) -> Arc<str> {
        hex(&Sha256::digest(bytes)).into()
    }

    #[test]
    fn what_was_there_before_comes_back() {
        let (folder, path) = folder_with(b"old");
        let new = digest(b"new");
        let uploaded = write_beside(&path, b"new").unwrap();
        let kept = Kept::before(&path, &digest(b"old"), &new).unwrap().unwrap();
        uploaded.replace(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(
            fs::read(folder.path().join("x.wasm.before")).unwrap(),
            b"old"
        );
        assert!(kept.gave_way_to(&new) && !kept.gave_way_to("another"));
        kept.put_back(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_does_not_run_is_not_kept() {
        let (folder, path) = folder_with(b"broken");
        let kept = Kept::before(&path, &digest(b"old"), &digest(b"new")).unwrap();
        assert!(kept.is_none());
        fs::remove_file(&path).unwrap();
        let kept = Kept::before(&path, &digest(b"old"), &digest(b"new")).unwrap();
        assert!(kept.is_none());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_takes_no_place_leaves_nothing_behind() {
        let (folder, path) = folder_with(b"old");
        drop(write_beside(&path, b"new").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let nowhere = folder.path().join("missing/x.wasm");
        let error = write_beside(&nowhere, b"new").unwrap_err();
        assert!(format!("{error:#}").contains("can't be written"));
    }
}
