//! Opening the store, in a folder or on a server, and whether what is found there belongs together.

mod folder;
mod introduce;
mod server;

use jiff::Timestamp;

pub use folder::{KEYS_FILE, LOCK_FILE, MAIN_FILE, ROOT_KEY_FILE};
pub(super) use introduce::STORE;
pub use server::address;
pub(super) use server::readdress;

use super::copy::MOVED;
use super::{Database, Error, Store, meta};
use crate::settings::database::DatabaseSettings;
use crate::settings::store::StoreSettings;

/// Opens both databases, made if absent, and verifies the root key against them.
///
/// A root key is made only where its file and both databases are absent; everything else that is missing or does not
/// belong together is refused with what to do about it.
pub async fn open(store: &StoreSettings, database: &DatabaseSettings, now: Timestamp) -> Result<Store, Error> {
    let Some(url) = &database.url_file else {
        let opened = folder::open(store, now).await?;
        return refuse_moved(opened).await;
    };
    server::open(store, database, url, now).await
}

/// The files of a folder, which may have been moved, to be copied. There must be some.
pub(super) async fn files(store: &StoreSettings, now: Timestamp) -> Result<Store, Error> {
    if !store.path.join(MAIN_FILE).exists() {
        return Err(Error::Apart {
            path: store.path.display().to_string(),
            problem: format!("{MAIN_FILE} is not there: name the folder of the store that is to be copied"),
        });
    }
    folder::open(store, now).await
}

/// Both databases of a server, the key store first.
pub(super) async fn databases(database: &DatabaseSettings) -> Result<(Database, Database), Error> {
    server::databases(database).await
}

/// Files that were copied to a server are used no more: else two processes would deliver the same.
async fn refuse_moved(opened: Store) -> Result<Store, Error> {
    let moved = meta::get(&mut *opened.main.read().await?, MOVED).await?;
    match moved {
        None => Ok(opened),
        Some(_) => {
            opened.close().await;
            Err(Error::Moved)
        }
    }
}
