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
use crate::domain::compiled::Subscription;
use crate::domain::event_type::EventType;
use crate::domain::field_group::GroupSet;
use crate::domain::pairwise::{EventId, RecordId};
use crate::domain::person::Person;
use crate::domain::resource::ResourceKey;
use crate::domain::standing::Standing;
use crate::domain::status::Presence;
use crate::domain::subject::{Origin, Subjects};
use crate::store::event::{NewEvent, NewRoute};
use crate::store::person::PersonRow;
use crate::store::seal::PersonKey;
use crate::store::subject::SubjectRow;
use crate::store::{self, ConsumerId, SubscriptionId, event, meta, missed, person, subject};

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
pub fn is_settled(source: &Source, selections: &Selections, row: &PersonRow, subjects: &Subjects) -> bool {
    let (now, then) = (source.clock.now(), row.updated_at);
    let is_followed = row.standing.inactive_since.is_some() || !subjects.is_empty();
    let person = Seen { standing: &row.standing, subjects };
    row.settled >= selections.version
        && (!is_followed || shifts(&selections.now, &selections.now, &source.key, person, then, now).is_empty())
}

/// Settles these persons. All are left for the next time where the selections have moved on meanwhile, as are those whose key
/// is gone. How many were settled: while many subscriptions change one after the other nobody is, and it is not tried at once.
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
    let settled = known.iter().map(|known| settled_row(source, selections, known, &known.subjects, now));
    let settled = settled.collect::<Result<Vec<_>, _>>()?;
    let unnamed: Vec<SubjectRow> = known.iter().flat_map(|known| unnamed(selections, known, now)).collect();

    let mut tx = source.begin().await?;
    let written: Vec<RecordId> = settled.iter().map(|row| row.record).collect();
    if meta::selectors(&mut tx).await? != selections.version || !source.store.keys.are_there(&written).await? {
        return Ok(0);
    }
    let leaving = person::write(&mut tx, &settled, now).await?;
    events.retain(|event: &NewEvent| event.record.is_none_or(|record| !leaving.contains(&record)));
    missed_rows.retain(|(_, record, _)| !leaving.contains(record));
    let routes = event::append(&mut tx, &events, now).await?;
    missed::write(&mut tx, &missed_rows).await?;
    subject::delete(&mut tx, &unnamed).await?;
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
    /// Which subscriptions have the person by name.
    pub subjects: Subjects,
}

impl Opened {
    /// What decides who covers the person.
    pub fn seen(&self) -> Seen<'_> {
        Seen { standing: &self.row.standing, subjects: &self.subjects }
    }

    /// Opens rows; those whose key is gone are left out.
    pub async fn open(source: &Source, rows: Vec<PersonRow>) -> Result<Vec<Self>, store::Error> {
        let records: Vec<RecordId> = rows.iter().map(|row| row.record).collect();
        let keys = source.store.keys.person_keys(&records).await?;
        let mut subjects = subject::find(&mut *source.store.main.read().await?, Some(source.id), &records).await?;
        let mut known = Vec::new();
        for row in rows {
            let Some(key) = keys.get(&row.record).cloned() else { continue };
            let subjects = subjects.remove(&row.record).unwrap_or_default();
            known.push(Self { person: row.open(&key)?, row, key, subjects });
        }
        Ok(known)
    }
}

/// What decides who covers a person.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Where they stand.
    pub standing: &'a Standing,
    /// Which subscriptions have them by name.
    pub subjects: &'a Subjects,
}

/// The names that subscriptions have no use for any more: of a list that they have no longer, and of a following that ended.
fn unnamed(selections: &Selections, known: &Opened, now: Timestamp) -> Vec<SubjectRow> {
    let mut unnamed = Vec::new();
    for subscription in known.subjects.subscriptions() {
        let Some(entry) = selections.now.get(subscription) else { continue };
        let subject = known.subjects.get(subscription);
        let row = |origin| SubjectRow { subscription, record: known.row.record, origin };
        if subject.listed && !entry.subscription.selector.listed {
            unnamed.extend([row(Origin::Managed), row(Origin::Secret)]);
        }
        let follows = matching::move_ends(&entry.subscription, subject).is_some_and(|end| now < end);
        if subject.moved_at.is_some() && !follows {
            unnamed.push(row(Origin::Moved));
        }
    }
    unnamed
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
        for shift in shifts(&then, &selections.now, &source.key, known.seen(), row.updated_at, now) {
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
    person: Seen<'_>,
    at_then: Timestamp,
    at_now: Timestamp,
) -> Vec<Shift> {
    let Seen { standing, subjects } = person;
    let before = matching::covering(then, source, standing, subjects, at_then);
    let after = matching::covering(now, source, standing, subjects, at_now);
    let has = |list: &[&Entry], id: SubscriptionId| list.iter().any(|entry| entry.id == id);
    let entered = after.iter().filter(|c| !has(&before, c.id) && then.get(c.id).is_some());
    let entered =
        entered.map(|c| Shift { subscription: c.id, reason: ScopeReason::SubscriptionChanged, entered: true });
    let left = before.iter().filter(|c| !has(&after, c.id)).filter_map(|c| {
        // Of one that may be told nothing at all nobody is told to have left: it will hear of them anew, if it ever does.
        let present = now.get(c.id).filter(|present| !present.subscription.covers_nobody())?;
        let reason = why_left(&c.subscription, &present.subscription, person, c.id, at_now);
        Some(Shift { subscription: c.id, reason, entered: false })
    });
    entered.chain(left).collect()
}

/// Why a person who stands still is covered no more: time has passed, or else the subscription is another.
fn why_left(
    then: &Subscription,
    now: &Subscription,
    person: Seen<'_>,
    id: SubscriptionId,
    at_now: Timestamp,
) -> ScopeReason {
    let over = |end: Option<Timestamp>| end.is_some_and(|end| end <= at_now);
    let is_over = over(matching::move_ends(now, person.subjects.get(id)));
    match then.selector == now.selector {
        true if is_over && !over(matching::follow_ends(now, person.standing)) => ScopeReason::FollowEnded,
        true if person.standing.status.presence() == Presence::Inactive => ScopeReason::Inactive,
        _ => ScopeReason::SubscriptionChanged,
    }
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
            let derived_from = match reason {
                ScopeReason::Inactive | ScopeReason::FollowEnded => DerivedFrom::Clock,
                _ => DerivedFrom::Notice,
            };
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
    let Opened { row, key, person, .. } = known;
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

/// The row for the present selections and those who have the person by name: content cut to what is granted now, and a fetch
/// asked for where more is granted.
pub fn settled_row(
    source: &Source,
    selections: &Selections,
    known: &Opened,
    subjects: &Subjects,
    now: Timestamp,
) -> Result<PersonRow, store::Error> {
    let Opened { row, key, person, .. } = known;
    let covering = matching::covering(&selections.now, &source.key, &row.standing, subjects, now);
    // Whom no subscription covers any more stays as they are for the grace, to be taken up again where it stopped.
    let keep = if covering.is_empty() { row.held } else { matching::groups_kept(&covering) };
    let offered = source.offered();
    let wanting = !keep.intersection(offered).minus(row.held).is_empty();
    let next_due = due_day(person, row.as_of, &row.standing, subjects, &selections.now, &source.key, now);
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
