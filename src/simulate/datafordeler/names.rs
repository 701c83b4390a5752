//! Where the invented people live and what they are called.

use jiff::civil::Date;
use serde_json::Value;
use serde_json::json;

use super::chance::Chance;

/// Municipality code, name, a postcode in it and that postcode's district.
pub(super) const MUNICIPALITIES: &[(&str, &str, &str, &str)] = &[
    ("0101", "København", "2100", "København Ø"),
    ("0147", "Frederiksberg", "2000", "Frederiksberg"),
    ("0173", "Lyngby-Taarbæk", "2800", "Kongens Lyngby"),
    ("0265", "Roskilde", "4000", "Roskilde"),
    ("0330", "Slagelse", "4200", "Slagelse"),
    ("0400", "Bornholm", "3700", "Rønne"),
    ("0461", "Odense", "5000", "Odense C"),
    ("0561", "Esbjerg", "6700", "Esbjerg"),
    ("0621", "Kolding", "6000", "Kolding"),
    ("0657", "Herning", "7400", "Herning"),
    ("0730", "Randers", "8900", "Randers C"),
    ("0751", "Aarhus", "8000", "Aarhus C"),
    ("0820", "Vesthimmerland", "9600", "Aars"),
    ("0851", "Aalborg", "9000", "Aalborg"),
    ("0860", "Hjørring", "9800", "Hjørring"),
];

/// Greenland's municipalities, in the same form.
pub(super) const GREENLAND: &[(&str, &str, &str, &str)] = &[
    ("0955", "Kujalleq", "3920", "Qaqortoq"),
    ("0956", "Sermersooq", "3900", "Nuuk"),
    ("0957", "Qeqqata", "3911", "Sisimiut"),
    ("0959", "Qeqertalik", "3950", "Aasiaat"),
    ("0960", "Avannaata", "3952", "Ilulissat"),
];

/// Country code in the register, name, three-letter code.
pub(super) const COUNTRIES: &[(&str, &str, &str)] = &[
    ("5100", "Danmark", "DNK"),
    ("5106", "Island", "ISL"),
    ("5110", "Norge", "NOR"),
    ("5120", "Sverige", "SWE"),
    ("5180", "Tyskland", "DEU"),
];

const ROADS: &[(&str, &str)] = &[
    ("0007", "Opdigtet Allé"),
    ("0113", "Æblegrødsstræde"),
    ("0231", "Prøvegården"),
    ("0448", "Ørkesløs Vænge"),
    ("0519", "Ålekistebakken"),
    ("1207", "Gammel Fiktionsvej"),
    ("2044", "Skrømtens Kvarter"),
    ("3310", "Ved Papirskoven"),
];

const WOMEN: &[&str] =
    &["Ærlinda", "Prøvine", "Østergunn", "Åsetrud", "Fiktoria", "Papirella", "Kartotekla", "Skyggine"];
const MEN: &[&str] = &["Testfred", "Prøvius", "Æskild", "Ørnebald", "Ågemund", "Fiktor", "Blanketus", "Rullemand"];
const MIDDLE: &[&str] = &["Skuffe", "Nørreprøve", "Blækhus", "Papirsø"];
const FAMILIES: &[&str] = &[
    "Prøvestrup",
    "Attrapsen",
    "Fiktumgaard",
    "Ørkenskov",
    "Æventyrlund",
    "Ålestamme",
    "Skyggebjerg",
    "Blanketsen",
    "Kartoteksdal",
    "Opspindborg",
];

/// The row of a municipality; codes that are not in the tables get an invented name.
fn municipality(code: &str) -> (&str, String, &'static str, &'static str) {
    match MUNICIPALITIES.iter().chain(GREENLAND).find(|known| known.0 == code) {
        Some((_, name, postcode, district)) => (code, (*name).to_owned(), postcode, district),
        None => (code, format!("Kommune {code}"), "9999", "Ingensteds"),
    }
}

/// Where on a road somebody may live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Road {
    Ordinary,
    /// Codes from 9900 on: no fixed place, an institution, an embassy.
    Special,
}

/// The content of an address row, in the register's members.
pub(super) fn address(chance: &mut Chance, code: &str, road: Road) -> Value {
    let (code, name, postcode, district) = municipality(code);
    let (road_code, road_name) = match road {
        Road::Ordinary => *chance.pick(ROADS),
        Road::Special => ("9901", "Uden Fast Bopæl"),
    };
    let house = format!("{:03}{}", 1 + chance.below(180), chance.pick(&["", "", "", "A", "B"]));
    let (floor, door) = *chance.pick(&[("", ""), ("", ""), ("st", "tv"), ("01", "th"), ("02", "mf"), ("12", "0007")]);
    let greenland = GREENLAND.iter().any(|known| known.0 == code);
    json!({
        "conavn": chance.once_in(20).then_some("c/o Fru Fiktivsen"),
        "supplerendeAdresse": null,
        "cprAdresse": {
            "daradresse": (!greenland && road == Road::Ordinary).then(|| chance.uuid()),
            "bygningsnummer": greenland.then(|| format!("B{}", 100 + chance.below(900))),
            "bynavn": chance.once_in(6).then_some("Nørre Opspind"),
            "cprkommunekode": code, "cprkommunenavn": name, "cprvejkode": road_code,
            "etage": (!floor.is_empty()).then_some(floor), "husnummer": house,
            "postdistrikt": district, "postnummer": postcode,
            "sidedoer": (!door.is_empty()).then_some(door),
            "vejadresseringsnavn": road_name.chars().take(20).collect::<String>(), "vejnavn": road_name,
        },
    })
}

/// The content of a name row. `first` is one or more given names.
pub(super) fn name(first: &str, middle: Option<&str>, last: &str) -> Value {
    let whole = [Some(first), middle, Some(last)].into_iter().flatten().collect::<Vec<_>>().join(" ");
    json!({
        "fornavne": first, "mellemnavn": middle, "efternavn": last,
        "adresseringsnavn": whole.chars().take(34).collect::<String>().trim_end(),
    })
}

/// A given name; now and then several that are long together.
pub(super) fn first_name(chance: &mut Chance, woman: bool) -> String {
    let from = if woman { WOMEN } else { MEN };
    if chance.once_in(12) {
        return format!("{} Ærøskøbingia Blåbærsyltetøj", chance.pick(from));
    }
    (*chance.pick(from)).to_owned()
}

/// A middle name, for one in four.
pub(super) fn middle_name(chance: &mut Chance) -> Option<&'static str> {
    chance.once_in(4).then(|| *chance.pick(MIDDLE))
}

/// A family name.
pub(super) fn last_name(chance: &mut Chance) -> &'static str {
    let name: &'static &'static str = chance.pick(FAMILIES);
    name
}

/// A birth date of somebody who is between 1 and 95 years old on `today`.
pub(super) fn birth_date(chance: &mut Chance, today: Date) -> Date {
    let days = i64::try_from(366 + chance.below(94 * 365)).unwrap_or(366);
    today.saturating_sub(jiff::Span::new().days(days))
}

/// The content of a citizenship row; a code that is not in the table is an unknown country.
pub(super) fn country(code: &str) -> Value {
    let (code, name, letters) =
        COUNTRIES.iter().find(|known| known.0 == code).copied().unwrap_or((code, "Ukendt land", "XXX"));
    json!({ "cprland": {
        "kode": code, "navn": name, "landekode": letters,
        "administrativEnhedType": { "typeKode": "LAND", "typeNavn": "Land" },
    } })
}
