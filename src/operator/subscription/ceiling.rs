//! The ceiling of a grant: refuses what a subscription to a source of another namespace asks beyond it. Pure.

use super::dereference::{ConsumerFound, Found};
use crate::domain::compiled::Selector;
use crate::domain::event_type::{EventType, TypeSet};
use crate::domain::field_group::GroupSet;
use crate::domain::grant::{Allowance, Barred, Places};
use crate::domain::resource::ProtectedPersons;
use crate::operator::refusal::Refusal;

/// What a subscription may ask at most of its source; of one of its own namespace, anything.
pub struct Ceiling<'a> {
    allowance: Allowance<'a>,
    authority: &'a str,
    own: &'a str,
}

impl<'a> Ceiling<'a> {
    /// The ceiling of a subscription.
    pub fn of(found: &'a Found) -> Self {
        Self { allowance: found.allowance(), authority: &found.authority, own: &found.key.namespace }
    }

    /// Where whoever is covered has to live.
    pub fn places(&self) -> Places {
        self.allowance.places()
    }

    /// What is left of these groups.
    pub fn groups(&self, groups: GroupSet) -> GroupSet {
        self.allowance.groups(groups)
    }

    /// Whether the consumer may be told anything: its sector, and where its deliveries go.
    pub fn check_consumer(&self, consumer: &ConsumerFound) -> Result<(), Refusal> {
        self.allowance.admits(consumer.rights.sector, &consumer.url).map_err(|barred| {
            let message = match barred {
                Barred::NotGranted => "there is none".to_owned(),
                Barred::Sector => "it is for sector Private, and the consumer says Public: have the grant raised, or correct the consumer's sector".to_owned(),
                Barred::Host => format!(
                    "it does not name the host {}: have it added to the grant's hosts, or correct the consumer's delivery.url",
                    consumer.url.host_str().unwrap_or_default()
                ),
            };
            self.refuse(barred.reason(), &message)
        })
    }

    /// What is given of protected persons, which must be what the consumer says.
    pub fn check_protection(&self, asked: ProtectedPersons) -> Result<ProtectedPersons, Refusal> {
        let given = self.allowance.protected_persons(asked);
        if given == asked {
            return Ok(given);
        }
        let message = format!(
            "it gives {given:?} of protected persons at most, and the consumer says {asked:?}: set the consumer's protectedPersons to {given:?}, or have the grant raised"
        );
        Err(self.refuse("ProtectionNotGranted", &message))
    }

    /// The selector, which must lie within the grant's municipalities.
    pub fn check_selector(&self, asked: Selector) -> Result<Selector, Refusal> {
        let Places::Within(granted) = self.places() else { return Ok(asked) };
        if asked.everyone {
            let message = "it does not give everyone: select municipalities of the grant, or have everyone granted";
            return Err(self.refuse("EveryoneNotGranted", message));
        }
        let beyond: Vec<_> = asked.municipalities.difference(&granted).map(ToString::to_string).collect();
        if beyond.is_empty() {
            return Ok(asked);
        }
        let message = format!(
            "it lacks the municipalities {}: remove them from select.municipalities, or have them granted",
            beyond.join(", ")
        );
        Err(self.refuse("MunicipalityNotGranted", &message))
    }

    /// The types, which must be told by what is left of the purpose's groups.
    pub fn check_types(&self, asked: &[EventType], purpose: GroupSet) -> Result<TypeSet, Refusal> {
        let granted = self.groups(purpose);
        let beyond: Vec<_> = asked.iter().filter(|t| !t.may_be_heard_with(granted)).map(ToString::to_string).collect();
        if beyond.is_empty() {
            return Ok(asked.iter().copied().collect());
        }
        let message = format!(
            "its fields lack the groups that these types tell: {}; remove them from events.types, or have the groups granted",
            beyond.join(", ")
        );
        Err(self.refuse("TypesNotGranted", &message))
    }

    /// The groups of a payload, which must lie within the grant's.
    pub fn check_fields(&self, asked: GroupSet) -> Result<GroupSet, Refusal> {
        let beyond = asked.minus(self.groups(asked)).names();
        if beyond.is_empty() {
            return Ok(asked);
        }
        let message =
            format!("it lacks the fields {}: remove them from payload.fields, or have them granted", beyond.join(", "));
        Err(self.refuse("FieldsNotGranted", &message))
    }

