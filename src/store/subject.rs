//! Subjects: persons whom a subscription has by name. Only the task of the subscription's source writes them.

use std::collections::HashMap;

use jiff::Timestamp;

use super::rows::{Column, batch, count as unsigned, name_of};
use super::sql::{query, query_as, query_scalar};
use super::{Conn, Error, SourceId, SubscriptionId};
use crate::domain::pairwise::RecordId;
use crate::domain::subject::{Origin, Subjects};

/// A person whom a subscription has by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectRow {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The person.
    pub record: RecordId,
    /// By what.
    pub origin: Origin,
}

const ORIGIN: Column = Column("subject", "origin");
const RECORD: Column = Column("subject", "record");

/// Who has these persons by name, among the subscriptions of a source if one is given; persons whom nobody has are absent.
pub async fn find(
    conn: &mut Conn,
    source: Option<SourceId>,
    records: &[RecordId],
) -> Result<HashMap<RecordId, Subjects>, Error> {
    let rows: Vec<(i64, Vec<u8>, String, i64)> = query_as(
        "SELECT s.subscription, s.record, s.origin, s.since FROM records($1) j CROSS JOIN subject s
         WHERE s.record = j.record AND ($2 IS NULL OR s.source = $2)",
    )
    .bind(records)
    .bind(source)
    .fetch_all(conn)
    .await?;
    let mut found: HashMap<RecordId, Subjects> = HashMap::new();
    for (subscription, record, origin, since) in rows {
        let since = Column("subject", "since").time(since)?;
        found.entry(RECORD.record(&record)?).or_default().note(subscription, ORIGIN.variant(&origin)?, since);
    }
    Ok(found)
}

/// Writes subjects; who is there already stays as long as they are there. A person is on one list only: an origin that is a
/// list takes the place of the other.
pub async fn write(conn: &mut Conn, source: SourceId, rows: &[SubjectRow], now: Timestamp) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let listed: Vec<SubjectRow> = rows.iter().copied().filter(|row| row.origin.is_list()).collect();
    let other = |row: &SubjectRow| match row.origin {
        Origin::Managed => Origin::Secret,
        _ => Origin::Managed,
    };
    let others: Vec<SubjectRow> = listed.iter().map(|row| SubjectRow { origin: other(row), ..*row }).collect();
    delete(&mut *conn, &others).await?;
    query(
        "INSERT INTO subject (subscription, record, origin, source, since)
         SELECT CAST(value ->> 0 AS BIGINT), unhex(value ->> 1), value ->> 2, $1, $2 FROM json_each($3) WHERE true
         ON CONFLICT DO NOTHING",
    )
    .bind(source)
    .bind(now.as_millisecond())
    .bind(values(rows)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes subjects.
pub async fn delete(conn: &mut Conn, rows: &[SubjectRow]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    query(
        "DELETE FROM subject WHERE (subscription, record, origin) IN
             (SELECT CAST(value ->> 0 AS BIGINT), unhex(value ->> 1), value ->> 2 FROM json_each($1))",
    )
    .bind(values(rows)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts those on the lists of closed records there by the records that go on for them.
pub async fn carry_over(conn: &mut Conn, joined: &[(RecordId, RecordId)]) -> Result<(), Error> {
    for (closed, survivor) in joined {
        for statement in [
            "DELETE FROM subject WHERE record = $1 AND (subscription, origin) IN (
                 SELECT subscription, origin FROM subject WHERE record = $2 AND origin <> 'Moved')",
            "UPDATE subject SET record = $1 WHERE record = $2 AND origin <> 'Moved'",
        ] {
            query(statement).bind(&survivor.0[..]).bind(&closed.0[..]).execute(&mut *conn).await?;
        }
    }
    Ok(())
}

fn values(rows: &[SubjectRow]) -> Result<String, Error> {
    let value = |row: &SubjectRow| Ok((row.subscription, hex::encode(row.record.0), name_of(&row.origin, ORIGIN)?));
    batch("subject", &rows.iter().map(value).collect::<Result<Vec<_>, Error>>()?)
}

/// Persons on a subscription's list after a record, in the order of their records, at most `limit`.
pub async fn page(
    conn: &mut Conn,
    subscription: SubscriptionId,
    after: Option<RecordId>,
    limit: u32,
) -> Result<Vec<RecordId>, Error> {
    let rows: Vec<Vec<u8>> = query_scalar(
        "SELECT record FROM subject WHERE subscription = $1 AND record > $2 AND origin <> 'Moved'
         ORDER BY record LIMIT $3",
    )
    .bind(subscription)
    .bind(after.map(|record| record.0.to_vec()).unwrap_or_default())
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|bytes| RECORD.record(bytes)).collect()
}

/// How many persons are on a subscription's list.
pub async fn count(conn: &mut Conn, subscription: SubscriptionId) -> Result<u64, Error> {
    let found: i64 = query_scalar("SELECT count(*) FROM subject WHERE subscription = $1 AND origin <> 'Moved'")
        .bind(subscription)
        .fetch_one(conn)
        .await?;
    Ok(unsigned(found))
}

/// Deletes all that a subscription has by name, and what of its list still waits: it has gone over to another source, where
/// other records mean the same persons.
pub(super) async fn forget(conn: &mut Conn, subscription: SubscriptionId) -> Result<(), Error> {
    for statement in ["DELETE FROM subject WHERE subscription = $1", "DELETE FROM listing WHERE subscription = $1"] {
        query(statement).bind(subscription).execute(&mut *conn).await?;
    }
    Ok(())
}
