//! The world of an ingest test: a store in a folder, a register on a port of its own, and one clock that a test turns.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use cpr_operator::domain::change::{DerivedFrom, ScopeReason, Snapshot};
use cpr_operator::domain::compiled::{Consumer, PayloadLevel, Selector, Source, Subscription};
use cpr_operator::domain::event_type::{EventType, TypeSet};
use cpr_operator::domain::field_group::{FieldGroup, GroupSet};
use cpr_operator::domain::identifier::PersonId;
use cpr_operator::domain::municipality::Municipality;
use cpr_operator::domain::pairwise::RecordId;
use cpr_operator::domain::person::Person;
use cpr_operator::domain::resource::{Environment, ProtectedPersons, ResourceKey, Sector};
use cpr_operator::ingest;
use cpr_operator::ingest::credentials::{CredentialBook, SourceCredentials};
use cpr_operator::ingest::janitor::{Janitor, Removed};
use cpr_operator::ingest::metrics::Metrics;
use cpr_operator::ingest::supervisor::{self, Context};
use cpr_operator::ingest::task::{Basis, Round, Task};
use cpr_operator::runtime::bell::Bells;
use cpr_operator::runtime::clock::Clock;
use cpr_operator::settings::ingest::IngestSettings;
use cpr_operator::settings::network::NetworkSettings;
use cpr_operator::settings::register::RegisterSettings;
use cpr_operator::settings::retention::RetentionSettings;
use cpr_operator::simulate::datafordeler::{Names, Options, Register};
use cpr_operator::store::keys::Realm;
use cpr_operator::store::person::PersonRow;
use cpr_operator::store::source::SourceState;
use cpr_operator::store::subscription::EndReason;
use cpr_operator::store::{self, ConsumerId, SourceId, Store, SubscriptionId};
use jiff::civil::{Date, date};
use tempfile::TempDir;

use crate::store::site;

/// Aalborg, where the subscriptions of these tests look unless they say otherwise.
pub const HOME: &str = "0851";
/// Aarhus, where they do not.
pub const AWAY: &str = "0751";
/// A day long before every test.
pub const LONG_AGO: Date = date(2015, 3, 1);

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Everything that one test needs.
pub struct World {
    pub store: Store,
    pub clock: Clock,
    pub register: Register,
    pub source: SourceId,
    pub form: Source,
    context: Context,
    task: Task,
    janitor: Janitor,
    told: i64,
    consumers: HashMap<ConsumerId, String>,
    subscriptions: HashMap<SubscriptionId, String>,
    _folder: TempDir,
}

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
}

impl World {
    /// An empty register in the documented form, and a source that has not been read yet.
    pub async fn new() -> Self {
        Self::with(Names::Documented).await
    }

