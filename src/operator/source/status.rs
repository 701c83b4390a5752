//! The status of a source, from what was applied and what ingest found.

use jiff::Timestamp;

use super::apply::Applied;
use crate::api::conditions::ConditionType;
use crate::api::source::{Capability, CprSource, CprSourceStatus, Cursor};
use crate::operator::expiry::Expiry;
use crate::operator::fleet::{Fleet, key_of};
use crate::operator::report::{self, Done, Draft, Holds};
use crate::operator::requeue::Error;
use crate::store::source::{Contact, SourceState};

/// Days before the end of the register's approval at which it is warned of.
const WARNINGS: [i64; 3] = [60, 30, 7];

/// Writes the status if it says something new. Another look comes when a warning of the approval's end does, or to look for
/// what is missing.
pub async fn report(source: &CprSource, applied: &Applied, fleet: &Fleet) -> Result<Done, Error> {
    let key = key_of(source);
    let last = fleet.sources.last(source);
    let (new, warn) = compute(source, applied, &last, fleet.now());
    let done = report::write::<CprSource>(fleet, &key, &source.metadata, &last, new).await?;
    Ok(done.again_by(warn).again_soon(&applied.secrets, fleet.now()))
}

fn compute(
    source: &CprSource,
    applied: &Applied,
    last: &CprSourceStatus,
    now: Timestamp,
) -> (CprSourceStatus, Option<Timestamp>) {
    let mut draft = Draft::begin(&last.conditions, source.metadata.generation.unwrap_or_default(), now);
    let fine = "its Secrets and ConfigMaps hold what they should";
    draft.set_by(ConditionType::SecretsResolved, applied.secrets.as_ref(), "Resolved", fine);
    let workers = draft.set_workers(&applied.workers, last.workers.as_ref());
    set_contact(&mut draft, applied.state.contact.as_ref());
    set_schema(&mut draft, &applied.state);
    set_feed(&mut draft, &applied.state);
    let warn = set_access(&mut draft, source, now);
    let (conditions, waiting) = draft.finish(applied.refusal.as_ref(), source.spec.suspend);
    let status = CprSourceStatus {
        cursor: applied.state.import.map(|import| Cursor { import_sequence: i64::from(import) }),
        capabilities: capabilities(&applied.state),
        workers,
        ..CprSourceStatus::default()
    };
    (report::Status::with(status, conditions, waiting, &source.metadata), warn)
}

fn set_contact(draft: &mut Draft, contact: Option<&Contact>) {
    use ConditionType::{CredentialsValid, Reachable};
    let Some(contact) = contact else {
        draft.set(Reachable, Holds::Unknown, "NotTried", "the register was not spoken to yet");
        return draft.set(CredentialsValid, Holds::Unknown, "NotTried", "the credentials were not tried yet");
    };
    let Contact { reason, message, reached, accepted } = contact;
    match reached {
        true => draft.set(Reachable, true, "Reached", "the register answers"),
        false if reason == "NoCredentials" => draft.set(Reachable, Holds::Unknown, reason, message),
        false => draft.set(Reachable, false, reason, &with_remedy(reason, message)),
    }
    match accepted {
        Some(true) if is_refusal_of_access(reason) => draft.set(CredentialsValid, false, reason, message),
        Some(true) => draft.set(CredentialsValid, true, "Accepted", "the register accepts the credentials"),
        Some(false) => draft.set(CredentialsValid, false, reason, message),
        None => draft.set(CredentialsValid, Holds::Unknown, "NotTried", "the credentials were not tried yet"),
    }
}

/// What was found, and what can be done about it where the finding does not say so itself.
fn with_remedy(reason: &str, message: &str) -> String {
    let remedy = match reason {
        "Down" => {
            "it is tried again; if it lasts, check datafordeler.endpoints and that the register can be reached from here"
        }
        "AddressRefused" => {
            "check datafordeler.endpoints and datafordeler.proxyUrl; a private range has to stand in datafordeler.allowedNetworks and in the platform's setting network.allowed_networks"
        }
        "ProxyUnreachable" => {
            "it is tried again; if it lasts, check datafordeler.proxyUrl and that the proxy runs and can be reached from here"
        }
        "ProxyRefused" => {
            "it is tried again; datafordeler.proxyUrl names the proxy, its administrator the rule to change"
        }
        "NotUnderstood" => {
            "it is tried again; if it lasts, check datafordeler.endpoints, then ask the register's support"
        }
        _ => return message.to_owned(),
    };
    format!("{message}; {remedy}")
}

/// Whether the register knows us and still does not let us in.
fn is_refusal_of_access(reason: &str) -> bool {
    matches!(reason, "NotGranted" | "AddressNotWhiteListed" | "UnknownService")
}

