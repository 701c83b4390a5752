//! Whom a subscription covers.

use jiff::{SignedDuration, Timestamp};

use crate::domain::compiled::{Selector, Subscription};
use crate::domain::protection::Regard;
use crate::domain::standing::Standing;
use crate::domain::status::Presence;

/// Whether a subscription covers a person who stands so. Who died, emigrated or disappeared stays covered for the
/// subscription's time of following; who has no residence is covered by everyone only; a void entry by nobody. Suspension
/// and the end of the subscription are not looked at.
pub fn covers(subscription: &Subscription, standing: &Standing, now: Timestamp) -> bool {
    Regard::of(subscription).covers(standing.protected) && covers_but_for_protection(subscription, standing, now)
}

/// As [`covers`], for a person whose protection is left out of account.
pub(super) fn covers_but_for_protection(subscription: &Subscription, standing: &Standing, now: Timestamp) -> bool {
    let everyone = subscription.selector == Selector::Everyone;
    let selected = match &subscription.selector {
        Selector::Everyone => true,
        Selector::Municipalities(selected) => standing.municipality.is_some_and(|here| selected.contains(&here)),
    };
    let selected = selected && subscription.places.covers_place(standing.municipality);
    match standing.status.presence() {
        Presence::Resident => selected,
        Presence::Inactive => selected && follow_ends(subscription, standing).is_some_and(|end| now < end),
        Presence::Administrative => selected && everyone,
        Presence::Void => false,
    }
}

/// When the following of a person who died, emigrated or disappeared ends; none for others.
pub fn follow_ends(subscription: &Subscription, standing: &Standing) -> Option<Timestamp> {
    let time = SignedDuration::try_from(subscription.follow_inactive).unwrap_or(SignedDuration::MAX);
    standing.inactive_since.map(|since| since.checked_add(time).unwrap_or(Timestamp::MAX))
}

/// Whether the subscription has not ended by itself.
pub fn is_live(subscription: &Subscription, now: Timestamp) -> bool {
    subscription.ends_at.is_none_or(|end| now < end)
}
