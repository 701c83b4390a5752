//! The audit record: the last stop of every journey.
//!
//! In comes an [`Entry`] from a stage, made from the same value as its log line; out goes a row of the store, written in the
//! caller's transaction, so that there is no use without an entry and no entry without the use. An entry has a public part,
//! kept as it is for ever, and a private part, sealed with a salt; the public part commits to the private one, which can be
//! deleted later without changing anything that was published. Who reads it acts on it; nothing here retries.

mod canonical;
mod entry;

use std::collections::BTreeSet;

pub use canonical::{Opening, verify};
pub use entry::{Asker, Entry, EntryType, Outcome, Resource};

use crate::store::audit_entry::{self, NewEntry, Subject};
use crate::store::keys::AuditReferences;
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
pub async fn record(conn: &mut Conn, keys: &Keys, entries: &[Entry]) -> Result<(), Error> {
    let Some(last) = entries.last() else { return Ok(()) };
    for at in entries.iter().map(|entry| entry.at).collect::<BTreeSet<_>>() {
        keys.ensure_period(at).await?;
    }
    let recorded = meta::keys_recorded(&mut *conn).await?;
    let made = keys.made_after(recorded);
    let key_entries: Vec<Entry> = made.iter().map(|key| Entry::key_made(last.at, key)).collect();
    let rows = key_entries.iter().chain(entries).map(|entry| row(keys, entry)).collect::<Result<Vec<_>, _>>()?;
    audit_entry::append(&mut *conn, &rows).await?;
    if let Some(newest) = made.last() {
        meta::set_keys_recorded(conn, newest.id).await?;
    }
    Ok(())
}

/// Seals an entry's private part under a new salt and commits the public part to it.
fn row(keys: &Keys, entry: &Entry) -> Result<NewEntry, Error> {
    let (id, salt) = (random(), random());
    let private = canonical::private(entry)?;
    let public = canonical::public(entry, &id, &canonical::commitment(&salt, private.as_bytes()))?;
    let (private_key, private) = keys.seal_private(&id, &salt, private.as_bytes(), entry.at)?;
    let subjects = entry.subjects.iter().flat_map(subjects).collect();
    Ok(NewEntry { id, at: entry.at, public, private, private_key, subjects })
}

/// The subjects that stand for one person: the PersonID, and the CPR number if there is one.
fn subjects(references: &AuditReferences) -> impl Iterator<Item = Subject> {
    let subject =
        |kind, reference: &Vec<u8>| Subject { kind, period: references.period.clone(), reference: reference.clone() };
    [Some(subject("PersonId", &references.person)), references.number.as_ref().map(|number| subject("Number", number))]
        .into_iter()
        .flatten()
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
