//! Lines of lists that ingest has yet to meet, and for a while what became of those that were not simply met.

use std::collections::HashMap;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::rows::{Column, batch, count as unsigned, name_of};
use super::seal::{PersonKey, Place};
use super::sql::{query, query_as, query_scalar};
use super::{Conn, Error, SourceId, SubscriptionId, list_state};
use crate::domain::identifier::CprNumber;
use crate::domain::pairwise::RecordId;
use crate::domain::subject::Origin;

/// A line that waits.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Its row; lines are met in this order.
    pub id: i64,
    /// Whose list.
    pub subscription: SubscriptionId,
    /// The record that the number means to us.
    pub record: RecordId,
    /// Which kind of list.
    pub origin: Origin,
    /// The sealed number; none where somebody is taken off.
    pub number: Option<Vec<u8>>,
    /// How often it was tried.
    pub tries: u32,
}

/// What is to be done, or what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum State {
    /// To be put on the list.
    Waiting,
    /// To be taken off the list.
    Leaving,
    /// Is on the list as another record than the number meant before.
    Listed,
    /// The register does not know the number.
    Unknown,
    /// The register could not be read for this number.
    Failed,
}

/// A line to write.
#[derive(Clone, Debug)]
pub struct NewListing {
    /// The record that the number means to us.
    pub record: RecordId,
    /// Number of the line in its file.
    pub line: u32,
    /// The sealed number; none where somebody is taken off.
    pub number: Option<Vec<u8>>,
}

/// What became of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The state.
    pub state: State,
    /// Class of the error, if it failed.
    pub class: Option<String>,
    /// The person who is on the list for it, where that is another record.
    pub subject: Option<RecordId>,
}

const ORIGIN: Column = Column("listing", "origin");
const RECORD: Column = Column("listing", "record");
const STATE: Column = Column("listing", "state");

impl Listing {
    /// Opens the number; none where there is none.
    pub fn open(&self, key: &PersonKey) -> Result<Option<CprNumber>, Error> {
        let Some(sealed) = &self.number else { return Ok(None) };
        let text = Zeroizing::new(key.open::<String>(place(&self.subscription.to_string()), sealed)?);
        CprNumber::parse(&text).map(Some).map_err(|_| Column("listing", "number").unreadable())
    }
}

/// Seals a number for a line of a subscription.
pub fn seal(key: &PersonKey, subscription: SubscriptionId, number: &CprNumber) -> Result<Vec<u8>, Error> {
    key.seal(place(&subscription.to_string()), &number.expose())
}

fn place(subscription: &str) -> Place<'_> {
    Place { table: "listing", column: "number", row: subscription }
}

/// Writes lines in the state `to`, in the place of what was said of these records before.
pub async fn write(
    conn: &mut Conn,
    source: SourceId,
    subscription: SubscriptionId,
    origin: Origin,
    to: State,
    lines: &[NewListing],
    now: Timestamp,
) -> Result<(), Error> {
    if lines.is_empty() {
        return Ok(());
    }
    let values: Vec<_> = lines
        .iter()
        .map(|line| (hex::encode(line.record.0), line.line, line.number.as_ref().map(hex::encode)))
        .collect();
    query(
        "INSERT INTO listing (source, subscription, origin, state, at, tries, record, line, number)
         SELECT $1, $2, $3, $4, $5, 0, unhex(value ->> 0), CAST(value ->> 1 AS BIGINT), unhex(value ->> 2) FROM json_each($6) WHERE true
         ON CONFLICT (subscription, record) DO UPDATE
         SET source = excluded.source, origin = excluded.origin, state = excluded.state, at = excluded.at, tries = 0,
             class = NULL, subject = NULL, line = excluded.line, number = excluded.number",
    )
    .bind(source)
    .bind(subscription)
    .bind(name_of(&origin, ORIGIN)?)
    .bind(name_of(&to, STATE)?)
    .bind(now.as_millisecond())
    .bind(batch("listing", &values)?)
    .execute(&mut *conn)
    .await?;
    list_state::touch(conn, &[subscription]).await
}

