//! A store in a temporary folder, and the smallest things to put into it.

use std::path::Path;
use std::time::Duration;

use cpr_operator::domain::change::{Change, DerivedFrom, Snapshot};
use cpr_operator::domain::compiled::{Calendar, Consumer, Delivery, MunicipalityCodes, Retry, Source, Verification};
use cpr_operator::domain::event_type::EventType;
use cpr_operator::domain::field_group::GroupSet;
use cpr_operator::domain::identifier::{CprNumber, PersonId};
use cpr_operator::domain::municipality::Municipality;
use cpr_operator::domain::pairwise::{EventId, RecordId};
use cpr_operator::domain::person::Person;
use cpr_operator::domain::resource::{Environment, ProtectedPersons, ResourceKey, Sector};
use cpr_operator::domain::standing::Standing;
use cpr_operator::domain::status::StatusCode;
use cpr_operator::settings::database::DatabaseSettings;
use cpr_operator::settings::store::StoreSettings;
use cpr_operator::store::event::{NewEvent, NewRoute};
use cpr_operator::store::keys::{Ensured, Identity, Realm};
use cpr_operator::store::person::PersonRow;
use cpr_operator::store::{self, ConsumerId, Error, SourceId, Store};
use jiff::Timestamp;
use tempfile::TempDir;

use crate::support::{database, pooler};

/// A store and its folder.
pub struct Site {
    pub folder: TempDir,
    pub store: Store,
}

impl Site {
    /// On the database that the tests run on.
    pub async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = open(folder.path()).await.unwrap();
        Self { folder, store }
    }

    pub async fn on_sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let store = store::open(&settings(folder.path()), &DatabaseSettings::default(), noon()).await.unwrap();
        Self { folder, store }
    }

    pub async fn on_postgres() -> Self {
        let folder = TempDir::new().unwrap();
        let database = database::on_postgres(folder.path()).await;
        let store = store::open(&settings(folder.path()), &database, noon()).await.unwrap();
        Self { folder, store }
    }

    /// On PostgreSQL behind a pooler that gives each transaction another connection.
    pub async fn on_pooler() -> Self {
        let folder = TempDir::new().unwrap();
        let database = pooler::settings(folder.path()).await;
        let store = store::open(&settings(folder.path()), &database, noon()).await.unwrap();
        Self { folder, store }
    }

    pub async fn reopened(self) -> Self {
        self.store.close().await;
        let store = open(self.folder.path()).await.unwrap();
        Self { folder: self.folder, store }
    }
}

pub fn settings(folder: &Path) -> StoreSettings {
    StoreSettings { path: folder.into(), root_key_file: None, accept_local_root_key: false, readers: 2 }
}

pub async fn open(folder: &Path) -> Result<Store, Error> {
    store::open(&settings(folder), &crate::support::database::settings(folder).await, noon()).await
}

pub fn noon() -> Timestamp {
    "2026-07-01T12:00:00Z".parse().unwrap()
}

pub fn later(hours: i64) -> Timestamp {
    noon() + jiff::SignedDuration::from_hours(hours)
}

pub fn realm() -> Realm {
    Realm { authority: "borgerservice".into(), environment: Environment::Test }
}

pub fn person_id(number: u32) -> PersonId {
    PersonId::parse(&format!("00000000-0000-4000-8000-{number:012x}")).unwrap()
}

/// A number whose day has 60 added, so that it is nobody's.
pub fn cpr(number: u32) -> CprNumber {
    CprNumber::parse(&format!("610180{number:04}")).unwrap()
}

pub fn identity(number: u32) -> Identity {
    Identity { id: person_id(number), numbers: vec![cpr(number)] }
}

pub async fn ensured(store: &Store, number: u32) -> Ensured {
    store.keys.ensure_persons(&realm(), &[identity(number)], noon()).await.unwrap().remove(0)
}

pub fn source_form(name: &str) -> Source {
    Source {
        key: ResourceKey::new("borgerservice", name),
        environment: Environment::Test,
        graphql: "http://127.0.0.1:1/".parse().unwrap(),
        auth: "http://127.0.0.1:1/".parse().unwrap(),
        ca_bundle: None,
        proxy: None,
        allowed_networks: Vec::new(),
        municipality_codes: MunicipalityCodes::Both,
        poll_interval: Duration::from_secs(60),
        calendar: Calendar::Weekdays,
        asked_at: None,
        grants: Vec::new(),
        suspended: false,
    }
}

