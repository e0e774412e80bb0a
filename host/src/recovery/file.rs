//! The store's file: `DIR/positions.redb`. Every change is one durable
//! transaction, so that a process that is killed in the middle of one leaves the
//! state before or after it. The only place that names redb.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use redb::backends::InMemoryBackend;
use redb::{
    Builder, Database, ReadableDatabase as _, ReadableTable as _, StorageBackend as _,
    TableDefinition, TableError,
};

use super::contents::{Contents, Place};
use super::error::StoreError;
use super::lock::Lock;
use super::{Misfit, VERSION};
use crate::config::Share;
use crate::record::{NextOffset, TopicId, TopicPartition};

const NAME: &str = "positions.redb";

/// A store on its way into being, which nobody opens before it is whole.
const NEW: &str = "positions.redb.new";

/// Of a type that no version changes, so that each can read the version.
const FORMAT: TableDefinition<'_, &str, u64> = TableDefinition::new("format");
const ABOUT: TableDefinition<'_, &str, &str> = TableDefinition::new("about");
const TOPICS: TableDefinition<'_, &str, i32> = TableDefinition::new("topics");
/// Offsets; [`Place::Start`] and [`Place::Beginning`] as numbers below 0.
const PLACES: TableDefinition<'_, (&str, i32), i64> = TableDefinition::new("positions");

/// The ids of positions' topics. Not in every store: the first ones had none.
const IDS: TableDefinition<'_, (&str, i32), &str> = TableDefinition::new("topic ids");

const START: i64 = -1;
const BEGINNING: i64 = -2;

/// redb's own default is 1 GiB; a store holds some KiB.
const CACHE: usize = 1024 * 1024;

/// An open store, which no other process can open.
pub struct Store {
    dir: PathBuf,
    /// `None` after a write that failed: it is opened again for the next one.
    database: Option<Database>,
    contents: Contents,
    _lock: Lock,
}

impl Store {
    /// Makes an empty store, and the folder where it is missing.
    pub fn create(dir: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(dir).map_err(StoreError::inaccessible(dir))?;
        let lock = Lock::take(dir)?;
        match exists(dir)? {
            true => Err(StoreError::Exists {
                dir: dir.to_owned(),
            }),
            false => Self::create_locked(dir, lock),
        }
    }

    /// Opens the store of a folder.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        match exists(dir)? {
            true => Self::open_locked(dir, Lock::take(dir)?),
            false => Err(StoreError::Missing {
                dir: dir.to_owned(),
            }),
        }
    }

    /// Opens the store of a folder, or makes one. Also says whether it did.
    pub fn open_or_create(dir: &Path) -> Result<(Self, bool), StoreError> {
        fs::create_dir_all(dir).map_err(StoreError::inaccessible(dir))?;
        let lock = Lock::take(dir)?;
        match exists(dir)? {
            true => Ok((Self::open_locked(dir, lock)?, false)),
            false => Ok((Self::create_locked(dir, lock)?, true)),
        }
    }

    /// What a store holds, without changing anything: also of one that is in
    /// use, and in a folder that can't be written to.
    pub fn look(dir: &Path) -> Result<Contents, StoreError> {
        if !exists(dir)? {
            return Err(StoreError::Missing {
                dir: dir.to_owned(),
            });
        }
        let memory = unchanging(&dir.join(NAME))
            .and_then(|bytes| {
                let memory = InMemoryBackend::new();
                memory.set_len(bytes.len() as u64)?;
                memory.write(0, &bytes)?;
                Ok(memory)
            })
            .map_err(StoreError::inaccessible(dir))?;
        let len = memory.len().map_err(|why| failed(dir, why))?;
        if len == 0 {
            return Err(damaged(dir, "its file is empty"));
        }
        let database = builder()
            .create_with_backend(memory)
            .map_err(|why| failed(dir, why))?;
        read(&database, dir)
    }

    fn create_locked(dir: &Path, lock: Lock) -> Result<Self, StoreError> {
        let new = dir.join(NEW);
        let inaccessible = StoreError::inaccessible(dir);
        match fs::remove_file(&new) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(inaccessible(why)),
            // Its maker did not finish it.
            _ => {}
        }
        let database = builder().create(&new).map_err(|why| failed(dir, why))?;
        begin(&database).map_err(|why| failed(dir, why))?;
        database.close().map_err(|why| failed(dir, why))?;
        fs::rename(&new, dir.join(NAME))
            .and_then(|()| File::open(dir)?.sync_all())
            .map_err(inaccessible)?;
        Self::open_locked(dir, lock)
    }

    fn open_locked(dir: &Path, lock: Lock) -> Result<Self, StoreError> {
        let database = open(dir)?;
        Ok(Self {
            contents: read(&database, dir)?,
            dir: dir.to_owned(),
            database: Some(database),
            _lock: lock,
        })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// An error of this store's.
    pub fn misfit(&self, why: Misfit) -> StoreError {
        StoreError::misfit(&self.dir)(why)
    }

    /// Changes what the store holds, and returns when that is durable. After an
    /// error it holds what it held, or all of the change.
    pub fn write(&mut self, apply: impl FnOnce(&mut Contents)) -> Result<(), StoreError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => {
                let database = open(&self.dir)?;
                self.contents = read(&database, &self.dir)?;
                database
            }
        };
        let mut next = self.contents.clone();
        apply(&mut next);
        change(&database, &self.contents, &next).map_err(|why| failed(&self.dir, why))?;
        self.contents = next;
        self.database = Some(database);
        Ok(())
    }

    /// As after a write that failed.
    #[cfg(test)]
    pub fn broken_once(mut self) -> Self {
        self.database = None;
        self
    }
}

