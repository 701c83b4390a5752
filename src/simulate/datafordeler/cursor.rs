//! Page cursors: base64 of key parts that are each base64 and joined by semicolons.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The cursor of an event.
pub(super) fn of_event(id: i64) -> String {
    joined(b"1", &id.to_le_bytes())
}

/// The event that a cursor stands at.
pub(super) fn read_event(cursor: &str) -> Option<i64> {
    Some(i64::from_le_bytes(last_part(cursor)?.try_into().ok()?))
}

/// The cursor of a person.
pub(super) fn of_id(id: &str) -> String {
    joined(b"1", id.as_bytes())
}

/// The person that a cursor stands at.
pub(super) fn read_id(cursor: &str) -> Option<String> {
    String::from_utf8(last_part(cursor)?).ok()
}

fn joined(first: &[u8], second: &[u8]) -> String {
    STANDARD.encode(format!("{};{}", STANDARD.encode(first), STANDARD.encode(second)))
}

fn last_part(cursor: &str) -> Option<Vec<u8>> {
    let inner = String::from_utf8(STANDARD.decode(cursor).ok()?).ok()?;
    STANDARD.decode(inner.strip_prefix("MQ==;")?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_has_the_observed_form() {
        assert_eq!(of_event(1000), "TVE9PTs2QU1BQUFBQUFBQT0=");
        assert_eq!(read_event("TVE9PTs2QU1BQUFBQUFBQT0="), Some(1000));
        assert_eq!(read_event("no cursor"), None);
        assert_eq!(read_id(&of_id("7f3b")).as_deref(), Some("7f3b"));
    }
}
