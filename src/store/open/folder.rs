//! Opening a store of two SQLite files in a folder: the lock, the root key and its rules.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::super::keys::root::RootKey;
use super::super::{Database, Error, Keys, Store, files, meta, schema, sqlite};
use super::introduce::{MAKING, Place, STORE, introduce, root_key_is_local};
use crate::settings::store::StoreSettings;

/// File of the main database within the folder.
pub const MAIN_FILE: &str = "main.db";
/// File of the key store within the folder.
pub const KEYS_FILE: &str = "keys.db";
/// The lock file within the folder.
pub const LOCK_FILE: &str = "lock";
/// The root key within the folder, where no other file is set.
pub const ROOT_KEY_FILE: &str = "keys.root";

/// Where everything lies.
struct Paths {
    folder: PathBuf,
    main: PathBuf,
    keys: PathBuf,
    place: Place,
}

/// Opens both databases, made if absent, and verifies the root key against them.
///
/// A root key is made only where its file and both databases are absent; everything else that is missing or does not
/// belong together is refused with what to do about it.
pub(super) async fn open(settings: &StoreSettings, now: Timestamp) -> Result<Store, Error> {
    let paths = Paths::of(settings);
    files::ensure_folder(&paths.folder)?;
    let lock = files::lock(&paths.folder.join(LOCK_FILE))?;
    paths.refuse_lost_keys()?;
    let (root, made) = root_key(&paths)?;
    let keys = sqlite::Database::open(&paths.keys, &schema::KEYS, settings.readers).await.map(Database::Sqlite)?;
    paths.refuse_lost_main(&keys).await?;
    let main = sqlite::Database::open(&paths.main, &schema::MAIN, settings.readers).await.map(Database::Sqlite)?;
    let id = match introduce(&paths.place, &keys, &main, &root, made).await {
        Ok(id) => id,
        Err(error) => {
            // No write-ahead log of ours may lie beside a file that somebody restores.
            keys.close().await;
            main.close().await;
            return Err(error);
        }
    };
    let root_key_is_local = root_key_is_local(&paths.place, Some(&paths.folder), &keys).await?;
    let keys = Arc::new(Keys::open(keys, root, now).await?);
    Ok(Store { main, keys, id, root_key_is_local, _lock: Some(Arc::new(lock)) })
}

impl Paths {
    fn of(settings: &StoreSettings) -> Self {
        let folder = settings.path.clone();
        Self {
            main: folder.join(MAIN_FILE),
            keys: folder.join(KEYS_FILE),
            place: Place {
                name: folder.display().to_string(),
                main: MAIN_FILE,
                keys: KEYS_FILE,
                root: settings.root_key_file.clone().unwrap_or_else(|| folder.join(ROOT_KEY_FILE)),
            },
            folder,
        }
    }

    /// The key store is made before the main database: one without the other was lost.
    fn refuse_lost_keys(&self) -> Result<(), Error> {
        if self.main.exists() && !self.keys.exists() { Err(self.place.keys_are_lost()) } else { Ok(()) }
    }

    /// A key store that is past its making has a main database; where that is gone no new one is put in its place.
    async fn refuse_lost_main(&self, keys: &Database) -> Result<(), Error> {
        let mut conn = keys.read().await?;
        let in_use = meta::get(&mut conn, STORE).await?.is_some() && meta::get(&mut conn, MAKING).await?.is_none();
        if !self.main.exists() && in_use { Err(self.place.main_is_lost()) } else { Ok(()) }
    }
}

/// The root key, and whether it was made just now.
fn root_key(paths: &Paths) -> Result<(RootKey, bool), Error> {
    if let Some(key) = RootKey::read(&paths.place.root)? {
        return Ok((key, false));
    }
    if paths.main.exists() || paths.keys.exists() {
        return Err(Error::RootKey(format!(
            "{} is missing, but there are databases in {} that were made with it. Put it back from its copy; \
             a new one could not open them",
            paths.place.root.display(),
            paths.folder.display()
        )));
    }
    Ok((RootKey::make(&paths.place.root)?, true))
}
