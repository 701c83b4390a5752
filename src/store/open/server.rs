//! Opening a store on a PostgreSQL server: the main database, and the key store beside it or on a server of its own.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::super::copy::COPYING;
use super::super::keys::root::RootKey;
use super::super::{Database, Error, Keys, Store, files, meta, postgres};
use super::folder::ROOT_KEY_FILE;
use super::introduce::{Place, STORE, introduce, root_key_is_local};
use crate::settings::database::DatabaseSettings;
use crate::settings::store::StoreSettings;

/// Opens both databases, their schemas made and brought up to date, and verifies the root key against them.
pub(super) async fn open(
    store: &StoreSettings,
    database: &DatabaseSettings,
    url: &Path,
    now: Timestamp,
) -> Result<Store, Error> {
    files::ensure_folder(&store.path)?;
    let (keys, main) = databases(database).await?;
    for copy in [&keys, &main] {
        if meta::get(&mut *copy.read().await?, COPYING).await?.is_some() {
            return Err(Error::Unfinished);
        }
    }
    let place = Place {
        name: url.display().to_string(),
        main: "the main database",
        keys: "the key store",
        root: store.root_key_file.clone().unwrap_or_else(|| store.path.join(ROOT_KEY_FILE)),
    };
    let (root, made) = root_key(&place, &main, &keys).await?;
    let id = introduce(&place, &keys, &main, &root, made).await?;
    let root_key_is_local = root_key_is_local(&place, None, &keys).await?;
    let keys = Arc::new(Keys::open(keys, root, now).await?);
    Ok(Store { main, keys, id, root_key_is_local, _lock: None })
}

/// Both databases, the key store first.
pub(super) async fn databases(database: &DatabaseSettings) -> Result<(Database, Database), Error> {
    let (main, keys) = database.files().ok_or(Error::NoServer)?;
    let keys = postgres::Database::open(&address(keys)?, &postgres::KEYS, database).await?;
    let main = postgres::Database::open(&address(main)?, &postgres::MAIN, database).await?;
    Ok((Database::Postgres(keys), Database::Postgres(main)))
}

/// Where new connections go from now on, for addresses that have changed in their files since `last`.
pub(in crate::store) fn readdress(
    main: &postgres::Database,
    keys: &postgres::Database,
    settings: &DatabaseSettings,
    last: &mut Option<[Zeroizing<String>; 2]>,
) -> Result<(), Error> {
    let files = settings.files().ok_or(Error::NoServer)?;
    let present = [address(files.0)?, address(files.1)?];
    if last.as_ref().is_some_and(|last| *last != present) {
        main.readdress(&present[0], settings)?;
        keys.readdress(&present[1], settings)?;
        tracing::info!("the address of the database has changed: new connections are made by it");
    }
    *last = Some(present);
    Ok(())
}

/// The address in a file.
pub fn address(file: &Path) -> Result<Zeroizing<String>, Error> {
    let text = std::fs::read_to_string(file).map_err(files::failed(file))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

/// The root key, and whether it was made just now, which it is only where both databases are new.
async fn root_key(place: &Place, main: &Database, keys: &Database) -> Result<(RootKey, bool), Error> {
    if let Some(key) = RootKey::read(&place.root)? {
        return Ok((key, false));
    }
    for database in [main, keys] {
        if meta::get(&mut *database.read().await?, STORE).await?.is_some() {
            return Err(Error::RootKey(format!(
                "{} is missing, but the databases were made with it. Put it back from its copy; a new one could not open them",
                place.root.display(),
            )));
        }
    }
    Ok((RootKey::make(&place.root)?, true))
}
