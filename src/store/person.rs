//! Persons: what decides who covers them in the clear, all else sealed.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;

use super::database::Dialect;
use super::leaving::marked;
pub use super::leaving::{delete, keep, leaving, mark_leaving};
use super::rows::{Blobs, Column, Hex, batch, count as unsigned};
use super::seal::{PersonKey, Place};
use super::sql::{Arg, query, query_as, query_gathered, query_scalar};
use super::{Conn, Error, SourceId, SubscriptionId};
use crate::domain::field_group::GroupSet;
use crate::domain::municipality::Municipality;
use crate::domain::pairwise::RecordId;
use crate::domain::person::Person;
use crate::domain::standing::Standing;
use crate::domain::status::StatusCode;

/// A stored person, sealed.
#[derive(Clone, Debug)]
pub struct PersonRow {
    /// The record.
    pub record: RecordId,
    /// The source that told.
    pub source: SourceId,
    /// What decides who covers them.
    pub standing: Standing,
    /// The earliest coming date from which the content says something else.
    pub next_due: Option<Date>,
    /// The day for which the standing holds.
    pub as_of: Date,
    /// The groups that the content holds.
    pub held: GroupSet,
    /// The version of the configuration for which this person's coverage is settled.
    pub settled: i64,
    /// Whether the person is being removed.
    pub leaving: bool,
    /// Whether a widened grant asks for a fetch, without events.
    pub refetch: bool,
    /// Since when no live subscription covers the person; none while one does.
    pub uncovered_since: Option<Timestamp>,
    /// Sealed content.
    pub content: Vec<u8>,
    /// When the row was last written.
    pub updated_at: Timestamp,
}

impl PersonRow {
    /// Opens the content.
    pub fn open(&self, key: &PersonKey) -> Result<Person, Error> {
        key.open(Place { table: "person", column: "content", row: &self.source.to_string() }, &self.content)
    }
}

/// Seals a person's content for its row.
pub fn seal(key: &PersonKey, source: SourceId, person: &Person) -> Result<Vec<u8>, Error> {
    key.seal(Place { table: "person", column: "content", row: &source.to_string() }, person)
}

#[derive(sqlx::FromRow, Deserialize)]
struct Row {
    record: Hex,
    source: i64,
    municipality: Option<i64>,
    status: Option<i64>,
    inactive_since: Option<i64>,
    protected: i64,
    next_due: Option<String>,
    as_of: String,
    held: String,
    settled: i64,
    leaving: i64,
    refetch: i64,
    uncovered_since: Option<i64>,
    content: Hex,
    updated_at: i64,
}

impl TryFrom<Row> for PersonRow {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            record: Column("person", "record").record(&row.record.0)?,
            source: row.source,
            standing: Standing {
                municipality: municipality(row.municipality)?,
                status: status(row.status)?,
                inactive_since: Column("person", "inactive_since").optional_time(row.inactive_since)?,
                protected: row.protected != 0,
            },
            next_due: row.next_due.as_deref().map(|date| Column("person", "next_due").date(date)).transpose()?,
            as_of: Column("person", "as_of").date(&row.as_of)?,
            held: Column("person", "held").json(&row.held)?,
            settled: row.settled,
            leaving: row.leaving != 0,
            refetch: row.refetch != 0,
            uncovered_since: Column("person", "uncovered_since").optional_time(row.uncovered_since)?,
            content: row.content.0,
            updated_at: Column("person", "updated_at").time(row.updated_at)?,
        })
    }
}

fn municipality(code: Option<i64>) -> Result<Option<Municipality>, Error> {
    let column = Column("person", "municipality");
    code.map(|code| Municipality::from_code(column.number(code)?).ok_or_else(|| column.unreadable())).transpose()
}

/// The status of a code; a text without one is kept only in the sealed content and stands here as an empty one.
fn status(code: Option<i64>) -> Result<StatusCode, Error> {
    let column = Column("person", "status");
    match code {
        Some(code) => StatusCode::from_code(column.number(code)?).ok_or_else(|| column.unreadable()),
        None => Ok(StatusCode::Other(String::new())),
    }
}

