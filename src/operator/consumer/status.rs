//! The status of a consumer, from what was applied and what delivery found.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::apply::Applied;
use crate::api::conditions::ConditionType;
use crate::api::consumer::{ConsumerSystem, ConsumerSystemStatus};
use crate::api::delivery::{Circuit, DeliveryStatus};
use crate::operator::expiry::Expiry;
use crate::operator::fleet::{Fleet, key_of};
use crate::operator::report::{self, Done, Draft, Holds};
use crate::operator::requeue::Error;
use crate::store::consumer::{Backlog, ConsumerState, EndpointState, SendingState};

/// Days before a certificate's end from which on it is warned of, the longest first.
const WARNINGS: [i64; 2] = [30, 7];

/// How often it is looked whether what is left for a consumer without subscriptions was sent.
const LOOK_FOR_END: SignedDuration = SignedDuration::from_secs(30);

/// Writes the status if it says something new. Another look comes when counters may have moved, or to look for what is
/// missing.
pub async fn report(consumer: &ConsumerSystem, applied: &Applied, fleet: &Fleet) -> Result<Done, Error> {
    let key = key_of(consumer);
    let last = fleet.consumers.last(consumer);
    let new = compute(consumer, applied, &last, fleet.now());
    let done = report::write::<ConsumerSystem>(fleet, &key, &consumer.metadata, &last, new).await?;
    let counted = fleet.now().checked_add(fleet.status_interval()).ok();
    let done = done.again_by(counted).again_soon(&applied.secrets, fleet.now());
    let done = done.again_by(certificate_changes(applied.certificate_until, fleet.now()));
    // Nobody tells when the last delivery is over, and its worker with it.
    let is_ending = applied.subscriptions == 0 && applied.backlog.pending > 0;
    Ok(done.again_by(is_ending.then(|| fleet.now() + LOOK_FOR_END)))
}

fn compute(
    consumer: &ConsumerSystem,
    applied: &Applied,
    last: &ConsumerSystemStatus,
    now: Timestamp,
) -> ConsumerSystemStatus {
    let mut draft = Draft::begin(&last.conditions, consumer.metadata.generation.unwrap_or_default(), now);
    set_certificate(&mut draft, consumer, applied.certificate_until, now);
    let fine = "its Secrets and ConfigMaps hold what they should";
    draft.set_by(ConditionType::SecretsResolved, applied.secrets.as_ref(), "Resolved", fine);
    let workers = draft.set_workers(&applied.workers, last.workers.as_ref());
    set_endpoint(&mut draft, applied.state.endpoint.as_ref());
    set_sending(&mut draft, applied.state.sending.as_ref(), consumer.spec.suspend);
    set_warnings(&mut draft, &applied.state);
    let (conditions, waiting) = draft.finish(applied.refusal.as_ref(), consumer.spec.suspend);
    let status = ConsumerSystemStatus {
        delivery: Some(delivery(&applied.backlog, &applied.state)),
        workers,
        subscriptions: Some(applied.subscriptions),
        ..ConsumerSystemStatus::default()
    };
    report::Status::with(status, conditions, waiting, &consumer.metadata)
}

/// Warns of the end of the certificate that is shown to the receiver.
fn set_certificate(draft: &mut Draft, consumer: &ConsumerSystem, until: Option<Timestamp>, now: Timestamp) {
    let type_ = ConditionType::CertificateExpiring;
    let Some(until) = until else {
        return match consumer.spec.delivery.client_certificate_ref {
            None => draft.set(type_, false, "NoCertificate", "no certificate is shown to the receiver"),
            Some(_) => draft.set(type_, Holds::Unknown, "NotRead", "the certificate was not read: see SecretsResolved"),
        };
    };
    match (Expiry { end: until, warnings: &WARNINGS }).within(now) {
        Some(days) => {
            let message = format!("the certificate that is shown to the receiver ends at {until}: renew it");
            draft.set(type_, true, &format!("EndsWithin{days}Days"), &message);
        }
        None => draft.set(type_, false, "NotSoon", &format!("the certificate that is shown ends at {until}")),
    }
}

