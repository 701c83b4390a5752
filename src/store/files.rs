//! Files that only their owner may read: the folder, the databases, the lock, the root key.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::Error;

/// The error of a file that could not be used.
pub(super) fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.display().to_string();
    move |source| Error::File { path, source }
}

/// Makes a folder with its parents, mode 0700, if it is absent; one that exists keeps its mode.
pub(super) fn ensure_folder(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed(path))
}

/// Makes an empty file with mode 0600 if it is absent.
pub(super) fn ensure_private(path: &Path) -> Result<(), Error> {
    private().open(path).map(drop).map_err(failed(path))
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options
}

/// A lock file that is held.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    /// Closing alone would leave it held by a child process that has not come to its program yet.
    fn drop(&mut self) {
        // Where this fails closing is all that is left.
        let _ = self.0.unlock();
    }
}

/// Takes the lock file for as long as the answer lives.
pub(super) fn lock(path: &Path) -> Result<Lock, Error> {
    let file = private().open(path).map_err(failed(path))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(Error::Held { path: path.display().to_string() }),
        Err(TryLockError::Error(error)) => Err(failed(path)(error)),
    }
}

/// Writes a new file, durable and whole or not at all; fails where one exists.
pub(super) fn write_new(path: &Path, content: &[u8]) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = path.with_extension("new");
    let written = (|| {
        let mut file = private().truncate(true).open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::hard_link(&beside, path)?;
        std::fs::remove_file(&beside)?;
        File::open(folder)?.sync_all()
    })();
    written.map_err(failed(path))
}
