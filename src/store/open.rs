//! Opening the store: the lock, the root key and its rules, and whether what lies there belongs together.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::keys::root::RootKey;
use super::{Database, Error, Keys, Store, files, meta, schema};
use crate::domain::pairwise::RecordId;
use crate::settings::store::StoreSettings;

/// File of the main database within the folder.
pub const MAIN_FILE: &str = "main.db";
/// File of the key store within the folder.
pub const KEYS_FILE: &str = "keys.db";
/// The lock file within the folder.
pub const LOCK_FILE: &str = "lock";
/// The root key within the folder, where no other file is set.
pub const ROOT_KEY_FILE: &str = "keys.root";

/// Names in `meta`.
const STORE: &str = "store";
const CHECK: &str = "root_key_check";
const MAKING: &str = "making";
const MADE_AT: &str = "root_key_made_at";

/// What is wrong, and what to do.
const KEYS_ARE_LOST: &str = "the key store keys.db is missing. Restore it from its backup: without it nothing that main.db \
     holds of persons can be read. To begin anew, move main.db away too";
const MAIN_IS_LOST: &str = "main.db is missing or new, but keys.db belongs to a store that was in use. Restore main.db from \
     its backup; to begin anew, move keys.db away too";
const FROM_TWO_STORES: &str = "main.db and keys.db come from two different stores. Restore the one that was exchanged";

/// Where everything lies.
struct Paths {
    folder: PathBuf,
    main: PathBuf,
    keys: PathBuf,
    root: PathBuf,
}

/// Opens both databases, made if absent, and verifies the root key against them.
///
/// A root key is made only where its file and both databases are absent; everything else that is missing or does not
/// belong together is refused with what to do about it.
pub async fn open(settings: &StoreSettings, now: Timestamp) -> Result<Store, Error> {
    let paths = Paths::of(settings);
    files::ensure_folder(&paths.folder)?;
    let lock = files::lock(&paths.folder.join(LOCK_FILE))?;
    paths.refuse_lost_keys()?;
    let (root, made) = root_key(&paths)?;
    let keys = Database::open(&paths.keys, &schema::KEYS, settings.readers).await?;
    paths.refuse_lost_main(&keys).await?;
    let main = Database::open(&paths.main, &schema::MAIN, settings.readers).await?;
    let id = match introduce(&paths, &keys, &main, &root, made).await {
        Ok(id) => id,
        Err(error) => {
            // No write-ahead log of ours may lie beside a file that somebody restores.
            keys.close().await;
            main.close().await;
            return Err(error);
        }
    };
    let root_key_is_local = is_local(&paths, &keys).await?;
    let keys = Arc::new(Keys::open(keys, root, now).await?);
    Ok(Store { main, keys, id, root_key_is_local, _lock: Arc::new(lock) })
}

impl Paths {
    fn of(settings: &StoreSettings) -> Self {
        let folder = settings.path.clone();
        Self {
            main: folder.join(MAIN_FILE),
            keys: folder.join(KEYS_FILE),
            root: settings.root_key_file.clone().unwrap_or_else(|| folder.join(ROOT_KEY_FILE)),
            folder,
        }
    }

    /// The key store is made before the main database: one without the other was lost.
    fn refuse_lost_keys(&self) -> Result<(), Error> {
        if self.main.exists() && !self.keys.exists() { Err(self.apart(KEYS_ARE_LOST)) } else { Ok(()) }
    }

    /// A key store that is past its making has a main database; where that is gone no new one is put in its place.
    async fn refuse_lost_main(&self, keys: &Database) -> Result<(), Error> {
        let mut conn = keys.read().await?;
        let in_use = meta::get(&mut conn, STORE).await?.is_some() && meta::get(&mut conn, MAKING).await?.is_none();
        if !self.main.exists() && in_use { Err(self.apart(MAIN_IS_LOST)) } else { Ok(()) }
    }

    fn apart(&self, problem: &'static str) -> Error {
        Error::Apart { path: self.folder.display().to_string(), problem }
    }
}

/// The root key, and whether it was made just now.
fn root_key(paths: &Paths) -> Result<(RootKey, bool), Error> {
    if let Some(key) = RootKey::read(&paths.root)? {
        return Ok((key, false));
    }
    if paths.main.exists() || paths.keys.exists() {
        return Err(Error::RootKey(format!(
            "{} is missing, but there are databases in {} that were made with it. Put it back from its copy; \
             a new one could not open them",
            paths.root.display(),
            paths.folder.display()
        )));
    }
    Ok((RootKey::make(&paths.root)?, true))
}

/// Makes a new store known to both databases, or checks that both know the same store and this root key. The store's id.
async fn introduce(
    paths: &Paths,
    keys: &Database,
    main: &Database,
    root: &RootKey,
    made: bool,
) -> Result<String, Error> {
    let in_keys = meta::get(&mut *keys.read().await?, STORE).await?;
    let in_main = meta::get(&mut *main.read().await?, STORE).await?;
    let making = meta::get(&mut *keys.read().await?, MAKING).await?.is_some();
    let id = match (in_keys, in_main) {
        (None, None) => begin(paths, keys, root, made).await?,
        (Some(id), None) if making => id,
        (Some(id), Some(other)) if id == other => id,
        (Some(_), None) => return Err(paths.apart(MAIN_IS_LOST)),
        _ => return Err(paths.apart(FROM_TWO_STORES)),
    };
    verify(paths, keys, root, &id).await?;
    finish(keys, main, root, &id).await?;
    verify(paths, main, root, &id).await?;
    Ok(id)
}

/// Gives a new store its id, in the key store first; until main has it too the store is in the making.
async fn begin(paths: &Paths, keys: &Database, root: &RootKey, made: bool) -> Result<String, Error> {
    let id = hex::encode(RecordId::random().0);
    let mut tx = keys.begin().await?;
    meta::set(&mut tx, STORE, &id).await?;
    meta::set(&mut tx, CHECK, &root.check_value(&id)).await?;
    meta::set(&mut tx, MAKING, "yes").await?;
    if made {
        meta::set(&mut tx, MADE_AT, &absolute(&paths.root).display().to_string()).await?;
    }
    tx.commit().await?;
    Ok(id)
}

async fn finish(keys: &Database, main: &Database, root: &RootKey, id: &str) -> Result<(), Error> {
    let mut tx = keys.begin().await?;
    if meta::get(&mut tx, MAKING).await?.is_none() {
        return Ok(());
    }
    let mut main = main.begin().await?;
    meta::set(&mut main, STORE, id).await?;
    meta::set(&mut main, CHECK, &root.check_value(id)).await?;
    main.commit().await?;
    meta::remove(&mut tx, MAKING).await?;
    tx.commit().await
}

async fn verify(paths: &Paths, db: &Database, root: &RootKey, id: &str) -> Result<(), Error> {
    let check = meta::get(&mut *db.read().await?, CHECK).await?.unwrap_or_default();
    if root.made(id, &check) {
        return Ok(());
    }
    Err(Error::RootKey(format!(
        "the key in {} is not the one that the store in {} was made with. Put the right one back",
        paths.root.display(),
        paths.folder.display()
    )))
}

async fn is_local(paths: &Paths, keys: &Database) -> Result<bool, Error> {
    let made_at = meta::get(&mut *keys.read().await?, MADE_AT).await?;
    let root = absolute(&paths.root);
    Ok(root.parent() == Some(absolute(&paths.folder).as_path()) || made_at.is_some_and(|at| Path::new(&at) == root))
}

fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
