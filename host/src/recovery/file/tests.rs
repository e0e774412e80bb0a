use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::recovery::Claim;

const PARTITIONS: i32 = 32;

fn claim() -> Claim {
    Claim {
        pipeline: "p".to_owned(),
        share: Share::ALL,
        topics: vec![("a".to_owned(), PARTITIONS)],
    }
}

/// A store in which every partition stands at `offset`.
fn standing_at(dir: &Path, offset: i64) -> Store {
    let (mut store, _) = Store::open_or_create(dir).unwrap();
    let claimed = store.contents().claimed_by(&claim()).unwrap();
    store.write(|contents| *contents = claimed).unwrap();
    put(&mut store, offset).unwrap();
    store
}

fn put(store: &mut Store, offset: i64) -> Result<(), StoreError> {
    store.write(|contents| {
        for place in contents.places.values_mut() {
            *place = Place::At(NextOffset(offset));
        }
    })
}

/// The offset at which all partitions stand.
#[track_caller]
fn offset(contents: &Contents) -> i64 {
    assert_eq!(contents.places.len(), usize::try_from(PARTITIONS).unwrap());
    let mut places = contents.places.values();
    let first = *places.next().unwrap();
    assert!(places.all(|place| *place == first), "half of a transaction");
    match first {
        Place::At(NextOffset(offset)) => offset,
        place => panic!("{place}"),
    }
}

#[test]
fn what_was_written_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let written = {
        let mut store = standing_at(dir.path(), 7);
        store
            .write(|contents| {
                contents.share = Some("0,4-".parse().unwrap());
                contents.topics.insert("b".to_owned(), 1);
                let b = |number| TopicPartition::new("b", number);
                contents.places.insert(b(0), Place::Start);
                contents.places.insert(b(4), Place::Beginning);
                contents.put(b(5), NextOffset(9), TopicId::read("id"));
            })
            .unwrap();
        store.contents().clone()
    };
    assert_eq!(Store::look(dir.path()).unwrap(), written);
    let mut store = Store::open(dir.path()).unwrap();
    assert_eq!(*store.contents(), written);
    store
        .write(|contents| *contents = Contents::default())
        .unwrap();
    drop(store);
    assert_eq!(Store::look(dir.path()).unwrap(), Contents::default());
}

#[test]
fn a_store_of_the_first_kind_knows_no_topics_ids() {
    let dir = tempfile::tempdir().unwrap();
    drop(standing_at(dir.path(), 1));
    {
        let database = open(dir.path()).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.delete_table(IDS).unwrap();
        transaction.commit().unwrap();
    }
    assert_eq!(offset(&Store::look(dir.path()).unwrap()), 1);
    let mut store = Store::open(dir.path()).unwrap();
    let (partition, id) = (TopicPartition::new("a", 0), TopicId::read("id"));
    store
        .write(|contents| contents.put(partition.clone(), NextOffset(2), id.clone()))
        .unwrap();
    drop(store);
    let held = Store::look(dir.path()).unwrap();
    assert_eq!(held.ids.get(&partition).cloned(), id);
}

#[test]
fn a_store_is_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("new/store");
    assert!(matches!(Store::open(&dir), Err(StoreError::Missing { .. })));
    assert!(matches!(Store::look(&dir), Err(StoreError::Missing { .. })));
    drop(Store::create(&dir).unwrap());
    assert!(matches!(
        Store::create(&dir),
        Err(StoreError::Exists { .. })
    ));
    let (_, made) = Store::open_or_create(&dir).unwrap();
    assert!(!made);
}

#[test]
fn a_half_made_store_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(NEW), "half").unwrap();
    let (store, made) = Store::open_or_create(dir.path()).unwrap();
    assert!(made);
    assert_eq!(*store.contents(), Contents::default());
    assert!(!dir.path().join(NEW).exists());
}

#[test]
fn a_second_user_is_told_who_the_first_is_and_can_look() {
    let dir = tempfile::tempdir().unwrap();
    let first = standing_at(dir.path(), 1);
    let Err(StoreError::InUse { pid, .. }) = Store::open(dir.path()) else {
        panic!("two users")
    };
    assert_eq!(pid, Some(std::process::id()));
    assert_eq!(offset(&Store::look(dir.path()).unwrap()), 1);
    drop(first);
    Store::open(dir.path()).unwrap();
}

