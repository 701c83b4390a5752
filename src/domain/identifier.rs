//! CPR number and PersonID: identifiers that hide themselves and are written out only by name.

use std::fmt;

use zeroize::Zeroize;

/// A CPR number: ten digits. Numbers that fail the modulus-11 check are valid.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CprNumber(String);

/// A text that is not ten digits. Says nothing of the text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a CPR number has ten digits")]
pub struct NotACprNumber;

impl CprNumber {
    /// Reads ten digits; a hyphen and blanks are left out.
    pub fn parse(text: &str) -> Result<Self, NotACprNumber> {
        let digits: String = text.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
        if digits.len() == 10 && digits.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(digits))
        } else {
            Err(NotACprNumber)
        }
    }

    /// The ten digits, for the register, the sealed store and a payload that may hold them.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for CprNumber {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for CprNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CprNumber(…)")
    }
}

/// The register's permanent identifier of a person, in lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(uuid::Uuid);

/// A text that is not a PersonID. Says nothing of the text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a PersonID is a UUID")]
pub struct NotAPersonId;

impl PersonId {
    /// Reads a UUID in any of its written forms.
    pub fn parse(text: &str) -> Result<Self, NotAPersonId> {
        uuid::Uuid::parse_str(text.trim()).map(Self).map_err(|_| NotAPersonId)
    }

    /// The UUID in hyphenated lower case, for the register, the sealed store and a payload that may hold it.
    pub fn expose(&self) -> String {
        self.0.hyphenated().to_string()
    }
}

impl fmt::Debug for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonId(…)")
    }
}

/// Serialisation of identifiers where a field asks for it by name, as content that will be sealed does.
pub mod exposed {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{CprNumber, PersonId};

    /// An identifier that can be written out and read back.
    pub trait Exposed: Sized {
        /// Writes it out.
        fn to_text(&self) -> String;
        /// Reads it back.
        fn from_text(text: &str) -> Option<Self>;
    }

    impl Exposed for CprNumber {
        fn to_text(&self) -> String {
            self.expose().to_owned()
        }
        fn from_text(text: &str) -> Option<Self> {
            Self::parse(text).ok()
        }
    }

    impl Exposed for PersonId {
        fn to_text(&self) -> String {
            self.expose()
        }
        fn from_text(text: &str) -> Option<Self> {
            Self::parse(text).ok()
        }
    }

    impl<T: Exposed> Exposed for Option<T> {
        fn to_text(&self) -> String {
            self.as_ref().map(T::to_text).unwrap_or_default()
        }
        fn from_text(text: &str) -> Option<Self> {
            if text.is_empty() { Some(None) } else { T::from_text(text).map(Some) }
        }
    }

    /// Writes an identifier out; an absent one as the empty text.
    pub fn serialize<T: Exposed, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.to_text())
    }

    /// Reads an identifier back, with an error that does not repeat it.
    pub fn deserialize<'de, T: Exposed, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        T::from_text(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("not an identifier"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_with_hyphen_and_blanks_and_hides_itself() {
        let number = CprNumber::parse("610180-0001 ").expect("ten digits");
        assert_eq!(number.expose(), "6101800001");
        assert!(!format!("{number:?}").contains("6101"));
        for bad in ["", "610180000", "61018000012", "61018o0001"] {
            assert_eq!(CprNumber::parse(bad), Err(NotACprNumber));
        }
    }

    #[test]
    fn a_person_id_hides_itself() {
        let id = PersonId::parse("7F3B2C1E-5A64-4C0D-9E21-0D6A1B2C3D4E").expect("a UUID");
        assert_eq!(id.expose(), "7f3b2c1e-5a64-4c0d-9e21-0d6a1b2c3d4e");
        assert!(!format!("{id:?}").contains("7f3b"));
        assert_eq!(PersonId::parse("1"), Err(NotAPersonId));
    }
}
