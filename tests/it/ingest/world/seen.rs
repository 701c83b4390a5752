//! What a test sees of its world: what was told and to whom, what is stored, measured and recorded.

use std::collections::HashMap;

use cpr_operator::domain::change::{DerivedFrom, ScopeReason, Snapshot};
use cpr_operator::domain::event_type::EventType;
use cpr_operator::domain::field_group::GroupSet;
use cpr_operator::domain::identifier::{CprNumber, PersonId};
use cpr_operator::domain::pairwise::RecordId;
use cpr_operator::domain::person::Person;
use cpr_operator::store;
use cpr_operator::store::person::PersonRow;
use cpr_operator::store::source::SourceState;

use super::{World, realm};
use crate::store::site;

/// A route that was committed, with what its event says.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    pub consumer: String,
    pub person: Option<String>,
    pub type_: EventType,
    pub reason: Option<ScopeReason>,
    pub derived_from: DerivedFrom,
    pub correction: bool,
    pub subscriptions: Vec<String>,
    pub record: RecordId,
    pub changed: GroupSet,
    pub joined: Option<RecordId>,
    pub number_before: Option<CprNumber>,
}

impl World {
    /// The routes that were committed since this was last asked, in their order.
    pub async fn heard(&mut self) -> Vec<Heard> {
        let mut routes = Vec::new();
        let mut conn = self.store.main.read().await.unwrap();
        for consumer in self.consumers.keys() {
            routes.extend(store::route::read(&mut conn, *consumer, self.told, 10_000).await.unwrap());
        }
        drop(conn);
        routes.sort_by_key(|route| route.seq);
        self.told = routes.last().map_or(self.told, |route| route.seq);
        let people = self.people().await;
        let mut heard = Vec::new();
        for route in routes {
            let record = route.record.unwrap();
            let keys = self.store.keys.person_keys_for(route.consumer, &[record]).await.unwrap();
            let snapshot: Snapshot =
                store::event::open(&keys[&record], route.event, route.snapshot.as_ref().unwrap()).unwrap();
            heard.push(Heard {
                consumer: self.consumers[&route.consumer].clone(),
                person: people.get(&record).cloned(),
                type_: route.type_,
                reason: snapshot.change.scope,
                derived_from: snapshot.change.derived_from,
                correction: snapshot.change.correction,
                subscriptions: route.subscriptions.iter().map(|id| self.subscriptions[id].clone()).collect(),
                record,
                changed: snapshot.change.changed,
                joined: snapshot.change.joined,
                number_before: snapshot
                    .before
                    .as_ref()
                    .and_then(|before| before.numbers.last())
                    .map(|row| row.value.0.clone()),
            });
        }
        heard
    }

    /// The same in words: consumer, type and reason.
    pub async fn told(&mut self) -> Vec<String> {
        self.heard().await.iter().map(Heard::words).collect()
    }

    /// The records of the register's people.
    async fn people(&self) -> HashMap<RecordId, String> {
        let people: Vec<String> = self.register.people().into_iter().map(|citizen| citizen.id).collect();
        let ids: Vec<PersonId> = people.iter().map(|id| PersonId::parse(id).unwrap()).collect();
        let records = self.store.keys.find(&realm(), &ids).await.unwrap();
        records.into_iter().zip(people).filter_map(|(record, person)| Some((record?, person))).collect()
    }

    /// Lets everything that was told count as delivered.
    pub async fn deliver(&self) {
        for consumer in self.consumers.keys() {
            let highest = store::route::highest(&mut self.store.main.read().await.unwrap(), *consumer).await.unwrap();
            site::settle(&self.store, *consumer, highest.unwrap_or(0)).await;
        }
    }

    pub async fn record(&self, person: &str) -> Option<RecordId> {
        let id = PersonId::parse(person).unwrap();
        self.store.keys.find(&realm(), &[id]).await.unwrap()[0]
    }

    pub async fn row(&self, person: &str) -> Option<PersonRow> {
        let record = self.record(person).await?;
        let mut conn = self.store.main.read().await.unwrap();
        store::person::find(&mut conn, self.source, &[record]).await.unwrap().remove(&record)
    }

    /// The stored person, opened.
    pub async fn stored(&self, person: &str) -> Option<Person> {
        let row = self.row(person).await?;
        let keys = self.store.keys.person_keys(&[row.record]).await.unwrap();
        Some(row.open(&keys[&row.record]).unwrap())
    }

    /// What status would say.
    pub async fn state(&self) -> SourceState {
        store::source::state(&mut self.store.main.read().await.unwrap(), self.source).await.unwrap().unwrap()
    }

    pub async fn feed(&self) -> String {
        self.state().await.feed.unwrap().reason
    }

    /// How many rows a table of the main database has.
    pub async fn rows(&self, table: &str) -> i64 {
        count(&self.store.main, table).await
    }

    /// How many rows a table of the key store has.
    pub async fn key_rows(&self, table: &str) -> i64 {
        count(self.store.keys.database(), table).await
    }

    /// The public parts of the record's entries of a type.
    pub async fn audited(&self, type_: &str) -> Vec<serde_json::Value> {
        let entries = store::audit_entry::read(&mut self.store.main.read().await.unwrap(), 0, 10_000).await.unwrap();
        let read = entries.iter().map(|entry| serde_json::from_slice::<serde_json::Value>(&entry.public).unwrap());
        read.filter(|entry| entry["type"] == type_).collect()
    }
}

impl Heard {
    pub fn words(&self) -> String {
        let reason = self.reason.map(|reason| format!(" {reason:?}")).unwrap_or_default();
        format!("{} {}{reason}", self.consumer, self.type_.name())
    }
}

async fn count(database: &store::Database, table: &str) -> i64 {
    let text = format!("SELECT count(*) FROM {table}");
    let mut conn = database.read().await.unwrap();
    cpr_operator::store::sql::query_scalar(String::leak(text)).fetch_one(&mut conn).await.unwrap()
}
