//! The compiled configuration that deliveries are cut by, read again whenever its version has moved.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::domain::grant::{Allowance, Grant};
use crate::domain::resource::ResourceKey;
use crate::store::consumer::ConsumerRow;
use crate::store::source::SourceRow;
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
    /// Sources, ended ones too.
    pub sources: HashMap<SourceId, Authority>,
}

/// A source with what it grants.
#[derive(Debug)]
pub struct Authority {
    /// Namespace and name.
    pub key: ResourceKey,
    /// What it grants other namespaces; none where that is not known.
    pub(super) grants: Option<Vec<Grant>>,
}

impl Authority {
    fn of(row: SourceRow) -> Self {
        let grants = match row.ended_at {
            Some(_) => Some(Vec::new()),
            None => row.compiled.map(|form| form.grants),
        };
        Self { key: row.key, grants }
    }

    /// What a namespace may have of it; none where that is not known.
    pub fn allowance(&self, namespace: &str) -> Option<Allowance<'_>> {
        match &self.grants {
            Some(grants) => Some(Allowance::of(&self.key.namespace, grants, namespace)),
            None => (self.key.namespace == namespace).then_some(Allowance::Own),
        }
    }
}

/// Where all workers of a process find the present book.
#[derive(Debug, Default)]
pub struct Shelf(Mutex<Option<Arc<Book>>>);

impl Shelf {
    /// The book of the present version.
    pub async fn fresh(&self, conn: &mut Conn) -> Result<Arc<Book>, store::Error> {
        let version = store::meta::configuration(conn).await?;
        self.at_least(version, conn).await
    }

    /// The book of this version or a later one.
    pub async fn at_least(&self, version: i64, conn: &mut Conn) -> Result<Arc<Book>, store::Error> {
        let mut shelf = self.0.lock().await;
        if let Some(book) = shelf.as_ref().filter(|book| book.version >= version) {
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
        sources: sources.into_iter().map(|row| (row.id, Authority::of(row))).collect(),
    })
}