fn set_schema(draft: &mut Draft, state: &SourceState) {
    use ConditionType::{PersonIdLookup, SchemaUnderstood};
    match &state.schema {
        None => draft.set(SchemaUnderstood, Holds::Unknown, "NotRead", "the service's schema was not read yet"),
        Some(schema) if schema.read => {
            let message = said_or(&schema.message, "the service's schema has all that is asked for");
            draft.set(SchemaUnderstood, true, "Read", message);
        }
        Some(schema) => {
            let message =
                said_or(&schema.message, "the service does not show its schema: its documented form is assumed");
            draft.set(SchemaUnderstood, true, "Assumed", message);
        }
    }
    match state.lookup_by_person_id {
        None => draft.set(PersonIdLookup, Holds::Unknown, "NotTried", "no person was read by PersonID yet"),
        Some(true) => draft.set(PersonIdLookup, true, "Offered", "persons can be read by PersonID"),
        Some(false) => draft.set(
            PersonIdLookup,
            false,
            "NotOffered",
            "the service does not let persons be read by PersonID: ask the register's support to open it for this IT system",
        ),
    }
}

fn said_or<'a>(said: &'a str, otherwise: &'a str) -> &'a str {
    if said.is_empty() { otherwise } else { said }
}

fn set_feed(draft: &mut Draft, state: &SourceState) {
    match &state.feed {
        None => draft.set(ConditionType::FeedHealthy, Holds::Unknown, "NotRead", "no events were read yet"),
        Some(feed) => draft.set(ConditionType::FeedHealthy, feed.reason == "Healthy", &feed.reason, &feed.message),
    }
}

/// Warns of the end of the register's approval; gives the next time at which that changes.
fn set_access(draft: &mut Draft, source: &CprSource, now: Timestamp) -> Option<Timestamp> {
    let type_ = ConditionType::AccessExpiring;
    let Some(access) = &source.spec.access else {
        draft.set(type_, false, "NotStated", "access.expiresAt is not set: the end of the approval is not watched");
        return None;
    };
    let Ok(end) = access.expires_at.parse() else {
        draft.set(type_, Holds::Unknown, "InvalidSpec", "access.expiresAt must be a time such as 2027-05-11T00:00:00Z");
        return None;
    };
    if end <= now {
        let message = format!("the register's approval ended at {end}: renew it and set access.expiresAt");
        draft.set(type_, true, "AccessExpired", &message);
        return None;
    }
    let expiry = Expiry { end, warnings: &WARNINGS };
    match expiry.within(now) {
        Some(days) => {
            let reason = format!("EndsWithin{days}Days");
            let message = format!("the register's approval ends at {end}: renew it and set access.expiresAt");
            draft.set(type_, true, &reason, &message);
        }
        None => draft.set(type_, false, "NotSoon", &format!("the register's approval ends at {end}")),
    }
    expiry.changes(now)
}

