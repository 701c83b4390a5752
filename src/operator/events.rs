//! Kubernetes Events: tells people each change of a condition. They hold what the condition says, so nothing personal.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use crate::api::conditions::{self, ConditionType, Status};
use crate::api::names::FIELD_MANAGER;
use crate::operator::metrics::Metrics;

/// The longest note that the API server takes, in bytes.
const LONGEST_NOTE: usize = 1024;

/// Writes Events; one for all controllers of a scope, so that repeats are merged.
#[derive(Clone)]
pub struct Announcer {
    recorder: Recorder,
    metrics: Metrics,
    allowance: Arc<Mutex<Allowance>>,
}

impl Announcer {
    /// Writes with this client, in the name of this process.
    pub fn new(client: Client, identity: &str, metrics: &Metrics) -> Self {
        let reporter = Reporter { controller: FIELD_MANAGER.to_owned(), instance: Some(identity.to_owned()) };
        let allowance = Arc::new(Mutex::new(Allowance::full(Instant::now())));
        Self { recorder: Recorder::new(client, reporter), metrics: metrics.clone(), allowance }
    }

    /// Announces what changed from `old` to `new`. An Event that cannot be written is logged and missed.
    pub async fn announce(&self, about: &ObjectReference, old: &[Condition], new: &[Condition]) {
        for event in transitions(old, new) {
            if !self.allowance.lock().expect("no holder panics").take(Instant::now()) {
                self.metrics.count_event_left_out();
                continue;
            }
            if let Err(error) = self.recorder.publish(&event, about).await {
                tracing::debug!(%error, reason = event.reason, "a Kubernetes Event could not be written");
            }
        }
    }
}

/// How many Events may still be written. What befalls thousands of resources at once is in the status of each, and as many
/// Events would drown those of others and slow down the statuses.
#[derive(Debug)]
struct Allowance {
    left: f64,
    at: Instant,
}

impl Allowance {
    /// At most so many at once.
    const MOST: f64 = 100.0;
    /// And so many more each second.
    const PER_SECOND: f64 = 2.0;

    fn full(now: Instant) -> Self {
        Self { left: Self::MOST, at: now }
    }

    fn take(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * Self::PER_SECOND;
        (self.left, self.at) = ((self.left + gained).min(Self::MOST), now);
        let is_allowed = self.left >= 1.0;
        if is_allowed {
            self.left -= 1.0;
        }
        is_allowed
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
    fn what_befalls_many_at_once_is_told_of_the_first_and_then_now_and_again() {
        let now = Instant::now();
        let mut allowance = Allowance::full(now);
        assert_eq!((0..1000).filter(|_| allowance.take(now)).count(), 100);
        let later = now + std::time::Duration::from_secs(3);
        assert_eq!((0..1000).filter(|_| allowance.take(later)).count(), 6);
        let much_later = later + std::time::Duration::from_secs(86_400);
        assert_eq!((0..1000).filter(|_| allowance.take(much_later)).count(), 100);
    }

    #[test]
    fn a_long_note_is_cut_between_characters() {
        let text = shortened(&"ø".repeat(600));
        assert_eq!(text.len(), 1024);
        assert_eq!(shortened(&format!("a{}", "ø".repeat(600))).len(), 1023);
    }
}
