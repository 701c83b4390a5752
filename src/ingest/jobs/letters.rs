//! Dead letters, sent once more or dropped.

use super::run::{Office, Step};
use crate::store::Error;
use crate::store::dead_letter::{self, Letter};
use crate::store::job::{self, JobRow, Kind};

/// Dead letters, or deliveries of a range of them, in one transaction.
const BATCH: u32 = 500;

/// Sends or drops the next ones.
pub(super) async fn step(office: &Office<'_>, job: &JobRow) -> Result<Step, Error> {
    let page = dead_letter::list(&mut *office.store.main.read().await?, job.consumer, job.position, BATCH).await?;
    let Some(last) = page.last().map(|letter| letter.seq) else { return Ok(Step::Over) };
    let mut meant: Vec<Letter> = page.into_iter().filter(|letter| is_meant(job, letter)).collect();
    if meant.is_empty() {
        return pass(office, job, last).await;
    }
    if job.kind == Kind::DropDeadLetters {
        return discard(office, job, &meant, last).await;
    }
    if meant[0].given_up.is_none() {
        return retry_range(office, job, &meant.swap_remove(0)).await;
    }
    let singles = meant.iter().take_while(|letter| letter.given_up.is_some()).count();
    // The range that follows is next: what lies before it is what was looked at.
    let last = meant.get(singles).map_or(last, |range| range.seq - 1);
    retry(office, job, &meant[..singles], last).await
}

/// Nobody's failure to take what this job sends becomes part of it.
fn is_meant(job: &JobRow, letter: &Letter) -> bool {
    let named = job.parameters.letters.as_ref().is_none_or(|ids| ids.contains(&letter.id));
    named && letter.id <= job.parameters.upto
}

async fn pass(office: &Office<'_>, job: &JobRow, last: i64) -> Result<Step, Error> {
    let mut tx = office.store.main.begin().await?;
    if job::advance(&mut tx, job, last, (0, 0)).await? {
        tx.commit().await?;
    }
    Ok(Step::Taken)
}

async fn discard(office: &Office<'_>, job: &JobRow, letters: &[Letter], last: i64) -> Result<Step, Error> {
    let ids: Vec<i64> = letters.iter().map(|letter| letter.id).collect();
    let mut tx = office.store.main.begin().await?;
    let dropped = dead_letter::delete(&mut tx, job.consumer, &ids).await?;
    if job::advance(&mut tx, job, last, (dropped, 0)).await? {
        tx.commit().await?;
    }
    Ok(Step::Taken)
}

async fn retry(office: &Office<'_>, job: &JobRow, letters: &[Letter], last: i64) -> Result<Step, Error> {
    let ids: Vec<i64> = letters.iter().map(|letter| letter.id).collect();
    let mut tx = office.store.main.begin().await?;
    let sent = dead_letter::retry(&mut tx, job.id, &ids, office.now).await?;
    if job::advance(&mut tx, job, last, (sent, ids.len() as u64 - sent)).await? {
        tx.commit().await?;
        office.bells.routes.ring();
    }
    Ok(Step::Taken)
}

async fn retry_range(office: &Office<'_>, job: &JobRow, range: &Letter) -> Result<Step, Error> {
    let mut tx = office.store.main.begin().await?;
    let step = (BATCH, office.now);
    let (sent, gone) = dead_letter::retry_range(&mut tx, job.id, job.consumer, range, step).await?;
    // What is left of the range, and another letter of the same number, are still to come.
    if job::advance(&mut tx, job, range.seq - 1, (sent, gone)).await? {
        tx.commit().await?;
        office.bells.routes.ring();
    }
    Ok(Step::Taken)
}
