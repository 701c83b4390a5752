//! The rows of a person, kind by kind.

use serde_json::{Map, Value};

use crate::domain::person::{
    Address, Church, Citizenship, CivilStatus, CustodyHolder, Guardianship, Lines, MunicipalCondition, MunicipalNote,
    Name, Number, Parent, Protection, Related, Residence, ResidenceKind, Row, RowState,
};

use super::read::{Tally, Wrong, date, instant, rows, text};
use super::{kinds, related};

type Object = Map<String, Value>;

/// A row with its state and validity.
fn row<T>(object: &Object, value: T, tally: &mut Tally) -> Result<Row<T>, Wrong> {
    Ok(Row {
        value,
        state: kinds::state(text(object, "status")?.as_deref(), tally),
        from: date(object, "virkningfra", "virkningfrausikkerhedsmarkering", tally)?,
        until: date(object, "virkningtil", "virkningtilusikkerhedsmarkering", tally)?,
        registered: instant(object, "registreringfra", tally)?,
    })
}

/// A row of `personnumre`. One without a number is wrong.
pub fn number(object: &Object, tally: &mut Tally) -> Result<Row<Number>, Wrong> {
    let number = text(object, "personnummer")?.as_deref().and_then(related::number).ok_or(Wrong)?;
    row(object, Number(number), tally)
}

/// A row of `navne`.
pub fn name(object: &Object, tally: &mut Tally) -> Result<Row<Name>, Wrong> {
    let name = Name {
        first: text(object, "fornavne")?,
        middle: text(object, "mellemnavn")?,
        last: text(object, "efternavn")?,
        addressing: text(object, "adresseringsnavn")?,
    };
    row(object, name, tally)
}

/// A row of `adresseoplysninger`. One that does not say its place is wrong: read as it is, the person would have moved away.
pub fn address(object: &Object, tally: &mut Tally) -> Result<Row<Address>, Wrong> {
    let found = rows(object.get("cprAdresse"));
    let says_where = found.present.iter().all(|place| place.contains_key("cprkommunekode"));
    if found.wrong || found.bad > 0 || !object.contains_key("cprAdresse") || !says_where {
        return Err(Wrong);
    }
    let mut address = found.present.first().map(|place| self::place(place)).transpose()?.unwrap_or_default();
    address.care_of = text(object, "conavn")?;
    row(object, address, tally)
}

fn place(place: &Object) -> Result<Address, Wrong> {
    Ok(Address {
        municipality_code: text(place, "cprkommunekode")?.map(four_digits),
        municipality_name: text(place, "cprkommunenavn")?,
        road_code: text(place, "cprvejkode")?.map(four_digits),
        road_name: text(place, "vejnavn")?.or(text(place, "vejadresseringsnavn")?),
        house_number: text(place, "husnummer")?.map(without_zeros),
        floor: text(place, "etage")?,
        door: text(place, "sidedoer")?,
        building: text(place, "bygningsnummer")?,
        locality: text(place, "bynavn")?,
        postcode: text(place, "postnummer")?.map(four_digits),
        post_district: text(place, "postdistrikt")?,
        care_of: None,
        dar_id: text(place, "daradresse")?,
    })
}

/// Codes lose their leading zeros on some ways; other texts stay.
fn four_digits(code: String) -> String {
    if code.bytes().all(|b| b.is_ascii_digit()) { format!("{code:0>4}") } else { code }
}

fn without_zeros(number: String) -> String {
    let short = number.trim_start_matches('0');
    if short.starts_with(|c: char| c.is_ascii_digit()) { short.to_owned() } else { number }
}

