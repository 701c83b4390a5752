//! Reads notices and the import status. Pure.

use serde_json::{Map, Value};

use crate::domain::identifier::PersonId;
use crate::domain::municipality::Municipality;

use super::error::{Error, not_understood};
use super::fields::{EVENT, IMPORT_STATUS};
use super::nouns::{ImportStatus, Notice, NoticePage};
use super::query::HAPPENING;
use super::wire::read::{Tally, canonical, integer, rows};

/// Reads a page of notices, of which `asked` were asked for.
pub fn page(value: Value, asked: u32) -> Result<NoticePage, Error> {
    let (nodes, more) = unwrapped(value);
    let nodes = canonical(nodes, EVENT, &mut Tally::default());
    let found = rows(Some(&nodes));
    if found.wrong {
        return Err(not_understood("a list of events"));
    }
    let ids: Vec<i64> = found.present.iter().filter_map(|row| integer(row.get("eventid"))).collect();
    if ids.is_empty() && !found.present.is_empty() {
        return Err(not_understood("events with ids"));
    }
    let mut notices: Vec<Notice> = found.present.iter().filter_map(|row| notice(row)).collect();
    notices.sort_by_key(|notice| notice.event_id);
    let total = count(found.present.len()) + found.bad;
    Ok(NoticePage {
        skipped: total - count(notices.len()),
        last_event_id: ids.into_iter().max(),
        more: more.unwrap_or(total >= asked),
        notices,
    })
}

/// The event id and import of the first row, of whatever entity.
pub fn first(value: Value) -> Option<(i64, u32)> {
    let nodes = canonical(unwrapped(value).0, EVENT, &mut Tally::default());
    rows(Some(&nodes)).present.iter().find_map(|row| Some((integer(row.get("eventid"))?, import(row)?)))
}

/// Reads the import status.
pub fn import_status(value: Value) -> Result<ImportStatus, Error> {
    let status = canonical(unwrapped(value).0, IMPORT_STATUS, &mut Tally::default());
    let read = |row: &Map<String, Value>| {
        let last = integer(row.get("lastSequenceNumber")).and_then(|number| u32::try_from(number).ok())?;
        Some(ImportStatus { last_sequence_number: last, last_event_id: integer(row.get("lastEventId")) })
    };
    let found =
        rows(Some(&status)).present.into_iter().filter_map(read).max_by_key(|status| status.last_sequence_number);
    found.ok_or(not_understood("the number of the last import"))
}

/// The rows of a connection, and whether more follow where it says so; anything else as it is.
fn unwrapped(mut value: Value) -> (Value, Option<bool>) {
    let more = value["pageInfo"]["hasNextPage"].as_bool();
    match value.get_mut("nodes") {
        Some(nodes) => (nodes.take(), more),
        None => (value, more),
    }
}

fn notice(row: &Map<String, Value>) -> Option<Notice> {
    let text = |key: &str| row.get(key).and_then(Value::as_str);
    if text("entityname") != Some(HAPPENING) {
        return None;
    }
    let municipality = |key: &str| text(key).and_then(|code| Municipality::parse(code.trim()).ok());
    Some(Notice {
        event_id: integer(row.get("eventid"))?,
        import: import(row)?,
        person: PersonId::parse(text("object_id")?).ok()?,
        municipality_now: municipality("object_kommunekodenuvaerende"),
        municipality_before: municipality("object_kommunekodetidligere"),
        code: text("object_forretningshaendelse").map(str::to_owned),
    })
}

fn import(row: &Map<String, Value>) -> Option<u32> {
    integer(row.get("datafordelerRegisterImportSequenceNumber")).and_then(|number| u32::try_from(number).ok())
}

fn count(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "7f3b2c1e-5a64-4c0d-9e21-0d6a1b2c3d4e";

    fn event(id: i64) -> Value {
        json!({"eventid": id, "entityname": "Cprhaendelse", "datafordelerRegisterImportSequenceNumber": 310,
            "object_id": ID, "object_kommunekodenuvaerende": "0851", "object_kommunekodetidligere": "101"})
    }

    #[test]
    fn a_page_is_read_in_order_and_says_whether_more_follow() {
        let read = page(json!({"pageInfo": {"hasNextPage": true}, "nodes": [event(8), event(7)]}), 2).unwrap();
        let ids: Vec<i64> = read.notices.iter().map(|notice| notice.event_id).collect();
        assert_eq!((ids, read.more, read.last_event_id, read.skipped), (vec![7, 8], true, Some(8), 0));
        let notice = &read.notices[0];
        assert_eq!((notice.import, notice.municipality_now), (310, Municipality::parse("0851").ok()));
        assert_eq!(notice.municipality_before, Municipality::parse("0101").ok());
        let empty = page(json!({"pageInfo": {"hasNextPage": false}, "nodes": []}), 2).unwrap();
        assert_eq!(empty, NoticePage::default());
    }

    #[test]
    fn without_page_info_a_full_page_means_more() {
        assert!(page(json!([event(1), event(2)]), 2).unwrap().more);
        assert!(!page(json!([event(1)]), 2).unwrap().more);
    }

    #[test]
    fn rows_about_something_else_are_skipped_but_move_the_cursor() {
        let with = |key: &str, value: Value| {
            let mut row = event(9);
            row[key] = value;
            row
        };
        for odd in [
            with("entityname", json!("Navn")),
            with("object_id", json!("12345")),
            with("object_id", json!(null)),
            with("datafordelerRegisterImportSequenceNumber", json!("x")),
            with("datafordelerRegisterImportSequenceNumber", json!(-1)),
        ] {
            let read = page(json!({"nodes": [event(1), odd]}), 100).unwrap();
            assert_eq!((read.notices.len(), read.skipped, read.last_event_id), (1, 1, Some(9)));
        }
        let long = page(json!({"nodes": [with("eventid", json!("9007199254740993"))]}), 100).unwrap();
        assert_eq!(long.last_event_id, Some(9_007_199_254_740_993));
    }

    #[test]
    fn hints_that_are_missing_or_unreal_are_left_out() {
        for unreal in [json!(null), json!("0010"), json!(""), json!(851)] {
            let mut row = event(1);
            row["object_kommunekodenuvaerende"] = unreal;
            assert_eq!(page(json!({"nodes": [row]}), 9).unwrap().notices[0].municipality_now, None);
        }
    }

    #[test]
    fn what_is_no_page_is_not_understood() {
        for odd in [json!("text"), json!({"nodes": "text"}), json!({"nodes": [{"entityname": "Cprhaendelse"}]})] {
            assert!(page(odd, 9).is_err());
        }
    }

    #[test]
    fn the_import_status_is_read_as_object_list_or_connection() {
        let status = json!({"lastSequenceNumber": 310, "lastEventId": 1200, "lastUpdated": "2026-03-03T02:10:00Z"});
        let expected = ImportStatus { last_sequence_number: 310, last_event_id: Some(1200) };
        for form in [status.clone(), json!([status]), json!({"nodes": [status]})] {
            assert_eq!(import_status(form).unwrap(), expected);
        }
        for odd in [json!({}), json!([]), json!({"lastSequenceNumber": null}), json!({"lastSequenceNumber": "many"})] {
            assert!(import_status(odd).is_err());
        }
    }
}
