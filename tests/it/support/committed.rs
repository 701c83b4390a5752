//! What was committed to be delivered, read from a store.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;

use cpr_operator::domain::event_type::EventType;
use cpr_operator::domain::pairwise::EventId;
use cpr_operator::store::{Store, sql};

/// One route as it was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Number.
    pub seq: i64,
    /// To whom it goes.
    pub consumer: i64,
    /// The delivery's id on the wire.
    pub id: String,
    /// Type, as `moved.in`.
    pub type_: String,
    /// The person.
    pub record: Option<Vec<u8>>,
}

/// All routes of all consumers, with the ids under which they go out.
pub async fn routes(store: &Store) -> Vec<Committed> {
    let mut conn = store.main.read().await.unwrap();
    let routes = "SELECT r.seq, r.consumer, r.type, r.record, e.id, r.replay FROM route r JOIN event e ON e.seq = r.event ORDER BY r.seq";
    let mut keys = HashMap::new();
    let mut found = Vec::new();
    type Row = (i64, i64, String, Option<Vec<u8>>, Vec<u8>, Option<i64>);
    let rows: Vec<Row> = sql::query_as(routes).fetch_all(&mut conn).await.unwrap();
    for (seq, consumer, type_, record, event, replay) in rows {
        if let std::collections::hash_map::Entry::Vacant(free) = keys.entry(consumer) {
            free.insert(store.keys.consumer_key(consumer, jiff::Timestamp::now()).await.unwrap());
        }
        let event = EventId(event.try_into().unwrap());
        let parsed: EventType = type_.parse().unwrap();
        found.push(Committed { seq, consumer, id: keys[&consumer].replay_id(event, parsed, replay), type_, record });
    }
    found
}
