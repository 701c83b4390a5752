//! A person as a register tells of them, in our words: rows with their validity, whatever the source.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::date::RegisterDate;
use super::field_group::{FieldGroup, GroupSet};
use super::identifier::{CprNumber, PersonId, exposed};
use super::municipality::Municipality;
use super::pairwise::RecordId;
use super::status::StatusCode;

/// Everything that we hold of one person. Hidden from Debug; serialised only to be sealed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Person {
    /// The register's permanent identifier.
    #[serde(with = "exposed")]
    pub id: Option<PersonId>,
    /// The groups that were asked for and understood; what is not here says nothing, empty or not.
    pub held: GroupSet,
    /// Present status.
    pub status: StatusCode,
    /// Since when, where the register says so.
    pub status_since: Option<RegisterDate>,
    /// Date of birth.
    pub birth: Option<RegisterDate>,
    /// Sex.
    pub sex: Sex,
    /// CPR numbers, present and earlier.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<Row<Number>>,
    /// Names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Row<Name>>,
    /// Addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Row<Address>>,
    /// Supplementary address lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub supplementary_addresses: Vec<Row<Lines>>,
    /// Contact addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contact_addresses: Vec<Row<Lines>>,
    /// Civil statuses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub civil_statuses: Vec<Row<CivilStatus>>,
    /// Citizenships.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub citizenships: Vec<Row<Citizenship>>,
    /// Parents.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<Row<Parent>>,
    /// Children.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Row<Related>>,
    /// Who has custody of the person.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub custody_holders: Vec<Row<CustodyHolder>>,
    /// Over whom the person has custody.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub custody_over: Vec<Row<Related>>,
    /// Guardianships.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub guardianships: Vec<Row<Guardianship>>,
    /// Protections. Meaningful only where `protection_known`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub protections: Vec<Row<Protection>>,
    /// Whether the register gave protection data that we understood; a person without it counts as protected.
    pub protection_known: bool,
    /// Emigrations, immigrations and disappearances.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub residences: Vec<Row<Residence>>,
    /// Memberships of the national church.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub church: Vec<Row<Church>>,
    /// Municipal conditions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub municipal_conditions: Vec<Row<MunicipalCondition>>,
    /// Municipal notes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub municipal_notes: Vec<Row<MunicipalNote>>,
}

/// One row of the register: a value with its state and validity.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row<T> {
    /// What the row says.
    pub value: T,
    /// Whether it is present, past or taken back.
    #[serde(default)]
    pub state: RowState,
    /// First day of effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<RegisterDate>,
    /// The day on which the effect ended or will end; that day itself is no longer covered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<RegisterDate>,
    /// When the register learnt it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered: Option<Timestamp>,
}

/// The register's own word for what a row is worth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RowState {
    /// `aktuel`: valid, now or from a coming date.
    #[default]
    Current,
    /// `historisk`: was valid once.
    Historical,
    /// `fortrudt`: taken back.
    Undone,
    /// `rettet`: was wrong.
    Corrected,
    /// `teknisk_aendring`: replaced for a technical reason.
    Technical,
    /// A text that we do not know.
    Other(String),
}

impl<T> Row<T> {
    /// A current row without dates.
    pub fn current(value: T) -> Self {
        Self { value, state: RowState::Current, from: None, until: None, registered: None }
    }

    /// Whether the row's dates cover a day, whatever its state.
    pub fn covers(&self, on: Date) -> bool {
        self.from.is_none_or(|from| from.date <= on) && self.until.is_none_or(|until| until.date > on)
    }

    /// Whether the row is the register's present word and its dates cover the day.
    pub fn is_in_force(&self, on: Date) -> bool {
        self.state == RowState::Current && self.covers(on)
    }
}

/// The rows in force on a day, latest beginning first.
pub fn in_force<T>(rows: &[Row<T>], on: Date) -> Vec<&Row<T>> {
    let mut found: Vec<&Row<T>> = rows.iter().filter(|row| row.is_in_force(on)).collect();
    found.sort_by_key(|row| std::cmp::Reverse(row.from));
    found
}

/// The row in force on a day; the one that began last, if there are several.
pub fn present<T>(rows: &[Row<T>], on: Date) -> Option<&Row<T>> {
    in_force(rows, on).into_iter().next()
}

