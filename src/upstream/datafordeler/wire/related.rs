//! Other persons, as far as a row tells of them.

use serde_json::{Map, Value};

use crate::domain::identifier::{CprNumber, PersonId};
use crate::domain::person::{Name, Protection, Related, RowState};

use super::kinds;
use super::read::{Tally, Wrong, date, rows, text};

/// Reads a member that is a person: an object, a list of which the first counts, or an identifier alone. None where the
/// member is absent or null.
pub fn person(row: &Map<String, Value>, key: &str, tally: &mut Tally) -> Result<Option<Related>, Wrong> {
    match row.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(_) | Value::Number(_)) => Ok(text(row, key)?.as_deref().map(identified)),
        value => {
            let found = rows(value);
            if found.wrong || found.bad > 0 {
                return Err(Wrong);
            }
            found.present.first().map(|one| object(one, tally)).transpose()
        }
    }
}

/// A PersonID or a CPR number, by its form. Another text is left out: it may say anything.
fn identified(text: &str) -> Related {
    let id = PersonId::parse(text).ok();
    let number = if id.is_none() { number(text) } else { None };
    Related { id, number, ..Related::default() }
}

fn object(row: &Map<String, Value>, tally: &mut Tally) -> Result<Related, Wrong> {
    Ok(Related {
        id: text(row, "personid")?.and_then(|id| PersonId::parse(&id).ok()),
        number: text(row, "personnummer")?.as_deref().and_then(number),
        name: name(row, tally)?,
        birth: date(row, "foedselsdato", "foedselsdatousikkerhedsmarkering", tally)?,
        protected: protected(row, tally),
        record: None,
    })
}

/// Ten digits; a number that lost its leading zero as a JSON number gets it back.
pub fn number(text: &str) -> Option<CprNumber> {
    let short = text.len() == 9 && text.bytes().all(|b| b.is_ascii_digit());
    if short { CprNumber::parse(&format!("0{text}")).ok() } else { CprNumber::parse(text).ok() }
}

/// The name as a text, or put together from the current row of names.
fn name(row: &Map<String, Value>, tally: &mut Tally) -> Result<Option<String>, Wrong> {
    if matches!(row.get("navn"), Some(Value::String(_))) {
        return text(row, "navn");
    }
    let names = rows(row.get("navn"));
    if names.wrong {
        return Err(Wrong);
    }
    for name in &names.present {
        if kinds::state(text(name, "status")?.as_deref(), tally) == RowState::Current {
            return full(name);
        }
    }
    Ok(None)
}

fn full(row: &Map<String, Value>) -> Result<Option<String>, Wrong> {
    let name = Name {
        first: text(row, "fornavne")?,
        middle: text(row, "mellemnavn")?,
        last: text(row, "efternavn")?,
        addressing: text(row, "adresseringsnavn")?,
    };
    Ok(name.full().or(name.addressing))
}

/// Whether the person is protected, or will be; none where that is not said or not understood.
fn protected(row: &Map<String, Value>, tally: &mut Tally) -> Option<bool> {
    let member = row.get("beskyttelser").filter(|value| !value.is_null())?;
    let found = rows(Some(member));
    if found.wrong || found.bad > 0 {
        return None;
    }
    let mut protected = false;
    for row in found.present {
        let state = kinds::state(text(row, "status").ok()?.as_deref(), tally);
        let kind = kinds::protection(text(row, "beskyttelsestype").ok()?.as_deref(), tally);
        let governs = matches!(kind, Protection::NameAndAddress | Protection::Other(_));
        protected |= governs && matches!(state, RowState::Current | RowState::Other(_));
    }
    Some(protected)
}
