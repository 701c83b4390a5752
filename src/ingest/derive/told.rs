//! When two values of a row are the same: to who reads them, and as a fact about the person.

use crate::domain::person::{
    Address, Church, Citizenship, CivilStatus, CustodyHolder, Guardianship, Lines, MunicipalCondition, MunicipalNote,
    Name, Number, Parent, Protection, Related, Residence,
};

/// A value that can be told.
pub(super) trait Told {
    /// Whether both read alike to a consumer.
    fn reads_like(&self, other: &Self) -> bool;

    /// Whether both state the same of the person. A relative's new name reads differently and is still the same fact.
    fn is_same_fact(&self, other: &Self) -> bool {
        self.reads_like(other)
    }
}

macro_rules! told_as_they_are {
    ($($type:ty),*) => {
        $(impl Told for $type {
            fn reads_like(&self, other: &Self) -> bool {
                self == other
            }
        })*
    };
}

told_as_they_are!(
    Address,
    Church,
    Citizenship,
    Lines,
    MunicipalCondition,
    MunicipalNote,
    Name,
    Number,
    Protection,
    Residence
);

impl Told for Related {
    fn reads_like(&self, other: &Self) -> bool {
        let shielded = |person: &Related| person.protected != Some(false);
        self.is_same_fact(other)
            && self.name == other.name
            && self.birth == other.birth
            && shielded(self) == shielded(other)
    }

    fn is_same_fact(&self, other: &Self) -> bool {
        match (&self.id, &other.id, &self.number, &other.number) {
            (Some(one), Some(two), _, _) => one == two,
            (_, _, Some(one), Some(two)) => one == two,
            _ => self.name == other.name && self.birth == other.birth,
        }
    }
}

fn both<T>(one: &Option<T>, two: &Option<T>, same: impl Fn(&T, &T) -> bool) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => same(one, two),
        (None, None) => true,
        _ => false,
    }
}

impl Told for CivilStatus {
    fn reads_like(&self, other: &Self) -> bool {
        self.kind == other.kind && both(&self.spouse, &other.spouse, Related::reads_like)
    }

    fn is_same_fact(&self, other: &Self) -> bool {
        self.kind == other.kind && both(&self.spouse, &other.spouse, Related::is_same_fact)
    }
}

impl Told for Parent {
    fn reads_like(&self, other: &Self) -> bool {
        self.role == other.role && self.person.reads_like(&other.person)
    }

    fn is_same_fact(&self, other: &Self) -> bool {
        self.role == other.role && self.person.is_same_fact(&other.person)
    }
}

impl Told for CustodyHolder {
    fn reads_like(&self, other: &Self) -> bool {
        self.role == other.role && self.person.reads_like(&other.person)
    }

    fn is_same_fact(&self, other: &Self) -> bool {
        self.role == other.role && self.person.is_same_fact(&other.person)
    }
}

impl Told for Guardianship {
    fn reads_like(&self, other: &Self) -> bool {
        self.kind == other.kind && both(&self.guardian, &other.guardian, Related::reads_like)
    }

    fn is_same_fact(&self, other: &Self) -> bool {
        self.kind == other.kind && both(&self.guardian, &other.guardian, Related::is_same_fact)
    }
}
