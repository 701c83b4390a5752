//! The members that we know of the register's answers: their names, and what each is needed for.
//!
//! One table serves three readers: the schema (which of these does the service have), the query (what to select for the
//! groups that are asked for) and the wire (which member of an answer is which).

use crate::domain::field_group::FieldGroup::*;
use crate::domain::field_group::GroupSet;

/// A member of an answer.
#[derive(Debug)]
pub struct Field {
    /// Its possible names. The first is the documented one, by which the wire reads it. Case does not tell names apart.
    pub names: &'static [&'static str],
    /// The groups that it is selected for.
    pub groups: GroupSet,
    /// How much depends on it.
    pub need: Need,
    /// Members of its own, for an object or a list of objects.
    pub members: &'static [Field],
    /// Whether it may also be a plain value in place of an object.
    pub plain: bool,
    /// Whether it may be selected unseen, when no schema can be had.
    pub confirmed: bool,
    /// How the documented name is spelled there, where capitals differ from name to name; a query has to spell it so.
    spelled: Option<&'static str>,
}

/// How much depends on a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Without it nothing can be read.
    Mandatory,
    /// Without it its groups cannot be given.
    Essential,
    /// It is taken where it is.
    Optional,
}

type Names = &'static [&'static str];

const fn plain(names: Names, groups: GroupSet) -> Field {
    Field { names, groups, need: Need::Optional, members: &[], plain: true, confirmed: true, spelled: None }
}

const fn object(names: Names, groups: GroupSet, members: &'static [Field]) -> Field {
    Field { names, groups, need: Need::Essential, members, plain: false, confirmed: true, spelled: None }
}

impl Field {
    const fn mandatory(mut self) -> Self {
        self.need = Need::Mandatory;
        self
    }

    const fn essential(mut self) -> Self {
        self.need = Need::Essential;
        self
    }

    const fn optional(mut self) -> Self {
        self.need = Need::Optional;
        self
    }

    const fn or_plain(mut self) -> Self {
        self.plain = true;
        self
    }

    const fn unconfirmed(mut self) -> Self {
        self.confirmed = false;
        self
    }

    const fn spelled(mut self, name: &'static str) -> Self {
        self.spelled = Some(name);
        self
    }

