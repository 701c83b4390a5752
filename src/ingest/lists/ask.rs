//! What is asked of a list: to put persons on it, to take them off, or to hold just these.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use crate::audit::{self, Asker, Entry, EntryType, Outcome, Resource};
use crate::domain::identifier::CprNumber;
use crate::domain::pairwise::RecordId;
use crate::domain::subject::{Origin, Subjects};
use crate::ingest::Error;
use crate::store::keys::{Ensured, Realm};
use crate::store::listing::{self, Fate, NewListing, State};
use crate::store::subscription::SubscriptionRow;
use crate::store::{self, Store, Tx, person, removal, subject};

/// Lines in one transaction.
const BATCH: usize = 1_000;

/// Where a number stands that was to be put on a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// This person is on the list.
    Already(RecordId),
    /// The register is to be asked; what came of it is told of this record.
    Waiting(RecordId),
}

/// Whether a number was to be taken off a list that it was on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It was on the list or waited to be, and is taken off.
    Removed(RecordId),
    /// It was not.
    NotListed,
}

/// Puts numbers on a subscription's list: each is answered by its line. `asked` goes into the record. Ring the bell
/// `requests` afterwards. Numbers leave no trace but the sealed line and the record's key.
pub async fn add(
    store: &Store,
    subscription: &SubscriptionRow,
    realm: &Realm,
    origin: Origin,
    lines: Vec<(u32, CprNumber)>,
    asked: Option<&Asker>,
    now: Timestamp,
) -> Result<Vec<(u32, Standing)>, Error> {
    let mut answers = Vec::with_capacity(lines.len());
    for lines in lines.chunks(BATCH) {
        let (mut tx, ensured) = ensured(store, realm, lines, now).await?;
        let records: Vec<RecordId> = ensured.iter().map(|one| one.record).collect();
        let known = Known::read(&mut tx, subscription, &records).await?;
        let mut new: HashMap<RecordId, NewListing> = HashMap::new();
        for ((line, number), ensured) in lines.iter().zip(&ensured) {
            let record = ensured.record;
            match known.wish(subscription, record) {
                Wish::Nothing(standing) => answers.push((*line, standing)),
                Wish::Wait => {
                    new.insert(record, sealed(subscription, *line, number, ensured)?);
                    answers.push((*line, Standing::Waiting(record)));
                }
            }
        }
        let kept: Vec<RecordId> = records.iter().copied().filter(|r| known.is(*r, State::Leaving)).collect();
        listing::withdraw(&mut tx, subscription.id, &kept).await?;
        let mut new: Vec<NewListing> = new.into_values().collect();
        new.sort_by_key(|listing| listing.line);
        let awaited: Vec<RecordId> = new.iter().map(|listing| listing.record).collect();
        person::keep(&mut tx, &awaited).await?;
        write(&mut tx, subscription, origin, State::Waiting, &new, now).await?;
        record(&mut tx, store, subscription, "Added", new.len() + kept.len(), asked, now).await?;
        tx.commit().await?;
    }
    Ok(answers)
}

/// The records of the lines' numbers, and the transaction that is to write about them. They are held until it has ended, so that
/// no key goes meanwhile; one that another process deleted before is made anew.
async fn ensured(
    store: &Store,
    realm: &Realm,
    lines: &[(u32, CprNumber)],
    now: Timestamp,
) -> Result<(Tx, Vec<Ensured>), Error> {
    let numbers: Vec<CprNumber> = lines.iter().map(|(_, number)| number.clone()).collect();
    loop {
        let ensured = store.keys.ensure_numbers(realm, &numbers, now).await?;
        store.keys.ensure_period(now).await?;
        let tx = store.main.begin().await?;
        let records: Vec<RecordId> = ensured.iter().map(|one| one.record).collect();
        if store.keys.are_there(&records).await? {
            return Ok((tx, ensured));
        }
    }
}

fn sealed(
    subscription: &SubscriptionRow,
    line: u32,
    number: &CprNumber,
    ensured: &Ensured,
) -> Result<NewListing, store::Error> {
    let number = Some(listing::seal(&ensured.key, subscription.id, number)?);
    Ok(NewListing { record: ensured.record, line, number })
}

/// Takes numbers off a subscription's list: each is answered by its line. A number that we do not know leaves nothing behind.
/// Ring the bell `requests` afterwards.
pub async fn remove(
    store: &Store,
    subscription: &SubscriptionRow,
    realm: &Realm,
    lines: Vec<(u32, CprNumber)>,
    asked: Option<&Asker>,
    now: Timestamp,
) -> Result<Vec<(u32, Removal)>, Error> {
    let mut answers = Vec::with_capacity(lines.len());
    for lines in lines.chunks(BATCH) {
        let numbers: Vec<CprNumber> = lines.iter().map(|(_, number)| number.clone()).collect();
        let records = store.keys.find_numbers(realm, &numbers).await?;
        let known: Vec<RecordId> = records.values().copied().collect();
        let removed = remove_records(store, subscription, &known, asked, now).await?;
        answers.extend(lines.iter().map(|(line, number)| {
            let record = records.get(number).copied().filter(|record| removed.contains(record));
            (*line, record.map_or(Removal::NotListed, Removal::Removed))
        }));
    }
    Ok(answers)
}

