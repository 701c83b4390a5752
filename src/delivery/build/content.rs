//! The `data` of an event about a person.

use serde_json::{Map, Value};

use super::Facts;
use super::ground::Ground;
use crate::delivery::payload::{Data, GroundSaid, ProtectionSaid};
use crate::domain::change::{Change, Snapshot};
use crate::domain::compiled::PayloadLevel;
use crate::domain::event_type::EventType;
use crate::domain::field_group::{FieldGroup, GroupSet};
use crate::domain::pairwise::RecordId;
use crate::domain::person::{Person, Related};
use crate::domain::protection::Ruling;
use crate::domain::render;

/// What the event says, and the groups whose content it gives.
pub(super) fn data(
    type_: EventType,
    snapshot: &Snapshot,
    protected: bool,
    grounds: &[Ground],
    facts: &Facts<'_>,
) -> (Data, GroupSet) {
    let change = &snapshot.change;
    let give = union(grounds, |ground| ground.cut.give).intersection(snapshot.after.held);
    let detailed = grounds.iter().any(|ground| ground.level == PayloadLevel::Fields);
    let bare = grounds.iter().all(|ground| ground.ruling == Ruling::TellBare);
    let says_protection = grounds.iter().any(|ground| ground.cut.say_protection);
    let withheld = union(grounds, |ground| ground.cut.withheld).minus(give);
    let mut data = Data {
        grounds: grounds.iter().map(|ground| said(ground, snapshot.after.held)).collect(),
        effective_from: change.effective_from.map(Into::into),
        registered_at: change.registered_at.map(|at| at.to_string()),
        correction: Some(change.correction),
        derived_from: Some(format!("{:?}", change.derived_from)),
        reason: change.scope.map(|reason| format!("{reason:?}")),
        register_code: change.register_code.clone().filter(|_| !bare),
        changed: if bare { None } else { changed(change, grounds) },
        protection: says_protection.then_some(ProtectionSaid { name_and_address: protected }),
        withheld: detailed.then(|| withheld.names()),
        ..Data::default()
    };
    if matches!(type_, EventType::ProtectionStarted | EventType::ProtectionEnded) {
        data.from = change.effective_from.map(Into::into);
        data.until = change.effective_until.map(Into::into);
    }
    data.fields = detailed.then(|| groups(&snapshot.after, give, snapshot.on, facts));
    data.previous = previous(type_, snapshot, give, facts);
    if let Some(reference) = joined(snapshot, facts) {
        data.previous.get_or_insert_default().insert("reference".to_owned(), reference.into());
    }
    (data, give)
}

fn union(grounds: &[Ground], of: impl Fn(&Ground) -> GroupSet) -> GroupSet {
    grounds.iter().map(of).fold(GroupSet::EMPTY, GroupSet::union)
}

fn said(ground: &Ground, held: GroupSet) -> GroundSaid {
    let groups = ground.cut.give.intersection(held);
    let compiled = ground.row.compiled.as_ref();
    GroundSaid {
        subscription: ground.row.key.name.clone(),
        purpose: compiled.map(|compiled| compiled.purpose.clone()).unwrap_or_default(),
        groups: (ground.level == PayloadLevel::Fields).then(|| groups.names()),
    }
}

fn changed(change: &Change, grounds: &[Ground]) -> Option<Vec<&'static str>> {
    let naming = grounds.iter().filter(|ground| ground.level >= PayloadLevel::ChangedGroups);
    let granted = naming.map(|ground| ground.granted).reduce(GroupSet::union)?;
    let names = change.changed.intersection(granted).names();
    (!names.is_empty()).then_some(names)
}

fn groups(person: &Person, give: GroupSet, on: jiff::civil::Date, facts: &Facts<'_>) -> Map<String, Value> {
    let mut say = |related: &Related| say(related, facts);
    give.iter().map(|group| (group.name().to_owned(), render::group(person, group, on, &mut say))).collect()
}

/// A related person as an earlier attempt said them, or less: a claim that came since changes nothing, and who was told by
/// reference is not told by name when the claim has gone.
fn say(related: &Related, facts: &Facts<'_>) -> Value {
    let claimed = related.record.filter(|record| facts.claimed.contains(record));
    let referred = facts.ceiling.map(|before| related.record.is_some_and(|record| before.referred.contains(&record)));
    match (referred, claimed) {
        (Some(true), None) => render::related(&Related::default(), None),
        (Some(false), _) => render::related(related, None),
        (_, known) => render::related(related, known.map(|record| facts.key.reference(record)).as_deref()),
    }
}

/// Only for a move, a change of number and a merge, and only what is given of the present too.
fn previous(type_: EventType, snapshot: &Snapshot, give: GroupSet, facts: &Facts<'_>) -> Option<Map<String, Value>> {
    let of = match type_ {
        EventType::MovedIn | EventType::MovedOut | EventType::MovedWithin => {
            GroupSet::of(&[FieldGroup::Address, FieldGroup::Municipality])
        }
        EventType::NumberChanged | EventType::PersonMerged => GroupSet::of(&[FieldGroup::Number]),
        _ => return None,
    };
    let before = snapshot.before.as_ref()?;
    let give = of.intersection(give).intersection(before.held);
    (!give.is_empty()).then(|| groups(before, give, snapshot.before_on.unwrap_or(snapshot.on), facts))
}

/// How the consumer knows the entry that turned out to be the same person: only who has a claim on both is told. What an
/// earlier attempt did not say is not said later.
fn joined(snapshot: &Snapshot, facts: &Facts<'_>) -> Option<String> {
    let record = snapshot.change.joined.filter(|record| facts.claimed.contains(record))?;
    let said = facts.ceiling.is_none_or(|before| before.referred.contains(&record));
    said.then(|| facts.key.reference(record))
}

/// Records of all persons that a snapshot tells of beside its own.
pub fn named_records(snapshot: &Snapshot) -> Vec<RecordId> {
    let mut named = related_records(&snapshot.after);
    named.extend(snapshot.change.joined);
    named
}

/// Records of the persons that a person's rows name.
pub fn related_records(person: &Person) -> Vec<RecordId> {
    let mut related: Vec<&Related> = person.parents.iter().map(|row| &row.value.person).collect();
    related.extend(person.children.iter().map(|row| &row.value));
    related.extend(person.custody_holders.iter().map(|row| &row.value.person));
    related.extend(person.custody_over.iter().map(|row| &row.value));
    related.extend(person.civil_statuses.iter().filter_map(|row| row.value.spouse.as_ref()));
    related.extend(person.guardianships.iter().filter_map(|row| row.value.guardian.as_ref()));
    related.into_iter().filter_map(|related| related.record).collect()
}
