//! The smallest compiled forms, and the settings that ingest is given in a test.

use std::time::Duration;

use cpr_operator::domain::compiled::{Announce, Consumer, PayloadLevel, Selector, Source, Subscription};
use cpr_operator::domain::event_type::{EventType, TypeSet};
use cpr_operator::domain::field_group::{FieldGroup, GroupSet};
use cpr_operator::domain::municipality::Municipality;
use cpr_operator::domain::resource::{Environment, ProtectedPersons, ResourceKey, Sector};
use cpr_operator::ingest::credentials::{CredentialBook, SourceCredentials};
use cpr_operator::ingest::metrics::Metrics;
use cpr_operator::ingest::supervisor::Context;
use cpr_operator::ingest::task::Basis;
use cpr_operator::runtime::bell::Bells;
use cpr_operator::runtime::clock::Clock;
use cpr_operator::settings::ingest::IngestSettings;
use cpr_operator::settings::lists::ListSettings;
use cpr_operator::settings::network::NetworkSettings;
use cpr_operator::settings::register::RegisterSettings;
use cpr_operator::settings::retention::RetentionSettings;
use cpr_operator::simulate::datafordeler::Register;
use cpr_operator::store::Store;
use cpr_operator::store::keys::Realm;
use cpr_operator::store::presence::Presence;

use super::{DAY, HOME};
use crate::store::site;

pub fn realm() -> Realm {
    Realm { authority: "aalborg".into(), environment: Environment::Test }
}

pub fn groups(groups: &[FieldGroup]) -> GroupSet {
    GroupSet::of(groups)
}

/// A selector of municipalities.
pub fn living_in(codes: &[&str]) -> Selector {
    Selector::living_in(codes.iter().map(|code| Municipality::parse(code).unwrap()))
}

pub fn source_form(register: &Register) -> Source {
    let url: url::Url = register.url().parse().unwrap();
    Source {
        key: ResourceKey::new("aalborg", "datafordeler"),
        graphql: url.clone(),
        auth: url,
        ..site::source_form("datafordeler")
    }
}

pub fn consumer_form(name: &str) -> Consumer {
    site::consumer_form(name)
}

pub fn subscription_form(name: &str, source: &ResourceKey, consumer: &Consumer) -> Subscription {
    use FieldGroup::{Address, Municipality, Name, Number, Protection, Status};
    Subscription {
        key: ResourceKey::new("skole", name),
        source: source.clone(),
        consumer: consumer.key.clone(),
        purpose: "case-work".into(),
        legal_bases: vec!["GDPR-6-1-e".into()],
        selector: living_in(&[HOME]),
        places: Default::default(),
        types: EventType::selectable().collect::<TypeSet>(),
        level: PayloadLevel::Reference,
        fields: GroupSet::EMPTY,
        granted: GroupSet::of(&[Number, Status, Name, Address, Municipality, Protection]),
        protected_persons: ProtectedPersons::Mask,
        sector: Sector::Public,
        follow_inactive: DAY * 90,
        follow_on_move: None,
        announce: Announce::None,
        suspended: false,
        ends_at: None,
    }
}

pub fn basis(form: &Source) -> Basis {
    let credentials = SourceCredentials {
        client_id: "simulated-client".into(),
        client_secret: "simulated-secret".into(),
        schema_api_key: None,
        fingerprint: "first".into(),
    };
    Basis { form: form.clone(), credentials: Some(credentials), lease: None }
}

pub fn context(store: &Store, clock: &Clock) -> Context {
    Context {
        store: store.clone(),
        clock: clock.clone(),
        credentials: CredentialBook::default(),
        bells: Bells::default(),
        presence: Presence::alone("test"),
        only: None,
        settings: IngestSettings {
            batch: 100,
            history_days: 60,
            unfinished_after: Duration::from_secs(6 * 3600),
            tries: 3,
            unread_retry: Duration::from_secs(15 * 60),
        },
        lists: ListSettings { additions_per_hour: 200_000, unknown_per_hour: 500 },
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
