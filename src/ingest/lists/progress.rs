//! What became of a list: of each number that was to be put on it, and of all of them.

use std::collections::HashMap;

use jiff::Timestamp;

use super::meet::room;
use crate::domain::pairwise::RecordId;
use crate::settings::lists::ListSettings;
use crate::store::listing::{self, State};
use crate::store::subscription::SubscriptionRow;
use crate::store::{self, Conn, Store, SubscriptionId, list_hour, subject};

/// What became of a number that was to be put on a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// This person is on the list; not always the record that the number meant before.
    Listed(RecordId),
    /// The register has still to be asked.
    Waiting,
    /// The register does not know the number.
    Unknown,
    /// The register could not be read for it; class of the error.
    Failed(String),
    /// It is neither on the list nor waits: it was taken off, or the day is over for which this is remembered.
    NotListed,
}

/// How many persons a list has, and how many of its lines wait or were not met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Persons on the list.
    pub listed: u64,
    /// Lines for which the register has still to be asked.
    pub waiting: u64,
    /// Lines of the last day whose number the register did not know.
    pub unknown: u64,
    /// Lines of the last day for which the register could not be read.
    pub failed: u64,
}

/// How the loading of a list stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// How many.
    pub counts: Counts,
    /// Where a limit holds the list up: until when.
    pub held_until: Option<Timestamp>,
}

/// What became of each record that [`super::add`] gave.
pub async fn progress(
    store: &Store,
    subscription: &SubscriptionRow,
    records: &[RecordId],
) -> Result<HashMap<RecordId, Progress>, store::Error> {
    let mut conn = store.main.read().await?;
    let subjects = subject::find(&mut conn, Some(subscription.source), records).await?;
    let fates = listing::find(&mut conn, subscription.id, records).await?;
    let one = |record: &RecordId| {
        let listed = subjects.get(record).is_some_and(|subjects| subjects.get(subscription.id).listed);
        let fate = fates.get(record);
        match fate.map(|fate| fate.state) {
            Some(State::Leaving) => Progress::NotListed,
            _ if listed => Progress::Listed(*record),
            Some(State::Waiting) => Progress::Waiting,
            Some(State::Unknown) => Progress::Unknown,
            Some(State::Failed) => Progress::Failed(fate.and_then(|fate| fate.class.clone()).unwrap_or_default()),
            Some(State::Listed) => Progress::Listed(fate.and_then(|fate| fate.subject).unwrap_or(*record)),
            None => Progress::NotListed,
        }
    };
    Ok(records.iter().map(|record| (*record, one(record))).collect())
}

/// The persons on a subscription's list after a record, in the order of their records, at most `limit`.
pub async fn page(
    store: &Store,
    subscription: SubscriptionId,
    after: Option<RecordId>,
    limit: u32,
) -> Result<Vec<RecordId>, store::Error> {
    subject::page(&mut *store.main.read().await?, subscription, after, limit).await
}

/// How many persons a list has, and how many of its lines wait or were not met.
pub async fn counts(conn: &mut Conn, subscription: SubscriptionId) -> Result<Counts, store::Error> {
    Ok(Counts {
        listed: subject::count(&mut *conn, subscription).await?,
        waiting: listing::count(&mut *conn, subscription, State::Waiting).await?,
        unknown: listing::count(&mut *conn, subscription, State::Unknown).await?,
        failed: listing::count(conn, subscription, State::Failed).await?,
    })
}

/// How the loading of a list stands under the limits of `settings`.
pub async fn load(
    conn: &mut Conn,
    subscription: SubscriptionId,
    settings: &ListSettings,
    now: Timestamp,
) -> Result<Load, store::Error> {
    let counts = counts(&mut *conn, subscription).await?;
    let hour = list_hour::read(conn, subscription, now).await?;
    let is_held = counts.waiting > 0 && room(settings, hour) == 0;
    Ok(Load { counts, held_until: is_held.then(|| list_hour::end(now)) })
}

/// How the subscription's consumer knows a person.
pub async fn reference(
    store: &Store,
    subscription: &SubscriptionRow,
    record: RecordId,
    now: Timestamp,
) -> Result<String, store::Error> {
    Ok(store.keys.consumer_key(subscription.consumer, now).await?.reference(record))
}
