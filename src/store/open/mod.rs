//! Opening the store, in a folder or on a server, and whether what is found there belongs together.

mod folder;
mod introduce;
mod server;

use jiff::Timestamp;

pub use folder::{KEYS_FILE, LOCK_FILE, MAIN_FILE, ROOT_KEY_FILE};

use super::{Error, Store};
use crate::settings::database::DatabaseSettings;
use crate::settings::store::StoreSettings;

/// Opens both databases, made if absent, and verifies the root key against them.
///
/// A root key is made only where its file and both databases are absent; everything else that is missing or does not
/// belong together is refused with what to do about it.
pub async fn open(store: &StoreSettings, database: &DatabaseSettings, now: Timestamp) -> Result<Store, Error> {
    match &database.url_file {
        Some(url) => server::open(store, database, url, now).await,
        None => folder::open(store, now).await,
    }
}
