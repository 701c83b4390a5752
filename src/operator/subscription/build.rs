//! The compiled form of a checked subscription.

use super::life::Life;
use super::validate::Checked;
use crate::api::subscription::{Announcement, Level};
use crate::domain::compiled::{Announce, PayloadLevel, Subscription};
use crate::store::{ConsumerId, SourceId};

/// A compiled subscription with the rows that it joins, and its life by the clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The source's row.
    pub source: SourceId,
    /// The consumer's row.
    pub consumer: ConsumerId,
    /// The form that ingest and delivery work from.
    pub compiled: Subscription,
    /// When it is to be reviewed and when it ends.
    pub life: Life,
}

/// Builds the compiled form.
pub fn build(checked: Checked) -> Wanted {
    let consumer_rights = checked.consumer.rights;
    let compiled = Subscription {
        key: checked.key,
        source: checked.source.key,
        consumer: checked.consumer.key,
        purpose: checked.purpose,
        legal_bases: checked.rights.bases,
        selector: checked.selector,
        places: checked.places,
        types: checked.types,
        level: match checked.level {
            Level::Reference => PayloadLevel::Reference,
            Level::ChangedGroups => PayloadLevel::ChangedGroups,
            Level::Fields => PayloadLevel::Fields,
        },
        fields: checked.fields,
        granted: checked.rights.granted,
        protected_persons: checked.protected_persons,
        sector: consumer_rights.sector,
        follow_inactive: checked.follow_inactive,
        follow_on_move: checked.follow_on_move,
        announce: match checked.announce {
            Announcement::None => Announce::None,
            Announcement::Snapshot => Announce::Snapshot,
        },
        suspended: checked.suspended,
        ends_at: Some(checked.life.ends_at),
    };
    Wanted { source: checked.source.id, consumer: checked.consumer.id, compiled, life: checked.life }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::field_group::{FieldGroup, GroupSet};
    use crate::operator::subscription::validate::tests::{NOW, found, subscription};
    use crate::operator::subscription::validate::validate;

    #[test]
    fn the_compiled_form_says_all_that_the_spec_and_the_consumer_say() {
        let asks = subscription(&[("/payload", json!({ "level": "Fields", "fields": ["Name"] }))]);
        let wanted = build(validate(&asks, &found(&[]), NOW.parse().unwrap()).unwrap());
        assert_eq!((wanted.source, wanted.consumer), (1, 2));
        assert_eq!(wanted.compiled.key.to_string(), "aalborg/clients");
        assert_eq!(wanted.compiled.legal_bases, ["GDPR-6-1-e"]);
        assert_eq!(wanted.compiled.fields, GroupSet::of(&[FieldGroup::Name]));
        assert!(wanted.compiled.granted.contains(FieldGroup::Address));
        assert_eq!(wanted.compiled.ends_at, Some(wanted.life.ends_at));
    }
}
