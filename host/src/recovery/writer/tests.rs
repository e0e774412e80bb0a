use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::config::Share;
use crate::doorbell::Doorbell;
use crate::pipeline::mailbox::mailbox;
use crate::recovery::Claim;

const SOON: Duration = Duration::from_secs(20);

/// The writer of a new store with so many partitions of topic `a`.
fn writer(dir: &Path, partitions: i32) -> (Writer, JoinHandle<Store>) {
    let (mut store, _) = Store::open_or_create(dir).unwrap();
    let claim = Claim {
        pipeline: "p".to_owned(),
        share: Share::ALL,
        topics: vec![("a".to_owned(), partitions)],
    };
    let claimed = store.contents().claimed_by(&claim).unwrap();
    store.write(|contents| *contents = claimed).unwrap();
    Writer::start(store).unwrap()
}

/// Whatever was noted, by all clones.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<BTreeMap<TopicPartition, TopicId>>>);

impl Origins for Told {
    fn look(&self) {}

    fn id_of(&self, partition: &TopicPartition) -> Option<TopicId> {
        lock(&self.0).get(partition).cloned()
    }

    fn note(&self, partition: &TopicPartition, id: Option<TopicId>) {
        match id {
            Some(id) => lock(&self.0).insert(partition.clone(), id),
            None => lock(&self.0).remove(partition),
        };
    }
}

fn of(partition: i32) -> TopicPartition {
    TopicPartition::new("a", partition)
}

fn soon() -> Instant {
    Instant::now() + SOON
}

#[test]
fn a_position_that_was_committed_now_is_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, thread) = writer(dir.path(), 2);
    let (own, _events) = mailbox(Doorbell::for_this_thread());
    let mut offsets = writer.offsets(own, Box::<Told>::default());
    assert_eq!(offsets.stored(&[of(0), of(1)]).unwrap(), [None, None]);
    offsets
        .commit_now(&[(of(1), NextOffset(5))], soon())
        .unwrap();

    let held = Store::look(dir.path()).unwrap();
    assert_eq!(held.places[&of(1)], Place::At(NextOffset(5)));
    assert_eq!(
        offsets.stored(&[of(1), of(0)]).unwrap(),
        [Some(NextOffset(5)), None]
    );
    assert!(offsets.stored(&[of(2)]).is_err());
    drop((writer, offsets));
    thread.join().unwrap();
}

#[test]
fn a_commit_is_answered_in_the_workers_mailbox_and_rings() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, thread) = writer(dir.path(), 2);
    let bell = Doorbell::for_this_thread();
    let (own, events) = mailbox(bell.clone());
    let mut offsets = writer.offsets(own, Box::<Told>::default());
    offsets.commit(&[(of(0), NextOffset(3))]).unwrap();
    let begun = Instant::now();
    let event = loop {
        match events.try_recv() {
            Ok(event) => break event,
            Err(_) => bell.wait(SOON),
        }
    };
    assert!(begun.elapsed() < SOON, "nobody rang");
    let SourceEvent::Committed(positions) = event else {
        panic!("{event:?}")
    };
    assert_eq!(positions, [(of(0), NextOffset(3))]);
    drop((writer, offsets));
    let store = thread.join().unwrap();
    assert_eq!(store.contents().places[&of(0)], Place::At(NextOffset(3)));
}

#[test]
fn a_commit_that_fails_is_told_and_the_next_one_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open_or_create(dir.path()).unwrap();
    store.write(|contents| drop(contents.grow("a", 1))).unwrap();
    let broken = store.broken_once();
    let (writer, thread) = Writer::start(broken).unwrap();
    let (own, events) = mailbox(Doorbell::for_this_thread());
    let mut offsets = writer.offsets(own, Box::<Told>::default());
    let file = dir.path().join("positions.redb");
    let away = dir.path().join("away");
    std::fs::rename(&file, &away).unwrap();
    offsets.commit(&[(of(0), NextOffset(3))]).unwrap();
    let event = events.recv_timeout(SOON).unwrap();
    let SourceEvent::CommitFailed { partitions, reason } = event else {
        panic!("{event:?}")
    };
    assert_eq!(partitions, [of(0)]);
    assert!(reason.contains(dir.path().to_str().unwrap()), "{reason}");
    assert_eq!(offsets.stored(&[of(0)]).unwrap(), [None]);

    std::fs::rename(&away, &file).unwrap();
    offsets
        .commit_now(&[(of(0), NextOffset(4))], soon())
        .unwrap();
    drop((writer, offsets));
    thread.join().unwrap();
}

#[test]
fn a_position_is_kept_with_its_topics_id_and_told_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, thread) = writer(dir.path(), 2);
    let id = TopicId::read("one");
    let (own, _events) = mailbox(Doorbell::for_this_thread());
    let told = Told::default();
    told.note(&of(0), id.clone());
    let mut offsets = writer.offsets(own, Box::new(told));
    let positions = [(of(0), NextOffset(3)), (of(1), NextOffset(4))];
    offsets.commit_now(&positions, soon()).unwrap();
    drop((writer, offsets));
    let store = thread.join().unwrap();

    let (writer, thread) = Writer::start(store).unwrap();
    let (own, _events) = mailbox(Doorbell::for_this_thread());
    let told = Told::default();
    told.note(&of(1), TopicId::read("somebody else's"));
    let mut offsets = writer.offsets(own, Box::new(told.clone()));
    offsets.stored(&[of(0), of(1)]).unwrap();
    assert_eq!((told.id_of(&of(0)), told.id_of(&of(1))), (id, None));
    drop((writer, offsets));
    thread.join().unwrap();
}

#[test]
fn all_workers_share_one_store() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, thread) = writer(dir.path(), 8);
    thread::scope(|scope| {
        for partition in 0..8 {
            let writer = writer.clone();
            scope.spawn(move || {
                let (own, events) = mailbox(Doorbell::for_this_thread());
                let mut offsets = writer.offsets(own, Box::<Told>::default());
                for offset in 1..=50 {
                    let positions = [(of(partition), NextOffset(offset))];
                    offsets.commit(&positions).unwrap();
                }
                let answers = events.iter().take(50);
                assert!(
                    answers
                        .into_iter()
                        .all(|e| matches!(e, SourceEvent::Committed(_)))
                );
            });
        }
    });
    drop(writer);
    let store = thread.join().unwrap();
    let places = store.contents().places.values();
    assert!(
        places
            .into_iter()
            .all(|place| *place == Place::At(NextOffset(50)))
    );
}

#[test]
fn a_topic_that_grows_is_noted_before_its_partitions_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, thread) = writer(dir.path(), 1);
    assert_eq!(writer.grown("a", 3).unwrap(), [of(1), of(2)]);
    assert_eq!(writer.grown("a", 3).unwrap(), []);
    let held = Store::look(dir.path()).unwrap();
    assert_eq!(held.topics["a"], 3);
    assert_eq!(held.places[&of(2)], Place::Beginning);
    drop(writer);
    thread.join().unwrap();
}
