//! Plugin files as they were, since the first upload: where an uploaded version is taken
//! back, what runs takes its place on disk again, so that a restart runs the same.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::pipeline::ports::Fatal;

/// The contents of one plugin's file, by their digests.
#[derive(Debug, Default)]
pub struct Kept(BTreeMap<Arc<str>, Version>);

#[derive(Debug)]
struct Version {
    bytes: Vec<u8>,
    uploaded: bool,
}

impl Kept {
    /// Keeps what is on disk, if that is what runs.
    pub fn on_disk(&mut self, path: &Path, runs: &Arc<str>) {
        if let Ok(bytes) = fs::read(path)
            && digest(&bytes) == **runs
        {
            let uploaded = false;
            let version = Version { bytes, uploaded };
            self.0.entry(Arc::clone(runs)).or_insert(version);
        }
    }

    /// Keeps an upload.
    pub fn upload(&mut self, digest: &Arc<str>, bytes: Vec<u8>) {
        let uploaded = true;
        self.0
            .insert(Arc::clone(digest), Version { bytes, uploaded });
    }

    /// Forgets all but these.
    pub fn only(&mut self, digests: &[&Arc<str>]) {
        self.0.retain(|digest, _| digests.contains(&digest));
    }

    /// A version is not to run any more. If it came by an upload and is on disk, what
    /// runs takes its place there, where that is known. Says whether it did.
    pub fn put_back(&self, path: &Path, refused: &str, runs: &str) -> Result<bool, Fatal> {
        let (Some(Version { uploaded: true, .. }), Some(running)) =
            (self.0.get(refused), self.0.get(runs))
        else {
            return Ok(false);
        };
        let there = fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
        if digest(&there) != refused {
            // Somebody has put another one there.
            return Ok(false);
        }
        replace(path, &running.bytes)?;
        Ok(true)
    }
}

/// Replaces a file, or what a link leads to, at once and for good, with its permissions.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Fatal> {
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let part = Part(beside(&place, &format!(".{}.part", std::process::id())));
    let write = || {
        fs::write(&part.0, bytes)?;
        if let Ok(there) = fs::metadata(&place) {
            fs::set_permissions(&part.0, there.permissions())?;
        }
        File::open(&part.0)?.sync_all()?;
        fs::rename(&part.0, &place)?;
        match place.parent() {
            // The new name, too, is to outlive the machine's end.
            Some(folder) if folder != Path::new("") => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    };
    write().with_context(|| format!("{} can't be replaced", path.display()))
}

/// A file without a place yet. Dropped, it is gone.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // Mostly it has its place by now, and nothing is there.
        let _ = fs::remove_file(&self.0);
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(ending);
    name.into()
}

fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Disk {
        folder: tempfile::TempDir,
        path: PathBuf,
    }

    impl Disk {
        fn new(bytes: &[u8]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x.wasm");
            fs::write(&path, bytes).unwrap();
            Self { folder, path }
        }

        fn holds(&self) -> Vec<u8> {
            let files = fs::read_dir(self.folder.path()).unwrap().count();
            assert_eq!(files, 1, "something is left behind");
            fs::read(&self.path).unwrap()
        }

        fn upload(&self, kept: &mut Kept, runs: &[u8], bytes: &[u8]) {
            kept.on_disk(&self.path, &of(runs));
            kept.upload(&of(bytes), bytes.to_vec());
            replace(&self.path, bytes).unwrap();
        }

        fn put_back(&self, kept: &Kept, refused: &[u8], runs: &[u8]) -> bool {
            kept.put_back(&self.path, &of(refused), &of(runs)).unwrap()
        }
    }

    fn of(bytes: &[u8]) -> Arc<str> {
        digest(bytes).into()
    }

    #[test]
    fn what_runs_takes_the_place_of_an_upload_that_is_taken_back() {
        let (disk, mut kept) = (Disk::new(b"one"), Kept::default());
        disk.upload(&mut kept, b"one", b"two");
        // A trial of the second one, and of a third one, which fails: the first one runs.
        disk.upload(&mut kept, b"one", b"three");
        assert!(disk.put_back(&kept, b"three", b"one"));
        assert_eq!(disk.holds(), b"one");
        // The second one takes over, a third one fails, and the second one is rolled back.
        disk.upload(&mut kept, b"one", b"two");
        disk.upload(&mut kept, b"two", b"three");
        assert!(disk.put_back(&kept, b"three", b"two"));
        assert_eq!(disk.holds(), b"two");
        assert!(disk.put_back(&kept, b"two", b"one"));
        assert_eq!(disk.holds(), b"one");
    }

    #[test]
    fn what_somebody_put_there_is_left_alone() {
        let (disk, mut kept) = (Disk::new(b"one"), Kept::default());
        disk.upload(&mut kept, b"one", b"two");
        fs::write(&disk.path, b"by hand").unwrap();
        assert!(!disk.put_back(&kept, b"two", b"one"));
        // It runs, and what was uploaded comes back by hand, and is rolled back.
        kept.only(&[&of(b"by hand"), &of(b"two")]);
        fs::write(&disk.path, b"two").unwrap();
        assert!(!disk.put_back(&kept, b"two", b"by hand"));
        assert_eq!(disk.holds(), b"two");
    }

    #[test]
    fn what_did_not_come_by_an_upload_stays() {
        let (disk, mut kept) = (Disk::new(b"one"), Kept::default());
        kept.on_disk(&disk.path, &of(b"one"));
        kept.on_disk(&disk.path, &of(b"another"));
        assert!(!disk.put_back(&kept, b"one", b"one"));
        assert_eq!(disk.holds(), b"one");
    }

    #[test]
    fn a_link_stays_one() {
        let disk = Disk::new(b"one");
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("current.wasm");
        std::os::unix::fs::symlink(&disk.path, &link).unwrap();
        replace(&link, b"two").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(disk.holds(), b"two");
    }

    #[test]
    fn what_can_not_be_written_leaves_nothing_behind() {
        let disk = Disk::new(b"one");
        let error = replace(&disk.folder.path().join("missing/x.wasm"), b"two").unwrap_err();
        assert!(format!("{error:#}").contains("can't be replaced"));
        assert_eq!(disk.holds(), b"one");
    }
}
