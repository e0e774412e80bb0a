use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// A file that was read, in a folder that is gone after the test.
fn watched() -> (TempDir, PathBuf, Watch) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.wasm");
    fs::write(&path, "old").unwrap();
    let mut watch = Watch::new(&path);
    watch.is_read();
    (folder, path, watch)
}

/// Looks until it has settled.
fn settles(watch: &mut Watch, begun: Instant) -> bool {
    watch.has_changed(begun) || watch.has_changed(begun + SETTLED)
}

#[test]
fn a_file_that_stays_is_not_read_again() {
    let (_folder, _, mut watch) = watched();
    assert!(!settles(&mut watch, Instant::now()));
}

/// It may have changed since.
#[test]
fn a_file_that_was_read_some_time_ago_is_read_once_more() {
    let (_folder, path, _) = watched();
    let mut watch = Watch::new(&path);
    let begun = Instant::now();
    assert!(settles(&mut watch, begun));
    assert!(!settles(&mut watch, begun + SETTLED));
}

#[test]
fn a_changed_file_is_read_once_when_it_has_settled() {
    let (_folder, path, mut watch) = watched();
    fs::write(&path, "newer").unwrap();
    let begun = Instant::now();
    assert!(!watch.has_changed(begun));
    assert!(!watch.has_changed(begun + SETTLED / 2));
    assert!(watch.has_changed(begun + SETTLED));
    assert!(!settles(&mut watch, begun + SETTLED * 2));
}

#[test]
fn a_file_that_is_still_written_is_waited_for() {
    let (_folder, path, mut watch) = watched();
    let begun = Instant::now();
    fs::write(&path, "half of").unwrap();
    assert!(!watch.has_changed(begun));
    fs::write(&path, "half of it, and the rest").unwrap();
    assert!(!watch.has_changed(begun + SETTLED));
    assert!(watch.has_changed(begun + SETTLED * 2));
}

#[test]
fn a_file_of_the_same_size_and_times_is_another_one() {
    let (_folder, path, mut watch) = watched();
    let times = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "new").unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(times).unwrap();
    assert!(settles(&mut watch, Instant::now()));
}

#[test]
fn a_renamed_file_is_another_one() {
    let (folder, path, mut watch) = watched();
    let other = folder.path().join("x.wasm.part");
    fs::write(&other, "new").unwrap();
    fs::rename(&other, &path).unwrap();
    assert!(settles(&mut watch, Instant::now()));
}

#[test]
fn a_file_that_vanishes_for_a_moment_is_no_news_and_its_successor_is() {
    let (_folder, path, mut watch) = watched();
    fs::remove_file(&path).unwrap();
    assert!(!settles(&mut watch, Instant::now()));
    fs::write(&path, "new").unwrap();
    assert!(settles(&mut watch, Instant::now()));
}

/// As Kubernetes does: `x.wasm -> ..data/x.wasm`, `..data -> ..1`, and only `..data`
/// is switched.
#[test]
fn a_symlink_that_is_switched_is_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, text) in [("..1", "old"), ("..2", "new")] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("x.wasm"), text).unwrap();
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/x.wasm", at("x.wasm")).unwrap();
    let mut watch = Watch::new(&at("x.wasm"));
    watch.is_read();
    assert!(!settles(&mut watch, Instant::now()));
    symlink("..2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    assert!(settles(&mut watch, Instant::now()));
}

#[test]
fn what_changes_while_it_is_read_is_seen() {
    let (_folder, path, mut watch) = watched();
    fs::write(&path, "newer").unwrap();
    assert!(settles(&mut watch, Instant::now()));
    assert!(watch.is_as_known());
    fs::write(&path, "the newest").unwrap();
    assert!(!watch.is_as_known());
    assert!(settles(&mut watch, Instant::now()));
}

/// Nothing of a network file system's moment of trouble is left in the file.
#[test]
fn a_file_that_could_not_be_read_is_read_again_after_a_while() {
    let (_folder, path, mut watch) = watched();
    let begun = Instant::now();
    watch.was_not_read(begun);
    assert!(!watch.has_changed(begun + SETTLED));
    assert!(!watch.has_changed(begun + AGAIN));
    assert!(watch.has_changed(begun + AGAIN + SETTLED));
    // One that changes meanwhile need not wait.
    watch.was_not_read(begun);
    fs::write(&path, "newer").unwrap();
    assert!(settles(&mut watch, begun));
}
