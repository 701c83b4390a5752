//! Settling: what a changed selection, or the end of following, means for persons already stored. Resumable: each person's
//! row says for which version of the selections it is settled.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::matching::{self, Entry, Selectors};
use super::relatives::Relatives;
use super::selections::Selections;
use super::source::Source;
use super::weigh::due_day;
use crate::domain::change::{Change, DerivedFrom, ScopeReason, Snapshot};
use crate::domain::event_type::EventType;
use crate::domain::field_group::GroupSet;
use crate::domain::pairwise::{EventId, RecordId};
use crate::domain::person::Person;
use crate::domain::resource::ResourceKey;
use crate::domain::standing::Standing;
use crate::domain::status::Presence;
use crate::store::event::{NewEvent, NewRoute};
use crate::store::person::PersonRow;
use crate::store::seal::PersonKey;
use crate::store::{self, ConsumerId, SubscriptionId, event, meta, missed, person};

/// Persons that are settled in one transaction.
const BATCH: u32 = 1000;

/// What happened to one subscription's view of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// Came in, or went out and why.
    pub reason: ScopeReason,
    /// Whether the person came into what it covers.
    pub entered: bool,
}

/// Settles the next persons of a source, if any are left. How many.
pub async fn run_once(source: &Source) -> Result<usize, store::Error> {
    let selections = source.selections().await?;
    let mut conn = source.store.main.read().await?;
    let rows = person::unsettled(&mut conn, source.id, selections.version, BATCH).await?;
    drop(conn);
    if rows.is_empty() { Ok(0) } else { settle_rows(source, &selections, rows).await }
}

/// Whether a person stands as the present selections have it, and nobody has ceased to follow them since they were written.
pub fn is_settled(source: &Source, selections: &Selections, row: &PersonRow) -> bool {
    let (now, then) = (source.clock.now(), row.updated_at);
    row.settled >= selections.version
        && (row.standing.inactive_since.is_none()
            || shifts(&selections.now, &selections.now, &source.key, &row.standing, then, now).is_empty())
}

/// Settles these persons. Rows that are settled for a version that has passed by now are left for the next time, as are those
/// whose key is gone. How many were looked at.
pub async fn settle_rows(
    source: &Source,
    selections: &Selections,
    rows: Vec<PersonRow>,
) -> Result<usize, store::Error> {
    let now = source.clock.now();
    let known = Opened::open(source, rows).await?;
    source.store.keys.ensure_period(now).await?;
    let shifted = shift_all(source, selections, &known, now).await?;
    let relatives = Relatives::find(source, shifted.iter().map(|(known, _)| &known.person)).await?;
    let mut events = Vec::new();
    for (known, told) in &shifted {
        events.extend(scope_events(source, selections, known, &relatives, &told.now)?);
    }
    source.store.keys.ensure_claims(&claims(&events), now).await?;
    let mut missed_rows: Vec<_> = shifted.iter().flat_map(|(_, told)| &told.later).copied().collect();
    let settled = known.iter().map(|known| settled_row(source, selections, known, now));
    let settled = settled.collect::<Result<Vec<_>, _>>()?;

    let mut tx = source.store.main.begin().await?;
    if meta::selectors(&mut tx).await? != selections.version {
        return Ok(known.len());
    }
    let leaving = person::write(&mut tx, &settled, now).await?;
    events.retain(|event: &NewEvent| event.record.is_none_or(|record| !leaving.contains(&record)));
    missed_rows.retain(|(_, record, _)| !leaving.contains(record));
    let routes = event::append(&mut tx, &events, now).await?;
    missed::write(&mut tx, &missed_rows).await?;
    tx.commit().await?;
    if routes.is_some() {
        source.bells.routes.ring();
    }
    Ok(known.len())
}

/// The claims that the events' routes rest on.
pub fn claims(events: &[NewEvent]) -> Vec<(ConsumerId, RecordId)> {
    let claims = events.iter().filter_map(|event| Some((event.record?, &event.routes)));
    claims.flat_map(|(record, routes)| routes.iter().map(move |route| (route.consumer, record))).collect()
}

