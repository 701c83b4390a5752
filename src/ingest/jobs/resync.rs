//! A resync: a snapshot of each person whom a consumer's subscriptions cover now. Each source's task tells of its own persons.

use super::count::{Page, grounds};
use super::run::{Office, Step};
use crate::domain::change::{Change, DerivedFrom};
use crate::domain::event_type::EventType;
use crate::domain::pairwise::RecordId;
use crate::domain::subject::Subjects;
use crate::ingest::relatives::Relatives;
use crate::ingest::selections::Selections;
use crate::ingest::settle::{Opened, about, claims, is_settled, settle_rows};
use crate::ingest::source::Source;
use crate::store::event::{NewEvent, NewRoute};
use crate::store::job::{self, JobRow};
use crate::store::person::PersonRow;
use crate::store::{Error, event, meta, person, subject};

/// Persons that are looked at together, and those of them that are told in one transaction.
const LOOK: u32 = 2_000;
const BATCH: usize = 500;

/// Tells of the next persons of the office's source.
pub(super) async fn step(office: &Office<'_>, job: &JobRow) -> Result<Step, Error> {
    let mut conn = office.store.main.read().await?;
    if job::parts_left(&mut conn, job.id).await? == 0 {
        return Ok(Step::Over);
    }
    let Some(source) = office.source else { return Ok(Step::Elsewhere) };
    let Some(after) = job::part(&mut conn, job.id, source.id).await? else { return Ok(Step::Elsewhere) };
    let page = Page::read(&mut conn, source.id, after, LOOK).await?;
    drop(conn);
    let selections = source.selections().await?;
    let mut covered = page.covered(&selections.now, &source.key, job.consumer, office.now);
    covered.truncate(BATCH);
    let looked = if covered.len() == BATCH { covered.last().copied() } else { page.last() };
    let Some(looked) = looked else { return end_part(office, job, source).await };
    let events = events(source, &selections, job, &covered).await?;
    source.store.keys.ensure_claims(&claims(&events), office.now).await?;
    let mut tx = office.store.main.begin().await?;
    let done = events.len() as u64;
    let skipped = covered.len() as u64 - done;
    if meta::selectors(&mut tx).await? == selections.version
        && job::advance_part(&mut tx, job.id, source.id, after, looked).await?
        && job::advance(&mut tx, job, job.position, (done, skipped)).await?
    {
        event::append_as(&mut tx, &events, Some(job.id), office.now).await?;
        tx.commit().await?;
        office.bells.routes.ring();
    }
    Ok(Step::Taken)
}

async fn end_part(office: &Office<'_>, job: &JobRow, source: &Source) -> Result<Step, Error> {
    let mut tx = office.store.main.begin().await?;
    job::end_part(&mut tx, job.id, source.id).await?;
    tx.commit().await?;
    Ok(Step::Taken)
}

/// A snapshot of each, for the job's consumer alone.
async fn events(
    source: &Source,
    selections: &Selections,
    job: &JobRow,
    records: &[RecordId],
) -> Result<Vec<NewEvent>, Error> {
    let mut known = Opened::open(source, settled(source, selections, records).await?).await?;
    known.sort_by_key(|known| known.row.record);
    let relatives = Relatives::find(source, known.iter().map(|known| &known.person)).await?;
    let now = source.clock.now();
    source.store.keys.ensure_period(now).await?;
    let mut events = Vec::new();
    for known in &known {
        let subscriptions = grounds(&selections.now, &source.key, job.consumer, known.seen(), now);
        if !subscriptions.is_empty() {
            let route = NewRoute { consumer: job.consumer, type_: EventType::Snapshot, subscriptions };
            let change = Change::new(EventType::Snapshot, DerivedFrom::Notice);
            events.push(about(source, selections, known, &relatives, change, vec![route])?);
        }
    }
    Ok(events)
}

/// The persons' rows, each settled first, so that who came into scope is told that before.
async fn settled(source: &Source, selections: &Selections, records: &[RecordId]) -> Result<Vec<PersonRow>, Error> {
    let rows = person::find(&mut *source.store.main.read().await?, source.id, records).await?;
    let subjects = subject::find(&mut *source.store.main.read().await?, Some(source.id), records).await?;
    let nobody = Subjects::default();
    let is_late = |row: &&PersonRow| !is_settled(source, selections, row, subjects.get(&row.record).unwrap_or(&nobody));
    let late: Vec<PersonRow> = rows.values().filter(is_late).cloned().collect();
    let rows = match late.is_empty() {
        true => rows,
        false => {
            settle_rows(source, selections, late).await?;
            person::find(&mut *source.store.main.read().await?, source.id, records).await?
        }
    };
    Ok(rows.into_values().filter(|row| !row.leaving).collect())
}
