//! The municipalities of Denmark and Greenland, with Christiansø, by their codes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The code of a real municipality.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Municipality(u16);

/// A text that is not the code of a real municipality.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the code of a municipality")]
pub struct NotAMunicipality;

impl Municipality {
    /// Reads a code of three or four digits.
    pub fn parse(text: &str) -> Result<Self, NotAMunicipality> {
        let well_formed = (3..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let code = if well_formed { text.parse().ok() } else { None };
        code.and_then(Self::from_code).ok_or(NotAMunicipality)
    }

    /// The municipality of a numeric code, if there is one.
    pub fn from_code(code: u16) -> Option<Self> {
        TABLE.binary_search_by_key(&code, |(c, _)| *c).ok().map(|_| Self(code))
    }

    /// Every municipality, by code.
    pub fn all() -> impl Iterator<Item = Municipality> {
        TABLE.iter().map(|(code, _)| Self(*code))
    }

    /// The numeric code.
    pub fn code(self) -> u16 {
        self.0
    }

    /// The municipality's name.
    pub fn name(self) -> &'static str {
        TABLE.binary_search_by_key(&self.0, |(c, _)| *c).map_or("", |at| TABLE[at].1)
    }
}

/// The code as four digits.
impl fmt::Display for Municipality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

impl fmt::Debug for Municipality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Municipality {
    type Error = NotAMunicipality;

    fn try_from(text: String) -> Result<Self, NotAMunicipality> {
        Self::parse(&text)
    }
}

impl From<Municipality> for String {
    fn from(code: Municipality) -> String {
        code.to_string()
    }
}

#[rustfmt::skip]
const TABLE: &[(u16, &str)] = &[
    (101, "København"),
    (147, "Frederiksberg"),
    (151, "Ballerup"),
    (153, "Brøndby"),
    (155, "Dragør"),
    (157, "Gentofte"),
    (159, "Gladsaxe"),
    (161, "Glostrup"),
    (163, "Herlev"),
    (165, "Albertslund"),
    (167, "Hvidovre"),
    (169, "Høje-Taastrup"),
    (173, "Lyngby-Taarbæk"),
    (175, "Rødovre"),
    (183, "Ishøj"),
    (185, "Tårnby"),
    (187, "Vallensbæk"),
    (190, "Furesø"),
    (201, "Allerød"),
    (210, "Fredensborg"),
    (217, "Helsingør"),
    (219, "Hillerød"),
    (223, "Hørsholm"),
    (230, "Rudersdal"),
    (240, "Egedal"),
    (250, "Frederikssund"),
    (253, "Greve"),
    (259, "Køge"),
    (260, "Halsnæs"),
    (265, "Roskilde"),
    (269, "Solrød"),
    (270, "Gribskov"),
    (306, "Odsherred"),
    (316, "Holbæk"),
    (320, "Faxe"),
    (326, "Kalundborg"),
    (329, "Ringsted"),
    (330, "Slagelse"),
    (336, "Stevns"),
    (340, "Sorø"),
    (350, "Lejre"),
    (360, "Lolland"),
    (370, "Næstved"),
    (376, "Guldborgsund"),
    (390, "Vordingborg"),
    (400, "Bornholm"),
    (410, "Middelfart"),
    (411, "Christiansø"),
    (420, "Assens"),
    (430, "Faaborg-Midtfyn"),
    (440, "Kerteminde"),
    (450, "Nyborg"),
    (461, "Odense"),
    (479, "Svendborg"),
    (480, "Nordfyns"),
    (482, "Langeland"),
    (492, "Ærø"),
    (510, "Haderslev"),
    (530, "Billund"),
    (540, "Sønderborg"),
    (550, "Tønder"),
    (561, "Esbjerg"),
    (563, "Fanø"),
    (573, "Varde"),
    (575, "Vejen"),
    (580, "Aabenraa"),
    (607, "Fredericia"),
    (615, "Horsens"),
    (621, "Kolding"),
    (630, "Vejle"),
    (657, "Herning"),
    (661, "Holstebro"),
    (665, "Lemvig"),
    (671, "Struer"),
    (706, "Syddjurs"),
    (707, "Norddjurs"),
    (710, "Favrskov"),
    (727, "Odder"),
    (730, "Randers"),
    (740, "Silkeborg"),
    (741, "Samsø"),
    (746, "Skanderborg"),
    (751, "Aarhus"),
    (756, "Ikast-Brande"),
    (760, "Ringkøbing-Skjern"),
    (766, "Hedensted"),
    (773, "Morsø"),
    (779, "Skive"),
    (787, "Thisted"),
    (791, "Viborg"),
    (810, "Brønderslev"),
    (813, "Frederikshavn"),
    (820, "Vesthimmerlands"),
    (825, "Læsø"),
    (840, "Rebild"),
    (846, "Mariagerfjord"),
    (849, "Jammerbugt"),
    (851, "Aalborg"),
    (860, "Hjørring"),
    (955, "Kujalleq"),
    (956, "Sermersooq"),
    (957, "Qeqqata"),
    (959, "Qeqertalik"),
    (960, "Avannaata"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ninety_eight_danish_five_greenlandic_and_christiansoe() {
        assert_eq!(TABLE.len(), 98 + 5 + 1);
        assert!(TABLE.is_sorted_by_key(|(code, _)| *code));
    }

    #[test]
    fn both_written_forms_are_one_municipality() {
        assert_eq!(Municipality::parse("101"), Municipality::parse("0101"));
        assert_eq!(Municipality::parse("0851").map(Municipality::name), Ok("Aalborg"));
        for unreal in ["0010", "9999", "85", "08510", "O851", ""] {
            assert_eq!(Municipality::parse(unreal), Err(NotAMunicipality), "{unreal}");
        }
    }
}