#[test]
fn a_look_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    drop(standing_at(dir.path(), 1));
    fs::remove_file(dir.path().join("lock")).unwrap();
    let before = fs::read(dir.path().join(NAME)).unwrap();
    Store::look(dir.path()).unwrap();
    assert_eq!(fs::read(dir.path().join(NAME)).unwrap(), before);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_later_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(standing_at(dir.path(), 1));
    {
        let database = open(dir.path()).unwrap();
        let transaction = database.begin_write().unwrap();
        let mut format = transaction.open_table(FORMAT).unwrap();
        format.insert("version", VERSION + 1).unwrap();
        drop(format);
        // Whatever else it holds.
        transaction.delete_table(PLACES).unwrap();
        transaction.commit().unwrap();
    }
    let refused = Store::open(dir.path()).err().unwrap();
    assert!(matches!(refused, StoreError::LaterVersion { found, .. } if found == VERSION + 1));
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for error in [
        Store::open_or_create(&file.join("store")).err().unwrap(),
        Store::create(&file).err().unwrap(),
    ] {
        assert!(matches!(error, StoreError::Inaccessible { .. }), "{error}");
        assert!(
            error.to_string().contains(file.to_str().unwrap()),
            "{error}"
        );
    }
}

#[track_caller]
fn assert_damaged(dir: &Path) {
    for outcome in [Store::open(dir).err(), Store::look(dir).err()] {
        let error = outcome.expect("it is damaged");
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    }
}

#[test]
fn a_truncated_file_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    drop(standing_at(dir.path(), 1));
    let file = dir.path().join(NAME);
    let whole = fs::read(&file).unwrap();
    for length in [0, 1, 100, 4096, 8192, whole.len() / 2, whole.len() - 1] {
        fs::write(&file, &whole[..length]).unwrap();
        assert_damaged(dir.path());
    }
}

#[test]
fn a_file_of_something_else_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(NAME);
    for garbage in ["", "no store\n", &"garbage ".repeat(100_000)] {
        fs::write(&file, garbage).unwrap();
        assert_damaged(dir.path());
    }
    // A database, but no store.
    fs::remove_file(&file).unwrap();
    let database = Database::create(&file).unwrap();
    database.begin_write().unwrap().commit().unwrap();
    drop(database);
    assert_damaged(dir.path());
}

/// No flipped byte is taken for a position, and none makes the host panic.
#[test]
fn a_flipped_byte_is_harmless_or_damage() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = standing_at(dir.path(), 1);
    put(&mut store, 2).unwrap();
    drop(store);
    let file = dir.path().join(NAME);
    let whole = fs::read(&file).unwrap();
    // Zeros are pages that hold nothing. (All of the bytes take minutes.)
    let held = (0..whole.len()).filter(|at| whole[*at] != 0).step_by(97);
    let mut damaged = 0;
    for at in held.chain(0..320) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&file, &bytes).unwrap();
        match Store::look(dir.path()) {
            Ok(contents) => {
                // A flipped bit in the header can name the state before.
                assert!((1..=2).contains(&offset(&contents)), "byte {at}");
            }
            Err(StoreError::Damaged { .. }) => damaged += 1,
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
    assert!(damaged > 100, "only {damaged}");
}

#[test]
fn a_write_that_fails_is_made_again_by_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    // With the file away for a moment.
    let mut store = standing_at(dir.path(), 1).broken_once();
    let (file, away) = (dir.path().join(NAME), dir.path().join("away"));
    fs::rename(&file, &away).unwrap();
    let error = put(&mut store, 2).unwrap_err();
    assert!(matches!(error, StoreError::Inaccessible { .. }), "{error}");
    fs::rename(&away, &file).unwrap();
    put(&mut store, 3).unwrap();
    drop(store);
    assert_eq!(offset(&Store::look(dir.path()).unwrap()), 3);
}

/// The folder of the child of the next test.
const CHILD: &str = "MILLRACE_TEST_STORE";

#[test]
fn killed_in_the_middle_of_a_write_it_holds_what_was_written() {
    if let Some(dir) = std::env::var_os(CHILD) {
        return write_until_killed(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    drop(standing_at(dir.path(), 0));
    let mut last = 0;
    for kill in 0..40 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("recovery::file::tests::killed_in_the_middle_of_a_write_it_holds_what_was_written")
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut written = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("written ")?.parse::<i64>().ok());
        last = written.next().expect("the child writes");
        // A few microseconds, then a moment in some write or other.
        let moment = Instant::now() + Duration::from_micros(kill * 137 % 3000);
        while Instant::now() < moment {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        last = written.last().unwrap_or(last);

        let looked = offset(&Store::look(dir.path()).unwrap());
        let opened = offset(Store::open(dir.path()).unwrap().contents());
        assert_eq!(looked, opened);
        assert!(
            (last..=last + 1).contains(&opened),
            "{last} was written, and it holds {opened}"
        );
    }
    assert!(last > 40, "every child wrote");
}

/// Says each offset once it is durable.
fn write_until_killed(dir: &Path) {
    let mut store = Store::open(dir).unwrap();
    let first = offset(store.contents()) + 1;
    for offset in first.. {
        put(&mut store, offset).unwrap();
        // Nobody listens once the parent has died.
        if writeln!(std::io::stdout(), "written {offset}").is_err() {
            return;
        }
    }
}
