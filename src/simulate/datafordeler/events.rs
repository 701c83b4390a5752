//! The service that tells notices and the state of imports: its schema and its pages.

use std::sync::Arc;

use async_graphql::Error;
use async_graphql::ErrorExtensions;
use async_graphql::dynamic::Field;
use async_graphql::dynamic::FieldFuture;
use async_graphql::dynamic::FieldValue;
use async_graphql::dynamic::InputObject;
use async_graphql::dynamic::InputValue;
use async_graphql::dynamic::Object;
use async_graphql::dynamic::Schema;
use async_graphql::dynamic::SchemaError;
use async_graphql::dynamic::TypeRef;
use serde_json::Value;
use serde_json::json;

use super::answer::date_time;
use super::cursor;
use super::dialect::Dialect;
use super::imports::Event;
use super::schema;
use super::schema::BOOL;
use super::schema::DATE;
use super::schema::INT;
use super::schema::Kind;
use super::schema::LONG;
use super::schema::TEXT;
use super::schema::TIME;
use super::schema::UUID;
use super::schema::admits;
use super::world::World;
use crate::runtime::clock::copenhagen;

/// The root fields.
pub(super) const EVENTS: &str = "CPR_Events";
pub(super) const STATUS: &str = "DAF_RegisterImportStatus";
/// The most that one page holds.
pub(super) const PAGE: usize = 1000;

const NODE: &[(&str, Kind)] = &[
    ("eventid", LONG),
    ("entityname", TEXT),
    ("eventaction", TEXT),
    ("datafordelerRegisterImportSequenceNumber", INT),
    ("datafordelerOpdateringstid", TIME),
    ("fromfailedimport", BOOL),
    ("object_id", TEXT),
    ("object_datafordelerRowId", UUID),
    ("object_datafordelerRowVersion", INT),
    ("object_registreringfra", TIME),
    ("object_registreringtil", TIME),
    ("object_status", TEXT),
    ("object_virkningfra", DATE),
    ("object_virkningtil", DATE),
    ("object_kommunekodenuvaerende", TEXT),
    ("object_kommunekodetidligere", TEXT),
];

/// The schema of the service.
pub(super) fn schema(world: &Arc<World>) -> Result<Schema, SchemaError> {
    schema::common(Schema::build("Query", None, None))
        .register(query(world))
        .register(filter(&world.dialect))
        .register(schema::object("CPR_Events", NODE))
        .register(schema::object("CPR_EventsEdge", &[("cursor", TEXT), ("node", Kind::One("CPR_Events"))]))
        .register(schema::object(
            "CPR_EventsConnection",
            &[
                ("pageInfo", Kind::One("PageInfo")),
                ("edges", Kind::Many("CPR_EventsEdge")),
                ("nodes", Kind::Many("CPR_Events")),
            ],
        ))
        .register(schema::object(
            "DAF_RegisterImportStatus",
            &[("lastSequenceNumber", INT), ("lastEventId", LONG), ("lastUpdated", TIME)],
        ))
        .finish()
}

fn filter(dialect: &Dialect) -> InputObject {
    const TEXTS: &str = "DafStringOperationFilterInput";
    let mut fields = vec![
        ("entityname", TEXTS),
        ("eventid", "DafLongOperationFilterInput"),
        ("object_kommunekodenuvaerende", TEXTS),
        ("object_kommunekodetidligere", TEXTS),
    ];
    if dialect.more_event_filters {
        fields.push(("datafordelerRegisterImportSequenceNumber", "DafIntOperationFilterInput"));
        fields.push(("object_id", TEXTS));
    }
    let all = TypeRef::named_nn_list("CPR_EventsFilterInput");
    schema::input("CPR_EventsFilterInput", &fields).field(InputValue::new("and", all))
}

