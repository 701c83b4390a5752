//! Understanding a service by its schema: which of the members that we know it has, and how it is asked.

mod entity;
mod person;
mod sdl;
#[cfg(test)]
pub mod tests;

use crate::domain::field_group::GroupSet;

use super::fields::{Field, Need};
pub use entity::{Comparison, EventShape, Operator};
pub use person::{Filter, PersonShape};
pub use sdl::Sdl;

/// How persons can be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// One in each query.
    Single,
    /// Many in one query.
    Batch,
}

/// What was learnt of the source's services, for status and log. Holds names of our own tables only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Understanding {
    /// Whether both services' schemas were read; else the documented form stands in for what was not.
    pub from_schema: bool,
    /// Digest of the schemas that were read.
    pub hash: Option<String>,
    /// Lookup by PersonID; none where the service has no filter for it.
    pub lookup_by_id: Option<Lookup>,
    /// Lookup by CPR number; none where the service has no filter for it.
    pub lookup_by_number: Option<Lookup>,
    /// Whether events and import status can be read.
    pub events: bool,
    /// The groups that the service can give.
    pub offered: GroupSet,
    /// Members that were found under another name than the documented one, as `documented=found`, sorted.
    pub chosen: Vec<String>,
    /// Members that the offered groups would need and the service lacks, by path, sorted.
    pub missing: Vec<String>,
}

/// A member that a service has, under the name that it has there.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The name in the schema.
    pub name: String,
    /// What it is.
    pub field: &'static Field,
    /// Its own members; none for a plain value.
    pub members: Vec<Chosen>,
}

/// What a walk through the table found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    lost: GroupSet,
    chosen: Vec<String>,
    missing: Vec<String>,
    unusable: bool,
}

impl Findings {
    fn lacks(&mut self, field: &Field, path: &str, groups: GroupSet) {
        match field.need {
            Need::Optional => return,
            Need::Essential => self.lost = self.lost.union(groups),
            Need::Mandatory => self.unusable = true,
        }
        self.missing.push(path.to_owned());
    }

    /// Takes in what was found within a member. Nothing is lost with what an optional one lacks.
    fn take(&mut self, inner: Findings, need: Need) {
        self.chosen.extend(inner.chosen);
        if need != Need::Optional {
            self.lost = self.lost.union(inner.lost);
            self.missing.extend(inner.missing);
            self.unusable |= inner.unusable;
        }
    }
}

/// The members of `fields` that the type `within` has. `groups`: those that the parent is selected for.
fn choose(
    sdl: &Sdl,
    within: &str,
    fields: &'static [Field],
    path: &str,
    groups: GroupSet,
    out: &mut Findings,
) -> Vec<Chosen> {
    fields.iter().filter_map(|field| choose_one(sdl, within, field, path, groups, out)).collect()
}

fn choose_one(
    sdl: &Sdl,
    within: &str,
    field: &'static Field,
    path: &str,
    groups: GroupSet,
    out: &mut Findings,
) -> Option<Chosen> {
    let path = if path.is_empty() { field.key().to_owned() } else { format!("{path}.{}", field.key()) };
    let groups = lost_with(field, groups);
    let found = field.names.iter().find_map(|name| sdl.member(within, name));
    let Some((name, target)) = found else {
        out.lacks(field, &path, groups);
        return None;
    };
    let members = match target {
        Some(object) if !field.members.is_empty() => {
            let mut inner = Findings::default();
            let members = choose(sdl, object, field.members, &path, groups, &mut inner);
            out.take(inner, field.need);
            (!members.is_empty()).then_some(members)
        }
        None if field.plain => Some(Vec::new()),
        _ => None,
    };
    let Some(members) = members else {
        out.lacks(field, &path, groups);
        return None;
    };
    let known = known_as(field, name);
    if known != field.key() {
        out.chosen.push(format!("{path}={known}"));
    }
    Some(Chosen { name: name.to_owned(), field, members })
}

/// A member that is selected whenever its parent is takes the parent's groups with it, another one only its own.
fn lost_with(field: &Field, parent: GroupSet) -> GroupSet {
    let own = if field.groups == GroupSet::ALWAYS_HELD { parent } else { field.groups };
    if parent.is_empty() { field.groups } else { own }
}

/// The name of our table that a schema's name is, whatever its case there.
fn known_as(field: &Field, name: &str) -> &'static str {
    field.names.iter().copied().find(|known| known.eq_ignore_ascii_case(name)).unwrap_or(field.key())
}

/// What may be selected without having seen a schema.
fn documented(fields: &'static [Field]) -> Vec<Chosen> {
    fields
        .iter()
        .filter(|field| field.confirmed)
        .map(|field| Chosen { name: field.spelling().to_owned(), field, members: documented(field.members) })
        .filter(|chosen| chosen.field.plain || !chosen.members.is_empty())
        .collect()
}

/// How both services are asked, and what that was learnt from.
#[derive(Clone, Debug)]
pub struct Known {
    /// The entity service.
    pub events: EventShape,
    /// The person service.
    pub persons: PersonShape,
    /// The same, for people.
    pub understanding: Understanding,
}

impl Known {
    /// Learns from the services' schemas. The documented form stands in for one that is absent or cannot be used.
    pub fn read(entities: Option<&str>, persons: Option<&str>) -> Self {
        let mut findings = Findings::default();
        let parsed = |text: Option<&str>| text.and_then(|text| Sdl::parse(text).ok());
        let person_shape = parsed(persons).and_then(|sdl| PersonShape::read(&sdl, &mut findings));
        findings.unusable = false;
        let event_shape = parsed(entities).and_then(|sdl| EventShape::read(&sdl, &mut findings));
        let from_schema = person_shape.is_some() && event_shape.is_some();
        let events = !findings.unusable && (entities.is_none() || event_shape.is_some());
        let persons_shape = person_shape.unwrap_or_else(PersonShape::documented);
        findings.chosen.sort();
        findings.missing.sort();
        let understanding = Understanding {
            from_schema,
            hash: hash(entities, persons),
            lookup_by_id: persons_shape.by_id.as_ref().map(|filter| filter.lookup),
            lookup_by_number: persons_shape.by_number.as_ref().map(|filter| filter.lookup),
            events,
            offered: persons_shape.offered,
            chosen: findings.chosen,
            missing: findings.missing,
        };
        Self { events: event_shape.unwrap_or_else(EventShape::documented), persons: persons_shape, understanding }
    }
}

/// The first 16 bytes of a digest over both texts, in hex; none where neither was read.
fn hash(entities: Option<&str>, persons: Option<&str>) -> Option<String> {
    entities.or(persons)?;
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for text in [entities, persons] {
        let text = text.unwrap_or_default();
        context.update(&(text.len() as u64).to_be_bytes());
        context.update(text.as_bytes());
    }
    Some(hex::encode(&context.finish().as_ref()[..16]))
}