/// What was valid once and is not on the day, newest first: past rows, and current or technically replaced ones whose end
/// has come. Rows that were taken back or corrected are not among them, nor is a state that we do not know.
pub fn past<T>(rows: &[Row<T>], on: Date) -> Vec<&Row<T>> {
    let was_valid = |row: &&Row<T>| match row.state {
        RowState::Current | RowState::Technical => row.until.is_some_and(|until| until.date <= on),
        RowState::Historical => true,
        RowState::Undone | RowState::Corrected | RowState::Other(_) => false,
    };
    let mut found: Vec<&Row<T>> = rows.iter().filter(was_valid).collect();
    found.sort_by_key(|row| std::cmp::Reverse((row.from, row.until, row.registered)));
    found
}

/// A CPR number as a row's value.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Number(#[serde(with = "exposed")] pub CprNumber);

/// Sex as registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sex {
    /// `kvinde`.
    Female,
    /// `mand`.
    Male,
    /// Not told or not understood.
    #[default]
    Unknown,
}

/// A name. A newborn may have none.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub struct Name {
    /// First names.
    pub first: Option<String>,
    /// Middle names.
    pub middle: Option<String>,
    /// Last name.
    pub last: Option<String>,
    /// The form for letters, at most 34 characters.
    pub addressing: Option<String>,
}

impl Name {
    /// First, middle and last name in one line; none where there is none.
    pub fn full(&self) -> Option<String> {
        let parts: Vec<&str> =
            [&self.first, &self.middle, &self.last].into_iter().flatten().map(String::as_str).collect();
        if parts.is_empty() { None } else { Some(parts.join(" ")) }
    }
}

/// An address in Denmark or Greenland.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Address {
    /// Four digits; also codes that are no real municipality.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub municipality_code: Option<String>,
    /// The municipality's name as the register has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub municipality_name: Option<String>,
    /// Four digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub road_code: Option<String>,
    /// Road name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub road_name: Option<String>,
    /// House number with its letter, without leading zeros.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub house_number: Option<String>,
    /// Floor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor: Option<String>,
    /// Door, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub door: Option<String>,
    /// Building number, Greenland only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub building: Option<String>,
    /// Locality.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locality: Option<String>,
    /// Postcode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postcode: Option<String>,
    /// Post district.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_district: Option<String>,
    /// Care of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub care_of: Option<String>,
    /// The address's id in the national address register.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dar_id: Option<String>,
}

impl Address {
    /// The real municipality that the address lies in; none for administrative codes.
    pub fn municipality(&self) -> Option<Municipality> {
        self.municipality_code.as_deref().and_then(|code| Municipality::parse(code).ok())
    }

    /// The municipality as registered, without the rest.
    #[must_use]
    pub fn only_municipality(&self) -> Address {
        Address {
            municipality_code: self.municipality_code.clone(),
            municipality_name: self.municipality_name.clone(),
            ..Address::default()
        }
    }

    /// What makes it another place: municipality, road, house, floor, door and building.
    pub fn place(&self) -> [&Option<String>; 6] {
        [&self.municipality_code, &self.road_code, &self.house_number, &self.floor, &self.door, &self.building]
    }
}

/// Address lines as written.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lines(pub Vec<String>);

/// A civil status and, where there is one, the spouse.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CivilStatus {
    /// The register's text, such as `gift`.
    pub kind: String,
    /// The spouse or partner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spouse: Option<Related>,
}

/// Another person, as far as a row tells of them.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Related {
    /// Their PersonID.
    #[serde(with = "exposed")]
    pub id: Option<PersonId>,
    /// Their CPR number.
    #[serde(with = "exposed")]
    pub number: Option<CprNumber>,
    /// Their name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their date of birth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth: Option<RegisterDate>,
    /// Whether their name and address are protected; none where the register does not say, which counts as protected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protected: Option<bool>,
    /// Our record of them, where we have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordId>,
}

/// A citizenship.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citizenship {
    /// The register's country code.
    pub country_code: Option<String>,
    /// The country's name.
    pub country: Option<String>,
}

/// What a parent is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParentRole {
    /// `mor`.
    Mother,
    /// `far_medmor`.
    FatherOrCoMother,
    /// `anden`, or a text that we do not know.
    Other,
}

/// A parent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Mother, or father or co-mother.
    pub role: ParentRole,
    /// Who.
    pub person: Related,
}

/// Somebody who has custody.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustodyHolder {
    /// Mother, father or co-mother, or another.
    pub role: ParentRole,
    /// Who.
    pub person: Related,
}

