//! The audit record: the last stop of every journey.
//!
//! In comes an [`Entry`] from a stage, made from the same value as its log line; out goes a row of the store, written in the
//! caller's transaction, so that there is no use without an entry and no entry without the use. An entry has a public part,
//! kept as it is for ever, and a private part, sealed with a salt; the public part commits to the private one, which can be
//! deleted later without changing anything that was published. Who reads it acts on it; nothing here retries.

mod canonical;
mod entry;

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::Offset;

pub use canonical::{Opening, verify};
pub use entry::{Asker, Entry, EntryType, Outcome, Resource};

use crate::store::audit_entry::{self, NewEntry, Subject};
use crate::store::keys::{AuditReferences, PrivateSealer};
use crate::store::{self, Conn, Keys, meta};

/// Why nothing was recorded; the caller's transaction must not commit.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// An entry could not be brought into its canonical form.
    #[error("an audit entry cannot be encoded")]
    Encode(#[from] serde_json::Error),
}

/// Records entries in the caller's transaction, and with them the making of keys that is not recorded yet. Makes the keys of
/// the entries' months if they are absent.
pub async fn record<'a>(
    conn: &mut Conn,
    keys: &Keys,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Result<(), Error> {
    let entries: Vec<&Entry> = entries.into_iter().collect();
    let Some(last) = entries.last() else { return Ok(()) };
    let sealers = sealers(keys, &entries).await?;
    let recorded = meta::keys_recorded(&mut *conn).await?;
    let mut made = keys.made_after(recorded);
    if !made.is_empty() {
        // None is passed over that another process made before.
        keys.read_new().await?;
        made = keys.made_after(recorded);
    }
    let key_entries: Vec<Entry> = made.iter().map(|key| Entry::key_made(last.at, key)).collect();
    let all = key_entries.iter().chain(entries);
    let rows = all.map(|entry| row(&sealers[&month(entry.at)], entry)).collect::<Result<Vec<_>, _>>()?;
    audit_entry::append(&mut *conn, &rows).await?;
    if let Some(newest) = made.last() {
        meta::set_keys_recorded(conn, newest.id).await?;
    }
    Ok(())
}

/// Year and month of an instant, UTC.
type Month = (i16, i8);

fn month(at: Timestamp) -> Month {
    let day = Offset::UTC.to_datetime(at);
    (day.year(), day.month())
}

/// What seals the entries of each month.
async fn sealers(keys: &Keys, entries: &[&Entry]) -> Result<HashMap<Month, PrivateSealer>, Error> {
    let months: HashMap<Month, Timestamp> = entries.iter().map(|entry| (month(entry.at), entry.at)).collect();
    let mut sealers = HashMap::new();
    for (month, at) in months {
        keys.ensure_period(at).await?;
        sealers.insert(month, keys.private_sealer(at)?);
    }
    Ok(sealers)
}

/// Seals an entry's private part under a new salt and commits the public part to it.
fn row<'a>(sealer: &PrivateSealer, entry: &'a Entry) -> Result<NewEntry<'a>, Error> {
    let (id, salt) = random();
    let private = canonical::private(entry)?;
    let public = canonical::public(entry, &id, &canonical::commitment(&salt, private.as_bytes()))?;
    let (private_key, private) = sealer.seal(&id, &salt, private.as_bytes());
    let subjects = entry.subjects.iter().flat_map(subjects).collect();
    Ok(NewEntry { id, at: entry.at, public, private, private_key, subjects })
}

/// The subjects that stand for one person: the PersonID, and the CPR number if there is one.
fn subjects(references: &AuditReferences) -> impl Iterator<Item = Subject<'_>> {
    let subject = |kind, reference| Subject { kind, period: &references.period, reference };
    let number = references.number.as_ref().map(|number| subject("Number", number));
    std::iter::once(subject("PersonId", &references.person)).chain(number)
}

/// An id and a salt.
fn random() -> ([u8; 16], [u8; 32]) {
    let (mut bytes, mut id, mut salt) = ([0; 48], [0; 16], [0; 32]);
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
    id.copy_from_slice(&bytes[..16]);
    salt.copy_from_slice(&bytes[16..]);
    (id, salt)
}