fn capabilities(state: &SourceState) -> Vec<Capability> {
    let mut all = Vec::new();
    if state.feed.is_some() {
        all.push(Capability::Events);
    }
    if state.schema.is_some() {
        all.push(Capability::ReadByNumber);
    }
    if state.lookup_by_person_id == Some(true) {
        all.push(Capability::ReadByPersonId);
    }
    all
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::conditions;
    use crate::domain::field_group::GroupSet;
    use crate::operator::refusal::Refusal;
    use crate::operator::workers::wish::Standing;
    use crate::store::source::{FeedState, SchemaState};

    const NOW: &str = "2027-01-01T00:00:00Z";

    fn source(access: Option<&str>) -> CprSource {
        let access = access.map(|at| json!({ "expiresAt": at }));
        let mut spec = json!({ "environment": "Test" });
        if let Some(access) = access {
            spec["access"] = access;
        }
        let mut source = CprSource::new("register", serde_json::from_value(spec).unwrap());
        source.metadata.generation = Some(3);
        source
    }

    fn working() -> SourceState {
        SourceState {
            contact: Some(Contact {
                reason: "Succeeded".into(),
                message: String::new(),
                reached: true,
                accepted: Some(true),
            }),
            import: Some(310),
            schema: Some(SchemaState { read: true, offered: GroupSet::EMPTY, message: "read".into() }),
            feed: Some(FeedState { reason: "Healthy".into(), message: "up to date".into() }),
            lookup_by_person_id: Some(true),
            unread: 0,
            apart: 0,
            vanished: 0,
            lists_waiting: false,
        }
    }

    fn status_of(source: &CprSource, state: SourceState, secrets: Result<(), Refusal>) -> CprSourceStatus {
        let applied = Applied { refusal: None, secrets, state, workers: Standing::not_provisioned() };
        compute(source, &applied, &CprSourceStatus::default(), NOW.parse().unwrap()).0
    }

    fn shown(status: &CprSourceStatus, type_: ConditionType) -> (String, String) {
        let condition = conditions::get(&status.conditions, type_).unwrap();
        (condition.status.clone(), condition.reason.clone())
    }

    fn pair(status: &str, reason: &str) -> (String, String) {
        (status.to_owned(), reason.to_owned())
    }

    #[test]
    fn a_source_that_works_is_ready_and_waits_for_nothing() {
        let status = status_of(&source(None), working(), Ok(()));
        assert_eq!(shown(&status, ConditionType::Ready), pair("True", "Succeeded"));
        assert_eq!(status.waiting, None);
        assert_eq!(status.observed_generation, Some(3));
        assert_eq!(status.capabilities.len(), 3);
        assert!(conditions::get(&status.conditions, ConditionType::Reconciling).is_none());
    }

    #[test]
    fn all_conditions_are_there_from_the_first_visit() {
        let status = status_of(&source(None), SourceState::default(), Ok(()));
        for type_ in conditions::OF_SOURCE {
            assert!(conditions::get(&status.conditions, *type_).is_some(), "{type_:?}");
        }
        assert_eq!(shown(&status, ConditionType::Ready).0, "Unknown");
    }

    #[test]
    fn what_ingest_found_becomes_conditions() {
        let contact = |reason: &str, reached, accepted| SourceState {
            contact: Some(Contact { reason: reason.into(), message: "do".into(), reached, accepted }),
            ..working()
        };
        use ConditionType::{CredentialsValid, FeedHealthy, PersonIdLookup, Reachable};
        for (state, type_, expected) in [
            (contact("Down", false, None), Reachable, pair("False", "Down")),
            (contact("NoCredentials", false, None), Reachable, pair("Unknown", "NoCredentials")),
            (contact("Down", false, None), CredentialsValid, pair("Unknown", "NotTried")),
            (contact("CredentialsWrong", true, Some(false)), CredentialsValid, pair("False", "CredentialsWrong")),
            (contact("CredentialsWrong", true, Some(false)), Reachable, pair("True", "Reached")),
            (contact("NotGranted", true, Some(true)), CredentialsValid, pair("False", "NotGranted")),
            (
                SourceState { lookup_by_person_id: Some(false), ..working() },
                PersonIdLookup,
                pair("False", "NotOffered"),
            ),
            (
                SourceState { feed: Some(FeedState { reason: "Gap".into(), message: "m".into() }), ..working() },
                FeedHealthy,
                pair("False", "Gap"),
            ),
        ] {
            let status = status_of(&source(None), state, Ok(()));
            assert_eq!(shown(&status, type_), expected, "{type_:?}");
            assert_ne!(shown(&status, ConditionType::Ready).0, "True");
            assert!(status.waiting.is_some());
        }
    }

    #[test]
    fn the_end_of_the_approval_is_warned_of_in_steps() {
        for (end, expected, next) in [
            ("2027-12-01T00:00:00Z", pair("False", "NotSoon"), Some("2027-10-02T00:00:00Z")),
            ("2027-02-20T00:00:00Z", pair("True", "EndsWithin60Days"), Some("2027-01-21T00:00:00Z")),
            ("2027-01-20T00:00:00Z", pair("True", "EndsWithin30Days"), Some("2027-01-13T00:00:00Z")),
            ("2027-01-03T00:00:00Z", pair("True", "EndsWithin7Days"), Some("2027-01-03T00:00:00Z")),
            ("2026-12-31T00:00:00Z", pair("True", "AccessExpired"), None),
        ] {
            let applied =
                Applied { refusal: None, secrets: Ok(()), state: working(), workers: Standing::not_provisioned() };
            let now = NOW.parse().unwrap();
            let (status, at) = compute(&source(Some(end)), &applied, &CprSourceStatus::default(), now);
            assert_eq!(shown(&status, ConditionType::AccessExpiring), expected, "{end}");
            assert_eq!(at, next.map(|at| at.parse().unwrap()), "{end}");
            assert_eq!(shown(&status, ConditionType::Ready).0, "True");
        }
    }

    #[test]
    fn a_missing_secret_is_waited_for_and_a_bad_spec_stalls() {
        let secrets = Err(Refusal::by_others("SecretNotFound", "create it"));
        let status = status_of(&source(None), working(), secrets);
        assert_eq!(status.waiting.as_deref(), Some("SecretNotFound"));
        assert!(conditions::get(&status.conditions, ConditionType::Reconciling).is_some());
        let refusal = Some(Refusal::by_author("InvalidSpec", "correct it"));
        let applied = Applied { refusal, secrets: Ok(()), state: working(), workers: Standing::not_provisioned() };
        let (status, _) = compute(&source(None), &applied, &status, NOW.parse().unwrap());
        assert_eq!(shown(&status, ConditionType::Stalled), pair("True", "InvalidSpec"));
        assert!(conditions::get(&status.conditions, ConditionType::Reconciling).is_none());
        assert_eq!(status.waiting.as_deref(), Some("InvalidSpec"));
    }

    #[test]
    fn the_same_findings_give_the_same_status() {
        let applied =
            Applied { refusal: None, secrets: Ok(()), state: working(), workers: Standing::not_provisioned() };
        let first = status_of(&source(None), working(), Ok(()));
        let later = "2027-01-02T00:00:00Z".parse().unwrap();
        assert_eq!(compute(&source(None), &applied, &first, later).0, first);
    }
}