fn exists(dir: &Path) -> Result<bool, StoreError> {
    let inaccessible = StoreError::inaccessible(dir);
    dir.join(NAME).try_exists().map_err(inaccessible)
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    // Without it redb trusts a file that was closed in good order.
    builder.set_check_integrity_on_open(true);
    builder.set_cache_size(CACHE);
    builder
}

fn open(dir: &Path) -> Result<Database, StoreError> {
    let file = dir.join(NAME);
    builder().open(file).map_err(|why| failed(dir, why))
}

/// How often a file that is written to without a pause is looked at: whether what
/// was seen is whole, its checksums tell.
const LOOKS: usize = 100;

/// The bytes of a file that may be written to: as two looks in a row saw them.
fn unchanging(file: &Path) -> io::Result<Vec<u8>> {
    let mut seen = fs::read(file)?;
    for _ in 0..LOOKS {
        let again = fs::read(file)?;
        if again == seen {
            break;
        }
        seen = again;
    }
    Ok(seen)
}

fn begin(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(FORMAT)?.insert("version", VERSION)?;
    transaction.open_table(ABOUT)?;
    transaction.open_table(TOPICS)?;
    transaction.open_table(PLACES)?;
    transaction.open_table(IDS)?;
    Ok(transaction.commit()?)
}

fn read(database: &Database, dir: &Path) -> Result<Contents, StoreError> {
    let transaction = database.begin_read().map_err(|why| failed(dir, why))?;
    let version = || -> Result<Option<u64>, redb::Error> {
        let format = transaction.open_table(FORMAT)?;
        Ok(format.get("version")?.map(|version| version.value()))
    };
    match version().map_err(|why| failed(dir, why))? {
        None => return Err(damaged(dir, "its version is missing")),
        Some(found) if found > VERSION => {
            return Err(StoreError::LaterVersion {
                dir: dir.to_owned(),
                found,
                known: VERSION,
            });
        }
        Some(_) => {}
    }
    let rows = || -> Result<Rows, redb::Error> {
        let about = transaction.open_table(ABOUT)?;
        let own = |key| -> Result<Option<String>, redb::Error> {
            Ok(about.get(key)?.map(|text| text.value().to_owned()))
        };
        let mut rows = Rows {
            pipeline: own(PIPELINE)?,
            share: own(SHARE)?,
            ..Rows::default()
        };
        for row in transaction.open_table(TOPICS)?.iter()? {
            let (topic, partitions) = row?;
            let topic = topic.value().to_owned();
            rows.topics.push((topic, partitions.value()));
        }
        for row in transaction.open_table(PLACES)?.iter()? {
            let (partition, place) = row?;
            let (topic, number) = partition.value();
            let partition = TopicPartition::new(topic, number);
            rows.places.push((partition, place.value()));
        }
        let ids = match transaction.open_table(IDS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(rows),
            ids => ids?,
        };
        for row in ids.iter()? {
            let (partition, id) = row?;
            let (topic, number) = partition.value();
            if let Some(id) = TopicId::read(id.value()) {
                rows.ids.push((TopicPartition::new(topic, number), id));
            }
        }
        Ok(rows)
    };
    let rows = rows().map_err(|why| failed(dir, why))?;
    rows.contents().map_err(|why| damaged(dir, &why))
}

