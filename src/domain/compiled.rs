//! Checked resources in the form that ingest and delivery work from: rows of the store, no references left.

use std::collections::BTreeSet;
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use super::event_type::TypeSet;
use super::field_group::GroupSet;
use super::grant::{Allowance, Grant, Places};
use super::municipality::Municipality;
use super::resource::{Environment, ProtectedPersons, ResourceKey, Sector};

/// A source that may be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Namespace and name.
    pub key: ResourceKey,
    /// Test or production.
    pub environment: Environment,
    /// Base address of the register's GraphQL services.
    pub graphql: Url,
    /// Base address of its token service.
    pub auth: Url,
    /// Certificates to trust beside the system's, in PEM.
    pub ca_bundle: Option<String>,
    /// The forward proxy by which they are reached.
    #[serde(default)]
    pub proxy: Option<Url>,
    /// Private ranges that the register's addresses, or the proxy's, may lie in, already cut to what the platform allows.
    pub allowed_networks: Vec<IpNet>,
    /// Which form of municipality code the service expects in filters.
    pub municipality_codes: MunicipalityCodes,
    /// Time between two readings.
    pub poll_interval: Duration,
    /// On which days the register loads.
    pub calendar: Calendar,
    /// Whether reading is suspended.
    pub suspended: bool,
    /// The last wish that it be read now, as the resource's annotation says it.
    #[serde(default)]
    pub asked_at: Option<String>,
    /// What other namespaces may have of it, at most one entry for each.
    #[serde(default)]
    pub grants: Vec<Grant>,
}

/// Which form of municipality code a service expects in filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MunicipalityCodes {
    /// Unknown: both are sent.
    Both,
    /// `0101`.
    FourDigits,
    /// `101`.
    ThreeDigits,
}

/// On which days a register loads new data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Calendar {
    /// Monday to Friday, not on Danish holidays.
    Weekdays,
    /// Every day.
    Daily,
}

/// A consumer that may receive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Consumer {
    /// Namespace and name.
    pub key: ResourceKey,
    /// Name for people.
    pub display_name: String,
    /// The organisation that owns it.
    pub organisation: String,
    /// Its organisation number.
    pub cvr: String,
    /// Public or private.
    pub sector: Sector,
    /// Test or production.
    pub environment: Environment,
    /// The most it may ever be given.
    pub fields: GroupSet,
    /// What it is given of protected persons.
    pub protected_persons: ProtectedPersons,
    /// Where and how deliveries go.
    pub delivery: Delivery,
    /// Whether sending is suspended.
    pub suspended: bool,
}

/// Where and how a consumer's deliveries go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// The address that receives.
    pub url: Url,
    /// How it proves that it is the one.
    pub verification: Verification,
    /// Certificates to trust beside the system's, in PEM.
    pub ca_bundle: Option<String>,
    /// For connect, headers and body together.
    pub timeout: Duration,
    /// Most requests at the same time.
    pub max_in_flight: u32,
    /// Most requests a second, if limited.
    pub rate_per_second: Option<u32>,
    /// When a failed delivery is tried again.
    pub retry: Retry,
    /// Private ranges that its addresses may lie in, already cut to what the platform allows.
    pub allowed_networks: Vec<IpNet>,
    /// Where a token is had that goes along.
    #[serde(default)]
    pub oauth2: Option<OAuth2>,
    /// Whether a certificate of ours is shown.
    #[serde(default)]
    pub client_certificate: bool,
}

/// Where and for what a token is had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OAuth2 {
    /// The token endpoint.
    pub token_url: Url,
    /// What is asked for.
    pub scope: Option<String>,
    /// For whom, where the endpoint wants to know.
    pub audience: Option<String>,
}

/// How a consumer's address proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verification {
    /// It returns the challenge.
    Echo,
    /// It answers 2xx; test environments only.
    Status,
}

/// When a failed delivery is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// After the first failure.
    pub initial: Duration,
    /// The longest wait.
    pub max: Duration,
    /// When the event becomes a dead letter.
    pub give_up_after: Duration,
}

/// A subscription with its references resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    /// Namespace and name.
    pub key: ResourceKey,
    /// The source that tells.
    pub source: ResourceKey,
    /// The consumer that hears.
    pub consumer: ResourceKey,
    /// Id of the purpose.
    pub purpose: String,
    /// The purpose's legal bases.
    pub legal_bases: Vec<String>,
    /// Who is covered.
    pub selector: Selector,
    /// Where whoever is covered has to live, as the source's grant says.
    #[serde(default)]
    pub places: Places,
    /// The selectable types that it hears; the always delivered ones come beside them.
    pub types: TypeSet,
    /// How much a payload holds.
    pub level: PayloadLevel,
    /// The groups that a payload holds at level Fields.
    pub fields: GroupSet,
    /// The most that purpose and consumer allow.
    pub granted: GroupSet,
    /// What the consumer is given of protected persons, as at the consumer.
    pub protected_persons: ProtectedPersons,
    /// The consumer's sector, as at the consumer.
    pub sector: Sector,
    /// How long those who died, emigrated or disappeared stay covered.
    pub follow_inactive: Duration,
    /// How long those who move out of its municipalities stay covered, if they do.
    #[serde(default)]
    pub follow_on_move: Option<Duration>,
    /// What it says of persons whom we know when it begins.
    #[serde(default)]
    pub announce: Announce,
    /// Whether it is suspended: nothing is routed.
    pub suspended: bool,
    /// The instant after which it has ended by itself.
    pub ends_at: Option<Timestamp>,
}