fn query(world: &Arc<World>) -> Object {
    let (for_events, for_status) = (world.clone(), world.clone());
    let events = Field::new(EVENTS, TypeRef::named("CPR_EventsConnection"), move |ctx| {
        let [first, after, wanted] = ["first", "after", "where"].map(|name| schema::argument(&ctx, name));
        let page = page(&for_events, &first, &after, &wanted);
        FieldFuture::new(async move { page.map(|page| Some(FieldValue::owned_any(page))) })
    });
    let events = events
        .argument(InputValue::new("first", TypeRef::named(TypeRef::INT)))
        .argument(InputValue::new("after", TypeRef::named(TypeRef::STRING)))
        .argument(InputValue::new("where", TypeRef::named("CPR_EventsFilterInput")));
    let status = Field::new(STATUS, TypeRef::named("DAF_RegisterImportStatus"), move |_| {
        FieldFuture::Value(Some(FieldValue::owned_any(import_status(&for_status))))
    });
    Object::new("Query").field(events).field(status)
}

fn import_status(world: &World) -> Value {
    let status = world.ledger().imports.status();
    // The register writes Danish time here and calls it UTC.
    let local = status.updated.to_zoned(copenhagen()).strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
    json!({ "lastSequenceNumber": status.last_sequence, "lastEventId": status.last_event, "lastUpdated": local })
}

fn page(world: &World, first: &Value, after: &Value, wanted: &Value) -> Result<Value, Error> {
    let size = first.as_u64().and_then(|first| usize::try_from(first).ok()).unwrap_or(PAGE);
    let start = match after.as_str() {
        None => 0,
        Some(cursor) => cursor::read_event(cursor).ok_or_else(|| {
            Error::new("The cursor is not one of this register's").extend_with(|_, more| more.set("code", "HC0078"))
        })?,
    };
    let start = start.max(above(wanted));
    let ledger = world.ledger();
    let mut nodes: Vec<Value> = ledger
        .imports
        .after_event(start)
        .iter()
        .filter(|event| admits(&wanted["entityname"], &event.notice.entity.into()))
        .map(|event| node(&world.dialect, event))
        .filter(|node| fits(wanted, node))
        .take(size.saturating_add(1))
        .collect();
    let more = nodes.len() > size;
    nodes.truncate(size);
    Ok(connection(nodes, more))
}

/// Where the events that a filter lets through begin at the earliest.
fn above(wanted: &Value) -> i64 {
    let id = &wanted["eventid"];
    id["gt"].as_i64().or_else(|| id["gte"].as_i64().map(|from| from.saturating_sub(1))).unwrap_or(0)
}

fn fits(wanted: &Value, node: &Value) -> bool {
    let Some(filters) = wanted.as_object() else { return true };
    filters.iter().all(|(member, filter)| match member.as_str() {
        "and" => filter.as_array().is_none_or(|all| all.iter().all(|each| fits(each, node))),
        member => admits(filter, &node[member]),
    })
}

fn connection(nodes: Vec<Value>, more: bool) -> Value {
    let cursor = |node: &Value| node["eventid"].as_i64().map(cursor::of_event);
    json!({
        "pageInfo": {
            "hasNextPage": more, "hasPreviousPage": false,
            "startCursor": nodes.first().and_then(cursor), "endCursor": nodes.last().and_then(cursor),
        },
        "edges": nodes.iter().map(|node| json!({ "cursor": cursor(node), "node": node })).collect::<Vec<_>>(),
        "nodes": nodes,
    })
}

fn node(dialect: &Dialect, event: &Event) -> Value {
    let notice = &event.notice;
    let code = |code: &Option<String>| code.as_deref().map(|code| dialect.municipality(code).to_owned());
    json!({
        "eventid": event.id, "entityname": notice.entity, "eventaction": notice.action,
        "datafordelerRegisterImportSequenceNumber": event.sequence,
        "datafordelerOpdateringstid": date_time(event.at), "fromfailedimport": event.from_failed_import,
        "object_id": notice.person, "object_datafordelerRowId": format!("00000000-0000-4000-8000-{:012x}", event.id),
        "object_datafordelerRowVersion": 1, "object_registreringfra": date_time(event.at),
        "object_registreringtil": null, "object_status": notice.status.map(|status| dialect.row_status(status)),
        "object_virkningfra": notice.from, "object_virkningtil": notice.to,
        "object_kommunekodenuvaerende": code(&notice.municipality_now),
        "object_kommunekodetidligere": code(&notice.municipality_before),
    })
}
