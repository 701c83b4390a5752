//! Audit entries as rows: appended in the caller's transaction, never changed.

use std::fmt;

use jiff::Timestamp;

use super::database::Dialect;
use super::rows::{Blobs, Column, batch};
use super::sql::{Arg, query, query_as, query_scalar};
use super::{Conn, Error};

/// An entry to append.
pub struct NewEntry<'a> {
    /// Random id.
    pub id: [u8; 16],
    /// When.
    pub at: Timestamp,
    /// The public part in canonical form.
    pub public: String,
    /// The private part, sealed with its salt.
    pub private: Vec<u8>,
    /// The key that sealed it.
    pub private_key: i64,
    /// Its subjects: kind, month and reference. The first month's first of each kind stands in the entry's own columns, the
    /// others in a table of their own.
    pub subjects: Vec<Subject<'a>>,
}

/// A subject's reference. Hidden from Debug.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// `PersonId` or `Number`.
    pub kind: &'static str,
    /// Month, `YYYY-MM`.
    pub period: &'a str,
    /// Reference.
    pub reference: &'a [u8],
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject(…)")
    }
}

/// An entry as stored.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Position in the order of insertion.
    pub position: i64,
    /// Random id.
    pub id: [u8; 16],
    /// The public part's canonical bytes.
    pub public: Vec<u8>,
    /// The private part, sealed with its salt.
    pub private: Vec<u8>,
    /// The key that sealed it.
    pub private_key: i64,
}

/// Appends entries, one statement per table.
pub async fn append(conn: &mut Conn, entries: &[NewEntry<'_>]) -> Result<(), Error> {
    if entries.is_empty() {
        return Ok(());
    }
    match conn.dialect() {
        Dialect::Sqlite => append_sqlite(conn, entries).await,
        Dialect::Postgres => append_postgres(conn, entries).await,
    }
}

async fn append_sqlite(conn: &mut Conn, entries: &[NewEntry<'_>]) -> Result<(), Error> {
    let first = next_position(&mut *conn).await?;
    let mut blobs = Blobs::default();
    let values: Vec<_> = entries.iter().map(|entry| value(entry, &mut blobs)).collect();
    query(
        "INSERT INTO audit_entry (position, id, at, public, private, private_key, period, person, number)
         SELECT $1 + key, substr($3, value ->> 0, 16), value ->> 1, substr($3, value ->> 2, value ->> 3),
                substr($3, value ->> 4, value ->> 5), value ->> 6, value ->> 7, substr($3, value ->> 8, value ->> 9),
                substr($3, value ->> 10, value ->> 11)
         FROM json_each($2)",
    )
    .bind(first)
    .bind(batch("audit_entry", &values)?)
    .bind(blobs.into_bytes())
    .execute(&mut *conn)
    .await?;
    insert_further(conn, entries, first).await
}

const INSERT: &str = "INSERT INTO audit_entry (id, at, public, private, private_key, period, person, number)
     SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bigint[], $6::text[], $7::bytea[], $8::bytea[])";
const INSERT_WITH_FURTHER: &str = "WITH entry AS (
         INSERT INTO audit_entry (id, at, public, private, private_key, period, person, number)
         SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bigint[], $6::text[], $7::bytea[], $8::bytea[])
         RETURNING position, id)
     INSERT INTO audit_subject (entry, kind, period, reference)
     SELECT position, kind, further.period, reference
     FROM unnest($9::bytea[], $10::text[], $11::text[], $12::bytea[]) further (entry, kind, period, reference)
     JOIN entry ON entry.id = further.entry
     ON CONFLICT DO NOTHING";

