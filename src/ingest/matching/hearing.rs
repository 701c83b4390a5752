//! As which type a subscription hears a change, if it hears it at all.

use crate::domain::change::Change;
use crate::domain::compiled::Subscription;
use crate::domain::event_type::{Class, EventType};
use crate::domain::protection::{Regard, Ruling};
use crate::domain::standing::Standing;
use crate::domain::status::{Presence, StatusCode};
use crate::domain::subject::Subject;

/// The most specific type that the subscription asks for and may hear of a change, seen from its own selection.
pub(super) fn heard_as(
    subscription: &Subscription,
    subject: Subject,
    change: &Change,
    before: Option<&Standing>,
    after: &Standing,
) -> Option<EventType> {
    let type_ = match change.type_ {
        EventType::AddressChanged => before
            .and_then(|before| move_seen(subscription, before, after))
            .filter(|type_| hears(subscription, *type_, change))
            .unwrap_or(EventType::AddressChanged),
        other => other,
    };
    let told = hears(subscription, type_, change);
    (told && Regard::of(subscription, subject).rule(after.protected, type_) != Ruling::Withhold).then_some(type_)
}

/// Whether the subscription asks for the type and is granted what it needs. `changed` needs one of the groups that it is
/// about, unless the register does not say what changed.
fn hears(subscription: &Subscription, type_: EventType, change: &Change) -> bool {
    match type_.class() {
        Class::Always if type_ == EventType::Changed => {
            change.changed.is_empty() || !change.changed.intersection(subscription.granted).is_empty()
        }
        Class::Always => true,
        Class::Selectable | Class::OnRequest => {
            subscription.types.contains(type_) && type_.may_be_heard_with(subscription.granted)
        }
    }
}

/// What a change of residence is to the subscription: in, out or within its municipalities; to everyone, in from abroad and
/// out to it. None where nobody moved, for their whereabouts became unknown or they died; and where the subscription selects
/// nobody by place.
fn move_seen(subscription: &Subscription, before: &Standing, after: &Standing) -> Option<EventType> {
    if matches!(after.status, StatusCode::Disappeared | StatusCode::Dead) {
        return None;
    }
    match (lived_within(subscription, before), lives_within(subscription, after)) {
        (false, true) => Some(EventType::MovedIn),
        (true, false) => Some(EventType::MovedOut),
        (true, true) => Some(EventType::MovedWithin),
        (false, false) => None,
    }
}

fn lives_within(subscription: &Subscription, standing: &Standing) -> bool {
    standing.status.presence() == Presence::Resident && selects(subscription, standing)
}

/// Who had disappeared or was taken for dead is counted where they last lived.
fn lived_within(subscription: &Subscription, standing: &Standing) -> bool {
    let counted = matches!(standing.status, StatusCode::Disappeared | StatusCode::Dead);
    (counted && selects(subscription, standing)) || lives_within(subscription, standing)
}

fn selects(subscription: &Subscription, standing: &Standing) -> bool {
    let here = standing.municipality;
    subscription.selector.has_place(here) && subscription.places.covers_place(here)
}
