//! Kubernetes Events: tells people each change of a condition. They hold what the condition says, so nothing personal.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use crate::api::conditions::{self, ConditionType, Status};
use crate::api::names::FIELD_MANAGER;

/// The longest note that the API server takes, in bytes.
const LONGEST_NOTE: usize = 1024;

/// Writes Events; one for all controllers of a scope, so that repeats are merged.
#[derive(Clone)]
pub struct Announcer(Recorder);

impl Announcer {
    /// Writes with this client, in the name of this process.
    pub fn new(client: Client, identity: &str) -> Self {
        let reporter = Reporter { controller: FIELD_MANAGER.to_owned(), instance: Some(identity.to_owned()) };
        Self(Recorder::new(client, reporter))
    }

    /// Announces what changed from `old` to `new`. An Event that cannot be written is logged and missed.
    pub async fn announce(&self, about: &ObjectReference, old: &[Condition], new: &[Condition]) {
        for event in transitions(old, new) {
            if let Err(error) = self.0.publish(&event, about).await {
                tracing::debug!(%error, reason = event.reason, "a Kubernetes Event could not be written");
            }
        }
    }
}

/// One Event for each condition that changed its status or reason, but not for one that is new and as it should be.
fn transitions(old: &[Condition], new: &[Condition]) -> Vec<Event> {
    let told = new.iter().filter_map(|c| event(old.iter().find(|o| o.type_ == c.type_), c));
    let mut events: Vec<_> = told.collect();
    events.extend(summary(old, new));
    events
}

/// The summary, where it changed for a reason that no other condition tells.
fn summary(old: &[Condition], new: &[Condition]) -> Option<Event> {
    let ready = conditions::get(new, ConditionType::Ready)?;
    let others = [ConditionType::Ready, ConditionType::Reconciling].map(ConditionType::name);
    let is_told = new.iter().any(|c| c.reason == ready.reason && !others.contains(&c.type_));
    let is_bad = ready.status == Status::False.name() && !is_told;
    is_bad.then(|| changed(conditions::get(old, ConditionType::Ready), ready)).flatten()
}

fn event(old: Option<&Condition>, condition: &Condition) -> Option<Event> {
    let type_ = ConditionType::from_name(&condition.type_)?;
    let is_summary = matches!(type_, ConditionType::Ready | ConditionType::Reconciling);
    if is_summary { None } else { changed(old, condition) }
}

/// The Event for a condition if its status or reason is another than before.
fn changed(old: Option<&Condition>, condition: &Condition) -> Option<Event> {
    let type_ = ConditionType::from_name(&condition.type_)?;
    let is_same = old.is_some_and(|old| (&old.status, &old.reason) == (&condition.status, &condition.reason));
    if is_same || condition.status == Status::Unknown.name() {
        return None;
    }
    let is_true = condition.status == Status::True.name();
    let as_it_should_be = is_true != type_.is_abnormal_when_true();
    // Of resources that are applied together one is seen first: that another is not ready yet is no news then.
    let is_early = matches!(condition.reason.as_str(), "SourceNotReady" | "ConsumerNotReady");
    if old.is_none() && (as_it_should_be || is_early) {
        return None;
    }
    Some(Event {
        type_: if as_it_should_be { EventType::Normal } else { EventType::Warning },
        reason: condition.reason.clone(),
        note: Some(shortened(&format!("{}: {}", condition.type_, condition.message))),
        action: "Reconcile".to_owned(),
        secondary: None,
    })
}

fn shortened(text: &str) -> String {
    let mut end = LONGEST_NOTE.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn conditions(list: &[(ConditionType, Status, &str)]) -> Vec<Condition> {
        let mut all = Vec::new();
        for (type_, status, reason) in list {
            conditions::set(&mut all, *type_, *status, reason, "why", 1, jiff::Timestamp::UNIX_EPOCH);
        }
        all
    }

    #[test]
    fn only_changes_are_announced() {
        use ConditionType::{Delivering, EndpointVerified, ReviewDue};
        let old = conditions(&[(EndpointVerified, Status::True, "Verified"), (Delivering, Status::Unknown, "Pending")]);
        assert!(transitions(&old, &old).is_empty());
        let new = conditions(&[
            (EndpointVerified, Status::True, "Verified"),
            (Delivering, Status::False, "CircuitOpen"),
            (ReviewDue, Status::Unknown, "Unknown"),
        ]);
        let events = transitions(&old, &new);
        assert_eq!(events.len(), 1);
        assert_eq!(events.first().unwrap().reason, "CircuitOpen");
        assert!(matches!(events.first().unwrap().type_, EventType::Warning));
    }

    #[test]
    fn what_is_not_ready_at_first_sight_is_no_news() {
        let resolved = |reason| conditions(&[(ConditionType::ReferencesResolved, Status::False, reason)]);
        assert!(transitions(&[], &resolved("SourceNotReady")).is_empty());
        assert_eq!(transitions(&[], &resolved("SourceNotFound")).len(), 1);
        let before = conditions(&[(ConditionType::ReferencesResolved, Status::True, "Resolved")]);
        assert_eq!(transitions(&before, &resolved("SourceNotReady")).len(), 1);
    }

    #[test]
    fn the_summary_is_announced_only_where_nothing_else_tells_the_cause() {
        use ConditionType::{Ready, SecretsResolved};
        let whole = conditions(&[(Ready, Status::False, "RootKeyLocal"), (SecretsResolved, Status::True, "Resolved")]);
        let events = transitions(&[], &whole);
        assert_eq!(events.iter().map(|e| e.reason.as_str()).collect::<Vec<_>>(), ["RootKeyLocal"]);
        assert!(transitions(&whole, &whole).is_empty());
        let part = conditions(&[(Ready, Status::False, "KeyEmpty"), (SecretsResolved, Status::False, "KeyEmpty")]);
        assert_eq!(transitions(&whole, &part).len(), 1);
    }

    #[test]
    fn a_long_note_is_cut_between_characters() {
        let text = shortened(&"ø".repeat(600));
        assert_eq!(text.len(), 1024);
        assert_eq!(shortened(&format!("a{}", "ø".repeat(600))).len(), 1023);
    }
}
