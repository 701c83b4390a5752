//! How values of ours stand in columns: ids as blobs, times as integer milliseconds, the rest as JSON; lists reach a
//! statement as one JSON array.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};

use super::Error;
use crate::domain::pairwise::{EventId, RecordId};

/// A column, to be named in errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column(pub &'static str, pub &'static str);

impl Column {
    /// The error for a stored value that is not what the column promises.
    pub(super) fn unreadable(self) -> Error {
        Error::Unreadable { table: self.0, column: self.1 }
    }

    /// A value as JSON text.
    pub(super) fn to_json<T: Serialize + ?Sized>(self, value: &T) -> Result<String, Error> {
        serde_json::to_string(value).map_err(|_| Error::Encode { table: self.0, column: self.1 })
    }

    /// A value from JSON text.
    pub(super) fn json<T: DeserializeOwned>(self, text: &str) -> Result<T, Error> {
        serde_json::from_str(text).map_err(|_| self.unreadable())
    }

    /// An optional value from JSON text.
    pub(super) fn optional_json<T: DeserializeOwned>(self, text: Option<&str>) -> Result<Option<T>, Error> {
        text.map(|text| self.json(text)).transpose()
    }

    /// A variant from its name as stored by [`name_of`].
    pub(super) fn variant<T: DeserializeOwned>(self, name: &str) -> Result<T, Error> {
        serde_json::from_value(serde_json::Value::String(name.to_owned())).map_err(|_| self.unreadable())
    }

    /// A text that can be parsed.
    pub(super) fn parse<T: std::str::FromStr>(self, text: &str) -> Result<T, Error> {
        text.parse().map_err(|_| self.unreadable())
    }

    /// A time from milliseconds.
    pub(super) fn time(self, millis: i64) -> Result<Timestamp, Error> {
        Timestamp::from_millisecond(millis).map_err(|_| self.unreadable())
    }

    /// An optional time from milliseconds.
    pub(super) fn optional_time(self, millis: Option<i64>) -> Result<Option<Timestamp>, Error> {
        millis.map(|millis| self.time(millis)).transpose()
    }

    /// A date.
    pub(super) fn date(self, text: &str) -> Result<Date, Error> {
        self.parse(text)
    }

    /// Sixteen bytes.
    pub(super) fn bytes16(self, bytes: &[u8]) -> Result<[u8; 16], Error> {
        bytes.try_into().map_err(|_| self.unreadable())
    }

    /// A record.
    pub(super) fn record(self, bytes: &[u8]) -> Result<RecordId, Error> {
        self.bytes16(bytes).map(RecordId)
    }

    /// An event's id.
    pub(super) fn event(self, bytes: &[u8]) -> Result<EventId, Error> {
        self.bytes16(bytes).map(EventId)
    }

    /// An integer in a narrower type.
    pub(super) fn number<T: TryFrom<i64>>(self, value: i64) -> Result<T, Error> {
        T::try_from(value).map_err(|_| self.unreadable())
    }
}

/// The name of an enum's variant without content, as it is stored.
pub(super) fn name_of<T: Serialize>(variant: &T, column: Column) -> Result<String, Error> {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(name)) => Ok(name),
        _ => Err(Error::Encode { table: column.0, column: column.1 }),
    }
}

/// Records as a JSON array of hexadecimal texts, for `unhex(value)`.
pub(super) fn hexes(records: &[RecordId]) -> String {
    let mut text = String::with_capacity(records.len() * 35 + 2);
    text.push('[');
    for (position, record) in records.iter().enumerate() {
        text.push_str(if position == 0 { "\"" } else { ",\"" });
        text.push_str(hex16(&record.0, &mut [0; 32]));
        text.push('"');
    }
    text.push(']');
    text
}

/// Sixteen bytes as hexadecimal text.
pub(super) fn hex16<'a>(bytes: &[u8; 16], text: &'a mut [u8; 32]) -> &'a str {
    hex::encode_to_slice(bytes, text).expect("two digits for each byte");
    std::str::from_utf8(text).expect("digits are ASCII")
}

/// The blobs of rows to insert, one after the other: the JSON of a row says where each lies, `substr(blobs, position, length)`
/// cuts it out. That is a fraction of what hexadecimal text costs.
#[derive(Default)]
pub(super) struct Blobs(Vec<u8>);

impl Blobs {
    /// Puts a blob in. Where it lies, counted from one.
    pub(super) fn put(&mut self, blob: &[u8]) -> usize {
        let at = self.0.len() + 1;
        self.0.extend_from_slice(blob);
        at
    }

    /// All of them, to be bound.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// A blob of sixteen bytes, also in gathered rows.
#[derive(Clone, Copy, sqlx::Type)]
#[sqlx(transparent)]
pub(super) struct Hex16(pub [u8; 16]);

/// A blob, also in gathered rows.
#[derive(sqlx::Type)]
#[sqlx(transparent)]
pub(super) struct Hex(pub Vec<u8>);

impl Hex {
    /// The blob; none for NULL, which gathered rows show as an empty one.
    pub(super) fn present(self) -> Option<Vec<u8>> {
        Some(self.0).filter(|bytes| !bytes.is_empty())
    }
}

impl<'de> Deserialize<'de> for Hex16 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut bytes = [0; 16];
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        hex::decode_to_slice(text.as_bytes(), &mut bytes).map_err(D::Error::custom)?;
        Ok(Self(bytes))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        hex::decode(text.as_bytes()).map(Self).map_err(D::Error::custom)
    }
}

/// Rows to insert, as a JSON array of arrays.
pub(super) fn batch<T: Serialize>(table: &'static str, rows: &[T]) -> Result<String, Error> {
    Column(table, "batch").to_json(rows)
}

/// A count as SQLite gives it, never negative.
pub(super) fn count(value: i64) -> u64 {
    value.unsigned_abs()
}
