//! The status of a subscription, from what was applied and from the clock.

use jiff::{SignedDuration, Timestamp};

use super::apply::{Applied, OF_RIGHTS};
use super::life::Life;
use super::list::List;
use super::validate::explicit_types;
use crate::api::conditions::ConditionType;
use crate::api::subscription::{CprSubscription, CprSubscriptionStatus};
use crate::domain::event_type::EventType;
use crate::ingest::lists::{Counts, Load};
use crate::operator::fleet::{Fleet, key_of};
use crate::operator::refusal::Refusal;
use crate::operator::report::{self, Done, Draft, Holds};
use crate::operator::requeue::Error;
use crate::store::source::SchemaState;
use crate::store::subscription::EndReason;

/// Writes the status if it says something new. Another look comes by the clock, or for the count of persons.
pub async fn report(subscription: &CprSubscription, applied: &Applied, fleet: &Fleet) -> Result<Done, Error> {
    let (key, now) = (key_of(subscription), fleet.now());
    let last = fleet.subscriptions.last(subscription);
    let new = compute(subscription, applied, &last, Speed::of(fleet), now);
    let done = report::write::<CprSubscription>(fleet, &key, &subscription.metadata, &last, new).await?;
    let count = fleet.counts.again(&key, now, fleet.status_interval());
    let done = done.again_by(applied.life.and_then(|life| life.next(now))).again_by(count);
    Ok(done.again_by(look_at_list(applied.list.as_ref(), now)))
}

/// How long a list that is being loaded is left alone before it is looked at again.
const WHILE_LOADING: SignedDuration = SignedDuration::from_secs(10);

/// A list that is being loaded, or whose Secret is not as it should be, is looked at again before long.
fn look_at_list(list: Option<&List>, now: Timestamp) -> Option<Timestamp> {
    let is_loading = |load: Load| load.counts.waiting > 0;
    list.filter(|list| list.refusal.is_some() || list.load.is_some_and(is_loading))?;
    now.checked_add(WHILE_LOADING).ok()
}

/// How many persons a second the register can be asked for, and a list may gain.
#[derive(Clone, Copy, Debug)]
struct Speed {
    per_second: u64,
    per_hour: u64,
}

impl Speed {
    fn of(fleet: &Fleet) -> Self {
        let (register, lists) = (&fleet.context().register, &fleet.context().lists);
        Self {
            per_second: u64::from(register.requests_per_second) * u64::from(register.batch),
            per_hour: lists.additions_per_hour.into(),
        }
    }

    /// How many minutes it takes at least to load so many persons, rounded up.
    fn minutes(self, persons: u64) -> u64 {
        let by_rate = persons.div_ceil(self.per_second.max(1)).div_ceil(60);
        let by_limit = persons.saturating_sub(1) / self.per_hour.max(1) * 60;
        by_rate.max(by_limit)
    }
}

/// Whether everyone covered is known. A list that could not be read goes before how it loads.
fn set_load(draft: &mut Draft, list: Option<&List>, speed: Speed, now: Timestamp) {
    let type_ = ConditionType::InitialLoadComplete;
    let Some(list) = list else {
        let message = "persons become known as the register reports them; there is no list to load first";
        return draft.set(type_, true, "OnFirstSight", message);
    };
    if let Some(refusal) = &list.refusal {
        return draft.set(type_, false, refusal.reason, &refusal.message);
    }
    let Some(load) = list.load else {
        return draft.set(type_, Holds::Unknown, "NotStarted", "the list is loaded when the subscription has begun");
    };
    let Counts { listed, waiting, unknown, failed } = load.counts;
    if let Some(until) = load.held_until.filter(|until| *until > now) {
        let message = format!(
            "{waiting} numbers wait until {until}: the list has gained as many persons, or asked for as many unknown numbers, as the settings lists.additions_per_hour and lists.unknown_per_hour allow in an hour"
        );
        return draft.set(type_, false, "LimitReached", &message);
    }
    if waiting > 0 {
        let minutes = speed.minutes(waiting);
        let message = format!(
            "{listed} persons are on the list, and {waiting} numbers wait to be asked of the register: about {minutes} minutes at its rate limit"
        );
        return draft.set(type_, false, "Loading", &message);
    }
    if unknown + failed > 0 {
        let message = format!(
            "{listed} persons are on the list; of the last day's numbers the register does not know {unknown}, and {failed} could not be read: correct them, or add them again"
        );
        return draft.set(type_, true, "LoadedWithUnknown", &message);
    }
    draft.set(type_, true, "Loaded", &format!("{listed} persons are on the list"));
}

