//! A store with fictitious persons, consumers and subscriptions, and delivery in steps.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use jiff::civil::date;

use super::receiver::Receiver;
use crate::delivery::chance::Chance;
use crate::delivery::credentials::{SigningBook, SigningKeys};
use crate::delivery::metrics::Metrics;
use crate::delivery::{Context, Engine};
use crate::domain::change::{Change, DerivedFrom, ScopeReason, Snapshot};
use crate::domain::compiled::{
    Announce, Calendar, Consumer, Delivery, MunicipalityCodes, PayloadLevel, Retry, Selector, Source, Subscription,
    Verification,
};
use crate::domain::event_type::{EventType, TypeSet};
use crate::domain::field_group::{FieldGroup, GroupSet};
use crate::domain::grant::{Grant, HostPattern};
use crate::domain::identifier::{CprNumber, PersonId};
use crate::domain::municipality::Municipality;
use crate::domain::pairwise::{EventId, RecordId};
use crate::domain::person::{self, Person, Row};
use crate::domain::resource::{Environment, ProtectedPersons, ResourceKey, Sector};
use crate::domain::signing::SigningSecret;
use crate::domain::standing::Standing;
use crate::domain::status::StatusCode;
use crate::runtime::bell::Bells;
use crate::runtime::clock::Clock;
use crate::settings::database::DatabaseSettings;
use crate::settings::delivery::DeliverySettings;
use crate::settings::network::NetworkSettings;
use crate::settings::store::StoreSettings;
use crate::store::consumer::ConsumerState;
use crate::store::event::{Detail, NewEvent, NewRoute};
use crate::store::keys::{Ensured, Identity, Realm};
use crate::store::parked::Parked;
use crate::store::person::PersonRow;
use crate::store::presence::Presence;
use crate::store::subscription::EndReason;
use crate::store::{self, ConsumerId, SourceId, Store, SubscriptionId};

/// Milliseconds.
pub const MS: Duration = Duration::from_millis(1);
/// A second.
pub const SEC: Duration = Duration::from_secs(1);

/// The groups that consumers are granted here.
pub const GRANTED: GroupSet = GroupSet::of(&[
    FieldGroup::Number,
    FieldGroup::Status,
    FieldGroup::Name,
    FieldGroup::Address,
    FieldGroup::Municipality,
    FieldGroup::Protection,
    FieldGroup::Parents,
]);

/// A world.
pub struct World {
    folder: tempfile::TempDir,
    pub store: Store,
    pub clock: Clock,
    pub context: Context,
    pub engine: Option<Engine>,
    pub source: SourceId,
    pub consumers: HashMap<ConsumerId, Consumer>,
    pub subscriptions: HashMap<SubscriptionId, (Subscription, ConsumerId)>,
    persons: HashMap<RecordId, Ensured>,
    generation: i64,
}

/// A signing secret in its written form.
pub fn secret(byte: u8) -> String {
    format!("whsec_{}", BASE64_STANDARD.encode([byte; 32]))
}

fn settings() -> DeliverySettings {
    DeliverySettings {
        flush_interval: MS,
        flush_results: 500,
        read_ahead: 500,
        max_parked: 1000,
        circuit_window: 50,
        circuit_persons: 10,
        circuit_wait: 30 * SEC,
        rotation_overlap: 86_400 * SEC,
        verify_interval: 60 * SEC,
    }
}

impl World {
    /// A world whose clock stands until it is turned.
    pub async fn new() -> Self {
        Self::with(Clock::by_hand(Timestamp::now()), settings()).await
    }

    /// A world on the system's time.
    pub async fn in_real_time() -> Self {
        Self::with(Clock::system(), DeliverySettings { flush_interval: 20 * MS, ..settings() }).await
    }

    /// A world on SQLite, whatever the other tests run on.
    pub async fn on_sqlite() -> Self {
        Self::on(Clock::by_hand(Timestamp::now()), settings(), async |_| DatabaseSettings::default()).await
    }

    /// A world on the system's time and on PostgreSQL, whatever the other tests run on.
    pub async fn on_postgres() -> Self {
        let settings = DeliverySettings { flush_interval: 20 * MS, ..settings() };
        let database = async |folder: PathBuf| super::database::on_postgres(&folder).await;
        Self::on(Clock::system(), settings, database).await
    }