fn rows(found: Vec<Row>) -> Result<Vec<PersonRow>, Error> {
    found.into_iter().map(PersonRow::try_from).collect()
}

/// Persons of a source by record; absent ones are absent.
pub async fn find(
    conn: &mut Conn,
    source: SourceId,
    records: &[RecordId],
) -> Result<HashMap<RecordId, PersonRow>, Error> {
    let found: Vec<Row> = query_gathered(
        "person",
        "SELECT json_group_array(json_array(hex(record), source, municipality, status, inactive_since, protected, next_due,
                                            as_of, held, settled, leaving, refetch, uncovered_since, hex(content), updated_at))
         FROM person WHERE record IN records($1) AND source = $2",
        "SELECT * FROM person WHERE record = ANY($1) AND source = $2",
    )
    .bind(records)
    .bind(source)
    .fetch_all(conn)
    .await?;
    Ok(rows(found)?.into_iter().map(|row| (row.record, row)).collect())
}

/// Writes persons, new and known, all columns but `leaving`. A person any of whose rows is leaving is not touched; the
/// records of those are returned, and the caller tells nothing of them either.
pub async fn write(conn: &mut Conn, rows: &[PersonRow], now: Timestamp) -> Result<Vec<RecordId>, Error> {
    let records: Vec<RecordId> = rows.iter().map(|row| row.record).collect();
    let leaving = marked(&mut *conn, &records).await?;
    let staying: Vec<&PersonRow> = rows.iter().filter(|row| !leaving.contains(&row.record)).collect();
    match conn.dialect() {
        Dialect::Sqlite => write_sqlite(conn, &staying, now).await?,
        Dialect::Postgres => write_postgres(conn, &staying, now).await?,
    }
    Ok(leaving)
}

/// What is done where the row is there already.
macro_rules! upsert {
    ($insert:literal) => {
        concat!(
            $insert,
            " ON CONFLICT (record, source) DO UPDATE
              SET municipality = excluded.municipality, status = excluded.status,
                  inactive_since = excluded.inactive_since, protected = excluded.protected,
                  next_due = excluded.next_due, as_of = excluded.as_of, held = excluded.held,
                  settled = excluded.settled, refetch = excluded.refetch, content = excluded.content,
                  uncovered_since = CASE WHEN excluded.uncovered_since IS NOT NULL
                                         THEN coalesce(person.uncovered_since, excluded.uncovered_since) END,
                  updated_at = excluded.updated_at"
        )
    };
}

async fn write_sqlite(conn: &mut Conn, rows: &[&PersonRow], now: Timestamp) -> Result<(), Error> {
    let mut blobs = Blobs::default();
    let values = rows.iter().map(|row| value(row, &mut blobs)).collect::<Result<Vec<_>, _>>()?;
    query(upsert!(
        "INSERT INTO person (record, source, municipality, status, inactive_since, protected, next_due, as_of, held,
                             settled, refetch, content, uncovered_since, updated_at)
         SELECT substr($3, value ->> 0, 16), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
                value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10,
                substr($3, value ->> 11, value ->> 12), value ->> 13, $1
         FROM json_each($2) WHERE true"
    ))
    .bind(now.as_millisecond())
    .bind(batch("person", &values)?)
    .bind(blobs.into_bytes())
    .execute(conn)
    .await?;
    Ok(())
}

