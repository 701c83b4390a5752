//! Reading of loosely formed JSON: members by their documented names, texts, numbers, dates, lists or single objects.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization;

use crate::domain::date::RegisterDate;

use super::super::fields::Field;

/// What was met and not known.
#[derive(Debug, Default)]
pub struct Tally {
    /// Members that the table does not have.
    pub unknown_fields: u32,
    /// Values that have no meaning here.
    pub unknown_values: u32,
    /// Rows that were left out.
    pub dropped_rows: u32,
}

/// A value of another type than it can be.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong;

/// The value with its members under their documented names. Members that are not known are counted and left out.
pub fn canonical(value: Value, fields: &'static [Field], tally: &mut Tally) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(|item| canonical(item, fields, tally)).collect(),
        Value::Object(members) => Value::Object(renamed(members, fields, tally)),
        plain => plain,
    }
}

fn renamed(members: Map<String, Value>, fields: &'static [Field], tally: &mut Tally) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, value) in members {
        let Some(field) = fields.iter().find(|field| field.is_called(&name)) else {
            tally.unknown_fields += u32::from(name != "__typename");
            continue;
        };
        let value = if field.members.is_empty() { value } else { canonical(value, field.members, tally) };
        if !value.is_null() || !out.contains_key(field.key()) {
            out.insert(field.key().to_owned(), value);
        }
    }
    out
}

/// A member that may be absent, one object, or a list of objects.
pub struct Rows<'a> {
    /// The objects.
    pub present: Vec<&'a Map<String, Value>>,
    /// Elements that are none.
    pub bad: u32,
    /// Whether it is something else altogether.
    pub wrong: bool,
}

/// Reads such a member. Absent and null are no rows.
pub fn rows(value: Option<&Value>) -> Rows<'_> {
    let mut rows = Rows { present: Vec::new(), bad: 0, wrong: false };
    match value {
        None | Some(Value::Null) => {}
        Some(Value::Object(one)) => rows.present.push(one),
        Some(Value::Array(items)) => {
            for item in items {
                match item {
                    Value::Object(one) => rows.present.push(one),
                    _ => rows.bad += 1,
                }
            }
        }
        Some(_) => rows.wrong = true,
    }
    rows
}

/// A text in composed form, without blanks around it or control characters within; none where it is empty. Numbers read as their digits.
pub fn text(row: &Map<String, Value>, key: &str) -> Result<Option<String>, Wrong> {
    match row.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(tidy(text)),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(Wrong),
    }
}

/// In composed form, so that the same letters are the same text whatever way they came.
fn tidy(text: &str) -> Option<String> {
    let tidy: String = text.chars().filter(|c| !c.is_control()).nfc().collect();
    let tidy = tidy.trim();
    (!tidy.is_empty()).then(|| tidy.to_owned())
}

/// A whole number, also written as text.
pub fn integer(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A date with its uncertainty mark. One that cannot be read, such as a year alone, is counted and left out.
pub fn date(row: &Map<String, Value>, key: &str, mark: &str, tally: &mut Tally) -> Result<Option<RegisterDate>, Wrong> {
    let Some(written) = plain_text(row, key)? else { return Ok(None) };
    match danish_date(written) {
        Some(date) => Ok(Some(RegisterDate { date, uncertain: is_marked(row.get(mark)) })),
        None => {
            tally.unknown_values += 1;
            Ok(None)
        }
    }
}

/// An instant. One that cannot be read is counted and left out.
pub fn instant(row: &Map<String, Value>, key: &str, tally: &mut Tally) -> Result<Option<Timestamp>, Wrong> {
    let Some(written) = plain_text(row, key)? else { return Ok(None) };
    let found = written.parse().ok().or_else(|| local(written));
    tally.unknown_values += u32::from(found.is_none());
    Ok(found)
}

fn plain_text<'a>(row: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>, Wrong> {
    match row.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
        Some(_) => Err(Wrong),
    }
}

/// A date stays a date; an instant is the date that it falls on in Denmark; a time without zone is Danish.
fn danish_date(text: &str) -> Option<Date> {
    if text.len() == 10 {
        return text.parse().ok();
    }
    match text.parse::<Timestamp>() {
        Ok(instant) => Some(instant.to_zoned(copenhagen()).date()),
        Err(_) => text.parse::<DateTime>().ok().map(DateTime::date),
    }
}

fn local(text: &str) -> Option<Timestamp> {
    let civil: DateTime = text.parse().ok()?;
    civil.to_zoned(copenhagen()).ok().map(|zoned| zoned.timestamp())
}

fn copenhagen() -> TimeZone {
    TimeZone::get("Europe/Copenhagen").expect("the time zone database is compiled in")
}

fn is_marked(mark: Option<&Value>) -> bool {
    match mark {
        Some(Value::Bool(marked)) => *marked,
        Some(Value::String(text)) => {
            !matches!(text.trim().to_ascii_lowercase().as_str(), "" | "0" | "n" | "nej" | "false")
        }
        Some(Value::Number(number)) => number.as_i64() != Some(0),
        _ => false,
    }
}