fn compute(
    subscription: &CprSubscription,
    applied: &Applied,
    last: &CprSubscriptionStatus,
    speed: Speed,
    now: Timestamp,
) -> CprSubscriptionStatus {
    let mut draft = Draft::begin(&last.conditions, subscription.metadata.generation.unwrap_or_default(), now);
    set_references(&mut draft, applied);
    set_types(&mut draft, subscription, applied.schema.as_ref());
    set_load(&mut draft, applied.list.as_ref(), speed, now);
    set_life(&mut draft, applied, now);
    // An end outweighs what is wrong besides: nothing of it takes effect any more.
    let ended = applied.ended.map(|reason| Refusal::by_author(end_name(reason), end_message(reason)));
    let (conditions, waiting) = draft.finish(ended.as_ref().or(applied.refusal.as_ref()), subscription.spec.suspend);
    let status = CprSubscriptionStatus { subjects: applied.subjects, ..CprSubscriptionStatus::default() };
    report::Status::with(status, conditions, waiting, &subscription.metadata)
}

fn set_references(draft: &mut Draft, applied: &Applied) {
    let of_references = applied.refusal.as_ref().filter(|r| OF_RIGHTS.contains(&r.reason));
    let result = match (&applied.references, of_references) {
        (Err(refusal), _) | (Ok(()), Some(refusal)) => Err(refusal),
        (Ok(()), None) => Ok(()),
    };
    let fine = "source, consumer and purpose were found and allow what is asked for";
    draft.set_by(ConditionType::ReferencesResolved, result, "Resolved", fine);
}

fn set_types(draft: &mut Draft, subscription: &CprSubscription, schema: Option<&SchemaState>) {
    let type_ = ConditionType::TypesOffered;
    let Some(schema) = schema else {
        let source = &subscription.spec.source_ref.name;
        let message = format!(
            "what can be told is known when CprSource {source} has read the register's schema: its own conditions say what it waits for"
        );
        return draft.set(type_, Holds::Unknown, "SchemaNotRead", &message);
    };
    let asked = explicit_types(&subscription.spec).map(Vec::as_slice).unwrap_or_default();
    let lacking: Vec<_> = asked.iter().filter(|t| !is_offered(**t, schema)).map(|t| t.name()).collect();
    if lacking.is_empty() {
        return draft.set(type_, true, "Offered", "the source can tell all types that are named");
    }
    let message = format!(
        "the register's schema lacks the fields for {}: remove them from events.types, or wait until the register has them; the other types work",
        lacking.join(", ")
    );
    draft.set(type_, false, "TypesNotOffered", &message);
}

fn is_offered(type_: EventType, schema: &SchemaState) -> bool {
    type_.may_be_heard_with(schema.offered)
}

fn set_life(draft: &mut Draft, applied: &Applied, now: Timestamp) {
    let Some(life) = &applied.life else {
        let message = "reviewBy or expiresAt cannot be read";
        draft.set(ConditionType::ReviewDue, Holds::Unknown, "InvalidSpec", message);
        return draft.set(ConditionType::Expired, Holds::Unknown, "InvalidSpec", message);
    };
    set_review(draft, life, now);
    match applied.ended {
        Some(reason) => draft.set(ConditionType::Expired, true, end_name(reason), end_message(reason)),
        None => draft.set(ConditionType::Expired, false, "Active", "it has not ended"),
    }
}

fn end_name(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Deleted => "Deleted",
        EndReason::Expired => "Expired",
        EndReason::ReviewOverdue => "ReviewOverdue",
    }
}

fn end_message(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Deleted => "its resource was deleted",
        EndReason::Expired => "it ended at expiresAt: set a later one to take it up again",
        EndReason::ReviewOverdue => {
            "it ended because reviewBy passed thirty days ago: set a new reviewBy to take it up again"
        }
    }
}