/// In the order of records, so that two who write the same persons do not wait for each other in a circle.
async fn write_postgres(conn: &mut Conn, rows: &[&PersonRow], now: Timestamp) -> Result<(), Error> {
    // A statement may write a row once only: of several the last counts.
    let last: BTreeMap<_, _> = rows.iter().map(|row| ((row.record, row.source), *row)).collect();
    let rows: Vec<&PersonRow> = last.into_values().collect();
    let ints = |value: fn(&PersonRow) -> Option<i64>| Arg::Ints(rows.iter().map(|row| value(row)).collect());
    let held = rows.iter().map(|row| Column("person", "held").to_json(&row.held).map(Some));
    query(upsert!(
        "INSERT INTO person (updated_at, leaving, record, source, municipality, status, inactive_since, protected,
                             next_due, as_of, held, settled, refetch, content, uncovered_since)
         SELECT $1, 0, * FROM unnest($2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
                                     $7::bigint[], $8::text[], $9::text[], $10::text[], $11::bigint[], $12::bigint[],
                                     $13::bytea[], $14::bigint[])"
    ))
    .bind(now.as_millisecond())
    .bind(Arg::Blobs(rows.iter().map(|row| Some(row.record.0.to_vec())).collect()))
    .bind(ints(|row| Some(row.source)))
    .bind(ints(|row| row.standing.municipality.map(|m| m.code().into())))
    .bind(ints(|row| row.standing.status.code().map(i64::from)))
    .bind(ints(|row| row.standing.inactive_since.map(Timestamp::as_millisecond)))
    .bind(ints(|row| Some(row.standing.protected.into())))
    .bind(Arg::Texts(rows.iter().map(|row| row.next_due.map(|date| date.to_string())).collect()))
    .bind(Arg::Texts(rows.iter().map(|row| Some(row.as_of.to_string())).collect()))
    .bind(Arg::Texts(held.collect::<Result<_, _>>()?))
    .bind(ints(|row| Some(row.settled)))
    .bind(ints(|row| Some(row.refetch.into())))
    .bind(Arg::Blobs(rows.iter().map(|row| Some(row.content.clone())).collect()))
    .bind(ints(|row| row.uncovered_since.map(Timestamp::as_millisecond)))
    .execute(conn)
    .await?;
    Ok(())
}

/// A row as an element of the batch. Record and content are blobs: position, and the length of the latter.
type Value = (
    usize,
    SourceId,
    Option<u16>,
    Option<u8>,
    Option<i64>,
    i64,
    Option<String>,
    String,
    String,
    i64,
    i64,
    usize,
    usize,
    Option<i64>,
);

fn value(row: &PersonRow, blobs: &mut Blobs) -> Result<Value, Error> {
    let standing = &row.standing;
    Ok((
        blobs.put(&row.record.0),
        row.source,
        standing.municipality.map(Municipality::code),
        standing.status.code(),
        standing.inactive_since.map(Timestamp::as_millisecond),
        i64::from(standing.protected),
        row.next_due.map(|date| date.to_string()),
        row.as_of.to_string(),
        Column("person", "held").to_json(&row.held)?,
        row.settled,
        i64::from(row.refetch),
        blobs.put(&row.content),
        row.content.len(),
        row.uncovered_since.map(Timestamp::as_millisecond),
    ))
}

/// Whether name and address of each person are protected, in any source's row, absent where nothing is stored; and the
/// version of the configuration, of the same instant.
pub async fn protected(conn: &mut Conn, records: &[RecordId]) -> Result<(HashMap<RecordId, bool>, i64), Error> {
    let rows: Vec<(i64, Hex, i64)> = query_gathered(
        "person",
        "SELECT json_group_array(json_array(version, hex(record), coalesce(protected, 0)))
         FROM (SELECT coalesce(max(CAST(value AS INTEGER)), 0) AS version FROM meta WHERE name = 'configuration')
         LEFT JOIN (SELECT record, protected FROM person WHERE record IN records($1))",
        "SELECT version, coalesce(record, ''), coalesce(protected, 0)
         FROM (SELECT coalesce(max(CAST(value AS BIGINT)), 0) AS version FROM meta WHERE name = 'configuration') v
         LEFT JOIN person ON record = ANY($1)",
    )
    .bind(records)
    .fetch_all(conn)
    .await?;
    let version = rows.first().map_or(0, |(version, ..)| *version);
    let mut found = HashMap::with_capacity(records.len());
    for (_, record, protected) in rows {
        if let Some(record) = record.present() {
            *found.entry(Column("person", "record").record(&record)?).or_default() |= protected != 0;
        }
    }
    Ok((found, version))
}