/// The subscriptions of lines.
async fn whose(conn: &mut Conn, ids: &[i64]) -> Result<Vec<SubscriptionId>, Error> {
    Ok(query_scalar("SELECT DISTINCT subscription FROM listing WHERE id IN ids($1)").bind(ids).fetch_all(conn).await?)
}

/// Whether a source has lines in this state.
pub async fn are_any(conn: &mut Conn, source: SourceId, state: State) -> Result<bool, Error> {
    Ok(query_scalar("SELECT EXISTS (SELECT 1 FROM listing WHERE source = $1 AND state = $2)")
        .bind(source)
        .bind(name_of(&state, STATE)?)
        .fetch_one(conn)
        .await?)
}

/// The live subscriptions of a source that have lines in this state.
pub async fn subscriptions(conn: &mut Conn, source: SourceId, state: State) -> Result<Vec<SubscriptionId>, Error> {
    Ok(query_scalar(
        "SELECT u.id FROM subscription u WHERE u.source = $1 AND u.ended_at IS NULL
         AND EXISTS (SELECT 1 FROM listing w WHERE w.source = $1 AND w.subscription = u.id AND w.state = $2)
         ORDER BY u.id",
    )
    .bind(source)
    .bind(name_of(&state, STATE)?)
    .fetch_all(conn)
    .await?)
}

/// Row, record, origin, number, tries.
type Row = (i64, Vec<u8>, String, Option<Vec<u8>>, i64);

/// A subscription's next lines in this state, at most `limit`.
pub async fn next(
    conn: &mut Conn,
    source: SourceId,
    subscription: SubscriptionId,
    state: State,
    limit: u32,
) -> Result<Vec<Listing>, Error> {
    let rows: Vec<Row> = query_as(
        "SELECT id, record, origin, number, tries FROM listing
         WHERE source = $1 AND subscription = $2 AND state = $3 ORDER BY id LIMIT $4",
    )
    .bind(source)
    .bind(subscription)
    .bind(name_of(&state, STATE)?)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(id, record, origin, number, tries)| {
            Ok(Listing {
                id,
                subscription,
                record: RECORD.record(&record)?,
                origin: ORIGIN.variant(&origin)?,
                number,
                tries: Column("listing", "tries").number(tries)?,
            })
        })
        .collect()
}

/// Record, state, class, subject.
type FateRow = (Vec<u8>, String, Option<String>, Option<Vec<u8>>);

/// What is said of these records on a subscription's list.
pub async fn find(
    conn: &mut Conn,
    subscription: SubscriptionId,
    records: &[RecordId],
) -> Result<HashMap<RecordId, Fate>, Error> {
    let rows: Vec<FateRow> = query_as(
        "SELECT record, state, class, subject FROM listing
         WHERE subscription = $1 AND record IN records($2)",
    )
    .bind(subscription)
    .bind(records)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(record, state, class, subject)| {
            let subject = subject.map(|bytes| Column("listing", "subject").record(&bytes)).transpose()?;
            Ok((RECORD.record(&record)?, Fate { state: STATE.variant(&state)?, class, subject }))
        })
        .collect()
}

/// Which of the rows are still there in this state.
pub async fn present(conn: &mut Conn, ids: &[i64], state: State) -> Result<Vec<i64>, Error> {
    Ok(query_scalar("SELECT id FROM listing WHERE id IN ids($1) AND state = $2")
        .bind(ids)
        .bind(name_of(&state, STATE)?)
        .fetch_all(conn)
        .await?)
}