/// The supplementary address of a row of `adresseoplysninger`, which has its own validity and may lack a state of its own.
pub fn supplements(object: &Object, tally: &mut Tally) -> Result<Vec<Row<Lines>>, Wrong> {
    let found = rows(object.get("supplerendeAdresse"));
    if found.wrong || found.bad > 0 {
        return Err(Wrong);
    }
    let state = kinds::state(text(object, "status")?.as_deref(), &mut Tally::default());
    let mut out = Vec::new();
    for supplement in found.present {
        let mut lines = lines(supplement, tally)?;
        if !supplement.contains_key("status") {
            lines.state = state.clone();
        }
        if !lines.value.0.is_empty() {
            out.push(lines);
        }
    }
    Ok(out)
}

/// Address lines as written, empty ones left out.
pub fn lines(object: &Object, tally: &mut Tally) -> Result<Row<Lines>, Wrong> {
    let keys = ["adresselinie1", "adresselinie2", "adresselinie3", "adresselinie4", "adresselinie5"];
    let lines: Vec<Option<String>> = keys.iter().map(|key| text(object, key)).collect::<Result<_, _>>()?;
    row(object, Lines(lines.into_iter().flatten().collect()), tally)
}

/// A row of `beskyttelser`.
pub fn protection(object: &Object, tally: &mut Tally) -> Result<Row<Protection>, Wrong> {
    let kind = kinds::protection(text(object, "beskyttelsestype")?.as_deref(), tally);
    row(object, kind, tally)
}

/// A row of `civilstande`.
pub fn civil_status(object: &Object, tally: &mut Tally) -> Result<Row<CivilStatus>, Wrong> {
    let kind = kinds::civil_status(&text(object, "civilstandstype")?.ok_or(Wrong)?, tally);
    let known = related::person(object, "aegtefaelle", tally)?;
    let name = text(object, "aegtefaellenavn")?;
    let birth = date(object, "aegtefaellefoedselsdato", "aegtefaellefoedselsdatousikkerhedsmarkering", tally)?;
    let told = known.is_some() || name.is_some() || birth.is_some();
    let known = known.unwrap_or_default();
    let spouse = Related { name: known.name.clone().or(name), birth: known.birth.or(birth), ..known };
    row(object, CivilStatus { kind, spouse: told.then_some(spouse) }, tally)
}

/// A row of `statsborgerskaber`.
pub fn citizenship(object: &Object, tally: &mut Tally) -> Result<Row<Citizenship>, Wrong> {
    let (country_code, country) = country(object, "cprland")?;
    row(object, Citizenship { country_code, country }, tally)
}

/// The code and name of a country, from an object or a plain code.
fn country(object: &Object, key: &str) -> Result<(Option<String>, Option<String>), Wrong> {
    if matches!(object.get(key), Some(Value::String(_) | Value::Number(_))) {
        return Ok((text(object, key)?, None));
    }
    let found = rows(object.get(key));
    match found.present.first() {
        _ if found.wrong || found.bad > 0 => Err(Wrong),
        Some(land) => Ok((text(land, "kode")?.or(text(land, "landekode")?), text(land, "navn")?)),
        None => Ok((None, None)),
    }
}

/// A row of `boern`.
pub fn child(object: &Object, tally: &mut Tally) -> Result<Row<Related>, Wrong> {
    let child = related::person(object, "barn", tally)?.ok_or(Wrong)?;
    row(object, child, tally)
}

/// A row of `foraeldreoplysninger`: a parent with a record, without one, or by a relation that is not valid.
pub fn parent(object: &Object, tally: &mut Tally) -> Result<Row<Parent>, Wrong> {
    let role = kinds::role(text(object, "foraelderrolle")?.as_deref(), tally);
    let mut person = None;
    for key in ["foraelder", "foraelderUdenCpr", "ikkeValidRelationsForaelder"] {
        person = person.or(related::person(object, key, tally)?);
    }
    row(object, Parent { role, person: person.unwrap_or_default() }, tally)
}

/// A row of `foraeldremyndighedsoplysninger`.
pub fn custody_holder(object: &Object, tally: &mut Tally) -> Result<Row<CustodyHolder>, Wrong> {
    let role = kinds::role(text(object, "foraeldremyndighedsindehaverrolle")?.as_deref(), tally);
    let person = related::person(object, "foraeldremyndighedsindehaver", tally)?.unwrap_or_default();
    row(object, CustodyHolder { role, person }, tally)
}

