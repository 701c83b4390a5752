//! The rows of which a person consists: their groups, their statuses, and the dates between which they apply.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

/// What kind of thing a row tells. The order is that of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Group {
    Number,
    Name,
    Address,
    Protection,
    CivilStatus,
    Citizenship,
    Child,
    Parent,
    CustodyHolder,
    CustodyOver,
    Travel,
    Disappearance,
    ContactAddress,
    Guardianship,
    MunicipalCondition,
    Church,
    Note,
}

impl Group {
    pub(super) const ALL: [Self; 17] = [
        Self::Number,
        Self::Name,
        Self::Address,
        Self::Protection,
        Self::CivilStatus,
        Self::Citizenship,
        Self::Child,
        Self::Parent,
        Self::CustodyHolder,
        Self::CustodyOver,
        Self::Travel,
        Self::Disappearance,
        Self::ContactAddress,
        Self::Guardianship,
        Self::MunicipalCondition,
        Self::Church,
        Self::Note,
    ];

    /// The member of a look-up's answer, and the entity that events are about.
    pub(super) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Number => ("personnumre", "Personnummer"),
            Self::Name => ("navne", "Navn"),
            Self::Address => ("adresseoplysninger", "CprAdresse"),
            Self::Protection => ("beskyttelser", "Beskyttelse"),
            Self::CivilStatus => ("civilstande", "Civilstand"),
            Self::Citizenship => ("statsborgerskaber", "Statsborgerskab"),
            Self::Child => ("boern", "MorFar"),
            Self::Parent => ("foraeldreoplysninger", "MorFar"),
            Self::CustodyHolder => ("foraeldremyndighedsoplysninger", "Foraeldremyndighed"),
            Self::CustodyOver => ("foraeldremyndighedOver", "Foraeldremyndighed"),
            Self::Travel => ("udrejseIndrejser", "UdrejseIndrejse"),
            Self::Disappearance => ("forsvindinger", "Forsvinding"),
            Self::ContactAddress => ("kontaktadresse", "Kontaktadresse"),
            Self::Guardianship => ("vaergemaal", "Vaergemaal"),
            Self::MunicipalCondition => ("kommunaleForhold", "KommunaleForhold"),
            Self::Church => ("folkekirke", "Folkekirke"),
            Self::Note => ("notater", "Notat"),
        }
    }

    /// The member under which a row shows the other person it is about.
    pub(super) fn relation(self) -> Option<&'static str> {
        match self {
            Self::Child | Self::CustodyOver => Some("barn"),
            Self::Parent => Some("foraelder"),
            Self::CustodyHolder => Some("foraeldremyndighedsindehaver"),
            _ => None,
        }
    }
}

/// What the register now says of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowStatus {
    Current,
    Historical,
    /// It never was so.
    Undone,
    /// It was so, but was written down wrongly.
    Corrected,
    /// Replaced because a road or a postcode was renamed.
    Technical,
}

impl RowStatus {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Current => "aktuel",
            Self::Historical => "historisk",
            Self::Undone => "fortrudt",
            Self::Corrected => "rettet",
            Self::Technical => "teknisk_aendring",
        }
    }
}

/// One row of a group.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub status: RowStatus,
    pub from: Option<Date>,
    /// The first day on which it no longer applies.
    pub to: Option<Date>,
    /// Whether the register doubts `from`.
    pub uncertain: bool,
    /// When the register learnt it, or last changed it.
    pub registered: Timestamp,
    /// The content, in the register's members.
    pub content: Value,
    /// The other person, where the row is about one.
    pub other: Option<String>,
}
