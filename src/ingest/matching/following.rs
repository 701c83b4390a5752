//! Following after a move: who leaves a subscription's municipalities is covered for a while longer, until they come back.

use jiff::Timestamp;

use super::Before;
use super::coverage::{covers, covers_but_for_protection};
use crate::domain::compiled::Subscription;
use crate::domain::standing::Standing;
use crate::domain::status::Presence;
use crate::domain::subject::Subject;

/// How a subscription has the person by name after what happened: who was covered for where they lived, and moved away, is
/// followed from `now` on; who lives within its municipalities is not followed any more.
pub(super) fn followed(
    subscription: &Subscription,
    before: Before<'_>,
    after: &Standing,
    subject: Subject,
    now: Timestamp,
) -> Subject {
    let by_place = |standing: &Standing| covers(subscription, standing, Subject::default(), now);
    let lives_here =
        after.status.presence() == Presence::Resident && subscription.selector.has_place(after.municipality);
    if lives_here {
        return Subject { moved_at: None, ..subject };
    }
    let moved_away = matches!(after.status.presence(), Presence::Resident | Presence::Administrative)
        && before.standing().is_some_and(by_place)
        && !covers_but_for_protection(subscription, after, subject, now);
    let follows = Subject { moved_at: Some(now), ..subject };
    match moved_away && covers_but_for_protection(subscription, after, follows, now) {
        true => follows,
        false => subject,
    }
}
