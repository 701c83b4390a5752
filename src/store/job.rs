//! Jobs: what somebody asked to be sent again or dropped, and how far it has come.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rows::{Column, count, name_of};
use super::sql::{query, query_as, query_scalar};
use super::{Conn, ConsumerId, Error, SourceId};
use crate::domain::pairwise::RecordId;

/// Id of a job, and the number of its replay; never given twice.
pub type JobId = i64;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Deliveries of a time, once more.
    Replay,
    /// A snapshot of everyone who is covered.
    Resync,
    /// Dead letters, sent once more.
    RetryDeadLetters,
    /// Dead letters, deleted.
    DropDeadLetters,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 4] = [Kind::Replay, Kind::Resync, Kind::RetryDeadLetters, Kind::DropDeadLetters];

    /// Its name, as stored.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Replay => "Replay",
            Kind::Resync => "Resync",
            Kind::RetryDeadLetters => "RetryDeadLetters",
            Kind::DropDeadLetters => "DropDeadLetters",
        }
    }
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Nothing was done yet.
    Waiting,
    /// Some of it was.
    Running,
    /// All of it.
    Done,
    /// It was given up; [`JobRow::problem`] says why.
    Failed,
}

/// What exactly is asked for; nothing that tells of a person, who stands in a column of their own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Parameters {
    /// Of a replay: committed at this time or later.
    pub from: Option<Timestamp>,
    /// Of a replay: committed before this time.
    pub to: Option<Timestamp>,
    /// The highest number of a route, or id of a dead letter, when it was asked for.
    pub upto: i64,
    /// Ids of dead letters; none for all.
    pub letters: Option<Vec<i64>>,
}

/// A job to insert.
pub struct NewJob {
    /// Of whom.
    pub consumer: ConsumerId,
    /// What.
    pub kind: Kind,
    /// What exactly.
    pub parameters: Parameters,
    /// The one person whom it is about, if it is about one.
    pub record: Option<RecordId>,
    /// Who asked: name, and how that is known.
    pub asker: (String, String),
    /// How many deliveries or dead letters it was meant to be.
    pub total: u64,
    /// The sources that each do a part.
    pub parts: Vec<SourceId>,
}

/// A job as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRow {
    /// Id.
    pub id: JobId,
    /// Of whom.
    pub consumer: ConsumerId,
    /// What.
    pub kind: Kind,
    /// What exactly.
    pub parameters: Parameters,
    /// The one person whom it is about, if it is about one.
    pub record: Option<RecordId>,
    /// Who asked: name, and how that is known.
    pub asker: (String, String),
    /// How it stands.
    pub state: State,
    /// The number of the last route or dead letter that was looked at.
    pub position: i64,
    /// How many deliveries or dead letters it was meant to be.
    pub total: u64,
    /// How many deliveries it has asked for, or dead letters dropped.
    pub done: u64,
    /// How many it left out, for the person or the event is gone.
    pub skipped: u64,
    /// When it was asked for.
    pub at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it failed.
    pub problem: Option<String>,
}

const KIND: Column = Column("job", "kind");
const STATE: Column = Column("job", "state");
const PARAMETERS: Column = Column("job", "parameters");

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    consumer: i64,
    kind: String,
    parameters: String,
    record: Option<Vec<u8>>,
    asker: String,
    asker_basis: String,
    state: String,
    position: i64,
    total: i64,
    done: i64,
    skipped: i64,
    at: i64,
    ended_at: Option<i64>,
    problem: Option<String>,
}

impl TryFrom<Row> for JobRow {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            consumer: row.consumer,
            kind: KIND.variant(&row.kind)?,
            parameters: PARAMETERS.json(&row.parameters)?,
            record: row.record.as_deref().map(|bytes| Column("job", "record").record(bytes)).transpose()?,
            asker: (row.asker, row.asker_basis),
            state: STATE.variant(&row.state)?,
            position: row.position,
            total: count(row.total),
            done: count(row.done),
            skipped: count(row.skipped),
            at: Column("job", "at").time(row.at)?,
            ended_at: Column("job", "ended_at").optional_time(row.ended_at)?,
            problem: row.problem,
        })
    }
}

/// Inserts a job with its parts.
pub async fn insert(conn: &mut Conn, job: &NewJob, now: Timestamp) -> Result<JobId, Error> {
    let id: i64 = query_scalar(
        "INSERT INTO job (consumer, kind, parameters, record, asker, asker_basis, state, position, total, done,
                          skipped, at)
         VALUES ($1, $2, $3, $4, $5, $6, 'Waiting', 0, $7, 0, 0, $8) RETURNING id",
    )
    .bind(job.consumer)
    .bind(job.kind.name())
    .bind(PARAMETERS.to_json(&job.parameters)?)
    .bind(job.record.map(|record| record.0.to_vec()))
    .bind(&job.asker.0)
    .bind(&job.asker.1)
    .bind(i64::try_from(job.total).unwrap_or(i64::MAX))
    .bind(now.as_millisecond())
    .fetch_one(&mut *conn)
    .await?;
    for source in &job.parts {
        query("INSERT INTO job_part (job, source, position) VALUES ($1, $2, $3)")
            .bind(id)
            .bind(*source)
            .bind(Vec::new())
            .execute(&mut *conn)
            .await?;
    }
    Ok(id)
}

