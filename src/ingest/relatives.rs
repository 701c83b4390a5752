//! Our records of the persons that a person's rows name, so that a consumer who knows them is told by reference.

use std::collections::{HashMap, HashSet};

use super::source::Source;
use crate::domain::identifier::PersonId;
use crate::domain::pairwise::RecordId;
use crate::domain::person::{Person, Related};
use crate::store;

/// Records of related persons.
#[derive(Debug, Default)]
pub struct Relatives(HashMap<PersonId, RecordId>);

impl Relatives {
    /// Finds the records of everybody whom these persons' rows name.
    pub async fn find(source: &Source, persons: impl Iterator<Item = &Person>) -> Result<Self, store::Error> {
        let mut ids: HashSet<PersonId> = HashSet::new();
        for person in persons {
            person.clone().for_each_related(&mut |related: &mut Related| ids.extend(related.id.clone()));
        }
        let ids: Vec<PersonId> = ids.into_iter().collect();
        let records = source.store.keys.find(&source.realm, &ids).await?;
        Ok(Self(ids.into_iter().zip(records).filter_map(|(id, record)| Some((id, record?))).collect()))
    }

    /// Writes the records into a person's rows.
    pub fn name_in(&self, person: &mut Person) {
        person.for_each_related(&mut |related: &mut Related| {
            related.record = related.id.as_ref().and_then(|id| self.0.get(id).copied());
        });
    }
}