/// A stored person, opened.
pub struct Opened {
    /// The row.
    pub row: PersonRow,
    /// The key.
    pub key: PersonKey,
    /// The content.
    pub person: Person,
}

impl Opened {
    /// Opens rows; those whose key is gone are left out.
    pub async fn open(source: &Source, rows: Vec<PersonRow>) -> Result<Vec<Self>, store::Error> {
        let records: Vec<RecordId> = rows.iter().map(|row| row.record).collect();
        let keys = source.store.keys.person_keys(&records).await?;
        let mut known = Vec::new();
        for row in rows {
            let Some(key) = keys.get(&row.record).cloned() else { continue };
            known.push(Self { person: row.open(&key)?, row, key });
        }
        Ok(known)
    }
}

/// What is told of a person now, and what a subscription is told when it has been told all that it missed before.
#[derive(Default)]
struct Told {
    now: Vec<Shift>,
    later: Vec<(SubscriptionId, RecordId, bool)>,
}

/// The persons for whom anything shifted.
async fn shift_all<'a>(
    source: &Source,
    selections: &Selections,
    known: &'a [Opened],
    now: Timestamp,
) -> Result<Vec<(&'a Opened, Told)>, store::Error> {
    let (mut behind, mut shifted) = (HashMap::new(), Vec::new());
    let mut earlier: HashMap<i64, Arc<Selectors>> = HashMap::new();
    for known in known {
        let row = &known.row;
        let then = earlier.entry(row.settled).or_insert_with(|| selections.at(row.settled)).clone();
        let mut told = Told::default();
        for shift in shifts(&then, &selections.now, &source.key, &row.standing, row.updated_at, now) {
            let id = shift.subscription;
            let suspended = |selectors: &Selectors| selectors.get(id).is_some_and(|entry| entry.subscription.suspended);
            let waits = suspended(&selections.now) || suspended(&then) || is_behind(source, &mut behind, id).await?;
            match waits {
                true => told.later.push((id, row.record, !shift.entered)),
                false => told.now.push(shift),
            }
        }
        if !(told.now.is_empty() && told.later.is_empty()) {
            shifted.push((known, told));
        }
    }
    Ok(shifted)
}

/// Whether a subscription still has to be told what it missed.
async fn is_behind(
    source: &Source,
    known: &mut HashMap<SubscriptionId, bool>,
    id: SubscriptionId,
) -> Result<bool, store::Error> {
    if let Some(behind) = known.get(&id) {
        return Ok(*behind);
    }
    let behind = !missed::read(&mut *source.store.main.read().await?, id, 1).await?.is_empty();
    known.insert(id, behind);
    Ok(behind)
}

/// What changed between two selections, or two instants, for a person who stands still. A subscription that is new announces
/// nobody, and one that has ended says so itself.
pub fn shifts(
    then: &Selectors,
    now: &Selectors,
    source: &ResourceKey,
    standing: &Standing,
    at_then: Timestamp,
    at_now: Timestamp,
) -> Vec<Shift> {
    let before = matching::covering(then, source, standing, at_then);
    let after = matching::covering(now, source, standing, at_now);
    let has = |list: &[&Entry], id: SubscriptionId| list.iter().any(|entry| entry.id == id);
    let entered = after.iter().filter(|c| !has(&before, c.id) && then.get(c.id).is_some());
    let entered =
        entered.map(|c| Shift { subscription: c.id, reason: ScopeReason::SubscriptionChanged, entered: true });
    let left = before.iter().filter(|c| !has(&after, c.id)).filter_map(|c| {
        let present = now.get(c.id)?;
        let over_time = standing.status.presence() == Presence::Inactive
            && present.subscription.selector == c.subscription.selector;
        let reason = if over_time { ScopeReason::Inactive } else { ScopeReason::SubscriptionChanged };
        Some(Shift { subscription: c.id, reason, entered: false })
    });
    entered.chain(left).collect()
}

