//! Taking persons off a list.

use crate::domain::subject::{Origin, Subject};
use crate::ingest::Error;
use crate::ingest::announce;
use crate::ingest::matching::{self, Before, Sight};
use crate::ingest::relatives::Relatives;
use crate::ingest::settle::{self, Opened, about, claims};
use crate::ingest::source::Source;
use crate::store::event::{NewEvent, NewRoute};
use crate::store::listing::{self, Listing, State};
use crate::store::person::PersonRow;
use crate::store::subject::SubjectRow;
use crate::store::{SubscriptionId, event, meta, missed, person, subject};

/// Lines in one transaction.
const BATCH: u32 = 500;

/// Takes the next persons off their lists: with `scope.left` where the subscription covers them no more. How many.
pub async fn run_once(source: &Source) -> Result<usize, Error> {
    let waiting = listing::subscriptions(&mut *source.store.main.read().await?, source.id, State::Leaving).await?;
    let Some(subscription) = waiting.first().copied() else { return Ok(0) };
    // What a subscription missed is told before anything new.
    while announce::begun(source).await? + announce::resumed(source).await? > 0 {}
    let mut conn = source.store.main.read().await?;
    let lines = listing::next(&mut conn, source.id, subscription, State::Leaving, BATCH).await?;
    drop(conn);
    leave(source, subscription, &lines).await?;
    Ok(lines.len())
}

async fn leave(source: &Source, subscription: SubscriptionId, lines: &[Listing]) -> Result<(), Error> {
    let selections = source.selections().await?;
    let now = source.clock.now();
    let records: Vec<_> = lines.iter().map(|line| line.record).collect();
    let rows = person::find(&mut *source.store.main.read().await?, source.id, &records).await?;
    settle::settle_rows(source, &selections, rows.into_values().collect()).await?;
    let rows = person::find(&mut *source.store.main.read().await?, source.id, &records).await?;
    let known = Opened::open(source, rows.into_values().filter(|row| !row.leaving).collect()).await?;
    let relatives = Relatives::find(source, known.iter().map(|known| &known.person)).await?;
    source.store.keys.ensure_period(now).await?;
    let (mut events, mut missed_rows, mut settled): (Vec<NewEvent>, Vec<_>, Vec<PersonRow>) = Default::default();
    for known in &known {
        let record = known.row.record;
        let mut after = known.subjects.clone();
        after.set(subscription, Subject { listed: false, ..after.get(subscription) });
        let standing = &known.row.standing;
        let before = Before::Stored(standing);
        let sight = Sight { before, after: standing, subjects: &known.subjects, named: &after, told: &[], now };
        let outcome = matching::match_person(&selections.now, &source.key, &sight, Vec::new());
        for matched in outcome.matched {
            let route = |heard: matching::Heard| NewRoute {
                consumer: heard.consumer,
                type_: heard.type_,
                subscriptions: heard.subscriptions,
            };
            let routes = matched.heard.into_iter().map(route).collect();
            events.push(about(source, &selections, known, &relatives, matched.change, routes)?);
        }
        missed_rows.extend(outcome.missed.iter().map(|m| (m.subscription, record, m.covered_before)));
        settled.push(settle::settled_row(source, &selections, known, &after, now)?);
    }
    source.store.keys.ensure_claims(&claims(&events), now).await?;

    let mut tx = source.store.main.begin().await?;
    let ids: Vec<i64> = lines.iter().map(|line| line.id).collect();
    let present = listing::present(&mut tx, &ids, State::Leaving).await?;
    if meta::selectors(&mut tx).await? != selections.version || present.len() != ids.len() {
        return Ok(());
    }
    let leaving = person::write(&mut tx, &settled, now).await?;
    events.retain(|event| event.record.is_none_or(|record| !leaving.contains(&record)));
    missed_rows.retain(|(_, record, _)| !leaving.contains(record));
    let routes = event::append(&mut tx, &events, now).await?;
    missed::write(&mut tx, &missed_rows).await?;
    let of = |origin| records.iter().map(move |record| SubjectRow { subscription, record: *record, origin });
    subject::delete(&mut tx, &of(Origin::Managed).chain(of(Origin::Secret)).collect::<Vec<_>>()).await?;
    listing::delete(&mut tx, &ids).await?;
    tx.commit().await?;
    if routes.is_some() {
        source.bells.routes.ring();
    }
    let left = events.len();
    let key = selections.now.get(subscription).map(|entry| entry.subscription.key.to_string()).unwrap_or_default();
    tracing::info!(subscription = %key, lines = ids.len(), left, "persons taken off a list");
    Ok(())
}
