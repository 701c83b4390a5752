//! Taking persons off a list.

use crate::domain::pairwise::RecordId;
use crate::domain::subject::{Origin, Subject};
use crate::ingest::Error;
use crate::ingest::announce;
use crate::ingest::matching::{self, Before, Sight};
use crate::ingest::relatives::Relatives;
use crate::ingest::selections::Selections;
use crate::ingest::settle::{self, Opened, about, claims};
use crate::ingest::source::Source;
use crate::store::event::{NewEvent, NewRoute};
use crate::store::listing::{self, Listing, State};
use crate::store::person::PersonRow;
use crate::store::subject::SubjectRow;
use crate::store::{self, SubscriptionId, event, meta, missed, person, subject};

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
    let records: Vec<RecordId> = lines.iter().map(|line| line.record).collect();
    let known = settled(source, &selections, &records).await?;
    let relatives = Relatives::find(source, known.iter().map(|known| &known.person)).await?;
    source.store.keys.ensure_period(now).await?;
    let mut told = Told::default();
    for known in &known {
        told.take_off(source, &selections, known, subscription, &relatives)?;
    }
    source.store.keys.ensure_claims(&claims(&told.events), now).await?;

    let mut tx = source.begin().await?;
    let ids: Vec<i64> = lines.iter().map(|line| line.id).collect();
    let present = listing::present(&mut tx, &ids, State::Leaving).await?;
    let written: Vec<RecordId> = told.rows.iter().map(|row| row.record).collect();
    let is_present = present.len() == ids.len() && source.store.keys.are_there(&written).await?;
    if meta::selectors(&mut tx).await? != selections.version || !is_present {
        return Ok(());
    }
    let leaving = person::write(&mut tx, &told.rows, now).await?;
    told.events.retain(|event| event.record.is_none_or(|record| !leaving.contains(&record)));
    told.missed.retain(|(_, record, _)| !leaving.contains(record));
    let routes = event::append(&mut tx, &told.events, now).await?;
    missed::write(&mut tx, &told.missed).await?;
    let of = |origin| records.iter().map(move |record| SubjectRow { subscription, record: *record, origin });
    subject::delete(&mut tx, &of(Origin::Managed).chain(of(Origin::Secret)).collect::<Vec<_>>()).await?;
    listing::delete(&mut tx, &ids).await?;
    tx.commit().await?;
    if routes.is_some() {
        source.bells.routes.ring();
    }
    let key = selections.now.get(subscription).map(|entry| entry.subscription.key.to_string()).unwrap_or_default();
    tracing::info!(subscription = %key, lines = ids.len(), left = told.events.len(), "persons taken off a list");
    Ok(())
}

/// The stored persons who are not being removed, each settled first, so that no other shift of theirs is lost.
async fn settled(source: &Source, selections: &Selections, records: &[RecordId]) -> Result<Vec<Opened>, Error> {
    let rows = person::find(&mut *source.store.main.read().await?, source.id, records).await?;
    settle::settle_rows(source, selections, rows.into_values().collect()).await?;
    let rows = person::find(&mut *source.store.main.read().await?, source.id, records).await?;
    Ok(Opened::open(source, rows.into_values().filter(|row| !row.leaving).collect()).await?)
}

/// What is written of persons who are taken off a list.
#[derive(Default)]
struct Told {
    events: Vec<NewEvent>,
    missed: Vec<(SubscriptionId, RecordId, bool)>,
    rows: Vec<PersonRow>,
}

impl Told {
    fn take_off(
        &mut self,
        source: &Source,
        selections: &Selections,
        known: &Opened,
        subscription: SubscriptionId,
        relatives: &Relatives,
    ) -> Result<(), store::Error> {
        let (now, standing) = (source.clock.now(), &known.row.standing);
        let mut named = known.subjects.clone();
        named.set(subscription, Subject { listed: false, ..named.get(subscription) });
        let before = Before::Stored(standing);
        let sight = Sight { before, after: standing, subjects: &known.subjects, named: &named, told: &[], now };
        let outcome = matching::match_person(&selections.now, &source.key, &sight, Vec::new());
        for matched in outcome.matched {
            let routes = matched.heard.into_iter().map(|heard| NewRoute {
                consumer: heard.consumer,
                type_: heard.type_,
                subscriptions: heard.subscriptions,
            });
            self.events.push(about(source, selections, known, relatives, matched.change, routes.collect())?);
        }
        let missed = outcome.missed.iter().map(|missed| (missed.subscription, known.row.record, missed.covered_before));
        self.missed.extend(missed);
        self.rows.push(settle::settled_row(source, selections, known, &named, now)?);
        Ok(())
    }
}