fn set_review(draft: &mut Draft, life: &Life, now: Timestamp) {
    if life.review_due > now {
        let message = format!("to be reviewed by {}", life.review_due);
        return draft.set(ConditionType::ReviewDue, false, "NotDue", &message);
    }
    let message =
        format!("decide whether it is still needed and set a new reviewBy, or delete it: it ends at {}", life.ends_at);
    draft.set(ConditionType::ReviewDue, true, "ReviewDue", &message);
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::conditions;
    use crate::domain::field_group::{FieldGroup, GroupSet};
    use crate::operator::subscription::life::life;
    use crate::operator::subscription::validate::tests::{NOW, subscription};

    const SPEED: Speed = Speed { per_second: 2_000, per_hour: 200_000 };

    fn applied(of: &CprSubscription) -> Applied {
        let offered = GroupSet::of(&[FieldGroup::Status, FieldGroup::Name]);
        Applied {
            refusal: None,
            references: Ok(()),
            life: life(&of.spec).ok(),
            ended: None,
            schema: Some(SchemaState { read: true, offered, message: String::new() }),
            subjects: Some(12),
            list: None,
        }
    }

    fn status_at(of: &CprSubscription, applied: &Applied, now: &str) -> CprSubscriptionStatus {
        compute(of, applied, &CprSubscriptionStatus::default(), SPEED, now.parse().unwrap())
    }

    fn shown(status: &CprSubscriptionStatus, type_: ConditionType) -> String {
        let condition = conditions::get(&status.conditions, type_).unwrap();
        format!("{} {}", condition.status, condition.reason)
    }

    #[test]
    fn one_that_works_is_ready_and_waits_for_nothing() {
        let of = subscription(&[]);
        let status = status_at(&of, &applied(&of), NOW);
        assert_eq!(shown(&status, ConditionType::Ready), "True Succeeded");
        assert_eq!(shown(&status, ConditionType::InitialLoadComplete), "True OnFirstSight");
        assert_eq!((status.waiting, status.subjects), (None, Some(12)));
        for type_ in conditions::OF_SUBSCRIPTION {
            assert!(conditions::get(&status.conditions, *type_).is_some(), "{type_:?}");
        }
    }

    #[test]
    fn a_list_says_how_its_loading_stands() {
        let of = subscription(&[]);
        let now: Timestamp = NOW.parse().unwrap();
        let load = |waiting, unknown, held_until| {
            let counts = Counts { listed: 7, waiting, unknown, failed: 0 };
            List { load: Some(Load { counts, held_until }), refusal: None }
        };
        let malformed = Refusal::by_others("KeyMalformed", "m");
        for (list, expected, said) in [
            (load(100_000, 0, None), "False Loading", "about 1 minutes"),
            (load(500_000, 0, None), "False Loading", "about 120 minutes"),
            (load(5, 500, Some(now + SignedDuration::from_secs(60))), "False LimitReached", "5 numbers"),
            (load(0, 3, None), "True LoadedWithUnknown", "3"),
            (load(0, 0, None), "True Loaded", "7 persons"),
            (List { load: None, refusal: None }, "Unknown NotStarted", ""),
            (List { refusal: Some(malformed), ..load(5, 0, None) }, "False KeyMalformed", "m"),
        ] {
            let status = status_at(&of, &Applied { list: Some(list), ..applied(&of) }, NOW);
            assert_eq!(shown(&status, ConditionType::InitialLoadComplete), expected);
            let condition = conditions::get(&status.conditions, ConditionType::InitialLoadComplete).unwrap();
            assert!(condition.message.contains(said), "{}", condition.message);
        }
    }

    #[test]
    fn refusals_become_conditions_and_stall_where_only_the_author_can_help() {
        let of = subscription(&[]);
        for (refusal, references, stalled) in [
            (Refusal::by_others("PurposeNotFound", "m"), "False PurposeNotFound", false),
            (Refusal::by_author("EnvironmentMismatch", "m"), "False EnvironmentMismatch", true),
            (Refusal::by_author("ReviewTooLate", "m"), "True Resolved", true),
        ] {
            let reason = refusal.reason;
            let status = status_at(&of, &Applied { refusal: Some(refusal), ..applied(&of) }, NOW);
            assert_eq!(shown(&status, ConditionType::ReferencesResolved), references);
            assert_eq!(shown(&status, ConditionType::Ready), format!("False {reason}"));
            assert_eq!(conditions::get(&status.conditions, ConditionType::Stalled).is_some(), stalled, "{reason}");
            assert_eq!(status.waiting.as_deref(), Some(reason));
        }
        let missing = Refusal::by_others("SourceNotFound", "m");
        let lost = Applied { references: Err(missing.clone()), refusal: Some(missing), ..applied(&of) };
        assert_eq!(shown(&status_at(&of, &lost, NOW), ConditionType::ReferencesResolved), "False SourceNotFound");
    }

    #[test]
    fn a_type_that_the_schema_lacks_is_named() {
        let of = subscription(&[("/events", json!({ "types": ["died", "church.changed"] }))]);
        let status = status_at(&of, &applied(&of), NOW);
        assert_eq!(shown(&status, ConditionType::TypesOffered), "False TypesNotOffered");
        let condition = conditions::get(&status.conditions, ConditionType::TypesOffered).unwrap();
        assert!(condition.message.contains("church.changed") && !condition.message.contains("died"));
        let unread = Applied { schema: None, ..applied(&of) };
        assert_eq!(shown(&status_at(&of, &unread, NOW), ConditionType::TypesOffered), "Unknown SchemaNotRead");
    }

    #[test]
    fn review_and_end_come_by_the_clock() {
        let of = subscription(&[]);
        let due = status_at(&of, &applied(&of), "2027-06-02T00:00:00Z");
        assert_eq!(shown(&due, ConditionType::ReviewDue), "True ReviewDue");
        assert_eq!(shown(&due, ConditionType::Ready), "True Succeeded");
        assert_eq!(due.waiting.as_deref(), Some("ReviewDue"));
        let over = Applied { ended: Some(EndReason::ReviewOverdue), ..applied(&of) };
        let over = status_at(&of, &over, "2027-07-02T00:00:00Z");
        assert_eq!(shown(&over, ConditionType::Expired), "True ReviewOverdue");
        assert_eq!(shown(&over, ConditionType::Ready), "False ReviewOverdue");
        assert_eq!(shown(&over, ConditionType::Stalled), "True ReviewOverdue");
    }

    #[test]
    fn a_suspended_one_says_so() {
        let of = subscription(&[("/suspend", json!(true))]);
        let status = status_at(&of, &applied(&of), NOW);
        assert_eq!(shown(&status, ConditionType::Ready), "False Suspended");
        assert_eq!(status.waiting.as_deref(), Some("Suspended"));
    }
}
