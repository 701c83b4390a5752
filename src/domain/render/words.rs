//! The words that stand for the register's codes.

use crate::domain::person::{ParentRole, Protection, ResidenceKind, Sex};

pub(super) fn sex(sex: Sex) -> &'static str {
    match sex {
        Sex::Female => "Female",
        Sex::Male => "Male",
        Sex::Unknown => "Unknown",
    }
}

/// The register's letter and an English text; of a kind that we do not know only its own text.
pub(super) fn civil_status_words(kind: &str) -> (Option<&str>, &str) {
    let known = match kind.to_lowercase().as_str() {
        "ugift" => ("U", "Unmarried"),
        "gift" => ("G", "Married"),
        "fraskilt" => ("F", "Divorced"),
        "enke_enkemand" => ("E", "Widowed"),
        "doed" => ("D", "Dead"),
        "registreret_partnerskab" => ("P", "Registered partnership"),
        "ophoert_partnerskab" => ("O", "Partnership dissolved"),
        "laengstlevende_partner" => ("L", "Surviving partner"),
        _ => return (None, kind),
    };
    (Some(known.0), known.1)
}

pub(super) fn role(role: &ParentRole) -> &'static str {
    match role {
        ParentRole::Mother => "Mother",
        ParentRole::FatherOrCoMother => "FatherOrCoMother",
        ParentRole::Other => "Other",
    }
}

pub(super) fn protection_kind(protection: &Protection) -> &'static str {
    match protection {
        Protection::NameAndAddress | Protection::Other(_) => "NameAndAddress",
        Protection::LocalDirectory => "LocalDirectory",
        Protection::Marketing => "Marketing",
        Protection::CreditWarning => "CreditWarning",
        Protection::Research => "Research",
    }
}

/// An English text; of a kind that we do not know its own.
pub(super) fn church_text(kind: &str) -> &str {
    match kind.to_lowercase().as_str() {
        "medlem_af_folkekirken" => "Member of the national church",
        "ikke_medlem_af_folkekirken" => "Not a member of the national church",
        _ => kind,
    }
}

pub(super) fn residence_kind(kind: ResidenceKind) -> &'static str {
    match kind {
        ResidenceKind::Emigrated => "Emigrated",
        ResidenceKind::Immigrated => "Immigrated",
        ResidenceKind::Disappeared => "Disappeared",
    }
}