    /// The documented name as a query spells it.
    pub fn spelling(&self) -> &'static str {
        self.spelled.unwrap_or(self.names[0])
    }

    /// The documented name.
    pub fn key(&self) -> &'static str {
        self.names[0]
    }

    /// Whether `name` is one of its names.
    pub fn is_called(&self, name: &str) -> bool {
        self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// Wherever its parent is selected: these groups are always asked for.
const ANY: GroupSet = GroupSet::ALWAYS_HELD;

const NAMES: GroupSet = GroupSet::of(&[Name, NameHistory]);
const PLACES: GroupSet = GroupSet::of(&[Address, AddressHistory]);
const ADDRESSES: GroupSet = GroupSet::of(&[Address, AddressHistory, SupplementaryAddress, Municipality]);
const CIVIL: GroupSet = GroupSet::of(&[CivilStatus, CivilStatusHistory]);
const CITIZEN: GroupSet = GroupSet::of(&[Citizenship, CitizenshipHistory]);
const PROTECTED: GroupSet = GroupSet::of(&[Protection, ProtectionHistory]);
const CHURCH: GroupSet = GroupSet::of(&[Church, ChurchHistory]);

const fn one(group: crate::domain::field_group::FieldGroup) -> GroupSet {
    GroupSet::of(&[group])
}

const STATUS: Field = plain(&["status"], ANY);
const FROM: Field = plain(&["virkningfra"], ANY);
const FROM_MARK: Field = plain(&["virkningfrausikkerhedsmarkering"], ANY);
const UNTIL: Field = plain(&["virkningtil"], ANY);
const UNTIL_MARK: Field = plain(&["virkningtilusikkerhedsmarkering"], ANY);
const REGISTERED: Field = plain(&["registreringfra"], ANY).unconfirmed();
const LINE1: Field = plain(&["adresselinie1", "adresselinje1"], ANY);
const LINE2: Field = plain(&["adresselinie2", "adresselinje2"], ANY);
const LINE3: Field = plain(&["adresselinie3", "adresselinje3"], ANY);
const LINE4: Field = plain(&["adresselinie4", "adresselinje4"], ANY);
const LINE5: Field = plain(&["adresselinie5", "adresselinje5"], ANY);

/// Bounds of which no uncertainty mark is confirmed.
const FROM_MARK_MAYBE: Field = plain(&["virkningfrausikkerhedsmarkering"], ANY).unconfirmed();
const UNTIL_MARK_MAYBE: Field = plain(&["virkningtilusikkerhedsmarkering"], ANY).unconfirmed();

/// The person of the custom services.
pub const PERSON: &[Field] = &[
    plain(&["id", "personid"], ANY).mandatory(),
    plain(&["status"], ANY).mandatory(),
    plain(&["statusdato"], one(Status)),
    plain(&["statusdatousikkerhedsmarkering"], one(Status)).unconfirmed(),
    plain(&["foedselsdato"], one(Birth)).essential(),
    plain(&["foedselsdatousikkerhedsmarkering"], one(Birth)).unconfirmed(),
    plain(&["koen"], one(Sex)).essential(),
    object(&["personnumre"], one(Number), NUMBER).mandatory(),
    object(&["navne"], NAMES, NAME),
    object(&["adresseoplysninger"], ADDRESSES, ADDRESS),
    object(&["beskyttelser"], PROTECTED, PROTECTION),
    object(&["civilstande"], CIVIL, CIVIL_STATUS),
    object(&["statsborgerskaber"], CITIZEN, CITIZENSHIP),
    object(&["boern"], one(Children), CHILD),
    object(&["foraeldreoplysninger"], one(Parents), PARENT),
    object(&["foraeldremyndighedsoplysninger"], one(Custody), CUSTODY_HOLDER).unconfirmed(),
    object(&["foraeldremyndighedOver"], one(Custody), CUSTODY_OVER).unconfirmed(),
    object(&["udrejseIndrejser", "udrejseIndrejse"], one(Residence), EMIGRATION).unconfirmed(),
    object(&["forsvindinger", "forsvinding"], one(Residence), DISAPPEARANCE).unconfirmed(),
    object(&["kontaktadresse", "kontaktadresser"], one(ContactAddress), CONTACT_ADDRESS).unconfirmed(),
    object(&["vaergemaal"], one(Guardianship), GUARDIANSHIP).unconfirmed(),
    object(&["kommunaleForhold"], one(MunicipalConditions), MUNICIPAL_CONDITION).unconfirmed(),
    object(&["folkekirke", "folkekirker"], CHURCH, MEMBERSHIP).unconfirmed(),
    object(&["notater", "notat"], one(MunicipalNotes), NOTE).unconfirmed(),
];

const NUMBER: &[Field] =
    &[plain(&["personnummer"], ANY).essential(), STATUS, FROM, FROM_MARK, UNTIL, UNTIL_MARK, REGISTERED];

const NAME: &[Field] = &[
    plain(&["fornavne", "fornavn"], ANY),
    plain(&["mellemnavn", "mellemnavne"], ANY),
    plain(&["efternavn"], ANY).essential(),
    plain(&["adresseringsnavn"], ANY),
    STATUS,
    FROM,
    FROM_MARK_MAYBE,
    UNTIL,
    UNTIL_MARK_MAYBE,
    REGISTERED,
];

const ADDRESS: &[Field] = &[
    STATUS,
    FROM,
    FROM_MARK_MAYBE,
    UNTIL,
    UNTIL_MARK_MAYBE,
    REGISTERED,
    plain(&["conavn"], PLACES),
    object(&["cprAdresse"], ADDRESSES, PLACE),
    object(&["supplerendeAdresse"], one(SupplementaryAddress), SUPPLEMENT),
];

const PLACE: &[Field] = &[
    plain(&["cprkommunekode"], ANY).essential(),
    plain(&["cprkommunenavn"], ANY),
    plain(&["cprvejkode"], PLACES).essential(),
    plain(&["vejnavn"], PLACES),
    plain(&["vejadresseringsnavn"], PLACES),
    plain(&["husnummer"], PLACES).essential(),
    plain(&["etage"], PLACES),
    plain(&["sidedoer"], PLACES),
    plain(&["bygningsnummer"], PLACES),
    plain(&["bynavn"], PLACES),
    plain(&["postnummer"], PLACES),
    plain(&["postdistrikt"], PLACES),
    plain(&["daradresse"], PLACES),
];

const SUPPLEMENT: &[Field] = &[
    plain(&["status"], ANY).unconfirmed(),
    FROM,
    FROM_MARK_MAYBE,
    UNTIL,
    UNTIL_MARK_MAYBE,
    REGISTERED,
    LINE1,
    LINE2,
    LINE3,
    LINE4,
    LINE5,
];

const PROTECTION: &[Field] = &[plain(&["beskyttelsestype"], ANY).essential(), STATUS, FROM, UNTIL, REGISTERED];

const CIVIL_STATUS: &[Field] = &[
    plain(&["civilstandstype"], ANY).essential(),
    STATUS,
    FROM,
    FROM_MARK_MAYBE,
    UNTIL,
    UNTIL_MARK_MAYBE,
    REGISTERED,
    object(&["aegtefaelle"], ANY, RELATED).or_plain().optional().unconfirmed(),
    plain(&["aegtefaellenavn"], ANY).unconfirmed(),
    plain(&["aegtefaellefoedselsdato"], ANY).unconfirmed(),
    plain(&["aegtefaellefoedselsdatousikkerhedsmarkering"], ANY).unconfirmed(),
];

const CITIZENSHIP: &[Field] = &[
    STATUS,
    FROM.spelled("virkningFra"),
    FROM_MARK.spelled("virkningFraUsikkerhedsmarkering"),
    UNTIL.spelled("virkningTil"),
    UNTIL_MARK.spelled("virkningTilUsikkerhedsmarkering"),
    REGISTERED,
    object(&["cprland", "cprlandekode"], ANY, COUNTRY).or_plain(),
];

const COUNTRY: &[Field] = &[plain(&["kode"], ANY), plain(&["navn"], ANY), plain(&["landekode"], ANY)];

const CHILD: &[Field] = &[
    plain(&["status"], ANY).unconfirmed(),
    FROM,
    FROM_MARK,
    plain(&["virkningtil"], ANY).unconfirmed(),
    UNTIL_MARK_MAYBE,
    REGISTERED,
    object(&["barn"], ANY, RELATED),
];

const PARENT: &[Field] = &[
    plain(&["foraelderrolle"], ANY).essential(),
    plain(&["status"], ANY).unconfirmed(),
    FROM,
    FROM_MARK,
    plain(&["virkningtil"], ANY).unconfirmed(),
    UNTIL_MARK_MAYBE,
    REGISTERED,
    object(&["foraelder"], ANY, RELATED),
    object(&["foraelderUdenCpr"], ANY, STRANGER).optional(),
    object(&["ikkeValidRelationsForaelder"], ANY, STRANGER).optional(),
];

const CUSTODY_HOLDER: &[Field] = &[
    plain(&["foraeldremyndighedsindehaverrolle", "foraeldremyndighedshaverrolle"], ANY).essential(),
    STATUS,
    FROM,
    FROM_MARK,
    UNTIL,
    UNTIL_MARK,
    REGISTERED,
    object(&["foraeldremyndighedsindehaver", "foraeldremyndighedshaver", "indehaver", "person"], ANY, RELATED)
        .or_plain()
        .optional(),
];

const CUSTODY_OVER: &[Field] = &[
    STATUS,
    FROM,
    FROM_MARK,
    UNTIL,
    UNTIL_MARK,
    REGISTERED,
    object(&["barn", "personid", "person"], ANY, RELATED).or_plain(),
];

const EMIGRATION: &[Field] = &[
    object(&["cprlandekodeudrejse", "cprlandudrejse", "udrejseland"], ANY, COUNTRY).or_plain().optional(),
    object(&["cprlandekodeindrejse", "cprlandindrejse", "indrejseland"], ANY, COUNTRY).or_plain().optional(),
    STATUS,
    FROM,
    FROM_MARK,
    UNTIL,
    UNTIL_MARK,
    REGISTERED,
];

const DISAPPEARANCE: &[Field] = &[STATUS, FROM, FROM_MARK, UNTIL, UNTIL_MARK, REGISTERED];

const CONTACT_ADDRESS: &[Field] =
    &[LINE1, LINE2, LINE3, LINE4, LINE5, STATUS, FROM, FROM_MARK, UNTIL, UNTIL_MARK, REGISTERED];

const GUARDIANSHIP: &[Field] = &[
    plain(&["vaergemaalstype"], ANY),
    plain(&["vaergenavn"], ANY),
    object(&["vaerge"], ANY, RELATED).or_plain().optional(),
    STATUS,
    FROM,
    FROM_MARK,
    UNTIL,
    UNTIL_MARK,
    REGISTERED,
];

const MUNICIPAL_CONDITION: &[Field] = &[
    plain(&["kommunaleforholdstype"], ANY),
    plain(&["kommunaleforholdskode"], ANY),
    plain(&["bemaerkning", "bemarkning"], ANY),
    STATUS,
    FROM,
    FROM_MARK,
    UNTIL,
    UNTIL_MARK,
    REGISTERED,
];

const MEMBERSHIP: &[Field] =
    &[plain(&["tilhoersforhold"], ANY).essential(), STATUS, FROM, FROM_MARK, UNTIL, UNTIL_MARK, REGISTERED];

const NOTE: &[Field] = &[
    plain(&["notatlinie", "notatlinje"], ANY).essential(),
    plain(&["notatnummer"], ANY),
    STATUS,
    FROM,
    FROM_MARK,
    UNTIL,
    UNTIL_MARK,
    REGISTERED,
];

/// Another person in a row, with their own protection.
const RELATED: &[Field] = &[
    plain(&["personid", "id"], ANY),
    plain(&["personnummer"], ANY),
    object(&["beskyttelser"], ANY, PROTECTION).optional(),
    object(&["navn", "navne"], ANY, RELATED_NAME).or_plain().optional(),
    plain(&["foedselsdato"], ANY).unconfirmed(),
    plain(&["foedselsdatousikkerhedsmarkering"], ANY).unconfirmed(),
];

const RELATED_NAME: &[Field] = &[
    plain(&["adresseringsnavn"], ANY),
    plain(&["fornavne", "fornavn"], ANY),
    plain(&["mellemnavn"], ANY),
    plain(&["efternavn"], ANY),
    STATUS,
];

/// Another person in a row whom the register does not keep.
const STRANGER: &[Field] = &[
    plain(&["personid", "id"], ANY),
    plain(&["personnummer"], ANY).unconfirmed(),
    plain(&["navn"], ANY),
    plain(&["foedselsdato"], ANY),
    plain(&["foedselsdatousikkerhedsmarkering"], ANY).unconfirmed(),
];

/// A row of the events entity.
pub const EVENT: &[Field] = &[
    plain(&["eventid"], ANY).mandatory(),
    plain(&["entityname"], ANY).mandatory(),
    plain(&["datafordelerRegisterImportSequenceNumber"], ANY).mandatory(),
    plain(&["object_id"], ANY).mandatory(),
    plain(&["object_kommunekodenuvaerende"], ANY),
    plain(&["object_kommunekodetidligere"], ANY),
    plain(&["object_forretningshaendelse", "object_haendelseskode"], ANY).unconfirmed(),
];

/// The import status.
pub const IMPORT_STATUS: &[Field] = &[plain(&["lastSequenceNumber"], ANY).mandatory(), plain(&["lastEventId"], ANY)];

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(fields: &'static [Field], visit: &mut impl FnMut(&'static Field)) {
        for field in fields {
            visit(field);
            walk(field.members, visit);
        }
    }

    #[test]
    fn every_group_has_a_member_that_it_depends_on() {
        let mut covered = GroupSet::EMPTY;
        walk(PERSON, &mut |field| {
            if field.need != Need::Optional {
                covered = covered.union(field.groups);
            }
        });
        assert!(crate::domain::field_group::FieldGroup::ALL.into_iter().all(|group| covered.contains(group)));
    }

    #[test]
    fn a_spelling_differs_from_the_name_in_capitals_alone() {
        walk(PERSON, &mut |field| assert!(field.spelling().eq_ignore_ascii_case(field.key()), "{}", field.spelling()));
    }

    #[test]
    fn no_name_stands_for_two_members_of_one_object() {
        fn check(fields: &'static [Field]) {
            for (at, field) in fields.iter().enumerate() {
                let twice = |name: &&str| fields[at + 1..].iter().any(|other| other.is_called(name));
                assert!(!field.names.iter().any(twice), "{}", field.key());
                check(field.members);
            }
        }
        [PERSON, EVENT, IMPORT_STATUS].into_iter().for_each(check);
    }
}