/// The entries' further subjects find their entry by its id.
async fn append_postgres(conn: &mut Conn, entries: &[NewEntry<'_>]) -> Result<(), Error> {
    let own: Vec<_> = entries.iter().map(own).collect();
    let reference = |kind: &'static str| {
        let of_kind =
            move |own: &Vec<Subject<'_>>| own.iter().find(|subject| subject.kind == kind).map(|s| s.reference.to_vec());
        Arg::Blobs(own.iter().map(of_kind).collect())
    };
    let further = entries.iter().zip(&own).flat_map(|(entry, own)| {
        let further = entry.subjects.iter().filter(|subject| !own.contains(subject));
        further.map(|subject| (entry.id, subject))
    });
    let further: Vec<([u8; 16], &Subject<'_>)> = further.collect();
    let insert = |text: &'static str| {
        query(text)
            .bind(Arg::Blobs(entries.iter().map(|entry| Some(entry.id.to_vec())).collect()))
            .bind(Arg::Ints(entries.iter().map(|entry| Some(entry.at.as_millisecond())).collect()))
            .bind(Arg::Blobs(entries.iter().map(|entry| Some(entry.public.as_bytes().to_vec())).collect()))
            .bind(Arg::Blobs(entries.iter().map(|entry| Some(entry.private.clone())).collect()))
            .bind(Arg::Ints(entries.iter().map(|entry| Some(entry.private_key)).collect()))
            .bind(Arg::Texts(own.iter().map(|own| own.first().map(|subject| subject.period.to_owned())).collect()))
            .bind(reference("PersonId"))
            .bind(reference("Number"))
    };
    if further.is_empty() {
        insert(INSERT).execute(conn).await?;
        return Ok(());
    }
    insert(INSERT_WITH_FURTHER)
        .bind(Arg::Blobs(further.iter().map(|(entry, _)| Some(entry.to_vec())).collect()))
        .bind(Arg::Texts(further.iter().map(|(_, subject)| Some(subject.kind.to_owned())).collect()))
        .bind(Arg::Texts(further.iter().map(|(_, subject)| Some(subject.period.to_owned())).collect()))
        .bind(Arg::Blobs(further.iter().map(|(_, subject)| Some(subject.reference.to_vec())).collect()))
        .execute(conn)
        .await?;
    Ok(())
}

async fn next_position(conn: &mut Conn) -> Result<i64, Error> {
    let last: Option<i64> =
        query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'audit_entry'").fetch_optional(conn).await?;
    Ok(last.unwrap_or(0) + 1)
}

/// An entry as an element of the batch. Blobs are position and length, but for the id.
type Value<'a> = (usize, i64, usize, usize, usize, usize, i64, Option<&'a str>, At, Len, At, Len);
type At = Option<usize>;
type Len = Option<usize>;

fn value<'a>(entry: &NewEntry<'a>, blobs: &mut Blobs) -> Value<'a> {
    let own = own(entry);
    let mut reference = |kind: &str| {
        let subject = own.iter().find(|subject| subject.kind == kind);
        subject.map(|subject| (blobs.put(subject.reference), subject.reference.len())).unzip()
    };
    let ((person, person_length), (number, number_length)) = (reference("PersonId"), reference("Number"));
    (
        blobs.put(&entry.id),
        entry.at.as_millisecond(),
        blobs.put(entry.public.as_bytes()),
        entry.public.len(),
        blobs.put(&entry.private),
        entry.private.len(),
        entry.private_key,
        own.first().map(|subject| subject.period),
        person,
        person_length,
        number,
        number_length,
    )
}

/// The subjects that stand in the entry's own columns.
fn own<'a>(entry: &NewEntry<'a>) -> Vec<Subject<'a>> {
    let Some(first) = entry.subjects.first() else { return Vec::new() };
    let of_kind = |kind: &str| entry.subjects.iter().find(|s| s.kind == kind && s.period == first.period).copied();
    [of_kind("PersonId"), of_kind("Number")].into_iter().flatten().collect()
}

async fn insert_further(conn: &mut Conn, entries: &[NewEntry<'_>], first: i64) -> Result<(), Error> {
    let mut rows = Vec::new();
    for (entry, position) in entries.iter().zip(first..) {
        let own = own(entry);
        let further = entry.subjects.iter().filter(|subject| !own.contains(subject));
        rows.extend(further.map(|s| (position, s.kind, s.period, hex::encode(s.reference))));
    }
    if rows.is_empty() {
        return Ok(());
    }
    query(
        "INSERT INTO audit_subject (entry, kind, period, reference)
         SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3) FROM json_each($1) WHERE true
         ON CONFLICT DO NOTHING",
    )
    .bind(batch("audit_subject", &rows)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// Position, id, public part, private part, row of its key.
type Row = (i64, Vec<u8>, Vec<u8>, Vec<u8>, i64);

/// Entries after a position, in order, at most `limit`.
pub async fn read(conn: &mut Conn, after: i64, limit: u32) -> Result<Vec<Entry>, Error> {
    let rows: Vec<Row> = query_as(
        "SELECT position, id, public, private, private_key FROM audit_entry WHERE position > $1 ORDER BY position LIMIT $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(position, id, public, private, private_key)| {
            let id = Column("audit_entry", "id").bytes16(&id)?;
            Ok(Entry { position, id, public, private, private_key })
        })
        .collect()
}
