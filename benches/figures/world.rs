//! A store with fictitious persons, consumers, subscriptions and events that wait.

use std::ops::Range;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use cpr_operator::delivery;
use cpr_operator::delivery::chance::Chance;
use cpr_operator::delivery::credentials::{SigningBook, SigningKeys};
use cpr_operator::delivery::metrics::Metrics;
use cpr_operator::domain::change::{Change, DerivedFrom, Snapshot};
use cpr_operator::domain::compiled::{
    Calendar, Consumer, Delivery, MunicipalityCodes, PayloadLevel, Retry, Selector, Source, Subscription, Verification,
};
use cpr_operator::domain::date::RegisterDate;
use cpr_operator::domain::event_type::{EventType, TypeSet};
use cpr_operator::domain::field_group::{FieldGroup, GroupSet};
use cpr_operator::domain::identifier::{CprNumber, PersonId};
use cpr_operator::domain::pairwise::EventId;
use cpr_operator::domain::person::{Address, Name, Number, Parent, ParentRole, Person, Related, Row};
use cpr_operator::domain::resource::{Environment, ProtectedPersons, ResourceKey, Sector};
use cpr_operator::domain::signing::SigningSecret;
use cpr_operator::domain::standing::Standing;
use cpr_operator::domain::status::StatusCode;
use cpr_operator::runtime::bell::Bells;
use cpr_operator::runtime::clock::Clock;
use cpr_operator::settings::Settings;
use cpr_operator::store::event::{NewEvent, NewRoute};
use cpr_operator::store::keys::{Ensured, Identity, Realm};
use cpr_operator::store::person::PersonRow;
use cpr_operator::store::presence::Presence;
use cpr_operator::store::{self, ConsumerId, SourceId, Store, SubscriptionId};
use jiff::civil::{Date, date};

use super::site::Site;

/// Requests at the same time, as a consumer has by default.
pub const AT_ONCE: u32 = 32;

const NAMESPACE: &str = "aalborg";

/// The groups that consumers are granted.
const GRANTED: GroupSet = GroupSet::of(&[
    FieldGroup::Number,
    FieldGroup::Status,
    FieldGroup::Birth,
    FieldGroup::Name,
    FieldGroup::Address,
    FieldGroup::Municipality,
    FieldGroup::Protection,
    FieldGroup::Parents,
]);

/// The groups that they ask for.
const FIELDS: GroupSet =
    GroupSet::of(&[FieldGroup::Number, FieldGroup::Name, FieldGroup::Address, FieldGroup::Municipality]);

/// A store and who stands in it.
pub struct World {
    pub store: Store,
    pub clock: Clock,
    pub settings: Settings,
    pub source: SourceId,
    pub signing: SigningBook,
    pub bells: Bells,
}

impl World {
    /// Opens the store at this place, made if absent, with one source.
    pub async fn open(site: &Site) -> anyhow::Result<Self> {
        let settings = site.settings()?;
        let clock = Clock::system();
        let store = store::open(&settings.store, &settings.database, clock.now()).await?;
        store.keys.ensure_period(clock.now()).await?;
        let form = source();
        let mut tx = store.main.begin().await?;
        let source = store::source::upsert(&mut tx, &form.key, "uid", 1, Some(&form)).await?;
        store::meta::raise_configuration(&mut tx).await?;
        tx.commit().await?;
        let signing = SigningBook::default();
        Ok(Self { store, clock, settings, source, signing, bells: Bells::default() })
    }

    /// A consumer whose address is proved, at `url`.
    pub async fn consumer(&self, name: &str, url: url::Url) -> anyhow::Result<ConsumerId> {
        let form = consumer(name, url);
        let print = delivery::verify::fingerprint(&form.delivery);
        let mut tx = self.store.main.begin().await?;
        let id = store::consumer::upsert(&mut tx, &form.key, "uid", 1, Some(&form)).await?;
        store::consumer::write_verified(&mut tx, id, &print, self.clock.now()).await?;
        store::meta::raise_configuration(&mut tx).await?;
        tx.commit().await?;
        let secret = SigningSecret::parse(&secret())?;
        let keys = SigningKeys { secrets: vec![secret], fingerprint: "1".into() };
        self.signing.set(&form.key, Some(keys));
        Ok(id)
    }

