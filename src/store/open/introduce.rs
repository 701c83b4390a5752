//! Whether two databases and a root key belong together, and the making of those that are new.

use std::path::{Path, PathBuf};

use super::super::keys::root::RootKey;
use super::super::{Database, Error, meta};
use crate::domain::pairwise::RecordId;

/// Names in `meta`.
pub(in crate::store) const STORE: &str = "store";
const CHECK: &str = "root_key_check";
pub(super) const MAKING: &str = "making";
const MADE_AT: &str = "root_key_made_at";

/// Where everything lies.
pub(super) struct Place {
    /// The folder or the server, for messages.
    pub(super) name: String,
    /// What the main database is called there.
    pub(super) main: &'static str,
    /// What the key store is called there.
    pub(super) keys: &'static str,
    /// The root key.
    pub(super) root: PathBuf,
}

impl Place {
    pub(super) fn keys_are_lost(&self) -> Error {
        let Self { main, keys, .. } = self;
        self.apart(format!(
            "{keys} is missing or new, but {main} belongs to a store that was in use. Restore {keys} from its backup: without \
             it nothing that {main} holds of persons can be read. To begin anew, move {main} away too"
        ))
    }

    pub(super) fn main_is_lost(&self) -> Error {
        let Self { main, keys, .. } = self;
        self.apart(format!(
            "{main} is missing or new, but {keys} belongs to a store that was in use. Restore {main} from its backup; to \
             begin anew, move {keys} away too"
        ))
    }

    fn are_of_two_stores(&self) -> Error {
        let Self { main, keys, .. } = self;
        self.apart(format!("{main} and {keys} come from two different stores. Restore the one that was exchanged"))
    }

    fn apart(&self, problem: String) -> Error {
        Error::Apart { path: self.name.clone(), problem }
    }
}

/// Makes a new store known to both databases, or checks that both know the same store and this root key. The store's id.
pub(super) async fn introduce(
    place: &Place,
    keys: &Database,
    main: &Database,
    root: &RootKey,
    made: bool,
) -> Result<String, Error> {
    let id = match settled(keys, main).await? {
        Some(id) => id,
        None => make(place, keys, main, root, made).await?,
    };
    verify(place, keys, root, &id).await?;
    finish(keys, main, root, &id).await?;
    verify(place, main, root, &id).await?;
    Ok(id)
}

/// The id of a store that both databases know.
async fn settled(keys: &Database, main: &Database) -> Result<Option<String>, Error> {
    let in_keys = meta::get(&mut *keys.read().await?, STORE).await?;
    let in_main = meta::get(&mut *main.read().await?, STORE).await?;
    Ok(in_keys.filter(|id| in_main.as_ref() == Some(id)))
}

/// Gives a new store its id, in the key store first; until main has it too the store is in the making. Processes that start at
/// once come here one after the other, and the first one's id is everybody's.
async fn make(place: &Place, keys: &Database, main: &Database, root: &RootKey, made: bool) -> Result<String, Error> {
    let mut tx = keys.begin().await?;
    let in_keys = meta::get(&mut tx, STORE).await?;
    let in_main = meta::get(&mut *main.read().await?, STORE).await?;
    let making = meta::get(&mut tx, MAKING).await?.is_some();
    match (in_keys, in_main) {
        (None, None) => {}
        (Some(id), None) if making => return Ok(id),
        (Some(id), Some(other)) if id == other => return Ok(id),
        (Some(_), None) => return Err(place.main_is_lost()),
        (None, Some(_)) => return Err(place.keys_are_lost()),
        _ => return Err(place.are_of_two_stores()),
    }
    let id = hex::encode(RecordId::random().0);
    meta::set(&mut tx, STORE, &id).await?;
    meta::set(&mut tx, CHECK, &root.check_value(&id)).await?;
    meta::set(&mut tx, MAKING, "yes").await?;
    if made {
        meta::set(&mut tx, MADE_AT, &absolute(&place.root).display().to_string()).await?;
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

async fn verify(place: &Place, db: &Database, root: &RootKey, id: &str) -> Result<(), Error> {
    let check = meta::get(&mut *db.read().await?, CHECK).await?.unwrap_or_default();
    if root.made(id, &check) {
        return Ok(());
    }
    Err(Error::RootKey(format!(
        "the key in {} is not the one that the store in {} was made with. Put the right one back",
        place.root.display(),
        place.name
    )))
}

pub(super) async fn root_key_is_local(place: &Place, folder: Option<&Path>, keys: &Database) -> Result<bool, Error> {
    let made_at = meta::get(&mut *keys.read().await?, MADE_AT).await?;
    let root = absolute(&place.root);
    let lies_beside = folder.is_some_and(|folder| root.parent() == Some(absolute(folder).as_path()));
    Ok(lies_beside || made_at.is_some_and(|at| Path::new(&at) == root))
}

fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
