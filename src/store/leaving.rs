//! Persons on their way out: marked, and deleted when their keys are gone.

use super::rows::Column;
use super::sql::{query, query_scalar};
use super::{Conn, Error, SourceId};
use crate::domain::pairwise::RecordId;

const RECORD: Column = Column("person", "record");

/// Marks persons as leaving, but for those of whom something is still to be told: an undelivered route, a parked delivery,
/// a dead letter that may yet be sent, an open request, an import that could not be read, a statement that may yet be undone,
/// or a change that a suspended subscription missed; and those whom a live subscription has by name, whether or not it covers
/// them at present, or is about to have. The records that were marked.
pub async fn mark_leaving(conn: &mut Conn, source: SourceId, records: &[RecordId]) -> Result<Vec<RecordId>, Error> {
    let marked: Vec<Vec<u8>> = query_scalar(
        "UPDATE person SET leaving = 1
         WHERE source = $1 AND leaving = 0 AND record IN records($2)
           AND NOT EXISTS (
               SELECT 1 FROM consumer c CROSS JOIN route r ON r.consumer = c.id AND r.record = person.record
               LEFT JOIN lane l ON l.consumer = r.consumer AND l.shard = r.shard
               WHERE r.seq > coalesce(l.watermark, 0))
           AND NOT EXISTS (
               SELECT 1 FROM consumer c CROSS JOIN parked p ON p.consumer = c.id AND p.record = person.record
               WHERE p.state <> 'GapOnly')
           AND NOT EXISTS (SELECT 1 FROM dead_letter d WHERE d.record = person.record AND d.snapshot IS NOT NULL)
           AND NOT EXISTS (SELECT 1 FROM request q WHERE q.record = person.record)
           AND NOT EXISTS (SELECT 1 FROM unread u WHERE u.record = person.record)
           AND NOT EXISTS (SELECT 1 FROM told t WHERE t.record = person.record)
           AND NOT EXISTS (SELECT 1 FROM missed m WHERE m.record = person.record AND m.covered = 1)
           AND NOT EXISTS (
               SELECT 1 FROM subject s JOIN subscription u ON u.id = s.subscription
               WHERE s.record = person.record AND s.source = person.source AND u.ended_at IS NULL)
           AND NOT EXISTS (SELECT 1 FROM listing w WHERE w.record = person.record AND w.state = 'Waiting')
         RETURNING record",
    )
    .bind(source)
    .bind(records)
    .fetch_all(conn)
    .await?;
    marked.iter().map(|bytes| RECORD.record(bytes)).collect()
}

/// Lets those of these persons stay who are marked: somebody is to have them by name. Only where their keys are still there, and
/// in the transaction that asked for that.
pub async fn keep(conn: &mut Conn, records: &[RecordId]) -> Result<(), Error> {
    let marked = marked(&mut *conn, records).await?;
    if !marked.is_empty() {
        query("UPDATE person SET leaving = 0 WHERE record IN records($1)").bind(&marked[..]).execute(conn).await?;
    }
    Ok(())
}

/// Those of these records any of whose rows is leaving.
pub(super) async fn marked(conn: &mut Conn, records: &[RecordId]) -> Result<Vec<RecordId>, Error> {
    let found: Vec<Vec<u8>> =
        query_scalar("SELECT DISTINCT record FROM person WHERE leaving = 1 AND record IN records($1)")
            .bind(records)
            .fetch_all(conn)
            .await?;
    found.iter().map(|bytes| RECORD.record(bytes)).collect()
}

/// Records whose every row is leaving, at most `limit`.
pub async fn leaving(conn: &mut Conn, limit: u32) -> Result<Vec<RecordId>, Error> {
    let found: Vec<Vec<u8>> = query_scalar(
        "SELECT DISTINCT record FROM person p WHERE leaving = 1
         AND NOT EXISTS (SELECT 1 FROM person o WHERE o.record = p.record AND o.leaving = 0) LIMIT $1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await?;
    found.iter().map(|bytes| RECORD.record(bytes)).collect()
}

/// Deletes at most a thousand rows that are leaving while another source still tells of the same person, whose key stays.
/// How many.
pub async fn delete_partly(conn: &mut Conn) -> Result<u64, Error> {
    let deleted = query(
        "DELETE FROM person WHERE leaving = 1 AND (record, source) IN (
             SELECT record, source FROM person p WHERE leaving = 1
             AND EXISTS (SELECT 1 FROM person o WHERE o.record = p.record AND o.leaving = 0) LIMIT 1000)",
    )
    .execute(conn)
    .await?;
    Ok(deleted)
}

/// Deletes every row about these records, whose keys are gone: person, subject, lines of lists, told, missed, unread, doubts,
/// requests and jobs, what is parked, routes and events, and the copies of sealed content in dead letters. How many person
/// rows.
pub async fn delete(conn: &mut Conn, records: &[RecordId]) -> Result<u64, Error> {
    for statement in [
        "DELETE FROM subject WHERE record IN records($1)",
        "DELETE FROM listing WHERE record IN records($1)",
        "DELETE FROM told WHERE record IN records($1)",
        "DELETE FROM missed WHERE record IN records($1)",
        "DELETE FROM unread WHERE record IN records($1)",
        "DELETE FROM doubt WHERE record IN records($1)",
        "DELETE FROM request WHERE record IN records($1)",
        "DELETE FROM parked WHERE (consumer, record) IN (
             SELECT c.id, j.record FROM records($1) j CROSS JOIN consumer c)",
        "DELETE FROM route WHERE seq IN (
             SELECT r.seq FROM records($1) j CROSS JOIN consumer c
             CROSS JOIN route r ON r.consumer = c.id AND r.record = j.record)",
        "DELETE FROM event WHERE record IN records($1)",
        "DELETE FROM job WHERE record IN records($1)",
        "UPDATE dead_letter SET snapshot = NULL, audit_period = NULL, audit_person = NULL, audit_number = NULL
         WHERE record IN records($1)",
    ] {
        query(statement).bind(records).execute(&mut *conn).await?;
    }
    let deleted = query("DELETE FROM person WHERE record IN records($1)").bind(records).execute(conn).await?;
    Ok(deleted)
}
