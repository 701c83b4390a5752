//! The register's own words for states, kinds and roles, whatever their case.

use crate::domain::person::{ParentRole, Protection, RowState, Sex};
use crate::domain::status::StatusCode;

use super::read::Tally;

/// A person's status, as text or as its two digits. An unknown text is kept and counted.
pub fn status(text: &str, tally: &mut Tally) -> StatusCode {
    let known = match text.to_lowercase().as_str() {
        "bopael_i_danmark" => Some(StatusCode::Resident),
        "bopael_i_danmark_hoej_vejkode" => Some(StatusCode::ResidentSpecialRoad),
        "bopael_i_groenland" => Some(StatusCode::Greenland),
        "bopael_i_groenland_hoej_vejkode" => Some(StatusCode::GreenlandSpecialRoad),
        "ej_bopael" => Some(StatusCode::NoResidence),
        "annulleret" => Some(StatusCode::Cancelled),
        "nedlagt_person" => Some(StatusCode::Closed),
        "forsvundet" => Some(StatusCode::Disappeared),
        "udrejst" => Some(StatusCode::Emigrated),
        "doed" | "død" => Some(StatusCode::Dead),
        other => other.parse().ok().and_then(StatusCode::from_code),
    };
    known.unwrap_or_else(|| {
        tally.unknown_values += 1;
        StatusCode::Other(text.to_owned())
    })
}

/// A row's state; none is current. An unknown text is kept and counted.
pub fn state(text: Option<&str>, tally: &mut Tally) -> RowState {
    let Some(text) = text else { return RowState::Current };
    match text.to_lowercase().as_str() {
        "aktuel" => RowState::Current,
        "historisk" => RowState::Historical,
        "fortrudt" => RowState::Undone,
        "rettet" => RowState::Corrected,
        "teknisk_aendring" | "teknisk ændring" | "tekniskaendring" => RowState::Technical,
        _ => {
            tally.unknown_values += 1;
            RowState::Other(text.to_owned())
        }
    }
}

/// Sex as registered.
pub fn sex(text: Option<&str>, tally: &mut Tally) -> Sex {
    match text.map(str::to_lowercase).as_deref() {
        Some("kvinde" | "k") => Sex::Female,
        Some("mand" | "m") => Sex::Male,
        Some(_) => {
            tally.unknown_values += 1;
            Sex::Unknown
        }
        None => Sex::Unknown,
    }
}

/// A kind of protection, as text or as its code. An unknown one is kept and counted.
pub fn protection(text: Option<&str>, tally: &mut Tally) -> Protection {
    match text.map(str::to_lowercase).as_deref() {
        Some("navne_og_adresse" | "00001") => Protection::NameAndAddress,
        Some("lokal_vejviser" | "00002") => Protection::LocalDirectory,
        Some("markedsfoering" | "00003") => Protection::Marketing,
        Some("forskerbeskyttelse" | "forskning" | "00004") => Protection::Research,
        Some("kreditadvarsel" | "00005") => Protection::CreditWarning,
        _ => {
            tally.unknown_values += 1;
            Protection::Other(text.unwrap_or_default().to_owned())
        }
    }
}

/// A civil status in the register's own word. An unknown one is kept and counted.
pub fn civil_status(text: &str, tally: &mut Tally) -> String {
    const KNOWN: [&str; 8] = [
        "ugift",
        "gift",
        "fraskilt",
        "enke_enkemand",
        "doed",
        "registreret_partnerskab",
        "ophoert_partnerskab",
        "laengstlevende_partner",
    ];
    let word = text.to_lowercase();
    tally.unknown_values += u32::from(!KNOWN.contains(&word.as_str()));
    word
}

/// What a parent or holder of custody is.
pub fn role(text: Option<&str>, tally: &mut Tally) -> ParentRole {
    match text.map(str::to_lowercase).as_deref() {
        Some("mor") => ParentRole::Mother,
        Some("far_medmor" | "far" | "medmor") => ParentRole::FatherOrCoMother,
        Some("anden") => ParentRole::Other,
        _ => {
            tally.unknown_values += 1;
            ParentRole::Other
        }
    }
}
