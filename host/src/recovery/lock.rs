//! One process at a time uses a store: a lock on a file beside it, which the
//! kernel takes away when the process ends, however it ends.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use super::error::StoreError;

/// Holds the number of the process that has the lock, for the error of others.
const NAME: &str = "lock";

/// The right to use a store, until it is dropped.
pub(super) struct Lock(#[expect(dead_code, reason = "the lock goes with the file")] File);

impl Lock {
    /// Takes it, or says who has it.
    pub fn take(dir: &Path) -> Result<Self, StoreError> {
        let inaccessible = StoreError::inaccessible(dir);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.join(NAME))
            .map_err(&inaccessible)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Without the number the error still says what is the matter.
                let _ = file.read_to_string(&mut holder);
                return Err(StoreError::InUse {
                    dir: dir.to_owned(),
                    pid: holder.trim().parse().ok(),
                });
            }
            Err(TryLockError::Error(why)) => return Err(inaccessible(why)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(inaccessible)?;
        Ok(Self(file))
    }
}