/// A guardianship.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guardianship {
    /// The register's text.
    pub kind: Option<String>,
    /// The guardian, by name and address lines or as a person.
    pub guardian: Option<Related>,
}

/// A kind of protection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Protection {
    /// `navne_og_adresse`: the only kind that governs what may be told.
    NameAndAddress,
    /// `lokal_vejviser`.
    LocalDirectory,
    /// `markedsfoering`.
    Marketing,
    /// `kreditadvarsel`.
    CreditWarning,
    /// Research, discontinued.
    Research,
    /// A text that we do not know, which counts as name and address protection.
    Other(String),
}

impl Protection {
    /// Whether it governs what may be told: name and address protection, and what we do not know.
    pub fn governs(&self) -> bool {
        matches!(self, Self::NameAndAddress | Self::Other(_))
    }
}

/// Leaving, returning to or vanishing from Denmark.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Residence {
    /// Which of these.
    pub kind: ResidenceKind,
    /// The country gone to or come from.
    pub country: Option<String>,
}

/// What a residence row tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResidenceKind {
    /// Gone abroad.
    Emigrated,
    /// Come from abroad.
    Immigrated,
    /// Whereabouts unknown.
    Disappeared,
}

/// Membership of the national church.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Church {
    /// The register's text.
    pub kind: String,
}

/// A municipal condition.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MunicipalCondition {
    /// The register's type.
    pub kind: Option<String>,
    /// The register's code.
    pub code: Option<String>,
    /// Remark.
    pub note: Option<String>,
}

/// A municipal note.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MunicipalNote {
    /// Its text.
    pub text: String,
}

impl Default for Person {
    fn default() -> Self {
        Self {
            id: None,
            held: GroupSet::EMPTY,
            status: StatusCode::Other(String::new()),
            status_since: None,
            birth: None,
            sex: Sex::Unknown,
            numbers: Vec::new(),
            names: Vec::new(),
            addresses: Vec::new(),
            supplementary_addresses: Vec::new(),
            contact_addresses: Vec::new(),
            civil_statuses: Vec::new(),
            citizenships: Vec::new(),
            parents: Vec::new(),
            children: Vec::new(),
            custody_holders: Vec::new(),
            custody_over: Vec::new(),
            guardianships: Vec::new(),
            protections: Vec::new(),
            protection_known: false,
            residences: Vec::new(),
            church: Vec::new(),
            municipal_conditions: Vec::new(),
            municipal_notes: Vec::new(),
        }
    }
}

impl Person {
    /// The address in force on a day.
    pub fn address(&self, on: Date) -> Option<&Row<Address>> {
        present(&self.addresses, on)
    }

    /// The real municipality of residence on a day.
    pub fn municipality(&self, on: Date) -> Option<Municipality> {
        self.address(on).and_then(|row| row.value.municipality())
    }

    /// The CPR number in force on a day.
    pub fn number(&self, on: Date) -> Option<&CprNumber> {
        present(&self.numbers, on).map(|row| &row.value.0)
    }

    /// Whether name and address are protected on a day. Missing or unknown protection data counts as protected, and a
    /// protection whose end has come stays in force as long as the register lists it as current.
    pub fn is_protected(&self, on: Date) -> bool {
        !self.protection_known || self.protections_in_force(on).iter().any(|row| row.value.governs())
    }

    /// The protections that hold on a day. One that governs stays as long as the register lists it as current, the others
    /// end by their dates.
    pub fn protections_in_force(&self, on: Date) -> Vec<&Row<Protection>> {
        let holds = |row: &&Row<Protection>| match row.value.governs() {
            true => row.state == RowState::Current && row.from.is_none_or(|from| from.date <= on),
            false => row.is_in_force(on),
        };
        self.protections.iter().filter(holds).collect()
    }

    /// Protections that held once and do not on the day, newest first.
    pub fn past_protections(&self, on: Date) -> Vec<&Row<Protection>> {
        let still = |row: &&Row<Protection>| row.value.governs() && row.state == RowState::Current;
        past(&self.protections, on).into_iter().filter(|row| !still(row)).collect()
    }

    /// The earliest day after `on` from which the rows say something else: a beginning or end of protection, address or
    /// status.
    pub fn next_due(&self, on: Date) -> Option<Date> {
        let protections = self.protections.iter().flat_map(bounds);
        let addresses = self.addresses.iter().flat_map(bounds);
        protections.chain(addresses).chain(self.status_since.map(|since| since.date)).filter(|date| *date > on).min()
    }