    /// A subscription of a consumer.
    pub async fn subscribe(
        &self,
        consumer: (ConsumerId, &str),
        name: &str,
        selector: Selector,
    ) -> anyhow::Result<SubscriptionId> {
        let form = subscription(name, consumer.1, selector);
        let mut tx = self.store.main.begin().await?;
        let (of, now) = (consumer.0, self.clock.now());
        let written = store::subscription::upsert(&mut tx, &form.key, "uid", 1, self.source, of, Some(&form), now);
        let (id, _) = written.await?;
        store::meta::raise_configuration(&mut tx).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Subscriptions of a consumer for each of these, some in one transaction: each raises a version, which one transaction
    /// cannot do too often.
    pub async fn subscribe_all(&self, consumer: (ConsumerId, &str), selectors: Vec<Selector>) -> anyhow::Result<()> {
        let (source, of, now) = (self.source, consumer.0, self.clock.now());
        for (n, some) in selectors.chunks(100).enumerate() {
            let mut tx = self.store.main.begin().await?;
            for (m, selector) in some.iter().enumerate() {
                let form = subscription(&format!("many-{n}-{m}"), consumer.1, selector.clone());
                store::subscription::upsert(&mut tx, &form.key, "uid", 1, source, of, Some(&form), now).await?;
            }
            store::meta::raise_configuration(&mut tx).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Stores so many persons, whom these consumers have a claim on.
    pub async fn people(&self, count: u32, consumers: &[ConsumerId]) -> anyhow::Result<Vec<Ensured>> {
        let mut all = Vec::new();
        self.store_people(0..count, consumers, |some| all.extend(some)).await?;
        Ok(all)
    }

    /// The same for those who are not the first, and are not needed here any more.
    pub async fn more_people(&self, numbers: Range<u32>, consumers: &[ConsumerId]) -> anyhow::Result<()> {
        self.store_people(numbers, consumers, drop).await
    }

    async fn store_people(
        &self,
        numbers: Range<u32>,
        consumers: &[ConsumerId],
        mut stored: impl FnMut(Vec<Ensured>),
    ) -> anyhow::Result<()> {
        let (now, today) = (self.clock.now(), self.clock.today());
        let numbers: Vec<u32> = numbers.collect();
        for some in numbers.chunks(1000) {
            let persons: Vec<Person> = some.iter().map(|n| citizen(*n, 7)).collect();
            let identities: Vec<Identity> = persons.iter().filter_map(identity).collect();
            let ensured = self.store.keys.ensure_persons(&realm(), &identities, now).await?;
            let claims: Vec<_> = ensured.iter().flat_map(|one| consumers.iter().map(|c| (*c, one.record))).collect();
            self.store.keys.ensure_claims(&claims, now).await?;
            let rows = persons.iter().zip(&ensured).map(|(person, one)| self.row(person, one, today));
            let rows = rows.collect::<Result<Vec<_>, _>>()?;
            let mut tx = self.store.main.begin().await?;
            store::person::write(&mut tx, &rows, now).await?;
            tx.commit().await?;
            stored(ensured);
        }
        Ok(())
    }

    fn row(&self, person: &Person, ensured: &Ensured, today: Date) -> Result<PersonRow, store::Error> {
        let now = self.clock.now();
        Ok(PersonRow {
            record: ensured.record,
            source: self.source,
            standing: Standing::of(person, today, None, now),
            next_due: None,
            as_of: today,
            held: person.held,
            settled: i64::MAX,
            leaving: false,
            refetch: false,
            uncovered_since: None,
            content: store::person::seal(&ensured.key, self.source, person)?,
            updated_at: now,
        })
    }

    /// Commits so many moves, of one person after the other, each for these. The highest number.
    pub async fn moves(
        &self,
        count: u32,
        people: &[Ensured],
        to: &[(ConsumerId, SubscriptionId)],
    ) -> anyhow::Result<i64> {
        self.moves_as(count, people, to, &[EventType::AddressChanged]).await
    }

    /// The same, each as all of these types.
    pub async fn moves_as(
        &self,
        count: u32,
        people: &[Ensured],
        to: &[(ConsumerId, SubscriptionId)],
        types: &[EventType],
    ) -> anyhow::Result<i64> {
        let mut last = 0;
        let numbers: Vec<u32> = (0..count).collect();
        for some in numbers.chunks(1000) {
            let events = some.iter().map(|n| self.moved(*n, &people[*n as usize % people.len()], to, types));
            let events = events.collect::<anyhow::Result<Vec<_>>>()?;
            let mut tx = self.store.main.begin().await?;
            last = store::event::append(&mut tx, &events, self.clock.now()).await?.unwrap_or(last);
            tx.commit().await?;
            self.bells.routes.ring();
        }
        Ok(last)
    }

    fn moved(
        &self,
        n: u32,
        who: &Ensured,
        to: &[(ConsumerId, SubscriptionId)],
        types: &[EventType],
    ) -> anyhow::Result<NewEvent> {
        let (id, type_, today) = (EventId::random(), EventType::AddressChanged, self.clock.today());
        let mut change = Change::new(type_, DerivedFrom::Comparison);
        change.changed = GroupSet::of(&[FieldGroup::Address]);
        change.effective_from = Some(RegisterDate { date: date(2026, 11, 20), uncertain: false });
        change.registered_at = Some(self.clock.now());
        let after = citizen(n, 7);
        let references =
            after.id.as_ref().map(|id| self.store.keys.audit_references(id, after.number(today), self.clock.now()));
        let snapshot = Snapshot { change, on: today, after, before: None, before_on: None, places: Vec::new() };
        let routes = |(consumer, subscription): &(ConsumerId, SubscriptionId)| {
            let (consumer, subscriptions) = (*consumer, vec![*subscription]);
            types.iter().map(move |type_| NewRoute { consumer, type_: *type_, subscriptions: subscriptions.clone() })
        };
        Ok(NewEvent {
            id,
            record: Some(who.record),
            source: self.source,
            type_,
            snapshot: Some(store::event::seal(&who.key, id, &snapshot)?),
            detail: None,
            audit: references.transpose()?,
            routes: to.iter().flat_map(routes).collect(),
        })
    }

    /// What delivery works with.
    pub fn delivery(&self) -> delivery::Context {
        delivery::Context {
            store: self.store.clone(),
            clock: self.clock.clone(),
            signing: self.signing.clone(),
            access: Default::default(),
            bells: self.bells.clone(),
            settings: self.settings.delivery.clone(),
            network: self.settings.network.clone(),
            undelivered: self.settings.retention.undelivered,
            metrics: Metrics::default(),
            chance: Chance::seeded(1),
            presence: Presence::alone("bench"),
            only: None,
        }
    }

    /// The highest number of a delivery to a consumer.
    pub async fn last_route(&self, consumer: ConsumerId) -> anyhow::Result<i64> {
        let highest = store::route::highest(&mut *self.store.main.read_for(&[consumer]).await?, consumer).await?;
        Ok(highest.unwrap_or(0))
    }

    /// Up to which number everything is delivered and recorded.
    pub async fn delivered(&self, consumer: ConsumerId) -> anyhow::Result<i64> {
        let lanes = store::lane::read(&mut *self.store.main.read().await?, consumer).await?;
        Ok(lanes.iter().map(|lane| lane.watermark).min().unwrap_or(0))
    }

    /// Waits until everything up to this number is delivered and recorded.
    pub async fn wait_for(&self, consumer: ConsumerId, last: i64) -> anyhow::Result<()> {
        while self.delivered(consumer).await? < last {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Ok(())
    }
}

/// Within which identifiers mean the same person here.
pub fn realm() -> Realm {
    Realm { authority: NAMESPACE.into(), environment: Environment::Test }
}

/// What deliveries are signed with.
pub fn secret() -> String {
    format!("whsec_{}", BASE64_STANDARD.encode([7; 32]))
}

/// A consumer's resource by its name.
pub fn key(name: &str) -> ResourceKey {
    ResourceKey::new(NAMESPACE, name)
}

fn identity(person: &Person) -> Option<Identity> {
    let numbers = person.numbers.iter().map(|row| row.value.0.clone()).collect();
    Some(Identity { id: person.id.clone()?, numbers })
}

fn source() -> Source {
    Source {
        key: key("datafordeler"),
        environment: Environment::Test,
        graphql: "https://graphql.example.org".parse().expect("a URL"),
        auth: "https://auth.example.org".parse().expect("a URL"),
        ca_bundle: None,
        proxy: None,
        allowed_networks: Vec::new(),
        municipality_codes: MunicipalityCodes::Both,
        poll_interval: Duration::from_secs(3600),
        calendar: Calendar::Weekdays,
        suspended: false,
        asked_at: None,
        grants: Default::default(),
    }
}

fn consumer(name: &str, url: url::Url) -> Consumer {
    let hours = |hours: u64| Duration::from_secs(3600 * hours);
    Consumer {
        key: key(name),
        display_name: name.to_owned(),
        organisation: "Testby Kommune".into(),
        cvr: "12345678".into(),
        sector: Sector::Public,
        environment: Environment::Test,
        fields: GRANTED,
        protected_persons: ProtectedPersons::Mask,
        delivery: Delivery {
            url,
            verification: Verification::Status,
            ca_bundle: None,
            timeout: Duration::from_secs(10),
            max_in_flight: AT_ONCE,
            rate_per_second: None,
            retry: Retry { initial: Duration::from_secs(5), max: hours(1), give_up_after: hours(72) },
            allowed_networks: Vec::new(),
            oauth2: None,
            client_certificate: false,
        },
        suspended: false,
    }
}

fn subscription(name: &str, consumer: &str, selector: Selector) -> Subscription {
    Subscription {
        key: key(name),
        source: key("datafordeler"),
        consumer: key(consumer),
        purpose: "case-work".into(),
        legal_bases: vec!["GDPR-6-1-e".into()],
        selector,
        places: Default::default(),
        types: TypeSet::default_for(GRANTED),
        level: PayloadLevel::Fields,
        fields: FIELDS,
        granted: GRANTED,
        protected_persons: ProtectedPersons::Mask,
        sector: Sector::Public,
        follow_inactive: Duration::from_secs(2160 * 3600),
        follow_on_move: None,
        announce: Default::default(),
        suspended: false,
        ends_at: None,
    }
}

/// A fictitious person who lives in this house.
pub fn citizen(n: u32, house: u32) -> Person {
    let address = Address {
        municipality_code: Some("0851".into()),
        municipality_name: Some("Aalborg".into()),
        road_code: Some("0123".into()),
        road_name: Some("Prøvevej".into()),
        house_number: Some(house.to_string()),
        floor: Some("1".into()),
        door: Some("tv".into()),
        postcode: Some("9000".into()),
        post_district: Some("Aalborg".into()),
        ..Address::default()
    };
    let name = Name { first: Some("Testine".into()), last: Some("Prøve".into()), ..Name::default() };
    let since =
        |row: Row<Address>| Row { from: Some(RegisterDate { date: date(2020, 1, 1), uncertain: false }), ..row };
    let parent = |role, first: &str| {
        let person = Related { name: Some(format!("{first} Prøve")), protected: Some(false), ..Related::default() };
        Row::current(Parent { role, person })
    };
    // Days above sixty are those of fictitious numbers; the months are those with 31 days.
    let (day, serial) = (61 + n / 10_000 % 31, n % 10_000);
    let month = [1, 3, 5, 7, 8, 10, 12][n as usize / 310_000 % 7];
    Person {
        id: PersonId::parse(&format!("00000000-0000-4000-8000-{n:012}")).ok(),
        held: GRANTED.with(FieldGroup::PersonId),
        status: StatusCode::Resident,
        birth: Some(RegisterDate { date: date(1980, 1, 1), uncertain: false }),
        numbers: CprNumber::parse(&format!("{day}{month:02}80{serial:04}"))
            .ok()
            .map(|n| Row::current(Number(n)))
            .into_iter()
            .collect(),
        names: vec![Row::current(name)],
        addresses: vec![since(Row::current(address))],
        parents: vec![parent(ParentRole::Mother, "Prøvine"), parent(ParentRole::FatherOrCoMother, "Prøvert")],
        protection_known: true,
        ..Person::default()
    }
}
