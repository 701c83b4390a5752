//! The world of an ingest test: a store in a folder, a register on a port of its own, and one clock that a test turns.

mod forms;
mod lists;
mod seen;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cpr_operator::domain::compiled::{Source, Subscription};
use cpr_operator::domain::resource::ResourceKey;
use cpr_operator::ingest;
use cpr_operator::ingest::janitor::{Janitor, Removed};
use cpr_operator::ingest::supervisor::{self, Context};
use cpr_operator::ingest::task::{Basis, Round, Task};
use cpr_operator::runtime::clock::Clock;
use cpr_operator::settings::database::DatabaseSettings;
use cpr_operator::simulate::datafordeler::{Names, Options, Register};
use cpr_operator::store::subscription::EndReason;
use cpr_operator::store::{self, ConsumerId, Database, SourceId, Store, SubscriptionId};
use jiff::civil::{Date, date};
use tempfile::TempDir;

use crate::store::site;
use crate::support::logins;

use forms::{basis, consumer_form, context, source_form, subscription_form};
pub use forms::{groups, living_in, realm};

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
    folder: TempDir,
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
            folder,
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

    /// Lets the task begin anew, as after a restart of the process, before anybody has handed it the credentials.
    pub fn restart_without_credentials(&mut self) {
        let basis = Basis { credentials: None, ..basis(&self.form) };
        self.task = supervisor::task(&self.context, self.source, &basis);
    }

    /// Says that there are no credentials.
    pub fn withdraw_credentials(&self) {
        self.context.credentials.set(&self.form.key, None);
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
            context.lists.clone(),
            None,
        )
    }

    /// The store as a process of this role has it; on files there are no others, and it is this one.
    pub async fn as_role(&self, role: &str) -> Store {
        let Database::Postgres(_) = self.store.main else { return self.store.clone() };
        let url_file = Some(logins::address(self.folder(), role).await);
        let settings = DatabaseSettings { url_file, ..DatabaseSettings::default() };
        store::open(&site::settings(self.folder()), &settings, self.clock.now()).await.unwrap()
    }

    /// Where the databases lie.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// What is measured, as text.
    pub fn measured(&self) -> String {
        let mut registry = prometheus_client::registry::Registry::default();
        self.context.metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

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
}

async fn start(names: Names, clock: &Clock) -> Register {
    let options = Options { names, token_lifetime: DAY * 3650, ..Options::new(clock.clone(), 7) };
    Register::start(options, "127.0.0.1:0".parse().unwrap()).await.unwrap()
}
