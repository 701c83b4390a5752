//! What is left of a subscription's last good form when its present spec cannot be used: no more than the consumer still may
//! have, and than its source still grants. Where that is not known, nothing.

use super::dereference::{Present, SourceFound};
use crate::domain::compiled::Subscription;
use crate::domain::grant::Allowance;
use crate::operator::refusal::Refusal;

/// The last good form, cut to what the consumer still may have. Without a grant it covers nobody, so that it is taken up again
/// as a selection that is widened.
pub fn keep(
    last: &Subscription,
    source: &Result<SourceFound, Refusal>,
    present: Option<&Present>,
    allowance: Allowance<'_>,
) -> Option<Subscription> {
    let Present { rights: present, url, .. } = present.filter(|present| present.consumer == last.consumer)?;
    if source.as_ref().is_ok_and(|source| source.environment != present.environment) {
        return None;
    }
    let rights = present.purposes.get(&last.purpose)?;
    let granted = last.granted.intersection(rights.granted);
    let is_admitted = url.as_ref().is_some_and(|url| allowance.admits(present.sector, url).is_ok());
    let kept = Subscription {
        granted,
        fields: last.fields.intersection(granted),
        types: last.types.iter().filter(|type_| type_.may_be_heard_with(granted)).collect(),
        legal_bases: rights.bases.clone(),
        protected_persons: present.protected_persons,
        sector: present.sector,
        ..last.clone()
    };
    Some(kept.cut_to(if is_admitted || allowance == Allowance::Own { allowance } else { Allowance::Nothing }))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::event_type::EventType;
    use crate::domain::field_group::{FieldGroup, GroupSet};
    use crate::domain::resource::{Environment, ProtectedPersons};
    use crate::operator::subscription::build::build;
    use crate::operator::subscription::validate::tests::{NOW, found, subscription};
    use crate::operator::subscription::validate::validate;

    fn last() -> Subscription {
        let asks = subscription(&[("/payload", json!({ "level": "Fields", "fields": ["Name", "Address"] }))]);
        build(validate(&asks, &found(&[]), NOW.parse().unwrap()).unwrap()).compiled
    }

    #[test]
    fn an_unchanged_consumer_keeps_it_whole() {
        let now = found(&[]);
        assert_eq!(keep(&last(), &now.source, now.present.as_ref(), Allowance::Own), Some(last()));
        let missing = Err(Refusal::by_others("SourceNotFound", ""));
        assert_eq!(keep(&last(), &missing, now.present.as_ref(), Allowance::Own), Some(last()));
    }

    #[test]
    fn a_narrowed_consumer_narrows_it() {
        let now = found(&[("/fields", json!(["Status", "Name"])), ("/protectedPersons", json!("Deny"))]);
        let kept = keep(&last(), &now.source, now.present.as_ref(), Allowance::Own).unwrap();
        assert_eq!(kept.granted, GroupSet::of(&[FieldGroup::Status, FieldGroup::Name]));
        assert_eq!(kept.fields, GroupSet::of(&[FieldGroup::Name]));
        assert!(!kept.types.contains(EventType::AddressChanged));
        assert!(kept.types.contains(EventType::NameChanged));
        assert_eq!(kept.protected_persons, ProtectedPersons::Deny);
    }

    #[test]
    fn a_consumer_that_is_gone_or_without_the_purpose_leaves_nothing() {
        let now = found(&[]);
        assert_eq!(keep(&last(), &now.source, None, Allowance::Own), None);
        let purposes = json!([{ "id": "other", "legalBases": ["GDPR-6-1-e"], "description": "d" }]);
        let now = found(&[("/purposes", purposes)]);
        assert_eq!(keep(&last(), &now.source, now.present.as_ref(), Allowance::Own), None);
    }

    #[test]
    fn another_environment_leaves_nothing() {
        let mut now = found(&[]);
        now.source.as_mut().unwrap().environment = Environment::Production;
        assert_eq!(keep(&last(), &now.source, now.present.as_ref(), Allowance::Own), None);
    }
}