    /// The same with a register whose open names turned out in some way.
    pub async fn with(names: Names) -> Self {
        let folder = TempDir::new().unwrap();
        let store = site::open(folder.path()).await.unwrap();
        let clock = Clock::by_hand(site::noon());
        let register = start(names, &clock).await;
        let form = source_form(&register);
        let mut tx = store.main.begin().await.unwrap();
        let source = store::source::upsert(&mut tx, &form.key, "uid", 1, Some(&form)).await.unwrap();
        store::meta::raise_configuration(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        let context = context(&store, &clock);
        let task = supervisor::task(&context, source, &basis(&form));
        Self {
            store,
            clock,
            register,
            source,
            form,
            context,
            task,
            janitor: Janitor::default(),
            told: 0,
            consumers: HashMap::new(),
            subscriptions: HashMap::new(),
            _folder: folder,
        }
    }

    /// A world with one public consumer, `acadre`, whose subscription `clients` covers [`HOME`], and whose source is being
    /// read.
    pub async fn ready() -> Self {
        let mut world = Self::new().await;
        world.subscribe("clients", "acadre", |_| ()).await;
        world.poll().await;
        world
    }

    pub fn today(&self) -> Date {
        self.clock.today()
    }

    /// Changes how ingest is set up, and lets the task begin anew.
    pub fn set_up(&mut self, change: impl FnOnce(&mut Context)) {
        change(&mut self.context);
        self.restart();
    }

    /// Lets the task begin anew, as after a restart of the process.
    pub fn restart(&mut self) {
        self.task = supervisor::task(&self.context, self.source, &basis(&self.form));
    }

    /// The task with another form of the source, as when its resource was changed.
    pub fn change_source(&mut self, change: impl FnOnce(&mut Source)) {
        change(&mut self.form);
        self.restart();
    }

    /// From now on the source is another register.
    pub fn go_over_to(&mut self, register: Register) {
        let url: url::Url = register.url().parse().unwrap();
        self.register = register;
        self.change_source(|form| (form.graphql, form.auth) = (url.clone(), url));
    }

    /// Another register with the same people, as far as the same is done to them.
    pub async fn twin(&self, names: Names) -> Register {
        start(names, &self.clock).await
    }

    /// The source as ingest works on it, for a test that takes a step of its own.
    pub fn source(&self) -> Arc<ingest::source::Source> {
        let context = &self.context;
        ingest::source::Source::new(
            self.source,
            self.form.key.clone(),
            realm(),
            self.store.clone(),
            self.clock.clone(),
            context.bells.clone(),
            context.settings.clone(),
        )
    }

    /// What is measured, as text.
    pub fn measured(&self) -> String {
        let mut registry = prometheus_client::registry::Registry::default();
        self.context.metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

    // --- configuration -------------------------------------------------------------------------------------------

    /// Writes a subscription in its smallest form, changed by the test; its consumer is written with it.
    pub async fn subscribe(
        &mut self,
        name: &str,
        consumer: &str,
        change: impl FnOnce(&mut Subscription),
    ) -> SubscriptionId {
        let form = consumer_form(consumer);
        let now = self.clock.now();
        let mut tx = self.store.main.begin().await.unwrap();
        let to = store::consumer::upsert(&mut tx, &form.key, "uid", 1, Some(&form)).await.unwrap();
        let known = store::subscription::find(&mut tx, &ResourceKey::new("skole", name)).await.unwrap();
        let known = known.and_then(|row| row.compiled);
        let mut form = known.unwrap_or_else(|| subscription_form(name, &self.form.key, &form));
        change(&mut form);
        let (id, _) =
            store::subscription::upsert(&mut tx, &form.key, "uid", 1, self.source, to, Some(&form), now).await.unwrap();
        store::meta::raise_configuration(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        self.consumers.insert(to, consumer.into());
        self.subscriptions.insert(id, name.into());
        id
    }

    /// Ends a consumer as the deletion of its resource does.
    pub async fn end_consumer(&mut self, name: &str) {
        let mut tx = self.store.main.begin().await.unwrap();
        assert!(store::consumer::end(&mut tx, self.consumer_id(name), self.clock.now()).await.unwrap());
        tx.commit().await.unwrap();
    }

    /// Ends a subscription as the deletion of its resource does.
    pub async fn unsubscribe(&mut self, name: &str) {
        let now = self.clock.now();
        let mut tx = self.store.main.begin().await.unwrap();
        let row = store::subscription::find(&mut tx, &ResourceKey::new("skole", name)).await.unwrap().unwrap();
        assert!(store::subscription::end(&mut tx, row.id, EndReason::Deleted, now).await.unwrap());
        store::meta::raise_configuration(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub fn consumer_id(&self, name: &str) -> ConsumerId {
        *self.consumers.iter().find(|(_, known)| *known == name).unwrap().0
    }

    // --- time ----------------------------------------------------------------------------------------------------

    /// Lets the task work until it is idle.
    pub async fn work(&mut self) {
        for _ in 0..1000 {
            if let Round::Idle(_) = self.task.run_once().await.unwrap() {
                return;
            }
        }
        panic!("the task never comes to rest");
    }

    /// The task itself.
    pub fn task(&mut self) -> &mut Task {
        &mut self.task
    }

    /// Turns the clock to the next reading, and lets the task work.
    pub async fn poll(&mut self) {
        self.pass(self.form.poll_interval).await;
    }

    /// Turns the clock, and lets the task work.
    pub async fn pass(&mut self, time: Duration) {
        self.clock.advance(time);
        self.work().await;
    }

    /// Turns the clock by days, one at a time.
    pub async fn days(&mut self, days: u32) {
        for _ in 0..days {
            self.pass(DAY).await;
        }
    }

    /// The register loads what is queued, and it is read.
    pub async fn import(&mut self) -> u32 {
        let number = self.register.load();
        self.poll().await;
        number
    }

    /// Lets the janitor work until there is nothing left for it, and its walks have come round.
    pub async fn sweep(&mut self) -> Removed {
        let (mut all, mut idle) = (Removed::default(), 0);
        for _ in 0..100 {
            let now = self.clock.now();
            let removed = self.janitor.run_once(&self.store, &self.context.retention, now).await.unwrap();
            idle = if removed.any() { 0 } else { idle + 1 };
            if idle == 4 {
                return all;
            }
            all.persons += removed.persons;
            all.resources += removed.resources;
            all.rows += removed.rows;
        }
        panic!("the janitor never comes to rest");
    }

    // --- people --------------------------------------------------------------------------------------------------

    /// Enters somebody who has lived in a municipality for long. The notice is queued.
    pub fn settle(&self, municipality: &str) -> String {
        self.register.settle(municipality, LONG_AGO).unwrap()
    }

    /// Somebody who has lived in a municipality for long, and of whom ingest has been told; what was told is forgotten.
    pub async fn known(&mut self, municipality: &str) -> String {
        let person = self.settle(municipality);
        self.import().await;
        self.heard().await;
        person
    }

    // --- what was told -------------------------------------------------------------------------------------------

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

    // --- what is stored ------------------------------------------------------------------------------------------

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

async fn start(names: Names, clock: &Clock) -> Register {
    let options = Options { names, token_lifetime: DAY * 3650, ..Options::new(clock.clone(), 7) };
    Register::start(options, "127.0.0.1:0".parse().unwrap()).await.unwrap()
}

async fn count(database: &store::Database, table: &str) -> i64 {
    let text = format!("SELECT count(*) FROM {table}");
    let mut conn = database.read().await.unwrap();
    sqlx::query_scalar(sqlx::AssertSqlSafe(text)).fetch_one(&mut *conn).await.unwrap()
}

pub fn realm() -> Realm {
    Realm { authority: "aalborg".into(), environment: Environment::Test }
}

pub fn groups(groups: &[FieldGroup]) -> GroupSet {
    GroupSet::of(groups)
}

/// A selector of municipalities.
pub fn living_in(codes: &[&str]) -> Selector {
    Selector::Municipalities(codes.iter().map(|code| Municipality::parse(code).unwrap()).collect::<BTreeSet<_>>())
}

fn source_form(register: &Register) -> Source {
    let url: url::Url = register.url().parse().unwrap();
    Source {
        key: ResourceKey::new("aalborg", "datafordeler"),
        graphql: url.clone(),
        auth: url,
        ..site::source_form("datafordeler")
    }
}

fn consumer_form(name: &str) -> Consumer {
    site::consumer_form(name)
}

fn subscription_form(name: &str, source: &ResourceKey, consumer: &Consumer) -> Subscription {
    use FieldGroup::{Address, Municipality, Name, Number, Protection, Status};
    Subscription {
        key: ResourceKey::new("skole", name),
        source: source.clone(),
        consumer: consumer.key.clone(),
        purpose: "case-work".into(),
        legal_bases: vec!["GDPR-6-1-e".into()],
        selector: living_in(&[HOME]),
        types: EventType::selectable().collect::<TypeSet>(),
        level: PayloadLevel::Reference,
        fields: GroupSet::EMPTY,
        granted: GroupSet::of(&[Number, Status, Name, Address, Municipality, Protection]),
        protected_persons: ProtectedPersons::Mask,
        sector: Sector::Public,
        follow_inactive: DAY * 90,
        suspended: false,
        ends_at: None,
    }
}

fn basis(form: &Source) -> Basis {
    let credentials = SourceCredentials {
        client_id: "simulated-client".into(),
        client_secret: "simulated-secret".into(),
        schema_api_key: None,
        fingerprint: "first".into(),
    };
    Basis { form: form.clone(), credentials: Some(credentials) }
}

fn context(store: &Store, clock: &Clock) -> Context {
    Context {
        store: store.clone(),
        clock: clock.clone(),
        credentials: CredentialBook::default(),
        bells: Bells::default(),
        settings: IngestSettings {
            batch: 100,
            history_days: 60,
            unfinished_after: Duration::from_secs(6 * 3600),
            tries: 3,
            unread_retry: Duration::from_secs(15 * 60),
        },
        register: RegisterSettings {
            requests_per_second: 100_000,
            timeout: Duration::from_secs(20),
            page_size: 100,
            batch: 100,
            schema_max_age: DAY,
            circuit_failures: u32::MAX,
            circuit_max: Duration::from_secs(1),
        },
        network: NetworkSettings { allowed_networks: vec!["127.0.0.0/8".parse().unwrap()] },
        retention: RetentionSettings {
            after_deletion: DAY * 7,
            undoing: DAY * 365,
            undelivered: DAY * 30,
            delivered: DAY * 7,
            dead_letters: DAY * 90,
        },
        metrics: Metrics::default(),
    }
}
