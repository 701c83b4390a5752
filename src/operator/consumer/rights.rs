//! What a consumer may have, and why: the ground that its subscriptions stand on. Pure, and the same for both kinds.

use std::collections::BTreeMap;

use crate::api::consumer::{ConsumerSystemSpec, Purpose};
use crate::domain::field_group::{FieldGroup, GroupSet};
use crate::domain::resource::{Environment, ProtectedPersons, Sector};
use crate::operator::refusal::Refusal;

/// What a consumer may have.
#[derive(Clone, Debug, PartialEq)]
pub struct Rights {
    /// Test or production.
    pub environment: Environment,
    /// Public or private.
    pub sector: Sector,
    /// What it is given of protected persons.
    pub protected_persons: ProtectedPersons,
    /// The most it may ever be given.
    pub fields: GroupSet,
    /// Its purposes by their id.
    pub purposes: BTreeMap<String, PurposeRights>,
}

/// What a consumer may have for one purpose.
#[derive(Clone, Debug, PartialEq)]
pub struct PurposeRights {
    /// Legal bases.
    pub bases: Vec<String>,
    /// The most it may be given for it.
    pub granted: GroupSet,
}

/// Checks what a consumer may have. The API server did so too, maybe by the rules of an older version.
pub fn rights(spec: &ConsumerSystemSpec) -> Result<Rights, Refusal> {
    let fields: GroupSet = spec.fields.iter().copied().collect();
    if spec.sector == Sector::Private && spec.protected_persons == ProtectedPersons::Allow {
        return Err(invalid("protectedPersons: Allow needs sector Public: use Mask or Deny"));
    }
    if spec.sector == Sector::Private && fields.contains(FieldGroup::PersonId) {
        return Err(invalid("PersonId may not be given to sector Private: remove it from fields"));
    }
    let mut purposes = BTreeMap::new();
    for purpose in &spec.purposes {
        let id = purpose.id.as_str().to_owned();
        if purposes.insert(id, purpose_rights(purpose, fields, spec.sector)?).is_some() {
            return Err(invalid(format!("purpose {} is there twice: give each its own id", purpose.id)));
        }
    }
    let (environment, sector, protected_persons) = (spec.environment, spec.sector, spec.protected_persons);
    Ok(Rights { environment, sector, protected_persons, fields, purposes })
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::by_author("InvalidSpec", message)
}

fn purpose_rights(purpose: &Purpose, most: GroupSet, sector: Sector) -> Result<PurposeRights, Refusal> {
    let granted = match &purpose.fields {
        Some(fields) => fields.iter().copied().collect(),
        None => most,
    };
    let id = &purpose.id;
    if !granted.is_within(most) {
        let beyond = granted.minus(most).names().join(", ");
        return Err(invalid(format!(
            "purpose {id} has fields beyond the consumer's: remove {beyond} or add it to spec.fields"
        )));
    }
    let church = GroupSet::of(&[FieldGroup::Church, FieldGroup::ChurchHistory]);
    if !granted.intersection(church).is_empty() && !has_basis(purpose, "GDPR-9-2-") {
        return Err(invalid(format!(
            "purpose {id} has Church or ChurchHistory: add a legal basis GDPR-9-2-a to GDPR-9-2-j, or leave them out"
        )));
    }
    let private_number = sector == Sector::Private && granted.contains(FieldGroup::Number);
    if private_number && !has_basis(purpose, "DBL-11-2-") && !has_exact_basis(purpose, "DBL-11-2") {
        return Err(invalid(format!(
            "purpose {id} has Number for sector Private: add a legal basis DBL-11-2, such as DBL-11-2-1, or leave Number out"
        )));
    }
    let bases = purpose.legal_bases.iter().map(|b| b.as_str().to_owned()).collect();
    Ok(PurposeRights { bases, granted })
}

fn has_basis(purpose: &Purpose, prefix: &str) -> bool {
    purpose.legal_bases.iter().any(|basis| basis.as_str().starts_with(prefix))
}

fn has_exact_basis(purpose: &Purpose, basis: &str) -> bool {
    purpose.legal_bases.iter().any(|b| b.as_str() == basis)
}
