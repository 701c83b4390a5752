//! The canonical form of an entry, version 1: RFC 8785 JSON of a public and a private part. What was written once in this
//! form is never encoded again, so it must not change; a change is a new version beside it.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use serde::Serialize;
use serde_json::to_string;

use super::{Entry, Resource, subjects};

/// Version of the form.
const VERSION: u8 = 1;

/// What is hashed before salt and private part, with a zero byte after it.
const LABEL: &[u8] = b"cpr-operator/audit/private/v1\0";

/// Absent where empty, else sorted and each once.
type List<'a> = Option<Vec<&'a str>>;

// Members stand in the order of their names and all numbers are whole: plain JSON of these is in the canonical form already.

#[derive(Serialize)]
struct Public<'a> {
    at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bases: List<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'a str>,
    commitment: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cvr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grants: List<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: List<'a>,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: List<'a>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    persons: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purposes: List<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<ResourceForm<'a>>,
    #[serde(rename = "type")]
    type_: &'static str,
    v: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceForm<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<i64>,
    kind: &'static str,
    name: &'a str,
    namespace: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    spec_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Private<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    criteria: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_user_basis: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subjects: Vec<SubjectForm<'a>>,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct SubjectForm<'a> {
    kind: &'static str,
    period: &'a str,
    reference: String,
}

/// The public part.
pub(super) fn public(entry: &Entry, id: &[u8; 16], commitment: &[u8; 32]) -> Result<String, serde_json::Error> {
    to_string(&Public {
        v: VERSION,
        id: hex::encode(id),
        at: entry.at.as_millisecond(),
        type_: entry.type_.name(),
        outcome: entry.outcome.name(),
        class: entry.class.as_deref(),
        consumer: entry.consumer.as_ref().map(ToString::to_string),
        cvr: entry.cvr.as_deref(),
        credential: entry.credential.as_deref(),
        purposes: sorted(texts(&entry.purposes)),
        bases: sorted(texts(&entry.bases)),
        groups: sorted(entry.groups.names()),
        grants: sorted(texts(&entry.grants)),
        persons: entry.persons,
        delivery: entry.delivery.as_deref(),
        attempt: entry.attempt,
        resource: entry.resource.as_ref().map(resource),
        keys: sorted(texts(&entry.keys)),
        commitment: hex::encode(commitment),
    })
}

/// The private part.
pub(super) fn private(entry: &Entry) -> Result<String, serde_json::Error> {
    let mut forms: Vec<SubjectForm<'_>> = entry
        .subjects
        .iter()
        .flat_map(subjects)
        .map(|s| SubjectForm { kind: s.kind, period: s.period, reference: hex::encode(s.reference) })
        .collect();
    forms.sort();
    forms.dedup();
    to_string(&Private {
        subjects: forms,
        end_user: entry.end_user.as_deref(),
        end_user_basis: entry.end_user_basis.as_deref(),
        criteria: entry.criteria.as_deref(),
        case: entry.case.as_deref(),
        address: entry.address.as_deref(),
    })
}

fn resource(resource: &Resource) -> ResourceForm<'_> {
    ResourceForm {
        kind: resource.kind,
        namespace: &resource.key.namespace,
        name: &resource.key.name,
        uid: resource.uid.as_deref(),
        generation: resource.generation,
        spec_hash: resource.spec_hash.map(hex::encode),
    }
}

fn texts(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

fn sorted(mut list: Vec<&str>) -> List<'_> {
    list.sort_unstable();
    list.dedup();
    Some(list).filter(|list| !list.is_empty())
}

/// What the public part says of the private one: nothing to who has not the salt.
pub(super) fn commitment(salt: &[u8; 32], private: &[u8]) -> [u8; 32] {
    sha256(&[LABEL, salt, private])
}

/// SHA-256 over parts one after the other.
pub(super) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// What opens a public part's commitment.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    /// The salt.
    pub salt: [u8; 32],
    /// The private part's bytes.
    pub private: Vec<u8>,
}