pub fn consumer_form(name: &str) -> Consumer {
    Consumer {
        key: ResourceKey::new("skole", name),
        display_name: name.into(),
        organisation: "Eksempel Kommune".into(),
        cvr: "12345678".into(),
        sector: Sector::Public,
        environment: Environment::Test,
        fields: GroupSet::ALWAYS_HELD,
        protected_persons: ProtectedPersons::Mask,
        delivery: Delivery {
            url: "http://127.0.0.1:1/hook".parse().unwrap(),
            verification: Verification::Echo,
            ca_bundle: None,
            timeout: Duration::from_secs(15),
            max_in_flight: 8,
            rate_per_second: None,
            retry: Retry {
                initial: Duration::from_secs(5),
                max: Duration::from_secs(3600),
                give_up_after: Duration::from_secs(72 * 3600),
            },
            allowed_networks: Vec::new(),
            oauth2: None,
            client_certificate: false,
        },
        suspended: false,
    }
}

pub async fn source(store: &Store, name: &str) -> SourceId {
    let mut tx = store.main.begin().await.unwrap();
    let form = source_form(name);
    let id = store::source::upsert(&mut tx, &form.key, "uid", 1, Some(&form)).await.unwrap();
    tx.commit().await.unwrap();
    id
}

pub async fn consumer(store: &Store, name: &str) -> ConsumerId {
    let mut tx = store.main.begin().await.unwrap();
    let form = consumer_form(name);
    let id = store::consumer::upsert(&mut tx, &form.key, "uid", 1, Some(&form)).await.unwrap();
    tx.commit().await.unwrap();
    id
}

/// A row of a resident of Copenhagen, with content that holds their identifiers.
pub fn row(ensured: &Ensured, source: SourceId, number: u32) -> PersonRow {
    let content = Person { id: Some(person_id(number)), ..Person::default() };
    PersonRow {
        record: ensured.record,
        source,
        standing: Standing {
            municipality: Municipality::from_code(101),
            status: StatusCode::Resident,
            inactive_since: None,
            protected: false,
        },
        next_due: None,
        as_of: "2026-07-01".parse().unwrap(),
        held: GroupSet::ALWAYS_HELD,
        settled: 1,
        leaving: false,
        refetch: false,
        uncovered_since: None,
        updated_at: noon(),
        content: store::person::seal(&ensured.key, source, &content).unwrap(),
    }
}

pub async fn write(store: &Store, rows: &[PersonRow]) -> Vec<RecordId> {
    let mut tx = store.main.begin().await.unwrap();
    let dropped = store::person::write(&mut tx, rows, noon()).await.unwrap();
    tx.commit().await.unwrap();
    dropped
}

/// A stored person, whose key nobody holds any more.
pub async fn stored(store: &Store, source: SourceId, number: u32) -> RecordId {
    let ensured = ensured(store, number).await;
    assert!(write(store, &[row(&ensured, source, number)]).await.is_empty());
    ensured.record
}

pub fn snapshot(number: u32) -> Snapshot {
    Snapshot {
        change: Change::new(EventType::MovedIn, DerivedFrom::Comparison),
        on: "2026-07-01".parse().unwrap(),
        after: Person { id: Some(person_id(number)), ..Person::default() },
        before: None,
        before_on: None,
        places: Vec::new(),
    }
}

pub fn route(consumer: ConsumerId) -> NewRoute {
    NewRoute { consumer, type_: EventType::MovedIn, subscriptions: vec![1, 2] }
}

/// An event about a record, without content.
pub fn event(record: RecordId, source: SourceId, routes: Vec<NewRoute>) -> NewEvent {
    NewEvent {
        id: EventId::random(),
        record: Some(record),
        source,
        type_: EventType::AddressChanged,
        snapshot: None,
        detail: None,
        audit: None,
        routes,
    }
}

pub async fn append(store: &Store, events: &[NewEvent]) -> Option<i64> {
    let mut tx = store.main.begin().await.unwrap();
    let highest = store::event::append(&mut tx, events, noon()).await.unwrap();
    tx.commit().await.unwrap();
    highest
}

/// Settles every route of a consumer up to `seq`.
pub async fn settle(store: &Store, consumer: ConsumerId, seq: i64) {
    let mut tx = store.main.begin().await.unwrap();
    let mut lanes = store::lane::take(&mut tx, consumer, "test").await.unwrap();
    lanes.iter_mut().for_each(|lane| (lane.watermark, lane.taken) = (seq, seq));
    assert!(store::lane::advance(&mut tx, consumer, &lanes).await.unwrap());
    tx.commit().await.unwrap();
}
