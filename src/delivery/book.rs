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
        let version = store::meta::configuration(conn).await?;
        self.at_least(version, conn).await
    }

    /// The book of this version or a later one.
    pub async fn at_least(&self, version: i64, conn: &mut Conn) -> Result<Arc<Book>, store::Error> {
        let mut shelf = self.0.lock().await;
        if let Some(held) = shelf.as_ref().filter(|held| held.book.version >= version) {
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::delivery::tests::receiver::Receiver;
    use crate::delivery::tests::world::World;
    use crate::domain::field_group::GroupSet;

    async fn fresh(shelf: &Shelf, world: &World) -> Arc<Book> {
        shelf.fresh(&mut world.store.main.read().await.unwrap()).await.unwrap()
    }

    /// What deliveries are cut by.
    fn content(book: &Book) -> Vec<String> {
        let subscriptions = book.subscriptions.iter().map(|(id, r)| format!("{id} {:?} {:?}", r.compiled, r.ended_at));
        let consumers = book.consumers.iter().map(|(id, r)| format!("{id} {:?} {:?}", r.compiled, r.ended_at));
        let sources = book.sources.iter().map(|(id, authority)| format!("{id} {authority:?}"));
        let mut all: Vec<String> = subscriptions.chain(consumers).chain(sources).collect();
        all.sort();
        all
    }

    #[tokio::test]
    async fn of_many_subscriptions_the_changed_one_is_read_and_no_other() {
        let (mut world, receiver) = (World::new().await, Receiver::start().await);
        let (consumer, first) = world.consumer("one", &receiver, |_| {}).await;
        let mut other = first;
        for n in 0..50 {
            other = world.subscribe(consumer, &format!("s-{n}"), |_| {}).await;
        }
        let shelf = Shelf::default();
        let before = fresh(&shelf, &world).await;
        assert_eq!(shelf.renewed().await, Some(0), "all were read");
        world.change_subscription(first, |form| form.granted = GroupSet::EMPTY).await;
        let after = fresh(&shelf, &world).await;
        assert_eq!(shelf.renewed().await, Some(1));
        let granted = |book: &Book| book.subscriptions[&first].compiled.as_ref().unwrap().granted;
        assert_ne!(granted(&before), GroupSet::EMPTY, "a batch that is under way keeps what it was begun with");
        assert_eq!(granted(&after), GroupSet::EMPTY);
        assert!(Arc::ptr_eq(&before.subscriptions[&other], &after.subscriptions[&other]));
    }

    #[tokio::test]
    async fn a_book_that_is_renewed_says_the_same_as_one_that_is_read_anew() {
        let (mut world, receiver) = (World::new().await, Receiver::start().await);
        let (consumer, first) = world.consumer("one", &receiver, |_| {}).await;
        let shelf = Shelf::default();
        let is_same = async |world: &World| {
            let renewed = fresh(&shelf, world).await;
            assert_eq!(content(&renewed), content(&*fresh(&Shelf::default(), world).await));
            renewed.version
        };
        is_same(&world).await;
        let second = world.subscribe(consumer, "second", |_| {}).await;
        is_same(&world).await;
        world.change_subscription(first, |form| form.suspended = true).await;
        world.end_subscription(second).await;
        is_same(&world).await;
        world.change_consumer(consumer, |form| form.fields = GroupSet::EMPTY).await;
        is_same(&world).await;
        world.subscribe(consumer, "second", |_| {}).await;
        world.hear_of_another(&[]).await;
        is_same(&world).await;
        world.end_source().await;
        world.end_consumer(consumer).await;
        is_same(&world).await;
        assert!(shelf.renewed().await > Some(0), "it was renewed, not read");

        // What was forgotten before it was read is made good by reading all.
        world.change_subscription(first, |form| form.suspended = false).await;
        let mut tx = world.store.main.begin().await.unwrap();
        store::selection::forget_settled(&mut tx).await.unwrap();
        assert!(store::selection::all(&mut tx).await.unwrap().is_empty());
        tx.commit().await.unwrap();
        is_same(&world).await;
        assert_eq!(shelf.renewed().await, Some(0));
    }
}