const PIPELINE: &str = "pipeline";
const SHARE: &str = "share";

/// What stands in the file.
#[derive(Default)]
struct Rows {
    pipeline: Option<String>,
    share: Option<String>,
    topics: Vec<(String, i32)>,
    places: Vec<(TopicPartition, i64)>,
    ids: Vec<(TopicPartition, TopicId)>,
}

impl Rows {
    fn contents(self) -> Result<Contents, String> {
        let share = self.share.map(|text| text.parse::<Share>()).transpose()?;
        let place = |(partition, number)| {
            let place = match number {
                START => Place::Start,
                BEGINNING => Place::Beginning,
                0.. => Place::At(NextOffset(number)),
                _ => return Err(format!("{partition} stands at {number}")),
            };
            Ok((partition, place))
        };
        Ok(Contents {
            pipeline: self.pipeline,
            share,
            topics: self.topics.into_iter().collect(),
            places: self
                .places
                .into_iter()
                .map(place)
                .collect::<Result<_, _>>()?,
            ids: self.ids.into_iter().collect(),
        })
    }
}

/// Writes what differs.
fn change(database: &Database, from: &Contents, to: &Contents) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    // In two phases redb never goes back to the state before the last one, which
    // it else does where that one's pages turn out to be damaged.
    transaction.set_two_phase_commit(true);
    {
        let mut about = transaction.open_table(ABOUT)?;
        let text = |share: &Option<Share>| share.as_ref().map(Share::to_string);
        for (key, value) in [(PIPELINE, to.pipeline.clone()), (SHARE, text(&to.share))] {
            match value {
                Some(value) => drop(about.insert(key, &*value)?),
                None => drop(about.remove(key)?),
            }
        }
        let mut topics = transaction.open_table(TOPICS)?;
        for topic in from.topics.keys().filter(|t| !to.topics.contains_key(*t)) {
            topics.remove(&**topic)?;
        }
        for (topic, partitions) in &to.topics {
            if from.topics.get(topic) != Some(partitions) {
                topics.insert(&**topic, partitions)?;
            }
        }
        let mut places = transaction.open_table(PLACES)?;
        for gone in from.places.keys().filter(|p| !to.places.contains_key(*p)) {
            places.remove((&*gone.topic, gone.partition))?;
        }
        for (partition, place) in &to.places {
            if from.places.get(partition) != Some(place) {
                let number = match place {
                    Place::At(position) => position.0,
                    Place::Start => START,
                    Place::Beginning => BEGINNING,
                };
                places.insert((&*partition.topic, partition.partition), number)?;
            }
        }
        let mut ids = transaction.open_table(IDS)?;
        for gone in from.ids.keys().filter(|p| !to.ids.contains_key(*p)) {
            ids.remove((&*gone.topic, gone.partition))?;
        }
        for (partition, id) in &to.ids {
            if from.ids.get(partition) != Some(id) {
                ids.insert((&*partition.topic, partition.partition), id.as_str())?;
            }
        }
    }
    Ok(transaction.commit()?)
}

fn damaged(dir: &Path, why: &str) -> StoreError {
    StoreError::Damaged {
        dir: dir.to_owned(),
        file: dir.join(NAME),
        why: why.to_owned(),
    }
}

/// What redb's error means for the user.
fn failed(dir: &Path, why: impl Into<redb::Error>) -> StoreError {
    match why.into() {
        redb::Error::DatabaseAlreadyOpen => StoreError::InUse {
            dir: dir.to_owned(),
            pid: None,
        },
        redb::Error::Io(why) if !is_damage(why.kind()) => StoreError::inaccessible(dir)(why),
        why => damaged(dir, &why.to_string()),
    }
}

/// How redb calls a file that is no database, or ends too soon.
fn is_damage(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(kind, InvalidData | InvalidInput | UnexpectedEof)
}

#[cfg(test)]
mod tests;
