//! Field groups: the words in which a consumer is granted data and told what it got.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A group of fields about one person, granted and disclosed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum FieldGroup {
    /// Current CPR number and earlier ones.
    Number,
    /// The register's own permanent identifier; never for a private consumer.
    PersonId,
    /// Civil-registration status: resident, emigrated, disappeared, dead and so on.
    Status,
    /// Date of birth as registered.
    Birth,
    /// Sex as registered.
    Sex,
    /// Present name.
    Name,
    /// Earlier names.
    NameHistory,
    /// Present address.
    Address,
    /// Earlier addresses.
    AddressHistory,
    /// Supplementary address lines.
    SupplementaryAddress,
    /// Contact address.
    ContactAddress,
    /// Municipality of residence.
    Municipality,
    /// Present civil status and spouse.
    CivilStatus,
    /// Earlier civil statuses.
    CivilStatusHistory,
    /// Present citizenships.
    Citizenship,
    /// Earlier citizenships.
    CitizenshipHistory,
    /// Parents.
    Parents,
    /// Children.
    Children,
    /// Who has custody of the person, and over whom the person has custody.
    Custody,
    /// Guardianship.
    Guardianship,
    /// Protections in force.
    Protection,
    /// Earlier protections.
    ProtectionHistory,
    /// Emigration, immigration and disappearance.
    Residence,
    /// Membership of the national church: a special category of data.
    Church,
    /// Earlier memberships of the national church.
    ChurchHistory,
    /// Municipal conditions; named explicitly only.
    MunicipalConditions,
    /// Municipal notes; named explicitly only.
    MunicipalNotes,
}

use FieldGroup::*;

/// Names of the groups, in the order of [`FieldGroup::ALL`].
const NAMES: [&str; 27] = [
    "Number",
    "PersonId",
    "Status",
    "Birth",
    "Sex",
    "Name",
    "NameHistory",
    "Address",
    "AddressHistory",
    "SupplementaryAddress",
    "ContactAddress",
    "Municipality",
    "CivilStatus",
    "CivilStatusHistory",
    "Citizenship",
    "CitizenshipHistory",
    "Parents",
    "Children",
    "Custody",
    "Guardianship",
    "Protection",
    "ProtectionHistory",
    "Residence",
    "Church",
    "ChurchHistory",
    "MunicipalConditions",
    "MunicipalNotes",
];

impl FieldGroup {
    /// Every group, in the order of the reference documentation.
    pub const ALL: [FieldGroup; 27] = [
        Number,
        PersonId,
        Status,
        Birth,
        Sex,
        Name,
        NameHistory,
        Address,
        AddressHistory,
        SupplementaryAddress,
        ContactAddress,
        Municipality,
        CivilStatus,
        CivilStatusHistory,
        Citizenship,
        CitizenshipHistory,
        Parents,
        Children,
        Custody,
        Guardianship,
        Protection,
        ProtectionHistory,
        Residence,
        Church,
        ChurchHistory,
        MunicipalConditions,
        MunicipalNotes,
    ];

    /// The name on the wire and in manifests.
    pub fn name(self) -> &'static str {
        NAMES[self as usize]
    }

    /// Whether name and address protection governs this group.
    pub fn is_governed(self) -> bool {
        matches!(
            self,
            Name | NameHistory
                | Address
                | AddressHistory
                | SupplementaryAddress
                | ContactAddress
                | Municipality
                | Residence
                | MunicipalConditions
                | MunicipalNotes
                | Guardianship
        )
    }
}

/// A set of field groups. On the wire a list of names.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct GroupSet(u64);

impl GroupSet {
    /// No group.
    pub const EMPTY: GroupSet = GroupSet(0);

    /// The set of `groups`.
    pub const fn of(groups: &[FieldGroup]) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < groups.len() {
            bits |= 1 << groups[i] as u64;
            i += 1;
        }
        GroupSet(bits)
    }

    /// What ingest keeps of every stored person, whatever is granted.
    pub const ALWAYS_HELD: GroupSet = GroupSet::of(&[Number, PersonId, Status, Municipality, Protection]);

    /// Whether `group` is in the set.
    pub fn contains(self, group: FieldGroup) -> bool {
        self.0 & (1 << group as u64) != 0
    }

    /// The set with `group` added.
    #[must_use]
    pub fn with(self, group: FieldGroup) -> Self {
        GroupSet(self.0 | 1 << group as u64)
    }

    /// The groups in either set.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        GroupSet(self.0 | other.0)
    }

    /// The groups in both sets.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        GroupSet(self.0 & other.0)
    }

    /// The groups of this set that are not in `other`.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        GroupSet(self.0 & !other.0)
    }

    /// Whether every group of this set is in `other`.
    pub fn is_within(self, other: Self) -> bool {
        self.minus(other).is_empty()
    }

    /// Whether no group is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The groups that name and address protection governs.
    #[must_use]
    pub fn governed(self) -> Self {
        self.iter().filter(|g| g.is_governed()).collect()
    }

    /// The groups, in the order of [`FieldGroup::ALL`].
    pub fn iter(self) -> impl Iterator<Item = FieldGroup> {
        FieldGroup::ALL.into_iter().filter(move |g| self.contains(*g))
    }

    /// The groups' names, sorted.
    pub fn names(self) -> Vec<&'static str> {
        let mut names: Vec<&'static str> = self.iter().map(FieldGroup::name).collect();
        names.sort_unstable();
        names
    }
}

impl FromIterator<FieldGroup> for GroupSet {
    fn from_iter<I: IntoIterator<Item = FieldGroup>>(groups: I) -> Self {
        groups.into_iter().fold(GroupSet::EMPTY, GroupSet::with)
    }
}

impl fmt::Debug for GroupSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for GroupSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for GroupSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<FieldGroup>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_is_listed_once_and_in_order() {
        for (position, group) in FieldGroup::ALL.into_iter().enumerate() {
            assert_eq!(group as usize, position, "{group:?}");
            assert_eq!(group.name(), format!("{group:?}"));
        }
        assert_eq!(FieldGroup::ALL.into_iter().collect::<GroupSet>().iter().count(), FieldGroup::ALL.len());
    }
}