/// Persons whose `next_due` has come, and after them those whose refetch is asked for, at most `limit`; none who is leaving.
pub async fn due(conn: &mut Conn, source: SourceId, today: Date, limit: u32) -> Result<Vec<PersonRow>, Error> {
    let found: Vec<Row> = query_as(
        "SELECT p.* FROM (
             SELECT * FROM (SELECT record FROM person WHERE source = $1 AND next_due IS NOT NULL AND next_due <= $2
                            AND leaving = 0 ORDER BY next_due LIMIT $3) n
             UNION
             SELECT * FROM (SELECT record FROM person WHERE source = $1 AND refetch = 1 AND leaving = 0 LIMIT $3) f
         ) d CROSS JOIN person p ON p.record = d.record AND p.source = $1
         ORDER BY p.next_due IS NULL OR p.next_due > $2, p.record LIMIT $3",
    )
    .bind(source)
    .bind(today.to_string())
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows(found)
}

/// Asks for a fetch of these persons, without events.
pub async fn ask_refetch(conn: &mut Conn, source: SourceId, records: &[RecordId]) -> Result<(), Error> {
    query("UPDATE person SET refetch = 1 WHERE record IN records($1) AND source = $2")
        .bind(records)
        .bind(source)
        .execute(conn)
        .await?;
    Ok(())
}

/// Leaves these persons alone until the day after `today`: the register does not know them now.
pub async fn postpone(conn: &mut Conn, source: SourceId, records: &[RecordId], today: Date) -> Result<(), Error> {
    let tomorrow = today.tomorrow().unwrap_or(today);
    query(
        "UPDATE person SET refetch = 0, next_due = $1
         WHERE record IN records($2) AND source = $3",
    )
    .bind(tomorrow.to_string())
    .bind(records)
    .bind(source)
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks persons as leaving whom nobody has covered since before `grace`, as far as nothing of them is still to be told. At
/// most `limit` are looked at. How many were marked.
pub async fn mark_uncovered(conn: &mut Conn, grace: Timestamp, limit: u32) -> Result<u64, Error> {
    let found: Vec<(Vec<u8>, i64)> = query_as(
        "SELECT record, source FROM person WHERE uncovered_since <= $1 AND leaving = 0 ORDER BY random() LIMIT $2",
    )
    .bind(grace.as_millisecond())
    .bind(limit)
    .fetch_all(&mut *conn)
    .await?;
    let mut by_source: HashMap<SourceId, Vec<RecordId>> = HashMap::new();
    for (record, source) in found {
        by_source.entry(source).or_default().push(Column("person", "record").record(&record)?);
    }
    let mut marked = 0;
    for (source, records) in by_source {
        marked += mark_leaving(&mut *conn, source, &records).await?.len() as u64;
    }
    Ok(marked)
}

/// Lets a thousand more persons of a source that has ended go. Whether none is left; call again while there are some.
pub async fn release_source(conn: &mut Conn, source: SourceId) -> Result<bool, Error> {
    query(
        "UPDATE person SET uncovered_since = 0 WHERE (record, source) IN (
             SELECT record, source FROM person WHERE source = $1 AND uncovered_since IS NULL LIMIT 1000)",
    )
    .bind(source)
    .execute(&mut *conn)
    .await?;
    let left: bool =
        query_scalar("SELECT EXISTS (SELECT 1 FROM person WHERE source = $1)").bind(source).fetch_one(conn).await?;
    Ok(!left)
}

/// Persons whose coverage was settled for an older version of the configuration, at most `limit`; none who is leaving.
pub async fn unsettled(
    conn: &mut Conn,
    source: SourceId,
    configuration: i64,
    limit: u32,
) -> Result<Vec<PersonRow>, Error> {
    let found: Vec<Row> = query_as("SELECT * FROM person WHERE source = $1 AND settled < $2 AND leaving = 0 LIMIT $3")
        .bind(source)
        .bind(configuration)
        .bind(limit)
        .fetch_all(conn)
        .await?;
    rows(found)
}

