use std::os::unix::fs::{PermissionsExt as _, chown};

use tempfile::TempDir;

use super::*;

const CODE: &[u8] = b"compiled code";

/// A folder that does not exist yet, in one that is gone after the test.
fn cache() -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("cache/millrace");
    (parent, folder)
}

fn slot(folder: &Path, digest: &str) -> Option<Slot> {
    Slot::within(folder, digest, &Engine::new().unwrap())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn make_with_mode(folder: &Path, mode: u32) {
    fs::create_dir_all(folder).unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn nothing_is_read_where_nothing_was_written() {
    let (_parent, folder) = cache();
    assert_eq!(slot(&folder, "d").unwrap().read(), None);
}

#[test]
fn what_was_written_is_read() {
    let (_parent, folder) = cache();
    let slot = slot(&folder, "d").unwrap();
    slot.write(b"older");
    slot.write(CODE);
    assert_eq!(slot.read().as_deref(), Some(CODE));
    let names = fs::read_dir(&folder).unwrap().count();
    assert_eq!(names, 1, "nothing temporary is left");
}

#[test]
fn each_digest_has_its_own_place() {
    let (_parent, folder) = cache();
    slot(&folder, "d").unwrap().write(CODE);
    assert_eq!(slot(&folder, "e").unwrap().read(), None);
}

#[test]
fn the_folder_is_made_for_its_user_alone() {
    let (_parent, folder) = cache();
    slot(&folder, "d").unwrap();
    assert_eq!(mode(&folder), 0o700);
}

#[test]
fn a_damaged_file_is_not_read() {
    let (_parent, folder) = cache();
    let slot = slot(&folder, "d").unwrap();
    slot.write(CODE);
    let whole = fs::read(&slot.path).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&slot.path, damaged).unwrap();
        assert_eq!(slot.read(), None, "byte {at}");
    }
}

#[test]
fn a_truncated_file_is_not_read() {
    let (_parent, folder) = cache();
    let slot = slot(&folder, "d").unwrap();
    slot.write(CODE);
    let whole = fs::read(&slot.path).unwrap();
    for len in 0..whole.len() {
        fs::write(&slot.path, &whole[..len]).unwrap();
        assert_eq!(slot.read(), None, "{len} bytes");
    }
}

#[test]
fn a_file_with_more_behind_it_is_not_read() {
    let (_parent, folder) = cache();
    let slot = slot(&folder, "d").unwrap();
    slot.write(CODE);
    let mut longer = fs::read(&slot.path).unwrap();
    longer.push(0);
    fs::write(&slot.path, longer).unwrap();
    assert_eq!(slot.read(), None);
}

#[test]
fn what_can_not_be_read_or_written_is_only_said() {
    let (_parent, folder) = cache();
    let slot = slot(&folder, "d").unwrap();
    fs::create_dir(&slot.path).unwrap();
    assert_eq!(slot.read(), None);
    slot.write(CODE);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    fs::remove_dir_all(&folder).unwrap();
    slot.write(CODE);
    assert_eq!(slot.read(), None);
}

#[test]
fn a_folder_that_others_may_write_is_not_used() {
    for mode in [0o777, 0o775, 0o770, 0o702, 0o720, 0o1777] {
        let (_parent, folder) = cache();
        make_with_mode(&folder, mode);
        assert!(slot(&folder, "d").is_none(), "mode {mode:o}");
    }
}

#[test]
fn a_folder_that_others_may_only_read_is_used() {
    let (_parent, folder) = cache();
    make_with_mode(&folder, 0o755);
    assert!(slot(&folder, "d").is_some());
}

#[test]
fn another_users_folder_is_not_used() {
    let (_parent, folder) = cache();
    make_with_mode(&folder, 0o700);
    // Only root can give a folder away; for anybody else root's will do.
    let theirs = if rustix::process::geteuid().is_root() {
        chown(&folder, Some(12345), None).unwrap();
        folder
    } else {
        PathBuf::from("/usr")
    };
    assert_eq!(secure(&theirs), Err("it is another user's".to_owned()));
}

#[test]
fn a_file_that_others_may_write_is_not_used() {
    let (_parent, folder) = cache();
    let slot = slot(&folder, "d").unwrap();
    slot.write(b"code");
    assert!(slot.read().is_some());
    let mode = |mode| fs::set_permissions(&slot.path, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o666);
    assert!(slot.read().is_none());
}

#[test]
fn a_file_in_the_folders_place_is_not_used() {
    let (parent, _) = cache();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(slot(&file, "d").is_none());
    assert!(slot(&file.join("below"), "d").is_none());
}