/// One event for each way and reason, with a route to every consumer that is to hear it.
fn scope_events(
    source: &Source,
    selections: &Selections,
    known: &Opened,
    relatives: &Relatives,
    shifts: &[Shift],
) -> Result<Vec<NewEvent>, store::Error> {
    let mut kinds: Vec<(bool, ScopeReason)> = shifts.iter().map(|shift| (shift.entered, shift.reason)).collect();
    kinds.sort_by_key(|(entered, reason)| (!entered, *reason as u8));
    kinds.dedup();
    let mut events = Vec::new();
    for (entered, reason) in kinds {
        let of_kind = shifts.iter().filter(|shift| (shift.entered, shift.reason) == (entered, reason));
        let type_ = if entered { EventType::ScopeEntered } else { EventType::ScopeLeft };
        let routes = routes(selections, type_, of_kind.map(|shift| shift.subscription));
        if !routes.is_empty() {
            let derived_from = if reason == ScopeReason::Inactive { DerivedFrom::Clock } else { DerivedFrom::Notice };
            let change = Change { scope: Some(reason), ..Change::new(type_, derived_from) };
            events.push(about(source, selections, known, relatives, change, routes)?);
        }
    }
    Ok(events)
}

/// One route for each consumer of these subscriptions; suspended ones have none.
pub fn routes(
    selections: &Selections,
    type_: EventType,
    subscriptions: impl Iterator<Item = SubscriptionId>,
) -> Vec<NewRoute> {
    let mut routes: Vec<NewRoute> = Vec::new();
    for id in subscriptions {
        let Some(entry) = selections.now.get(id).filter(|entry| !entry.subscription.suspended) else { continue };
        match routes.iter_mut().find(|route| route.consumer == entry.consumer) {
            Some(route) => route.subscriptions.push(id),
            None => routes.push(NewRoute { consumer: entry.consumer, type_, subscriptions: vec![id] }),
        }
    }
    routes
}

/// An event about a stored person as they stand, to be told to those on `routes`.
pub fn about(
    source: &Source,
    selections: &Selections,
    known: &Opened,
    relatives: &Relatives,
    change: Change,
    routes: Vec<NewRoute>,
) -> Result<NewEvent, store::Error> {
    let Opened { row, key, person } = known;
    let now = source.clock.now();
    let told = routes.iter().flat_map(|route| &route.subscriptions);
    let tellable =
        told.filter_map(|id| selections.now.get(*id)).fold(GroupSet::EMPTY, |all, e| all.union(e.subscription.granted));
    let audit = match &person.id {
        Some(id) => Some(source.store.keys.audit_references(id, person.number(source.clock.today()), now)?),
        None => None,
    };
    let id = EventId::random();
    let type_ = change.type_;
    let mut after = person.clone().cut_to(tellable);
    relatives.name_in(&mut after);
    let places = row.standing.municipality.into_iter().collect();
    let snapshot = Snapshot { change, on: source.clock.today(), after, before: None, before_on: None, places };
    Ok(NewEvent {
        id,
        record: Some(row.record),
        source: source.id,
        type_,
        snapshot: Some(event::seal(key, id, &snapshot)?),
        detail: None,
        audit,
        routes,
    })
}

/// The row for the present selections: content cut to what is granted now, and a fetch asked for where more is granted.
fn settled_row(
    source: &Source,
    selections: &Selections,
    known: &Opened,
    now: Timestamp,
) -> Result<PersonRow, store::Error> {
    let Opened { row, key, person } = known;
    let covering = matching::covering(&selections.now, &source.key, &row.standing, now);
    // Whom no subscription covers any more stays as they are for the grace, to be taken up again where it stopped.
    let keep = if covering.is_empty() { row.held } else { matching::groups_kept(&covering) };
    let offered = source.offered();
    let wanting = !keep.intersection(offered).minus(row.held).is_empty();
    let next_due = due_day(person, row.as_of, &row.standing, &selections.now, &source.key, now);
    let (held, content) = match row.held.minus(keep).is_empty() {
        true => (row.held, row.content.clone()),
        false => {
            let cut = person.clone().cut_to(keep);
            (cut.held, person::seal(key, source.id, &cut)?)
        }
    };
    Ok(PersonRow {
        settled: selections.version,
        uncovered_since: covering.is_empty().then_some(row.uncovered_since.unwrap_or(now)),
        refetch: row.refetch || wanting,
        updated_at: now,
        next_due,
        held,
        content,
        ..row.clone()
    })
}