/// The persons of a source after a record, in order, and where each stands; at most `limit`, none who is leaving.
pub async fn standings(
    conn: &mut Conn,
    source: SourceId,
    after: Option<RecordId>,
    limit: u32,
) -> Result<Vec<(RecordId, Standing)>, Error> {
    let found: Vec<StandingRow> = query_as(
        "SELECT record, municipality, status, inactive_since, protected FROM person
         WHERE record > $1 AND source = $2 AND leaving = 0 ORDER BY record LIMIT $3",
    )
    .bind(after.map(|record| record.0.to_vec()).unwrap_or_default())
    .bind(source)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    found
        .into_iter()
        .map(|(record, place, code, inactive_since, protected)| {
            let standing = Standing {
                municipality: municipality(place)?,
                status: status(code)?,
                inactive_since: Column("person", "inactive_since").optional_time(inactive_since)?,
                protected: protected != 0,
            };
            Ok((Column("person", "record").record(&record)?, standing))
        })
        .collect()
}

/// Record, municipality, status, since when inactive, whether protected.
type StandingRow = (Vec<u8>, Option<i64>, Option<i64>, Option<i64>, i64);

/// Persons of a source after a record, in the order of their records, at most `limit`; none who is leaving.
pub async fn after(
    conn: &mut Conn,
    source: SourceId,
    after: Option<RecordId>,
    limit: u32,
) -> Result<Vec<PersonRow>, Error> {
    let found: Vec<Row> =
        query_as("SELECT * FROM person WHERE record > $1 AND source = $2 AND leaving = 0 ORDER BY record LIMIT $3")
            .bind(after.map(|record| record.0.to_vec()).unwrap_or_default())
            .bind(source)
            .bind(limit)
            .fetch_all(conn)
            .await?;
    rows(found)
}

/// How many persons of a source are still settled for an older version of the configuration.
pub async fn count_unsettled(conn: &mut Conn, source: SourceId, configuration: i64) -> Result<u64, Error> {
    let found: i64 = query_scalar("SELECT count(*) FROM person WHERE source = $1 AND settled < $2 AND leaving = 0")
        .bind(source)
        .bind(configuration)
        .fetch_one(conn)
        .await?;
    Ok(unsigned(found))
}

/// Persons of a source who are not inactive or void, and who live in one of the municipalities (none: everyone).
pub async fn count_living_in(
    conn: &mut Conn,
    source: SourceId,
    municipalities: Option<&[Municipality]>,
) -> Result<u64, Error> {
    let found: i64 = query_scalar(
        "SELECT count(*) FROM person
         WHERE source = $1 AND leaving = 0 AND inactive_since IS NULL
           AND (status IS NULL OR status NOT IN ids($2))
           AND ($3 IS NULL OR municipality IN ids($3))",
    )
    .bind(source)
    .bind(&void()[..])
    .bind(codes(municipalities))
    .fetch_one(conn)
    .await?;
    Ok(unsigned(found))
}

/// Persons of a source who are not inactive or void, whom the subscription has by name, and who live in none of the
/// municipalities (none: nobody does).
pub async fn count_named(
    conn: &mut Conn,
    source: SourceId,
    municipalities: Option<&[Municipality]>,
    subscription: SubscriptionId,
) -> Result<u64, Error> {
    let elsewhere: i64 = query_scalar(
        "SELECT count(*) FROM (SELECT DISTINCT record FROM subject WHERE subscription = $4) s
         CROSS JOIN person ON person.record = s.record AND source = $1
         WHERE leaving = 0 AND inactive_since IS NULL
           AND (status IS NULL OR status NOT IN ids($2))
           AND $3 IS NOT NULL AND coalesce(municipality NOT IN ids($3), true)",
    )
    .bind(source)
    .bind(&void()[..])
    .bind(codes(municipalities))
    .bind(subscription)
    .fetch_one(conn)
    .await?;
    Ok(unsigned(elsewhere))
}

/// Codes of those who are void, as an element of a statement.
fn void() -> Vec<i64> {
    let void = [StatusCode::Cancelled, StatusCode::Closed, StatusCode::Replaced];
    void.iter().filter_map(StatusCode::code).map(i64::from).collect()
}

fn codes(municipalities: Option<&[Municipality]>) -> Option<Vec<i64>> {
    municipalities.map(|list| list.iter().map(|m| m.code().into()).collect())
}
