//! A replay: new routes for what was sent in a time.

use jiff::Timestamp;

use super::run::{Office, Step};
use crate::domain::pairwise::RecordId;
use crate::store::Error;
use crate::store::job::{self, JobRow};
use crate::store::replay::{self, Range};

/// Routes in one transaction.
const BATCH: u32 = 1_000;

/// Asks for the next deliveries once more.
pub(super) async fn step(office: &Office<'_>, job: &JobRow) -> Result<Step, Error> {
    let range = Range {
        consumer: job.consumer,
        record: job.record,
        from: job.parameters.from.unwrap_or(Timestamp::MIN),
        to: job.parameters.to.unwrap_or(Timestamp::MAX),
        upto: job.parameters.upto,
    };
    let page = replay::look(&mut *office.store.main.read().await?, &range, job.position, BATCH).await?;
    let Some(last) = page.last else { return Ok(Step::Over) };
    let records: Vec<RecordId> = page.found.iter().map(|one| one.record).collect();
    let claimed = office.store.keys.claimed(job.consumer, &records).await?;
    let seqs: Vec<i64> = page.found.iter().filter(|one| claimed.contains(&one.record)).map(|one| one.seq).collect();
    let mut tx = office.store.main.begin().await?;
    let written = replay::repeat(&mut tx, job.id, &seqs, office.now).await?;
    let skipped = page.gone + page.found.len() as u64 - written;
    if job::advance(&mut tx, job, last, (written, skipped)).await? {
        tx.commit().await?;
        office.bells.routes.ring();
    }
    Ok(Step::Taken)
}