/// A job by its id.
pub async fn get(conn: &mut Conn, id: JobId) -> Result<Option<JobRow>, Error> {
    let row: Option<Row> = query_as("SELECT * FROM job WHERE id = $1").bind(id).fetch_optional(conn).await?;
    row.map(JobRow::try_from).transpose()
}

/// The jobs that have not ended, oldest first.
pub async fn open(conn: &mut Conn) -> Result<Vec<JobRow>, Error> {
    let rows: Vec<Row> = query_as("SELECT * FROM job WHERE ended_at IS NULL ORDER BY id").fetch_all(conn).await?;
    rows.into_iter().map(JobRow::try_from).collect()
}

/// Moves a job on from the position at which `job` was read, by so many done and left out. Whether nobody else did before.
pub async fn advance(conn: &mut Conn, job: &JobRow, position: i64, (done, skipped): (u64, u64)) -> Result<bool, Error> {
    let moved = query(
        "UPDATE job SET state = 'Running', position = $1, done = done + $2, skipped = skipped + $3
         WHERE id = $4 AND position = $5 AND done = $6 AND skipped = $7 AND ended_at IS NULL",
    )
    .bind(position)
    .bind(i64::try_from(done).unwrap_or(i64::MAX))
    .bind(i64::try_from(skipped).unwrap_or(i64::MAX))
    .bind(job.id)
    .bind(job.position)
    .bind(i64::try_from(job.done).unwrap_or(i64::MAX))
    .bind(i64::try_from(job.skipped).unwrap_or(i64::MAX))
    .execute(conn)
    .await?;
    Ok(moved == 1)
}

/// Ends a job. Whether it had not ended yet.
pub async fn end(
    conn: &mut Conn,
    id: JobId,
    state: State,
    problem: Option<&str>,
    now: Timestamp,
) -> Result<bool, Error> {
    let ended = query("UPDATE job SET state = $1, problem = $2, ended_at = $3 WHERE id = $4 AND ended_at IS NULL")
        .bind(name_of(&state, STATE)?)
        .bind(problem)
        .bind(now.as_millisecond())
        .bind(id)
        .execute(conn)
        .await?;
    Ok(ended == 1)
}

/// The person up to whom a source has done its part, none where it has not begun; nothing where it has no part left.
pub async fn part(conn: &mut Conn, id: JobId, source: SourceId) -> Result<Option<Option<RecordId>>, Error> {
    let found: Option<Vec<u8>> = query_scalar("SELECT position FROM job_part WHERE job = $1 AND source = $2")
        .bind(id)
        .bind(source)
        .fetch_optional(conn)
        .await?;
    let record = |bytes: Vec<u8>| match bytes.is_empty() {
        true => Ok(None),
        false => Column("job_part", "position").record(&bytes).map(Some),
    };
    found.map(record).transpose()
}

/// Moves a source's part on from one person to another. Whether it stood there.
pub async fn advance_part(
    conn: &mut Conn,
    id: JobId,
    source: SourceId,
    from: Option<RecordId>,
    to: RecordId,
) -> Result<bool, Error> {
    let moved = query("UPDATE job_part SET position = $1 WHERE job = $2 AND source = $3 AND position = $4")
        .bind(to.0.as_slice())
        .bind(id)
        .bind(source)
        .bind(from.map(|record| record.0.to_vec()).unwrap_or_default())
        .execute(conn)
        .await?;
    Ok(moved == 1)
}

/// Ends a source's part.
pub async fn end_part(conn: &mut Conn, id: JobId, source: SourceId) -> Result<(), Error> {
    query("DELETE FROM job_part WHERE job = $1 AND source = $2").bind(id).bind(source).execute(conn).await?;
    Ok(())
}

/// How many parts are left that a source will do; those of sources that have ended are not.
pub async fn parts_left(conn: &mut Conn, id: JobId) -> Result<u64, Error> {
    let left: i64 = query_scalar(
        "SELECT count(*) FROM job_part p JOIN source s ON s.id = p.source WHERE p.job = $1 AND s.ended_at IS NULL",
    )
    .bind(id)
    .fetch_one(conn)
    .await?;
    Ok(count(left))
}

/// Deletes jobs that ended before `before`, at most `limit`. How many.
pub async fn delete_ended(conn: &mut Conn, before: Timestamp, limit: u32) -> Result<u64, Error> {
    let deleted =
        query("DELETE FROM job WHERE id IN (SELECT id FROM job WHERE ended_at IS NOT NULL AND ended_at < $1 LIMIT $2)")
            .bind(before.as_millisecond())
            .bind(limit)
            .execute(conn)
            .await?;
    Ok(deleted)
}
