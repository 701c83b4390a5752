//! Checks a subscription against the source and the consumer that it names, and against the clock.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::ceiling::Ceiling;
use super::dereference::{ConsumerFound, Found, SourceFound};
use super::life::{self, Life};
use crate::api::subscription::{Announcement, CprSubscription, CprSubscriptionSpec, Level, Select};
use crate::domain::compiled::Selector;
use crate::domain::event_type::{Class, EventType, TypeSet};
use crate::domain::field_group::{FieldGroup, GroupSet};
use crate::domain::grant::Places;
use crate::domain::municipality::Municipality;
use crate::domain::resource::{ProtectedPersons, ResourceKey, Sector};
use crate::operator::consumer::rights::PurposeRights;
use crate::operator::refusal::Refusal;

/// A subscription that may begin or go on.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Namespace and name.
    pub key: ResourceKey,
    /// The source that tells.
    pub source: SourceFound,
    /// The consumer that hears.
    pub consumer: ConsumerFound,
    /// Id of the purpose.
    pub purpose: String,
    /// What the purpose allows.
    pub rights: PurposeRights,
    /// Who is covered.
    pub selector: Selector,
    /// Where whoever is covered has to live.
    pub places: Places,
    /// What it is given of protected persons.
    pub protected_persons: ProtectedPersons,
    /// Types that it hears.
    pub types: TypeSet,
    /// How much a payload holds.
    pub level: Level,
    /// The groups that a payload holds.
    pub fields: GroupSet,
    /// How long those who died, emigrated or disappeared stay covered.
    pub follow_inactive: Duration,
    /// How long those who move out of the municipalities stay covered.
    pub follow_on_move: Option<Duration>,
    /// What is told of persons known when it begins.
    pub announce: Announcement,
    /// Whether nothing is routed.
    pub suspended: bool,
    /// When it is to be reviewed and when it ends.
    pub life: Life,
}

/// Checks a subscription at the time `now`.
pub fn validate(subscription: &CprSubscription, found: &Found, now: Timestamp) -> Result<Checked, Refusal> {
    let spec = &subscription.spec;
    let life = life::life(spec)?;
    life::check_review(&life, now)?;
    let (source, consumer) = (found.source.clone()?, found.consumer.clone()?);
    let ceiling = Ceiling::of(found);
    ceiling.check_consumer(&consumer)?;
    check_environment(&source, &consumer)?;
    let of_purpose = purpose(spec, &consumer)?;
    let rights = PurposeRights { granted: ceiling.groups(of_purpose.granted), ..of_purpose.clone() };
    Ok(Checked {
        key: found.key.clone(),
        selector: ceiling.check_selector(selector(&spec.select)?)?,
        places: ceiling.places(),
        protected_persons: ceiling.check_protection(consumer.rights.protected_persons)?,
        types: types(spec, &of_purpose, &ceiling)?,
        level: spec.payload.level,
        fields: fields(spec, &of_purpose, &ceiling)?,
        follow_inactive: spec
            .follow_inactive
            .parse()
            .map_err(|_| invalid("followInactive must be a duration such as 2160h: correct it"))?,
        follow_on_move: follow_on_move(spec)?,
        announce: spec.start.announce,
        suspended: spec.suspend,
        purpose: spec.purpose.as_str().to_owned(),
        life,
        rights,
        source,
        consumer,
    })
}

fn follow_on_move(spec: &CprSubscriptionSpec) -> Result<Option<Duration>, Refusal> {
    let Some(time) = &spec.follow_on_move else { return Ok(None) };
    if spec.select.municipalities.is_none() {
        return Err(invalid("followOnMove needs select.municipalities: remove it, or select municipalities"));
    }
    time.parse().map(Some).map_err(|_| invalid("followOnMove must be a duration such as 2160h: correct it"))
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::by_author("InvalidSpec", message)
}

fn check_environment(source: &SourceFound, consumer: &ConsumerFound) -> Result<(), Refusal> {
    let (ours, theirs) = (source.environment, consumer.rights.environment);
    if ours == theirs {
        return Ok(());
    }
    let message =
        format!("the source has environment {ours:?} and the consumer {theirs:?}: name two of the same environment");
    Err(Refusal::by_author("EnvironmentMismatch", message))
}

fn purpose(spec: &CprSubscriptionSpec, consumer: &ConsumerFound) -> Result<PurposeRights, Refusal> {
    let name = &consumer.key.name;
    let rights = consumer.rights.purposes.get(spec.purpose.as_str()).cloned().ok_or_else(|| {
        let known: Vec<_> = consumer.rights.purposes.keys().map(String::as_str).collect();
        let message = format!(
            "ConsumerSystem {name} has no purpose {}: add it there, or name one of {}",
            spec.purpose,
            known.join(", ")
        );
        Refusal::by_others("PurposeNotFound", message)
    })?;
    // The rights were checked with the consumer; a private party must not get by with an oversight there.
    if consumer.rights.sector == Sector::Private && rights.granted.contains(FieldGroup::PersonId) {
        return Err(Refusal::by_others("FieldsNotGranted", "PersonId may not be given to sector Private"));
    }
    Ok(rights)
}