/// When what is said of the certificate changes by time alone.
fn certificate_changes(until: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    Expiry { end: until?, warnings: &WARNINGS }.changes(now)
}

fn set_endpoint(draft: &mut Draft, endpoint: Option<&EndpointState>) {
    let type_ = ConditionType::EndpointVerified;
    match endpoint {
        None => draft.set(type_, Holds::Unknown, "Pending", "the address was not asked to prove itself yet"),
        Some(state) if !state.verified && state.reason == "Pending" => {
            draft.set(type_, Holds::Unknown, &state.reason, &state.message);
        }
        Some(state) => draft.set(type_, state.verified, &state.reason, &state.message),
    }
}

fn set_sending(draft: &mut Draft, sending: Option<&SendingState>, suspended: bool) {
    let type_ = ConditionType::Delivering;
    match sending {
        _ if suspended => {
            draft.set(type_, false, "Suspended", "suspended: events are kept; set spec.suspend to false to send them");
        }
        None => draft.set(type_, Holds::Unknown, "NotStarted", "delivery has not taken it up yet"),
        // Nothing is wrong with delivery: another condition says what it waits for.
        Some(state) if matches!(state.reason.as_str(), "WaitingForVerification" | "WaitingForSecret") => {
            draft.set(type_, Holds::Unknown, &state.reason, &state.message);
        }
        Some(state) => draft.set(type_, state.reason == "Delivering", &state.reason, &state.message),
    }
}

fn set_warnings(draft: &mut Draft, state: &ConsumerState) {
    match state.backlog_expiring {
        true => draft.set(
            ConditionType::BacklogExpiring,
            true,
            "NearRetention",
            "undelivered events will soon be given up for their age: repair the receiver, or raise retention.undelivered",
        ),
        false => draft.set(ConditionType::BacklogExpiring, false, "NoneNearRetention", "no undelivered event is near the end of its retention"),
    }
    match state.dead_letters {
        true => draft.set(
            ConditionType::DeadLettersPresent,
            true,
            "GivenUp",
            "the receiver refused some events until they were given up: see cpr-operator deadletters list, repair the receiver, then deadletters retry",
        ),
        false => draft.set(ConditionType::DeadLettersPresent, false, "None", "no event was given up"),
    }
}

