//! Whom a subscription covers.

use jiff::{SignedDuration, Timestamp};

use crate::domain::compiled::Subscription;
use crate::domain::protection::Regard;
use crate::domain::standing::Standing;
use crate::domain::status::Presence;
use crate::domain::subject::Subject;

/// Whether a subscription covers a person who stands so and whom it has so by name. Who died, emigrated or disappeared stays
/// covered for the subscription's time of following; who has no residence is covered by everyone and by name only; a void
/// entry by nobody. Suspension and the end of the subscription are not looked at.
pub fn covers(subscription: &Subscription, standing: &Standing, subject: Subject, now: Timestamp) -> bool {
    Regard::of(subscription, subject).covers(standing.protected)
        && covers_but_for_protection(subscription, standing, subject, now)
}

/// As [`covers`], for a person whose protection is left out of account.
pub(super) fn covers_but_for_protection(
    subscription: &Subscription,
    standing: &Standing,
    subject: Subject,
    now: Timestamp,
) -> bool {
    let named = is_named(subscription, subject, now);
    let selected = named || subscription.selector.has_place(standing.municipality);
    // Where persons have to live who are covered at all holds for those of a list too.
    let selected = selected && subscription.places.covers_place(standing.municipality);
    match standing.status.presence() {
        Presence::Resident => selected,
        Presence::Inactive => selected && follow_ends(subscription, standing).is_some_and(|end| now < end),
        Presence::Administrative => selected && (named || subscription.selector.everyone),
        Presence::Void => false,
    }
}

/// Whether a subscription has a person by name at present, wherever they live.
fn is_named(subscription: &Subscription, subject: Subject, now: Timestamp) -> bool {
    is_listed(subscription, subject) || move_ends(subscription, subject).is_some_and(|end| now < end)
}

/// Whether a person is on the list of a subscription that has one.
pub(super) fn is_listed(subscription: &Subscription, subject: Subject) -> bool {
    subscription.selector.listed && subject.listed
}

/// When the following of a person who died, emigrated or disappeared ends; none for others.
pub fn follow_ends(subscription: &Subscription, standing: &Standing) -> Option<Timestamp> {
    standing.inactive_since.map(|since| after(since, subscription.follow_inactive))
}

/// When the following of a person who moved away ends; none for others.
pub fn move_ends(subscription: &Subscription, subject: Subject) -> Option<Timestamp> {
    Some(after(subject.moved_at?, subscription.follow_on_move?))
}

fn after(since: Timestamp, time: std::time::Duration) -> Timestamp {
    let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    since.checked_add(time).unwrap_or(Timestamp::MAX)
}

/// Whether the subscription has not ended by itself.
pub fn is_live(subscription: &Subscription, now: Timestamp) -> bool {
    subscription.ends_at.is_none_or(|end| now < end)
}
