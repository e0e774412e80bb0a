use std::os::unix::fs::PermissionsExt as _;
use std::thread;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::super::Slot;
use super::*;

struct Folder {
    _parent: TempDir,
    path: PathBuf,
    engine: Engine,
}

impl Folder {
    fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("millrace");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        Self {
            path,
            _parent: parent,
            engine: Engine::new().unwrap(),
        }
    }

    fn slot(&self, digest: &str) -> Slot {
        Slot::within(&self.path, digest, &self.engine).unwrap()
    }

    /// Compiled code that was last used so long ago.
    fn put(&self, digest: &str, seconds_ago: u64) {
        let slot = self.slot(digest);
        slot.write(&[7; 60]);
        let used = SystemTime::now() - Duration::from_secs(seconds_ago);
        File::open(&slot.path).unwrap().set_modified(used).unwrap();
    }

    fn cache(&self) -> Cache {
        Cache::at(&self.path)
    }

    fn digests(&self) -> Vec<String> {
        let kept = self.cache().kept().unwrap();
        kept.into_iter().map(|kept| kept.digest).collect()
    }

    fn part(&self, name: &str) -> PathBuf {
        let path = self.path.join(name);
        fs::write(&path, "half").unwrap();
        path
    }
}

/// Of one file that [`Folder::put`] makes: 60 bytes and a header of 40.
const ONE: u64 = 100;

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let folder = Folder::new();
    for (digest, ago) in [("a", 40), ("b", 30), ("c", 20), ("d", 10)] {
        folder.put(digest, ago);
    }
    assert_eq!(folder.digests(), ["d", "c", "b", "a"]);
    assert!(folder.slot("a").read().is_some());
    assert_eq!(folder.digests(), ["a", "d", "c", "b"]);

    folder.cache().tidy(2 * ONE);
    assert_eq!(folder.digests(), ["a", "d"]);
    folder.cache().tidy(2 * ONE - 1);
    assert_eq!(folder.digests(), ["a"]);
    folder.cache().tidy(0);
    assert_eq!(folder.digests(), [""; 0]);
}

#[test]
fn within_the_bound_nothing_goes() {
    let folder = Folder::new();
    folder.put("a", 1_000_000);
    folder.put("b", 0);
    folder.cache().tidy(2 * ONE);
    assert_eq!(folder.digests(), ["b", "a"]);
}

#[test]
fn what_an_ended_process_left_half_written_goes_and_what_is_being_written_stays() {
    let folder = Folder::new();
    let left = folder.part("d-0.1-0.part");
    let living = folder.part("d-0.2-0.part");
    let writer = File::open(&living).unwrap();
    writer.lock().unwrap();

    folder.slot("other").write(b"code");
    assert!(!left.exists());
    assert!(living.exists());

    drop(writer);
    folder.cache().tidy(MOST_BYTES);
    assert!(!living.exists());
}

#[test]
fn what_is_none_of_ours_stays() {
    let folder = Folder::new();
    let foreign = folder.path.join("notes.txt");
    fs::write(&foreign, [0; 1000]).unwrap();
    fs::create_dir(folder.path.join("a-b.cwasm")).unwrap();
    folder.cache().tidy(0);
    folder.cache().clear().unwrap();
    assert_eq!(fs::read_dir(&folder.path).unwrap().count(), 2);
}

#[test]
fn clearing_says_what_it_removed() {
    let folder = Folder::new();
    folder.put("a", 1);
    folder.put("b", 2);
    folder.part("d-0.1-0.part");
    let removed = folder.cache().clear().unwrap();
    assert_eq!(removed.iter().map(|kept| kept.bytes).sum::<u64>(), 2 * ONE);
    assert_eq!(fs::read_dir(&folder.path).unwrap().count(), 0);
    assert_eq!(folder.cache().clear().unwrap(), []);
}

#[test]
fn a_folder_that_is_not_there_holds_nothing() {
    let folder = Folder::new();
    fs::remove_dir(&folder.path).unwrap();
    assert_eq!(folder.cache().kept().unwrap(), []);
    assert_eq!(folder.cache().clear().unwrap(), []);
    folder.cache().tidy(0);
}

#[test]
fn only_code_of_this_engine_is_for_it() {
    let folder = Folder::new();
    folder.put("a", 1);
    let name = format!("b-{:016x}.cwasm", 0);
    fs::write(folder.path.join(name), "older").unwrap();
    let kept = folder.cache().kept().unwrap();
    let fits: Vec<(&str, bool)> = kept
        .iter()
        .map(|kept| (&*kept.digest, kept.is_for(&folder.engine)))
        .collect();
    assert_eq!(fits, [("b", false), ("a", true)]);
}

#[test]
fn many_write_read_and_tidy_up_at_once() {
    let folder = Folder::new();
    let codes: Vec<Vec<u8>> = (0..4u8).map(|n| vec![n; 10_000]).collect();
    thread::scope(|scope| {
        for worker in 0..8 {
            let (folder, codes) = (&folder, &codes);
            scope.spawn(move || {
                for round in 0..100 {
                    let n = (worker + round) % codes.len();
                    let slot = folder.slot(&n.to_string());
                    match slot.read() {
                        Some(code) => assert!(code == codes[n], "another's code"),
                        None => slot.try_write(&codes[n]).unwrap(),
                    }
                    folder.cache().try_tidy(25_000).unwrap();
                }
            });
        }
    });
    folder.cache().tidy(25_000);
    assert!(folder.digests().len() <= 2);
    let left = fs::read_dir(&folder.path).unwrap().count();
    assert_eq!(left, folder.digests().len(), "nothing temporary is left");
}