fn delivery(backlog: &Backlog, state: &ConsumerState) -> DeliveryStatus {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let is_open =
        state.sending.as_ref().is_some_and(|s| matches!(s.reason.as_str(), "CircuitOpen" | "NoToken" | "EndpointGone"));
    DeliveryStatus {
        pending: number(backlog.pending),
        parked: number(backlog.parked),
        dead_lettered: number(backlog.dead_letters),
        last_delivered_at: backlog.last_delivered_at.map(Time),
        circuit: if is_open { Circuit::Open } else { Circuit::Closed },
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::conditions;
    use crate::operator::consumer::validate::tests::consumer;
    use crate::operator::refusal::Refusal;
    use crate::operator::report::Status;
    use crate::operator::workers::wish::Standing;

    fn working() -> Applied {
        Applied {
            refusal: None,
            secrets: Ok(()),
            certificate_until: None,
            state: ConsumerState {
                endpoint: Some(EndpointState { verified: true, reason: "Verified".into(), message: String::new() }),
                sending: Some(SendingState { reason: "Delivering".into(), message: String::new() }),
                strained: false,
                dead_letters: false,
                backlog_expiring: false,
            },
            backlog: Backlog { pending: 12, ..Backlog::default() },
            subscriptions: 2,
            workers: Standing::not_provisioned(),
        }
    }

    fn status_of(applied: &Applied) -> ConsumerSystemStatus {
        compute(&consumer(&[]), applied, &ConsumerSystemStatus::default(), Timestamp::UNIX_EPOCH)
    }

    fn shown(status: &ConsumerSystemStatus, type_: ConditionType) -> String {
        let condition = conditions::get(&status.conditions, type_).unwrap();
        format!("{} {}", condition.status, condition.reason)
    }

    #[test]
    fn what_delivery_found_becomes_conditions() {
        use ConditionType::{
            BacklogExpiring, DeadLettersPresent, Delivering, EndpointVerified, Ready, SecretsResolved,
        };
        let endpoint = |verified, reason: &str| {
            let mut applied = working();
            applied.state.endpoint = Some(EndpointState { verified, reason: reason.into(), message: "m".into() });
            applied
        };
        let sending = |reason: &str| {
            let mut applied = working();
            applied.state.sending = Some(SendingState { reason: reason.into(), message: "m".into() });
            applied
        };
        let mut warned = working();
        (warned.state.dead_letters, warned.state.backlog_expiring) = (true, true);
        let unsigned = Applied { secrets: Err(Refusal::by_others("KeyMalformed", "m")), ..working() };
        for (applied, type_, expected, ready) in [
            (working(), Ready, "True Succeeded", "True Succeeded"),
            (endpoint(false, "Pending"), EndpointVerified, "Unknown Pending", "Unknown Pending"),
            (endpoint(false, "WrongAnswer"), EndpointVerified, "False WrongAnswer", "False WrongAnswer"),
            (sending("WaitingForSecret"), Delivering, "Unknown WaitingForSecret", "Unknown WaitingForSecret"),
            (sending("CircuitOpen"), Delivering, "False CircuitOpen", "False CircuitOpen"),
            (warned.clone(), DeadLettersPresent, "True GivenUp", "True Succeeded"),
            (warned, BacklogExpiring, "True NearRetention", "True Succeeded"),
            (unsigned, SecretsResolved, "False KeyMalformed", "False KeyMalformed"),
        ] {
            let status = status_of(&applied);
            assert_eq!(shown(&status, type_), expected);
            assert_eq!(shown(&status, Ready), ready);
        }
    }

    #[test]
    fn the_end_of_a_certificate_is_warned_of_twice() {
        let shown_at = |days: i64| {
            let until = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * days);
            let applied = Applied { certificate_until: Some(until), ..working() };
            let status = status_of(&applied);
            assert_eq!(shown(&status, ConditionType::Ready), "True Succeeded");
            let again = certificate_changes(Some(until), Timestamp::UNIX_EPOCH).map(|at| at.as_second() / 86_400);
            (shown(&status, ConditionType::CertificateExpiring), again)
        };
        assert_eq!(shown_at(40), ("False NotSoon".to_owned(), Some(10)));
        assert_eq!(shown_at(30), ("True EndsWithin30Days".to_owned(), Some(23)));
        assert_eq!(shown_at(7), ("True EndsWithin7Days".to_owned(), Some(7)));
        let none = status_of(&working());
        assert_eq!(shown(&none, ConditionType::CertificateExpiring), "False NoCertificate");
        let unread = consumer(&[("/delivery/clientCertificateRef", json!({ "name": "a" }))]);
        let unread = compute(&unread, &working(), &ConsumerSystemStatus::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(shown(&unread, ConditionType::CertificateExpiring), "Unknown NotRead");
    }

    #[test]
    fn all_conditions_are_there_from_the_first_visit() {
        let status = status_of(&Applied::unobserved());
        for type_ in conditions::OF_CONSUMER {
            assert!(conditions::get(&status.conditions, *type_).is_some(), "{type_:?}");
        }
        assert_eq!(status.waiting.as_deref(), Some("NotStarted"));
    }

    #[test]
    fn counters_alone_do_not_count_as_news() {
        let (few, many) = (working(), Applied { backlog: Backlog { pending: 99, ..Backlog::default() }, ..working() });
        let (few, many) = (status_of(&few), status_of(&many));
        assert_ne!(few, many);
        assert_eq!(few.settled(), many.settled());
    }

    #[test]
    fn a_suspended_consumer_says_so() {
        let suspended = consumer(&[("/suspend", json!(true))]);
        let status = compute(&suspended, &working(), &ConsumerSystemStatus::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(shown(&status, ConditionType::Ready), "False Suspended");
        assert_eq!(status.waiting.as_deref(), Some("Suspended"));
        assert!(conditions::get(&status.conditions, ConditionType::Reconciling).is_none());
    }
}
