//! The compiled configuration that deliveries are cut by. Whenever its version has moved, what changed is read again.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::domain::grant::{Allowance, Grant};
use crate::domain::resource::ResourceKey;
use crate::store::consumer::ConsumerRow;
use crate::store::source::SourceRow;
use crate::store::subscription::SubscriptionRow;
use crate::store::{self, Conn, ConsumerId, SourceId, SubscriptionId};

/// All consumers, subscriptions and sources as they were at one version. Of a subscription it holds what decides what is told;
/// uid and generation may be older.
#[derive(Clone, Debug, Default)]
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
#[derive(Clone, Debug)]
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
pub struct Shelf(Mutex<Option<Held>>);

/// A book, and up to where it was read.
#[derive(Debug)]
struct Held {
    book: Arc<Book>,
    /// The version of consumers and sources.
    parties: i64,
    /// The version of the selections.
    selectors: i64,
    /// Rows of subscriptions that were read since all were.
    renewed: usize,
}

/// Rows that may be read one by one before all are read again, however few there are. Rows that were deleted are found then.
const RENEWED: usize = 1000;

impl Shelf {
    /// The book of the present version.
    pub async fn fresh(&self, conn: &mut Conn) -> Result<Arc<Book>, store::Error> {
        let mut shelf = self.0.lock().await;
        let version = store::meta::configuration(conn).await?;
        if let Some(held) = shelf.as_ref().filter(|held| held.book.version == version) {
            return Ok(held.book.clone());
        }
        // Taken out, so that one that is half renewed when reading fails is not used.
        let held = match shelf.take() {
            Some(held) => renew(conn, held, version).await?,
            None => read(conn, version).await?,
        };
        Ok(shelf.insert(held).book.clone())
    }

    #[cfg(test)]
    async fn renewed(&self) -> Option<usize> {
        self.0.lock().await.as_ref().map(|held| held.renewed)
    }
}

/// Reads everything. What was committed after `version` was read may be in it too; the next look then finds the version moved.
async fn read(conn: &mut Conn, version: i64) -> Result<Held, store::Error> {
    let selectors = store::meta::selectors(conn).await?;
    let subscriptions = store::subscription::all(conn).await?;
    let subscriptions = subscriptions.into_iter().map(|row| (row.id, Arc::new(row))).collect();
    let book = Arc::new(Book { version, subscriptions, ..Book::default() });
    let mut held = Held { book, parties: 0, selectors, renewed: 0 };
    read_parties(conn, &mut held).await?;
    Ok(held)
}

async fn read_parties(conn: &mut Conn, held: &mut Held) -> Result<(), store::Error> {
    held.parties = store::meta::parties(conn).await?;
    let consumers = store::consumer::all(conn).await?;
    let sources = store::source::all(conn).await?;
    let book = Arc::make_mut(&mut held.book);
    book.consumers = consumers.into_iter().map(|row| (row.id, Arc::new(row))).collect();
    book.sources = sources.into_iter().map(|row| (row.id, Authority::of(row))).collect();
    Ok(())
}

/// Reads what changed since; everything where that is not known any more. Versions are read before what they speak of.
async fn renew(conn: &mut Conn, mut held: Held, version: i64) -> Result<Held, store::Error> {
    let selectors = store::meta::selectors(conn).await?;
    let changed = store::selection::between(conn, held.selectors, selectors).await?;
    let most = RENEWED.max(held.book.subscriptions.len());
    let Some(changed) = changed.filter(|changed| held.renewed + changed.len() <= most) else {
        return read(conn, version).await;
    };
    if store::meta::parties(conn).await? != held.parties {
        read_parties(conn, &mut held).await?;
    }
    let ids: Vec<SubscriptionId> = changed.into_iter().map(|earlier| earlier.subscription).collect();
    let rows = if ids.is_empty() { Vec::new() } else { store::subscription::some(conn, &ids).await? };
    let book = Arc::make_mut(&mut held.book);
    book.version = version;
    book.subscriptions.extend(rows.into_iter().map(|row| (row.id, Arc::new(row))));
    (held.selectors, held.renewed) = (selectors, held.renewed + ids.len());
    Ok(held)
}