    pub async fn with(clock: Clock, settings: DeliverySettings) -> Self {
        Self::on(clock, settings, async |folder: PathBuf| super::database::settings(&folder).await).await
    }

    async fn on(
        clock: Clock,
        settings: DeliverySettings,
        database: impl AsyncFnOnce(PathBuf) -> DatabaseSettings,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = StoreSettings {
            path: folder.path().join("store"),
            root_key_file: None,
            accept_local_root_key: true,
            readers: 2,
        };
        let store = store::open(&at, &database(at.path.clone()).await, clock.now()).await.unwrap();
        let context = Context {
            store: store.clone(),
            clock: clock.clone(),
            signing: SigningBook::default(),
            access: Default::default(),
            bells: Bells::default(),
            settings,
            network: NetworkSettings { allowed_networks: vec!["127.0.0.0/8".parse().unwrap()] },
            undelivered: 720 * 3600 * SEC,
            metrics: Metrics::default(),
            chance: Chance::seeded(1),
            presence: Presence::alone("test"),
            only: None,
        };
        let mut tx = store.main.begin().await.unwrap();
        let form = source();
        let source = store::source::upsert(&mut tx, &form.key, "uid", 1, Some(&form)).await.unwrap();
        store::meta::raise_configuration(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        Self {
            folder,
            store,
            clock,
            context,
            engine: None,
            source,
            consumers: HashMap::new(),
            subscriptions: HashMap::new(),
            persons: HashMap::new(),
            generation: 1,
        }
    }

    /// From now on events come from a source of another namespace, which grants this.
    pub async fn hear_of_another(&mut self, grants: &[Grant]) {
        let key = ResourceKey::new("owner", "datafordeler");
        self.generation += 1;
        let form = Source { key, grants: grants.to_vec(), ..source() };
        let mut tx = self.store.main.begin().await.unwrap();
        self.source = store::source::upsert(&mut tx, &form.key, "uid", self.generation, Some(&form)).await.unwrap();
        store::meta::raise_configuration(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The source from which events come is deleted.
    pub async fn end_source(&self) {
        let mut tx = self.store.main.begin().await.unwrap();
        store::source::end(&mut tx, self.source, self.clock.now()).await.unwrap();
        store::meta::raise_configuration(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A consumer that is verified already, with one subscription to everything it is granted, and its secret.
    pub async fn consumer(
        &mut self,
        name: &str,
        receiver: &Receiver,
        tweak: impl FnOnce(&mut Consumer),
    ) -> (ConsumerId, SubscriptionId) {
        let id = self.unproved_consumer(name, receiver, tweak).await;
        let form = self.consumers[&id].clone();
        let print = crate::delivery::verify::fingerprint(&form.delivery);
        let mut tx = self.store.main.begin().await.unwrap();
        store::consumer::write_verified(&mut tx, id, &print, self.clock.now()).await.unwrap();
        store::meta::raise_configuration(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        let subscription = self.subscribe(id, "clients", |_| {}).await;
        (id, subscription)
    }

    /// A consumer whose address has not proved itself.
    pub async fn unproved_consumer(
        &mut self,
        name: &str,
        receiver: &Receiver,
        tweak: impl FnOnce(&mut Consumer),
    ) -> ConsumerId {
        let mut form = consumer(name, receiver.url());
        tweak(&mut form);
        self.sign_with(name, &[1]);
        self.write_consumer(form).await
    }

    /// Changes a consumer's spec.
    pub async fn change_consumer(&mut self, id: ConsumerId, tweak: impl FnOnce(&mut Consumer)) {
        let mut form = self.consumers[&id].clone();
        tweak(&mut form);
        self.write_consumer(form).await;
    }

    async fn write_consumer(&mut self, form: Consumer) -> ConsumerId {
        self.generation += 1;
        let mut tx = self.store.main.begin().await.unwrap();
        let id = store::consumer::upsert(&mut tx, &form.key, "uid", self.generation, Some(&form)).await.unwrap();
        store::meta::raise_configuration(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        self.consumers.insert(id, form);
        id
    }

    pub async fn subscribe(
        &mut self,
        consumer: ConsumerId,
        name: &str,
        tweak: impl FnOnce(&mut Subscription),
    ) -> SubscriptionId {
        let mut form = subscription(name, &self.consumers[&consumer]);
        tweak(&mut form);
        self.write_subscription(form, consumer).await
    }

    /// Changes a subscription's spec.
    pub async fn change_subscription(&mut self, id: SubscriptionId, tweak: impl FnOnce(&mut Subscription)) {
        let (mut form, consumer) = self.subscriptions[&id].clone();
        tweak(&mut form);
        self.write_subscription(form, consumer).await;
    }

    async fn write_subscription(&mut self, form: Subscription, consumer: ConsumerId) -> SubscriptionId {
        let (mut tx, now) = (self.store.main.begin().await.unwrap(), self.clock.now());
        let write = store::subscription::upsert(&mut tx, &form.key, "uid", 1, self.source, consumer, Some(&form), now);
        let (id, _) = write.await.unwrap();
        store::meta::raise_configuration(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        self.subscriptions.insert(id, (form, consumer));
        id
    }

    pub async fn end_subscription(&self, id: SubscriptionId) {
        let mut tx = self.store.main.begin().await.unwrap();
        store::subscription::end(&mut tx, id, EndReason::Deleted, self.clock.now()).await.unwrap();
        store::meta::raise_configuration(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn end_consumer(&self, id: ConsumerId) {
        let mut tx = self.store.main.begin().await.unwrap();
        store::consumer::end(&mut tx, id, self.clock.now()).await.unwrap();
        store::meta::raise_configuration(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The Secret of a consumer holds these now.
    pub fn sign_with(&self, consumer: &str, bytes: &[u8]) {
        let secrets = bytes.iter().map(|byte| SigningSecret::parse(&secret(*byte)).unwrap()).collect();
        let keys = SigningKeys { secrets, fingerprint: format!("{bytes:?}") };
        self.context.signing.set(&ResourceKey::new("aalborg", consumer), Some(keys));
    }

    /// A stored person whom these consumers have a claim on.
    pub async fn person(&mut self, n: u32, consumers: &[ConsumerId]) -> RecordId {
        let realm = Realm { authority: "aalborg".into(), environment: Environment::Test };
        let known = citizen(n);
        let identity = Identity {
            id: known.id.clone().unwrap(),
            numbers: known.numbers.iter().map(|row| row.value.0.clone()).collect(),
        };
        let now = self.clock.now();
        let mut ensured = self.store.keys.ensure_persons(&realm, &[identity], now).await.unwrap();
        let ensured = ensured.remove(0);
        let claims: Vec<_> = consumers.iter().map(|consumer| (*consumer, ensured.record)).collect();
        self.store.keys.ensure_claims(&claims, now).await.unwrap();
        let record = ensured.record;
        self.persons.insert(record, ensured);
        self.protect(record, false).await;
        record
    }

    pub async fn people(&mut self, count: u32, consumer: ConsumerId) -> Vec<RecordId> {
        let mut people = Vec::new();
        for n in 0..count {
            people.push(self.person(n, &[consumer]).await);
        }
        people
    }

    /// Protection of the stored person begins or ends.
    pub async fn protect(&self, record: RecordId, protected: bool) {
        let key = &self.persons[&record].key;
        let known = citizen(0);
        let row = PersonRow {
            record,
            source: self.source,
            standing: Standing {
                municipality: known.municipality(date(2026, 11, 22)),
                status: StatusCode::Resident,
                inactive_since: None,
                protected,
            },
            next_due: None,
            as_of: date(2026, 11, 22),
            held: known.held,
            settled: 1,
            leaving: false,
            refetch: false,
            uncovered_since: None,
            content: store::person::seal(key, self.source, &known).unwrap(),
            updated_at: self.clock.now(),
        };
        let mut tx = self.store.main.begin().await.unwrap();
        store::person::write(&mut tx, &[row], self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Something happens to a person, and these consumers are to hear it for these subscriptions. The highest number.
    pub async fn happen(&self, record: RecordId, type_: EventType, to: &[(ConsumerId, &[SubscriptionId])]) -> i64 {
        self.happen_as(record, type_, to, snapshot(type_)).await
    }

    pub async fn happen_as(
        &self,
        record: RecordId,
        type_: EventType,
        to: &[(ConsumerId, &[SubscriptionId])],
        snapshot: Snapshot,
    ) -> i64 {
        let id = EventId::random();
        let key = &self.persons[&record].key;
        let now = self.clock.now();
        self.store.keys.ensure_period(now).await.unwrap();
        let who = citizen(0);
        let event = NewEvent {
            id,
            record: Some(record),
            source: self.source,
            type_,
            snapshot: Some(store::event::seal(key, id, &snapshot).unwrap()),
            detail: None,
            audit: Some(self.store.keys.audit_references(&who.id.unwrap(), None, now).unwrap()),
            routes: routes(type_, to),
        };
        self.append(event).await
    }

    /// A subscription's end is to be told.
    pub async fn tell_end(&self, consumer: ConsumerId, subscription: SubscriptionId) -> i64 {
        let detail = Detail::SubscriptionEnded {
            subscription: "clients".into(),
            purpose: "case-work".into(),
            reason: EndReason::Deleted,
        };
        let type_ = EventType::SubscriptionEnded;
        let event = NewEvent {
            id: EventId::random(),
            record: None,
            source: self.source,
            type_,
            snapshot: None,
            detail: Some(detail),
            audit: None,
            routes: routes(type_, &[(consumer, &[subscription])]),
        };
        self.append(event).await
    }

    async fn append(&self, event: NewEvent) -> i64 {
        let mut tx = self.store.main.begin().await.unwrap();
        let seq = store::event::append(&mut tx, &[event], self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        seq.unwrap()
    }

    /// Delivers until nothing is under way and nothing is due now.
    pub async fn deliver(&mut self) {
        let engine = self.engine.get_or_insert_with(|| Engine::start(self.context.clone()));
        while engine.run_once().await.unwrap() {}
    }

    /// Turns the clock and delivers.
    pub async fn after(&mut self, time: Duration) {
        self.clock.advance(time);
        self.deliver().await;
    }

    /// The process dies and another begins.
    pub fn restart(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.crash();
        }
    }

    /// The main database may grow no more; none: as it likes.
    pub async fn limit_pages(&self, most: Option<u32>) {
        let mut tx = self.store.main.begin().await.unwrap();
        // A limit below the present size is the present size.
        let pragma = format!("PRAGMA max_page_count = {}", most.unwrap_or(1 << 30));
        store::sql::query(String::leak(pragma)).execute(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Another program writes to the main database until what this gives is dropped.
    pub async fn hold_database(&self) -> sqlx::SqliteConnection {
        use sqlx::{Connection, Executor};
        let path = self.folder.path().join("store").join(store::open::MAIN_FILE);
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut other = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        other
    }

    pub async fn parked(&self, consumer: ConsumerId) -> Vec<Parked> {
        store::parked::all(&mut self.store.main.read().await.unwrap(), consumer).await.unwrap()
    }

    pub async fn dead_letters(&self, consumer: ConsumerId) -> u64 {
        store::dead_letter::count(&mut self.store.main.read().await.unwrap(), consumer).await.unwrap()
    }

    pub async fn asked_snapshots(&self) -> Vec<RecordId> {
        let requests =
            store::request::read(&mut self.store.main.read().await.unwrap(), self.source, 100).await.unwrap();
        requests.into_iter().map(|request| request.record).collect()
    }

    pub async fn state(&self, consumer: ConsumerId) -> ConsumerState {
        store::consumer::state(&mut self.store.main.read().await.unwrap(), consumer).await.unwrap().unwrap()
    }

    pub async fn sending(&self, consumer: ConsumerId) -> String {
        self.state(consumer).await.sending.unwrap().reason
    }

    pub async fn watermarks(&self, consumer: ConsumerId) -> (i64, i64) {
        let lanes = store::lane::read(&mut self.store.main.read().await.unwrap(), consumer).await.unwrap();
        let marks = lanes.iter().map(|lane| lane.watermark);
        (marks.clone().min().unwrap(), marks.max().unwrap())
    }

    /// The public parts of the audit entries of this type.
    pub async fn audited(&self, type_: &str) -> Vec<serde_json::Value> {
        let entries = store::audit_entry::read(&mut self.store.main.read().await.unwrap(), 0, 10_000).await.unwrap();
        let parts = entries.iter().map(|entry| serde_json::from_slice::<serde_json::Value>(&entry.public).unwrap());
        parts.filter(|part| part["type"] == type_).collect()
    }
}

fn routes(type_: EventType, to: &[(ConsumerId, &[SubscriptionId])]) -> Vec<NewRoute> {
    to.iter().map(|(consumer, ids)| NewRoute { consumer: *consumer, type_, subscriptions: ids.to_vec() }).collect()
}

fn source() -> Source {
    Source {
        key: ResourceKey::new("aalborg", "datafordeler"),
        environment: Environment::Test,
        graphql: "https://graphql.example.org".parse().unwrap(),
        auth: "https://auth.example.org".parse().unwrap(),
        ca_bundle: None,
        proxy: None,
        allowed_networks: Vec::new(),
        municipality_codes: MunicipalityCodes::Both,
        poll_interval: 60 * SEC,
        calendar: Calendar::Weekdays,
        suspended: false,
        asked_at: None,
        grants: Vec::new(),
    }
}

pub fn consumer(name: &str, url: url::Url) -> Consumer {
    Consumer {
        key: ResourceKey::new("aalborg", name),
        display_name: name.to_owned(),
        organisation: "Testby Kommune".into(),
        cvr: "12345678".into(),
        sector: Sector::Public,
        environment: Environment::Test,
        fields: GRANTED,
        protected_persons: ProtectedPersons::Mask,
        delivery: Delivery {
            url,
            verification: Verification::Echo,
            ca_bundle: None,
            timeout: 2 * SEC,
            max_in_flight: 32,
            rate_per_second: None,
            retry: Retry { initial: 5 * SEC, max: 3600 * SEC, give_up_after: 600 * SEC },
            allowed_networks: Vec::new(),
            oauth2: None,
            client_certificate: false,
        },
        suspended: false,
    }
}

pub fn subscription(name: &str, consumer: &Consumer) -> Subscription {
    Subscription {
        key: ResourceKey::new("aalborg", name),
        source: ResourceKey::new("aalborg", "datafordeler"),
        consumer: consumer.key.clone(),
        purpose: "case-work".into(),
        legal_bases: vec!["GDPR-6-1-e".into()],
        selector: Selector::everyone(),
        places: Default::default(),
        types: TypeSet::default_for(consumer.fields),
        level: PayloadLevel::Fields,
        fields: GroupSet::of(&[FieldGroup::Name, FieldGroup::Address]),
        granted: consumer.fields,
        protected_persons: consumer.protected_persons,
        sector: consumer.sector,
        follow_inactive: 2160 * 3600 * SEC,
        follow_on_move: None,
        announce: Announce::None,
        suspended: false,
        ends_at: None,
    }
}

/// A grant of everything that consumers are granted here, about those who live at home.
pub fn grant() -> Grant {
    Grant {
        namespace: "aalborg".into(),
        sector: Sector::Public,
        fields: GRANTED,
        municipalities: [home()].into(),
        everyone: false,
        protected_persons: ProtectedPersons::Mask,
        hosts: vec![HostPattern::parse("localhost").unwrap()],
    }
}

/// A fictitious person.
pub fn citizen(n: u32) -> Person {
    let address = |road: &str| person::Address {
        municipality_code: Some("0851".into()),
        municipality_name: Some("Aalborg".into()),
        road_name: Some(road.into()),
        house_number: Some("7".into()),
        ..person::Address::default()
    };
    let name = person::Name { first: Some("Testine".into()), last: Some("Prøve".into()), ..person::Name::default() };
    Person {
        id: Some(PersonId::parse(&format!("00000000-0000-4000-8000-{n:012}")).unwrap()),
        held: GRANTED.with(FieldGroup::PersonId),
        status: StatusCode::Resident,
        numbers: vec![Row::current(person::Number(CprNumber::parse(&format!("610180{n:04}")).unwrap()))],
        names: vec![Row::current(name)],
        addresses: vec![Row::current(address("Prøvevej"))],
        protection_known: true,
        ..Person::default()
    }
}

/// Where every citizen lives.
pub fn home() -> Municipality {
    Municipality::from_code(851).unwrap()
}

/// What is sealed with an event of this type.
pub fn snapshot(type_: EventType) -> Snapshot {
    let mut change = Change::new(type_, DerivedFrom::Comparison);
    change.changed = GroupSet::of(&[FieldGroup::Address, FieldGroup::Sex]);
    change.scope = matches!(type_, EventType::ScopeEntered | EventType::ScopeLeft).then_some(ScopeReason::Moved);
    Snapshot { change, on: date(2026, 11, 22), after: citizen(0), before: None, before_on: None, places: vec![home()] }
}