fn selector(select: &Select) -> Result<Selector, Refusal> {
    let is_listed = select.persons.is_some() || select.persons_secret_ref.is_some();
    let codes = select.municipalities.as_deref().unwrap_or_default();
    if select.persons.is_some() && select.persons_secret_ref.is_some() {
        return Err(invalid("a subscription has one list: remove select.persons, or select.personsSecretRef"));
    }
    match (codes, select.everyone) {
        ([], true) if !is_listed && select.municipalities.is_none() => Ok(Selector::everyone()),
        (_, true) => Err(invalid("select.everyone must stand alone: remove the other selectors, or everyone")),
        ([], false) if !is_listed => Err(invalid(
            "select must have at least one selector: list municipalities, write persons: Managed, name a personsSecretRef, or write everyone: true",
        )),
        (codes, false) => {
            let all: Result<BTreeSet<Municipality>, _> = codes.iter().map(|code| code.parse()).collect();
            let all = all.map_err(|_| {
                invalid(
                    "select.municipalities must hold four-digit codes of municipalities, such as 0851: correct them",
                )
            })?;
            Ok(Selector { listed: is_listed, ..Selector::living_in(all) })
        }
    }
}

fn types(spec: &CprSubscriptionSpec, purpose: &PurposeRights, ceiling: &Ceiling<'_>) -> Result<TypeSet, Refusal> {
    let granted = purpose.granted;
    let Some(asked) = explicit_types(spec) else { return Ok(TypeSet::default_for(ceiling.groups(granted))) };
    if let Some(always) = asked.iter().find(|t| t.class() == Class::Always) {
        return Err(invalid(format!("events.types: {always} comes in any case and must not be named: remove it")));
    }
    let not_granted: Vec<_> = asked.iter().filter(|t| !t.may_be_heard_with(granted)).collect();
    if not_granted.is_empty() {
        return ceiling.check_types(asked, granted);
    }
    let each: Vec<_> = not_granted.iter().map(|t| format!("{t} (needs {})", t.needs().names().join(" or "))).collect();
    let message = format!(
        "the purpose does not grant what these types tell: {}; add the group to the purpose's fields, or remove the type",
        each.join(", ")
    );
    Err(Refusal::by_others("TypesNotGranted", message))
}

/// The types that a spec names, if it does.
pub fn explicit_types(spec: &CprSubscriptionSpec) -> Option<&Vec<EventType>> {
    spec.events.as_ref().and_then(|events| events.types.as_ref())
}

