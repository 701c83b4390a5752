//! Coming into and leaving what a subscription covers, why, and what the one who leaves is still told of.

use jiff::Timestamp;

use super::Before;
use super::coverage::{covers, covers_but_for_protection, is_listed};
use crate::domain::change::{Change, DerivedFrom, ScopeReason};
use crate::domain::compiled::Subscription;
use crate::domain::event_type::EventType;
use crate::domain::field_group::FieldGroup;
use crate::domain::protection::Regard;
use crate::domain::standing::Standing;
use crate::domain::status::Presence;
use crate::domain::subject::Subject;

/// How a person passes a subscription's scope in one import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// Covered before and after.
    Stays,
    /// Covered from now on.
    Enters(ScopeReason),
    /// Covered until now.
    Leaves(ScopeReason),
    /// Covered neither before nor after.
    Outside,
}

/// How a subscription has the person by name, before what happened and after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ties {
    pub was: Subject,
    pub is: Subject,
}

/// How a person passes the scope of a subscription.
pub(super) fn passage(
    subscription: &Subscription,
    before: Before<'_>,
    after: &Standing,
    ties: Ties,
    now: Timestamp,
) -> Passage {
    let was_covered = before.standing().is_some_and(|before| covers(subscription, before, ties.was, now));
    match (was_covered, covers(subscription, after, ties.is, now)) {
        (true, true) if matches!(before, Before::Stored(_)) => Passage::Stays,
        (_, true) => Passage::Enters(why_entered(subscription, before, after, ties, now)),
        (true, false) => Passage::Leaves(why_left(subscription, after, ties)),
        (false, false) => Passage::Outside,
    }
}

fn why_entered(
    subscription: &Subscription,
    before: Before<'_>,
    after: &Standing,
    ties: Ties,
    now: Timestamp,
) -> ScopeReason {
    let was_within = |standing| covers_but_for_protection(subscription, standing, ties.was, now);
    let (was_listed, listed) = (is_listed(subscription, ties.was), is_listed(subscription, ties.is));
    match before {
        _ if listed && !was_listed => ScopeReason::Listed,
        Before::Stored(standing) if was_within(standing) => ScopeReason::Unprotected,
        Before::Stored(_) if listed && !subscription.selector.has_place(after.municipality) => ScopeReason::Listed,
        Before::Stored(_) => ScopeReason::Moved,
        Before::Rebuilt(standing) if !was_within(standing) => ScopeReason::Moved,
        Before::Rebuilt(_) | Before::Unknown => ScopeReason::FirstSeen,
    }
}

/// Protection comes before all that happens to the person, so that one under it is not said to have moved.
fn why_left(subscription: &Subscription, after: &Standing, ties: Ties) -> ScopeReason {
    match after.status.presence() {
        _ if is_listed(subscription, ties.was) && !is_listed(subscription, ties.is) => ScopeReason::Unlisted,
        _ if !Regard::of(subscription, ties.is).covers(after.protected) => ScopeReason::Protected,
        Presence::Inactive | Presence::Void => ScopeReason::Inactive,
        Presence::Resident | Presence::Administrative => ScopeReason::Moved,
    }
}

/// Whether a change belongs to the departure: what made the person leave, and a protection that governs what was told.
pub(super) fn tells_of_departure(change: &Change, reason: ScopeReason) -> bool {
    use EventType::*;
    match change.type_ {
        ProtectionStarted => true,
        _ if reason == ScopeReason::Protected => false,
        AddressChanged | AddressTechnical | Disappeared | Found | Emigrated | Immigrated | Returned | Died
        | DeathAnnulled | NumberCancelled | NumberRestored => true,
        Changed => change.changed.contains(FieldGroup::Status),
        _ => false,
    }
}

/// The event that says so, dated like the change that it follows from.
pub(super) fn scope_change(type_: EventType, reason: ScopeReason, changes: &[Change]) -> Change {
    let cause = changes.iter().find(|change| causes(change, reason));
    let how = changes.first().map_or(DerivedFrom::Comparison, |change| change.derived_from);
    Change {
        scope: Some(reason),
        effective_from: cause.and_then(|change| change.effective_from),
        registered_at: cause.and_then(|change| change.registered_at),
        ..Change::new(type_, cause.map_or(how, |change| change.derived_from))
    }
}

fn causes(change: &Change, reason: ScopeReason) -> bool {
    match reason {
        ScopeReason::Moved => matches!(change.type_, EventType::AddressChanged | EventType::AddressTechnical),
        ScopeReason::Protected => change.type_ == EventType::ProtectionStarted,
        ScopeReason::Unprotected => change.type_ == EventType::ProtectionEnded,
        ScopeReason::Inactive => {
            matches!(
                change.type_,
                EventType::Died | EventType::Emigrated | EventType::Disappeared | EventType::NumberCancelled
            )
        }
        ScopeReason::FirstSeen
        | ScopeReason::SubscriptionChanged
        | ScopeReason::Listed
        | ScopeReason::Unlisted
        | ScopeReason::FollowEnded => false,
    }
}
