//! A simulated register and a client that is set up for it.

use std::time::Duration;

use cpr_operator::domain::compiled::{Calendar, MunicipalityCodes, Source};
use cpr_operator::domain::field_group::{FieldGroup, GroupSet};
use cpr_operator::domain::identifier::{CprNumber, PersonId};
use cpr_operator::domain::resource::{Environment, ResourceKey};
use cpr_operator::net;
use cpr_operator::runtime::clock::Clock;
use cpr_operator::simulate::datafordeler::{Names, Options, Register, Service};
use cpr_operator::upstream::datafordeler::{Client, Credentials, Notice, Settings};
use jiff::Timestamp;
use jiff::civil::{Date, date};

/// The day on which the register's people moved in.
pub const SINCE: Date = date(2020, 5, 1);

/// Settings under which nobody waits for a rate and no circuit opens.
pub fn settings() -> Settings {
    Settings {
        requests_per_second: 100_000,
        timeout: Duration::from_secs(20),
        circuit_failures: 1_000,
        ..Settings::default()
    }
}

/// All groups there are.
pub fn every_group() -> GroupSet {
    FieldGroup::ALL.into_iter().collect()
}

/// A register and a client.
pub struct Site {
    pub register: Register,
    pub client: Client,
}

impl Site {
    /// A register that speaks as documented.
    pub async fn new() -> Self {
        Self::with(settings(), |_| ()).await
    }

    /// A register that speaks a dialect.
    pub async fn speaking(names: Names) -> Self {
        Self::with(settings(), |options| options.names = names).await
    }

    pub async fn with(settings: Settings, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::new(Clock::by_hand(Timestamp::now()), 7);
        change(&mut options);
        let register = Register::start(options, "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let client = client(&register, &settings, "simulated-secret");
        Self { register, client }
    }

    /// Somebody who lives in Aalborg.
    pub fn settle(&self) -> PersonId {
        PersonId::parse(&self.register.settle("0851", SINCE).unwrap()).unwrap()
    }

    pub fn number_of(&self, id: &PersonId) -> CprNumber {
        CprNumber::parse(&self.register.citizen(&id.expose()).unwrap().number).unwrap()
    }

    /// Statuses of the answers of one service so far.
    pub fn statuses(&self, service: Service) -> Vec<Option<u16>> {
        let requests = self.register.requests();
        requests.iter().filter(|request| request.service == service).map(|request| request.status).collect()
    }

    /// How many persons each look-up asked for so far.
    pub fn batches(&self) -> Vec<usize> {
        let requests = self.register.requests();
        requests.iter().filter(|request| request.service == Service::Lookup).map(|request| request.ids).collect()
    }

    /// Every notice after an event id, page by page.
    pub async fn notices(&self, mut after: i64) -> Vec<Notice> {
        let mut all = Vec::new();
        loop {
            let page = self.client.notices(after).await.unwrap();
            all.extend(page.notices);
            after = page.last_event_id.unwrap_or(after);
            if !page.more {
                return all;
            }
        }
    }
}

/// A client of this register with this secret.
pub fn client(register: &Register, settings: &Settings, secret: &str) -> Client {
    let credentials = Credentials {
        client_id: "simulated-client".to_owned().into(),
        client_secret: secret.to_owned().into(),
        schema_api_key: None,
    };
    let guard = net::guard::Guard::new(vec!["127.0.0.0/8".parse().unwrap()], vec![]);
    let http = net::client::Client::new(guard, None, &net::Settings::default()).unwrap();
    Client::new(&source(register), credentials, settings, http).unwrap()
}

fn source(register: &Register) -> Source {
    Source {
        key: ResourceKey::new("aalborg", "datafordeler"),
        environment: Environment::Test,
        graphql: register.url().parse().unwrap(),
        auth: register.url().parse().unwrap(),
        ca_bundle: None,
        proxy: None,
        allowed_networks: Vec::new(),
        municipality_codes: MunicipalityCodes::Both,
        poll_interval: Duration::from_secs(60),
        calendar: Calendar::Weekdays,
        suspended: false,
        asked_at: None,
        grants: Vec::new(),
    }
}