fn fields(spec: &CprSubscriptionSpec, purpose: &PurposeRights, ceiling: &Ceiling<'_>) -> Result<GroupSet, Refusal> {
    let granted = purpose.granted;
    let asked: GroupSet = spec.payload.fields.iter().flatten().copied().collect();
    if (spec.payload.level == Level::Fields) == asked.is_empty() {
        return Err(invalid("payload.fields must be there with level Fields, and only then: correct payload"));
    }
    if asked.is_within(granted) {
        return ceiling.check_fields(asked);
    }
    let beyond = asked.minus(granted).names().join(", ");
    let message = format!(
        "the purpose does not grant {beyond}: add it to the purpose's fields, or remove it from payload.fields"
    );
    Err(Refusal::by_others("FieldsNotGranted", message))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::resource::Environment;
    use crate::operator::consumer::rights::rights;
    use crate::operator::consumer::validate::tests::consumer;
    use crate::operator::subscription::dereference::Present;

    /// The present time of these tests.
    pub const NOW: &str = "2026-11-22T12:00:00Z";

    /// A subscription whose spec is the smallest that passes, with members replaced.
    pub fn subscription(replaced: &[(&str, Value)]) -> CprSubscription {
        let mut spec = json!({
            "sourceRef": { "name": "register" },
            "consumerRef": { "name": "sample" },
            "purpose": "case-work",
            "select": { "municipalities": ["0851"] },
            "payload": {},
            "reviewBy": "2027-06-01",
        });
        for (pointer, value) in replaced {
            let (parent, member) = pointer.rsplit_once('/').unwrap();
            spec.pointer_mut(parent).unwrap()[member] = value.clone();
        }
        let mut made = CprSubscription::new("clients", serde_json::from_value(spec).unwrap());
        made.metadata.namespace = Some("aalborg".to_owned());
        made.metadata.generation = Some(1);
        made
    }

    /// All that the smallest subscription refers to, with members of the consumer replaced.
    pub fn found(consumer_replaced: &[(&str, Value)]) -> Found {
        let key = |name: &str| ResourceKey::new("aalborg", name);
        let spec = consumer(consumer_replaced).spec;
        let (rights, url) = (rights(&spec).unwrap(), spec.delivery.url.parse().unwrap());
        let source = SourceFound { id: 1, key: key("register"), environment: Environment::Test, schema: None };
        Found {
            key: key("clients"),
            source: Ok(source),
            authority: "aalborg".to_owned(),
            grants: Vec::new(),
            present: Some(Present { consumer: key("sample"), rights: rights.clone(), url: Some(url.clone()) }),
            consumer: Ok(ConsumerFound { id: 2, key: key("sample"), rights, url }),
            row: None,
        }
    }

    fn check(replaced: &[(&str, Value)], found: &Found) -> Result<Checked, Refusal> {
        validate(&subscription(replaced), found, NOW.parse().unwrap())
    }

    #[test]
    fn each_refusal_has_its_reason() {
        for (replaced, reason) in [
            (("/purpose", json!("other")), "PurposeNotFound"),
            (("/reviewBy", json!("2029-01-01")), "ReviewTooLate"),
            (("/reviewBy", json!("2027-13-01")), "InvalidSpec"),
            (("/select", json!({})), "InvalidSpec"),
            (("/select", json!({ "municipalities": ["0851"], "everyone": true })), "InvalidSpec"),
            (("/select", json!({ "municipalities": ["0001"] })), "InvalidSpec"),
            (("/events", json!({ "types": ["citizenship.changed"] })), "TypesNotGranted"),
            (("/events", json!({ "types": ["snapshot"] })), "InvalidSpec"),
            (("/payload", json!({ "level": "Fields", "fields": ["Birth"] })), "FieldsNotGranted"),
            (("/payload", json!({ "level": "Fields" })), "InvalidSpec"),
            (("/payload", json!({ "fields": ["Name"] })), "InvalidSpec"),
            (("/followInactive", json!("long")), "InvalidSpec"),
            (("/followOnMove", json!("long")), "InvalidSpec"),
            (("/select", json!({ "persons": "Managed", "everyone": true })), "InvalidSpec"),
            (
                ("/select", json!({ "persons": "Managed", "personsSecretRef": { "name": "a", "key": "b" } })),
                "InvalidSpec",
            ),
        ] {
            assert_eq!(check(std::slice::from_ref(&replaced), &found(&[])).unwrap_err().reason, reason, "{replaced:?}");
        }
    }

    #[test]
    fn what_it_refers_to_has_to_be_there_and_of_one_environment() {
        let missing = Refusal::by_others("SourceNotFound", "");
        let without_source = Found { source: Err(missing), ..found(&[]) };
        assert_eq!(check(&[], &without_source).unwrap_err().reason, "SourceNotFound");
        let missing = Refusal::by_others("ConsumerNotFound", "");
        let without_consumer = Found { consumer: Err(missing), ..found(&[]) };
        assert_eq!(check(&[], &without_consumer).unwrap_err().reason, "ConsumerNotFound");
        let mut mixed = found(&[]);
        mixed.source.as_mut().unwrap().environment = Environment::Production;
        assert_eq!(check(&[], &mixed).unwrap_err().reason, "EnvironmentMismatch");
    }

    #[test]
    fn without_types_it_hears_all_that_the_purpose_grants_but_the_technical() {
        let checked = check(&[], &found(&[])).unwrap();
        assert!(checked.types.contains(EventType::MovedIn));
        assert!(checked.types.contains(EventType::Died));
        assert!(!checked.types.contains(EventType::AddressTechnical));
        assert!(!checked.types.contains(EventType::CitizenshipChanged));
    }

    #[test]
    fn a_list_stands_alone_or_beside_municipalities() {
        let of = |select: Value| check(&[("/select", select)], &found(&[])).unwrap().selector;
        let from = json!({ "name": "list", "key": "persons" });
        assert_eq!(of(json!({ "persons": "Managed" })), Selector::listed());
        assert_eq!(of(json!({ "personsSecretRef": from })), Selector::listed());
        let both = of(json!({ "persons": "Managed", "municipalities": ["0851"] }));
        assert!(both.listed && both.municipalities.len() == 1);
        let follows = [("/select", json!({ "persons": "Managed" })), ("/followOnMove", json!("1h"))];
        assert_eq!(check(&follows, &found(&[])).unwrap_err().reason, "InvalidSpec");
        let checked =
            check(&[("/followOnMove", json!("1h")), ("/start", json!({ "announce": "Snapshot" }))], &found(&[]));
        let checked = checked.unwrap();
        assert_eq!(checked.follow_on_move, Some(Duration::from_secs(3600)));
        assert_eq!(checked.announce, Announcement::Snapshot);
    }

    #[test]
    fn a_purpose_narrower_than_the_consumer_counts() {
        let narrow =
            json!([{ "id": "case-work", "legalBases": ["GDPR-6-1-e"], "description": "d", "fields": ["Status"] }]);
        let found = found(&[("/purposes", narrow)]);
        let named = ("/payload", json!({ "level": "Fields", "fields": ["Name"] }));
        assert_eq!(check(&[named], &found).unwrap_err().reason, "FieldsNotGranted");
        assert_eq!(check(&[], &found).unwrap().rights.granted, GroupSet::of(&[FieldGroup::Status]));
    }
}