/// Whether an opening is the one that a public part committed to.
pub fn verify(public: &[u8], opening: &Opening) -> bool {
    #[derive(serde::Deserialize)]
    struct Committed {
        commitment: String,
    }
    let Ok(Committed { commitment: stated }) = serde_json::from_slice(public) else { return false };
    let computed = commitment(&opening.salt, &opening.private);
    hex::decode(stated).is_ok_and(|stated| verify_slices_are_equal(&stated, &computed).is_ok())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::audit::Outcome;
    use crate::domain::field_group::{FieldGroup, GroupSet};
    use crate::domain::resource::ResourceKey;
    use crate::store::keys::AuditReferences;

    const PRIVATE: &str = r#"{"address":"192.0.2.7","subjects":[{"kind":"Number","period":"2026-07","reference":"02020202020202020202020202020202"},{"kind":"PersonId","period":"2026-07","reference":"01010101010101010101010101010101"}]}"#;

    fn disclosure() -> Entry {
        Entry {
            class: Some("timeout".into()),
            purposes: vec!["school".into(), "care".into(), "care".into()],
            bases: vec!["§ 12 \"b\"".into()],
            groups: GroupSet::of(&[FieldGroup::Status, FieldGroup::Address]),
            persons: Some(1),
            subjects: vec![AuditReferences {
                period: "2026-07".into(),
                person: vec![1; 16],
                number: Some(vec![2; 16]),
            }],
            address: Some("192.0.2.7".into()),
            ..Entry::disclosure(
                "2026-07-01T10:00:00.123Z".parse().unwrap(),
                Outcome::Failed,
                ResourceKey::new("skole", "elever"),
                "12345678".into(),
                "ev_0123456789abcdefghjkmnpqrs".into(),
                2,
            )
        }
    }

    #[test]
    fn the_form_is_fixed_byte_by_byte() {
        let entry = disclosure();
        assert_eq!(private(&entry).unwrap(), PRIVATE);
        let commitment = commitment(&[3; 32], PRIVATE.as_bytes());
        assert_eq!(hex::encode(commitment), COMMITMENT);
        let expected = format!(
            r#"{{"at":1782900000123,"attempt":2,"bases":["§ 12 \"b\""],"class":"timeout","commitment":"{COMMITMENT}","consumer":"skole/elever","cvr":"12345678","delivery":"ev_0123456789abcdefghjkmnpqrs","groups":["Address","Status"],"id":"04040404040404040404040404040404","outcome":"Failed","persons":1,"purposes":["care","school"],"type":"disclosure","v":1}}"#
        );
        assert_eq!(public(&entry, &[4; 16], &commitment).unwrap(), expected);
    }

    /// Computed apart from this code: printf 'cpr-operator/audit/private/v1\0', 32 bytes of 3, the private part | sha256sum.
    const COMMITMENT: &str = "fa47d8a518e2abfe4e2cecc5507ee5bda3110123b2940b299fc48721242952ed";

    #[test]
    fn whatever_an_entry_says_its_form_is_that_of_rfc_8785() {
        let odd = || Some("\u{1} \u{7f} \" \\ / \u{2028} æ 𝄞 \n\t".to_owned());
        let resource = Resource {
            uid: odd(),
            generation: Some(4),
            spec_hash: Some([9; 32]),
            ..Resource::named("CprSource", ResourceKey::new("skole", "elever"))
        };
        let entry = Entry {
            class: odd(),
            credential: odd(),
            keys: odd().into_iter().collect(),
            grants: vec!["b".into(), "a".into()],
            resource: Some(resource),
            end_user: odd(),
            end_user_basis: odd(),
            criteria: odd(),
            case: odd(),
            ..disclosure()
        };
        for form in [private(&entry).unwrap(), public(&entry, &[4; 16], &[5; 32]).unwrap()] {
            let value: serde_json::Value = serde_json::from_str(&form).unwrap();
            assert_eq!(form, serde_json_canonicalizer::to_string(&value).unwrap());
        }
    }

    #[test]
    fn what_is_private_is_hidden_from_debug() {
        let shown = format!("{:?} {:?}", disclosure(), disclosure().subjects);
        assert!(!shown.contains("192.0.2.7") && !shown.contains("1, 1") && shown.contains("Disclosure"), "{shown}");
    }

    #[test]
    fn a_resource_stands_in_its_own_member() {
        let resource = Resource {
            uid: Some("u1".into()),
            generation: Some(4),
            spec_hash: Some([9; 32]),
            ..Resource::named("CprSubscription", ResourceKey::new("skole", "flytning"))
        };
        let at = "2026-07-01T10:00:00Z".parse().unwrap();
        let entry = Entry::configuration(at, resource, Vec::new(), Vec::new(), GroupSet::EMPTY);
        assert_eq!(private(&entry).unwrap(), "{}");
        let expected = format!(
            r#"{{"at":1782900000000,"commitment":"{}","id":"{}","outcome":"Succeeded","resource":{{"generation":4,"kind":"CprSubscription","name":"flytning","namespace":"skole","specHash":"{}","uid":"u1"}},"type":"configuration","v":1}}"#,
            "05".repeat(32),
            "04".repeat(16),
            "09".repeat(32)
        );
        assert_eq!(public(&entry, &[4; 16], &[5; 32]).unwrap(), expected);
    }

    #[test]
    fn only_the_right_opening_verifies() {
        let commitment = commitment(&[3; 32], PRIVATE.as_bytes());
        let public = public(&disclosure(), &[4; 16], &commitment).unwrap();
        let opening = Opening { salt: [3; 32], private: PRIVATE.into() };
        assert!(verify(public.as_bytes(), &opening));
        assert!(!verify(public.as_bytes(), &Opening { salt: [4; 32], ..opening.clone() }));
        assert!(!verify(public.as_bytes(), &Opening { private: b"{}".to_vec(), ..opening.clone() }));
        assert!(!verify(b"{}", &opening));
    }

    #[test]
    fn the_same_spec_has_the_same_hash_whatever_the_order_of_its_members() {
        let (one, two) = (serde_json::json!({"a": 1, "b": [true]}), serde_json::json!({"b": [true], "a": 1}));
        assert_eq!(Resource::spec_hash_of(&one).unwrap(), Resource::spec_hash_of(&two).unwrap());
        assert_ne!(Resource::spec_hash_of(&one).unwrap(), Resource::spec_hash_of(&serde_json::json!({})).unwrap());
    }
}