/// The records of a subscription's lines that wait.
pub async fn waiting(conn: &mut Conn, subscription: SubscriptionId) -> Result<Vec<RecordId>, Error> {
    let rows: Vec<Vec<u8>> = query_scalar("SELECT record FROM listing WHERE subscription = $1 AND state = 'Waiting'")
        .bind(subscription)
        .fetch_all(conn)
        .await?;
    rows.iter().map(|bytes| RECORD.record(bytes)).collect()
}

/// Deletes lines that were met.
pub async fn delete(conn: &mut Conn, ids: &[i64]) -> Result<(), Error> {
    let whose = whose(&mut *conn, ids).await?;
    query("DELETE FROM listing WHERE id IN ids($1)").bind(ids).execute(&mut *conn).await?;
    list_state::touch(conn, &whose).await
}

/// Deletes what is said of these records on a subscription's list.
pub async fn withdraw(conn: &mut Conn, subscription: SubscriptionId, records: &[RecordId]) -> Result<(), Error> {
    if records.is_empty() {
        return Ok(());
    }
    query("DELETE FROM listing WHERE subscription = $1 AND record IN records($2)")
        .bind(subscription)
        .bind(records)
        .execute(&mut *conn)
        .await?;
    list_state::touch(conn, &[subscription]).await
}

/// Forgets what became of a subscription's lines.
pub async fn forget(conn: &mut Conn, subscription: SubscriptionId) -> Result<(), Error> {
    for state in [State::Listed, State::Unknown, State::Failed] {
        query("DELETE FROM listing WHERE subscription = $1 AND state = $2")
            .bind(subscription)
            .bind(name_of(&state, STATE)?)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Says what became of lines; their numbers go.
pub async fn settle(conn: &mut Conn, fates: &[(i64, Fate)], now: Timestamp) -> Result<(), Error> {
    if fates.is_empty() {
        return Ok(());
    }
    let value = |(id, fate): &(i64, Fate)| {
        let subject = fate.subject.map(|record| hex::encode(record.0));
        Ok((*id, name_of(&fate.state, STATE)?, fate.class.clone(), subject))
    };
    let values = fates.iter().map(value).collect::<Result<Vec<_>, Error>>()?;
    query(
        "UPDATE listing SET state = v.state, class = v.class, subject = v.subject, number = NULL, at = $1
         FROM (SELECT CAST(value ->> 0 AS BIGINT) AS id, value ->> 1 AS state, value ->> 2 AS class, unhex(value ->> 3) AS subject
               FROM json_each($2)) v
         WHERE listing.id = v.id",
    )
    .bind(now.as_millisecond())
    .bind(batch("listing", &values)?)
    .execute(&mut *conn)
    .await?;
    let ids: Vec<i64> = fates.iter().map(|(id, _)| *id).collect();
    let whose = whose(&mut *conn, &ids).await?;
    list_state::touch(conn, &whose).await
}

/// Counts one more try of lines.
pub async fn tried(conn: &mut Conn, ids: &[i64]) -> Result<(), Error> {
    query("UPDATE listing SET tries = tries + 1 WHERE id IN ids($1)").bind(ids).execute(conn).await?;
    Ok(())
}

/// How many lines of a subscription are in this state.
pub async fn count(conn: &mut Conn, subscription: SubscriptionId, state: State) -> Result<u64, Error> {
    let found: i64 = query_scalar("SELECT count(*) FROM listing WHERE subscription = $1 AND state = $2")
        .bind(subscription)
        .bind(name_of(&state, STATE)?)
        .fetch_one(conn)
        .await?;
    Ok(unsigned(found))
}

/// Forgets what became of lines before `before`, at most `limit`. How many.
pub async fn expire(conn: &mut Conn, before: Timestamp, limit: u32) -> Result<u64, Error> {
    let deleted = query(
        "DELETE FROM listing WHERE id IN
             (SELECT id FROM listing WHERE number IS NULL AND at < $1 AND state <> 'Leaving' LIMIT $2)",
    )
    .bind(before.as_millisecond())
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(deleted)
}