impl Subscription {
    /// Whether nobody can be covered, as after the source's grant was taken away.
    pub fn covers_nobody(&self) -> bool {
        self.selector == Selector::default() || self.places == Places::Within(BTreeSet::new())
    }

    /// What is left of it under what its namespace may have of the source, for a consumer that may be told anything at all.
    #[must_use]
    pub fn cut_to(&self, allowance: Allowance<'_>) -> Self {
        let granted = allowance.groups(self.granted);
        Self {
            granted,
            fields: self.fields.intersection(granted),
            types: self.types.iter().filter(|type_| type_.may_be_heard_with(granted)).collect(),
            protected_persons: allowance.protected_persons(self.protected_persons),
            selector: self.selector.cut_to(&allowance.places()),
            places: allowance.places(),
            ..self.clone()
        }
    }
}

/// Who is covered by a subscription; what it says adds up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredSelector")]
pub struct Selector {
    /// Everyone whom the register tells of.
    pub everyone: bool,
    /// Who lives in one of these.
    pub municipalities: BTreeSet<Municipality>,
    /// Who is on its list, whether managed or in a Secret.
    pub listed: bool,
}

impl Selector {
    /// Everyone.
    pub fn everyone() -> Self {
        Self { everyone: true, ..Self::default() }
    }

    /// Who lives in one of these.
    pub fn living_in(municipalities: impl IntoIterator<Item = Municipality>) -> Self {
        Self { municipalities: municipalities.into_iter().collect(), ..Self::default() }
    }

    /// Who is on the list.
    pub fn listed() -> Self {
        Self { listed: true, ..Self::default() }
    }

    /// Who of the selected live within `places`; who is on the list stays there, wherever they live.
    fn cut_to(&self, places: &Places) -> Self {
        let Places::Within(all) = places else { return self.clone() };
        let municipalities = match self.everyone {
            true => all.clone(),
            false => self.municipalities.intersection(all).copied().collect(),
        };
        Self { everyone: false, municipalities, listed: self.listed }
    }

    /// Whether anybody is covered for where they live.
    pub fn has_area(&self) -> bool {
        self.everyone || !self.municipalities.is_empty()
    }

    /// Whether somebody who lives here is covered for that; none lives nowhere.
    pub fn has_place(&self, here: Option<Municipality>) -> bool {
        self.everyone || here.is_some_and(|here| self.municipalities.contains(&here))
    }
}

/// The forms in which a selector may be stored: as it is, and as it was when it could be one thing only.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredSelector {
    Whole {
        #[serde(default)]
        everyone: bool,
        #[serde(default)]
        municipalities: BTreeSet<Municipality>,
        listed: bool,
    },
    One(OneSelector),
}

#[derive(Deserialize)]
enum OneSelector {
    Everyone,
    Municipalities(BTreeSet<Municipality>),
}

impl From<StoredSelector> for Selector {
    fn from(stored: StoredSelector) -> Self {
        match stored {
            StoredSelector::Whole { everyone, municipalities, listed } => Self { everyone, municipalities, listed },
            StoredSelector::One(OneSelector::Everyone) => Self::everyone(),
            StoredSelector::One(OneSelector::Municipalities(all)) => Self::living_in(all),
        }
    }
}

/// What a subscription says of persons whom we know when it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Announce {
    /// Nothing.
    #[default]
    None,
    /// One snapshot of each.
    Snapshot,
}

/// How much a payload holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PayloadLevel {
    /// Only that it happened.
    Reference,
    /// And which groups changed.
    ChangedGroups,
    /// And what they hold now.
    Fields,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn selectors_of_the_earlier_form_are_read() {
        let read = |text: &str| serde_json::from_str::<Selector>(text).unwrap();
        let aalborg = Municipality::parse("0851").unwrap();
        assert_eq!(read("\"Everyone\""), Selector::everyone());
        let one = serde_json::json!({ "Municipalities": [aalborg] }).to_string();
        assert_eq!(read(&one), Selector::living_in([aalborg]));
    }

    #[test]
    fn a_selector_is_read_as_it_was_written() {
        let aalborg = Municipality::parse("0851").unwrap();
        let both = Selector { listed: true, ..Selector::living_in([aalborg]) };
        for selector in [Selector::everyone(), Selector::listed(), both] {
            let text = serde_json::to_string(&selector).unwrap();
            assert_eq!(serde_json::from_str::<Selector>(&text).unwrap(), selector);
        }
        assert!(serde_json::from_str::<Selector>("{}").is_err());
    }
}