    /// When the register last learnt something of what these groups show; none where it does not say.
    pub fn newest_registration(&self, groups: GroupSet) -> Option<Timestamp> {
        use FieldGroup::*;
        let any = |of: &[FieldGroup]| of.iter().any(|group| groups.contains(*group));
        [
            newest(&self.numbers).filter(|_| any(&[Number])),
            newest(&self.names).filter(|_| any(&[Name])),
            newest(&self.addresses).filter(|_| any(&[Address])),
            newest(&self.protections).filter(|_| any(&[Protection])),
            newest(&self.civil_statuses).filter(|_| any(&[CivilStatus])),
            newest(&self.citizenships).filter(|_| any(&[Citizenship])),
        ]
        .into_iter()
        .flatten()
        .max()
    }

    /// Visits every other person that the rows name.
    pub fn for_each_related(&mut self, visit: &mut dyn FnMut(&mut Related)) {
        self.civil_statuses.iter_mut().filter_map(|row| row.value.spouse.as_mut()).for_each(&mut *visit);
        self.parents.iter_mut().for_each(|row| visit(&mut row.value.person));
        self.children.iter_mut().for_each(|row| visit(&mut row.value));
        self.custody_holders.iter_mut().for_each(|row| visit(&mut row.value.person));
        self.custody_over.iter_mut().for_each(|row| visit(&mut row.value));
        self.guardianships.iter_mut().filter_map(|row| row.value.guardian.as_mut()).for_each(visit);
    }

    /// The person with only the groups in `keep`, and only the rows that these groups show: history where a history
    /// group is kept, else what is current or to come.
    #[must_use]
    pub fn cut_to(mut self, keep: GroupSet) -> Self {
        use FieldGroup::*;
        let rows = |group: FieldGroup| keep.contains(group);
        self.held = self.held.intersection(keep);
        if !rows(PersonId) {
            self.id = None;
        }
        if !rows(Status) {
            (self.status, self.status_since) = (StatusCode::Other(String::new()), None);
        }
        if !rows(Birth) {
            self.birth = None;
        }
        if !rows(Sex) {
            self.sex = Default::default();
        }
        if !rows(Number) {
            self.numbers.clear();
        }
        keep_rows(&mut self.names, rows(Name), rows(NameHistory));
        keep_rows(&mut self.addresses, rows(Address) || rows(Municipality), rows(AddressHistory));
        if !rows(Address) && !rows(AddressHistory) {
            self.addresses.iter_mut().for_each(|row| row.value = row.value.only_municipality());
        }
        keep_rows(&mut self.supplementary_addresses, rows(SupplementaryAddress), false);
        keep_rows(&mut self.contact_addresses, rows(ContactAddress), false);
        keep_rows(&mut self.civil_statuses, rows(CivilStatus), rows(CivilStatusHistory));
        keep_rows(&mut self.citizenships, rows(Citizenship), rows(CitizenshipHistory));
        keep_rows(&mut self.parents, rows(Parents), false);
        keep_rows(&mut self.children, rows(Children), false);
        keep_rows(&mut self.custody_holders, rows(Custody), false);
        keep_rows(&mut self.custody_over, rows(Custody), false);
        keep_rows(&mut self.guardianships, rows(Guardianship), false);
        keep_rows(&mut self.protections, rows(Protection), rows(ProtectionHistory));
        if !rows(Residence) {
            self.residences.clear();
        }
        keep_rows(&mut self.church, rows(Church), rows(ChurchHistory));
        keep_rows(&mut self.municipal_conditions, rows(MunicipalConditions), false);
        keep_rows(&mut self.municipal_notes, rows(MunicipalNotes), false);
        self
    }
}

fn bounds<T>(row: &Row<T>) -> Vec<Date> {
    if row.state != RowState::Current {
        return Vec::new();
    }
    [row.from, row.until].into_iter().flatten().map(|d| d.date).collect()
}

fn newest<T>(rows: &[Row<T>]) -> Option<Timestamp> {
    rows.iter().filter_map(|row| row.registered).max()
}

fn keep_rows<T>(rows: &mut Vec<Row<T>>, current: bool, history: bool) {
    rows.retain(|row| match row.state {
        RowState::Current => current || history,
        _ => history,
    });
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(…)")
    }
}

impl<T> fmt::Debug for Row<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Row(…)")
    }
}

impl fmt::Debug for Related {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Related(…)")
    }
}
