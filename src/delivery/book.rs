//! The compiled configuration that deliveries are cut by, read again whenever its version has moved.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::domain::resource::ResourceKey;
use crate::store::consumer::ConsumerRow;
use crate::store::subscription::SubscriptionRow;
use crate::store::{self, Conn, ConsumerId, SourceId, SubscriptionId};

/// All consumers, subscriptions and sources as they were at one version.
#[derive(Debug, Default)]
pub struct Book {
    /// The version of the configuration.
    pub version: i64,
    /// Consumers, ended ones too.
    pub consumers: HashMap<ConsumerId, Arc<ConsumerRow>>,
    /// Subscriptions, ended ones too.
    pub subscriptions: HashMap<SubscriptionId, Arc<SubscriptionRow>>,
    /// Names of the sources.
    pub sources: HashMap<SourceId, ResourceKey>,
}

/// Where all workers of a process find the present book.
#[derive(Debug, Default)]
pub struct Shelf(Mutex<Option<Arc<Book>>>);

impl Shelf {
    /// The book of the present version.
    pub async fn fresh(&self, conn: &mut Conn) -> Result<Arc<Book>, store::Error> {
        let mut shelf = self.0.lock().await;
        let version = store::meta::configuration(conn).await?;
        if let Some(book) = shelf.as_ref().filter(|book| book.version == version) {
            return Ok(book.clone());
        }
        let book = Arc::new(read(conn, version).await?);
        *shelf = Some(book.clone());
        Ok(book)
    }
}

/// What was committed after `version` was read may be in it too; the next look then finds the version moved.
async fn read(conn: &mut Conn, version: i64) -> Result<Book, store::Error> {
    let consumers = store::consumer::all(conn).await?;
    let subscriptions = store::subscription::all(conn).await?;
    let sources = store::source::all(conn).await?;
    Ok(Book {
        version,
        consumers: consumers.into_iter().map(|row| (row.id, Arc::new(row))).collect(),
        subscriptions: subscriptions.into_iter().map(|row| (row.id, Arc::new(row))).collect(),
        sources: sources.into_iter().map(|row| (row.id, row.key)).collect(),
    })
}