/// A row of `foraeldremyndighedOver`.
pub fn custody_over(object: &Object, tally: &mut Tally) -> Result<Row<Related>, Wrong> {
    let child = related::person(object, "barn", tally)?.ok_or(Wrong)?;
    row(object, child, tally)
}

/// A row of `vaergemaal`.
pub fn guardianship(object: &Object, tally: &mut Tally) -> Result<Row<Guardianship>, Wrong> {
    let guardian = match related::person(object, "vaerge", tally)? {
        Some(person) => Some(person),
        None => text(object, "vaergenavn")?.map(|name| Related { name: Some(name), ..Related::default() }),
    };
    let kind = text(object, "vaergemaalstype")?;
    row(object, Guardianship { kind, guardian }, tally)
}

/// A row of `kommunaleForhold`.
pub fn municipal_condition(object: &Object, tally: &mut Tally) -> Result<Row<MunicipalCondition>, Wrong> {
    let condition = MunicipalCondition {
        kind: text(object, "kommunaleforholdstype")?,
        code: text(object, "kommunaleforholdskode")?,
        note: text(object, "bemaerkning")?,
    };
    row(object, condition, tally)
}

/// A row of `folkekirke`.
pub fn membership(object: &Object, tally: &mut Tally) -> Result<Row<Church>, Wrong> {
    let kind = text(object, "tilhoersforhold")?.ok_or(Wrong)?;
    row(object, Church { kind }, tally)
}

/// A row of `notater`.
pub fn note(object: &Object, tally: &mut Tally) -> Result<Row<MunicipalNote>, Wrong> {
    let text = text(object, "notatlinie")?.unwrap_or_default();
    row(object, MunicipalNote { text }, tally)
}

/// A row of `forsvindinger`.
pub fn disappearance(object: &Object, tally: &mut Tally) -> Result<Row<Residence>, Wrong> {
    row(object, Residence { kind: ResidenceKind::Disappeared, country: None }, tally)
}

/// A row of `udrejseIndrejser`: an emigration and, when it is over and says whence, an immigration.
pub fn emigrations(object: &Object, tally: &mut Tally) -> Result<Vec<Row<Residence>>, Wrong> {
    let land = |key: &str| country(object, key).map(|(code, name)| name.or(code));
    let gone = row(object, Residence { kind: ResidenceKind::Emigrated, country: land("cprlandekodeudrejse")? }, tally)?;
    let back = match (gone.until, land("cprlandekodeindrejse")?) {
        (Some(back), Some(country)) => Some(Row {
            value: Residence { kind: ResidenceKind::Immigrated, country: Some(country) },
            state: if gone.state == RowState::Historical { RowState::Current } else { gone.state.clone() },
            from: Some(back),
            until: None,
            registered: gone.registered,
        }),
        _ => None,
    };
    Ok([Some(gone), back].into_iter().flatten().collect())
}

/// The residences in order, each immigration ended by the emigration that follows it.
pub fn joined(mut residences: Vec<Row<Residence>>) -> Vec<Row<Residence>> {
    residences.sort_by_key(|row| (row.from, row.until, row.registered));
    let departures: Vec<_> = residences
        .iter()
        .filter(|row| row.value.kind == ResidenceKind::Emigrated)
        .filter(|row| matches!(row.state, RowState::Current | RowState::Historical))
        .filter_map(|row| row.from)
        .collect();
    for row in residences.iter_mut().filter(|row| row.value.kind == ResidenceKind::Immigrated) {
        row.until = departures.iter().copied().filter(|left| row.from.is_some_and(|came| came < *left)).min();
        if row.until.is_some() && row.state == RowState::Current {
            row.state = RowState::Historical;
        }
    }
    residences
}