    fn refuse(&self, reason: &'static str, what: &str) -> Refusal {
        let Self { authority, own, .. } = self;
        Refusal::by_others(reason, format!("the grant of namespace {authority} to namespace {own}: {what}"))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::resource::ResourceKey;
    use crate::operator::source::grants::{self, tests::granted};
    use crate::operator::subscription::build::{Wanted, build};
    use crate::operator::subscription::keep::keep;
    use crate::operator::subscription::validate::tests::{NOW, found, subscription};
    use crate::operator::subscription::validate::validate;

    type Replaced<'a> = &'a [(&'a str, Value)];

    /// What the smallest subscription refers to, with its source in another namespace that grants this.
    fn foreign(consumer: Replaced<'_>, grant: Replaced<'_>) -> Found {
        let home = ("/delivery/url", json!("https://a.example.org/events"));
        let mut found = found(&[&[home], consumer].concat());
        let grant = granted(&[&[("namespace", json!("aalborg"))], grant].concat());
        found.authority = "owner".to_owned();
        found.source.as_mut().unwrap().key = ResourceKey::new("owner", "register");
        found.grants = grants::of("owner", &[grant]).unwrap();
        found
    }

    fn compile(asks: Replaced<'_>, found: &Found) -> Result<Wanted, Refusal> {
        validate(&subscription(asks), found, NOW.parse().unwrap()).map(build)
    }

    #[test]
    fn what_exceeds_the_grant_is_refused_each_with_its_reason_and_what_to_do() {
        let none: Replaced<'_> = &[];
        let asks: [(Replaced<'_>, Replaced<'_>, Replaced<'_>, &str, &str); 9] = [
            (
                &[("/select", json!({ "municipalities": ["0851", "0101"] }))],
                none,
                none,
                "MunicipalityNotGranted",
                "0101",
            ),
            (&[("/select", json!({ "everyone": true }))], none, none, "EveryoneNotGranted", "select municipalities"),
            (
                &[("/payload", json!({ "level": "Fields", "fields": ["Address"] }))],
                none,
                none,
                "FieldsNotGranted",
                "Address",
            ),
            (&[("/events", json!({ "types": ["moved.in"] }))], none, none, "TypesNotGranted", "moved.in"),
            (none, &[("/delivery/url", json!("https://a.example.com/"))], none, "HostNotGranted", "a.example.com"),
            (none, &[("/delivery/url", json!("https://10.0.0.1/"))], none, "HostNotGranted", "10.0.0.1"),
            (none, &[("/protectedPersons", json!("Allow"))], none, "ProtectionNotGranted", "Mask"),
            (none, none, &[("sector", json!("Private"))], "SectorNotGranted", "Private"),
            (none, none, &[("municipalities", json!([]))], "MunicipalityNotGranted", "0851"),
        ];
        for (asks, consumer, grant, reason, message) in asks {
            let refusal = compile(asks, &foreign(consumer, grant)).unwrap_err();
            assert_eq!(refusal.reason, reason, "{}", refusal.message);
            assert!(refusal.message.contains(message) && refusal.message.contains("owner"), "{}", refusal.message);
            assert!(compile(asks, &found(consumer)).is_ok() || reason == "TypesNotGranted", "its own source: {reason}");
        }
    }

    #[test]
    fn what_lies_within_the_grant_is_compiled_to_no_more_than_both_say() {
        let wanted = compile(&[], &foreign(&[("/protectedPersons", json!("Deny"))], &[])).unwrap().compiled;
        assert_eq!(wanted.granted.names(), ["Name", "Number", "Status"]);
        assert_eq!(wanted.protected_persons, ProtectedPersons::Deny);
        assert!(matches!(&wanted.places, Places::Within(all) if all.len() == 1));
        assert!(!wanted.types.contains(EventType::AddressChanged));
        let everyone = foreign(&[], &[("everyone", json!(true)), ("municipalities", json!([]))]);
        for select in [json!({ "everyone": true }), json!({ "municipalities": ["0101"] })] {
            assert!(compile(&[("/select", select)], &everyone).is_ok());
        }
    }

    #[test]
    fn a_narrowed_grant_narrows_what_is_kept_and_one_that_is_gone_leaves_nobody() {
        let wide =
            foreign(&[], &[("municipalities", json!(["0851", "0101"])), ("fields", json!(["Status", "Address"]))]);
        let last = compile(&[("/select", json!({ "municipalities": ["0851", "0101"] }))], &wide).unwrap().compiled;
        let kept = |now: &Found| keep(&last, &now.source, now.present.as_ref(), now.allowance()).unwrap();
        assert_eq!(kept(&wide), last);
        let narrow = kept(&foreign(&[], &[("fields", json!(["Status"]))]));
        assert_eq!((narrow.granted.names(), narrow.types.contains(EventType::MovedIn)), (vec!["Status"], false));
        assert_eq!(
            narrow.places,
            Places::Within([crate::domain::municipality::Municipality::from_code(851).unwrap()].into())
        );
        for gone in [
            Found { grants: Vec::new(), ..foreign(&[], &[]) },
            foreign(&[], &[("hosts", json!(["b.example.org"]))]),
            foreign(&[], &[("sector", json!("Private"))]),
            foreign(&[("/delivery/url", json!("https://b.example.com/"))], &[]),
        ] {
            let left = kept(&gone);
            assert!(left.covers_nobody() && left.granted == GroupSet::EMPTY, "{left:?}");
        }
    }
}