/// Makes a subscription's list hold just these numbers: new ones are added, those who are not among them are taken off. How
/// many were new and how many go. What was said of lines before is forgotten, and numbers that the register did not know are
/// asked for again: call it when the numbers have changed.
pub async fn replace(
    store: &Store,
    subscription: &SubscriptionRow,
    realm: &Realm,
    numbers: Vec<(u32, CprNumber)>,
    now: Timestamp,
) -> Result<(usize, usize), Error> {
    let listed = on_list(store, subscription).await?;
    let mut tx = store.main.begin().await?;
    listing::forget(&mut tx, subscription.id).await?;
    tx.commit().await?;
    let answers = add(store, subscription, realm, Origin::Secret, numbers, None, now).await?;
    let (mut wanted, mut added) = (HashSet::new(), 0);
    for (_, standing) in answers {
        let (Standing::Already(record) | Standing::Waiting(record)) = standing;
        added += usize::from(!listed.contains(&record));
        wanted.insert(record);
    }
    let gone: Vec<RecordId> = listed.into_iter().filter(|record| !wanted.contains(record)).collect();
    let mut removed = 0;
    for records in gone.chunks(BATCH) {
        removed += remove_records(store, subscription, records, None, now).await?.len();
    }
    Ok((added, removed))
}

/// Who is on a subscription's list or waits to be.
async fn on_list(store: &Store, subscription: &SubscriptionRow) -> Result<HashSet<RecordId>, store::Error> {
    let mut conn = store.main.read().await?;
    let mut all: HashSet<RecordId> = listing::waiting(&mut conn, subscription.id).await?.into_iter().collect();
    let mut after = None;
    loop {
        let page = subject::page(&mut conn, subscription.id, after, BATCH as u32).await?;
        after = page.last().copied();
        all.extend(page);
        if after.is_none() {
            return Ok(all);
        }
    }
}

/// Takes those of the records off the list that are on it or wait to be. Who they are.
async fn remove_records(
    store: &Store,
    subscription: &SubscriptionRow,
    records: &[RecordId],
    asked: Option<&Asker>,
    now: Timestamp,
) -> Result<HashSet<RecordId>, Error> {
    store.keys.ensure_period(now).await?;
    let mut tx = store.main.begin().await?;
    let known = Known::read(&mut tx, subscription, records).await?;
    let waiting: Vec<RecordId> = records.iter().copied().filter(|record| known.is(*record, State::Waiting)).collect();
    let listed = records.iter().copied().filter(|record| known.is_listed(subscription, *record));
    let listed: Vec<NewListing> = listed.map(|record| NewListing { record, line: 0, number: None }).collect();
    listing::withdraw(&mut tx, subscription.id, &waiting).await?;
    write(&mut tx, subscription, Origin::Managed, State::Leaving, &listed, now).await?;
    let removed: HashSet<RecordId> = waiting.iter().copied().chain(listed.iter().map(|line| line.record)).collect();
    record(&mut tx, store, subscription, "Removed", removed.len(), asked, now).await?;
    tx.commit().await?;
    // A process that may not delete keys, as the operator's with PostgreSQL, leaves that to the walk over all of them.
    if let Err(error) = removal::forget_unused(store, &waiting).await {
        tracing::debug!(%error, "keys of numbers that were taken off a list go when nobody has sought them for a day");
    }
    Ok(removed)
}

async fn write(
    tx: &mut Tx,
    subscription: &SubscriptionRow,
    origin: Origin,
    state: State,
    lines: &[NewListing],
    now: Timestamp,
) -> Result<(), store::Error> {
    listing::write(tx, subscription.source, subscription.id, origin, state, lines, now).await
}

/// One entry for all that was asked for together.
async fn record(
    tx: &mut Tx,
    store: &Store,
    subscription: &SubscriptionRow,
    what: &str,
    persons: usize,
    asked: Option<&Asker>,
    now: Timestamp,
) -> Result<(), audit::Error> {
    if persons == 0 {
        return Ok(());
    }
    let resource = Resource {
        uid: Some(subscription.uid.clone()),
        generation: Some(subscription.generation),
        ..Resource::named("CprSubscription", subscription.key.clone())
    };
    let entry = Entry {
        class: Some(what.to_owned()),
        persons: Some(persons as u64),
        resource: Some(resource),
        consumer: subscription.compiled.as_ref().map(|form| form.consumer.clone()),
        purposes: subscription.compiled.iter().map(|form| form.purpose.clone()).collect(),
        ..Entry::new(now, EntryType::ListChanged, Outcome::Succeeded)
    };
    let entry = match asked {
        Some(asker) => entry.asked_by(asker),
        None => entry,
    };
    audit::record(tx, &store.keys, &[entry]).await.map(|_| ())
}

/// What is known of records on a subscription's list.
struct Known {
    subjects: HashMap<RecordId, Subjects>,
    fates: HashMap<RecordId, Fate>,
}

/// What a number that is to be put on a list needs.
enum Wish {
    Nothing(Standing),
    Wait,
}

impl Known {
    async fn read(tx: &mut Tx, subscription: &SubscriptionRow, records: &[RecordId]) -> Result<Self, store::Error> {
        let subjects = subject::find(tx, Some(subscription.source), records).await?;
        Ok(Self { subjects, fates: listing::find(tx, subscription.id, records).await? })
    }

    fn is(&self, record: RecordId, state: State) -> bool {
        self.fates.get(&record).is_some_and(|fate| fate.state == state)
    }

    fn is_listed(&self, subscription: &SubscriptionRow, record: RecordId) -> bool {
        self.subjects.get(&record).is_some_and(|subjects| subjects.get(subscription.id).listed)
    }

    fn wish(&self, subscription: &SubscriptionRow, record: RecordId) -> Wish {
        let state = self.fates.get(&record).map(|fate| fate.state);
        match state {
            _ if self.is_listed(subscription, record) => Wish::Nothing(Standing::Already(record)),
            Some(State::Waiting) => Wish::Nothing(Standing::Waiting(record)),
            _ => Wish::Wait,
        }
    }
}
