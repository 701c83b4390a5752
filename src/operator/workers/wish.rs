//! What resources ask of workers: the border between the controllers of the kinds, which know what a resource wants, and the one
//! place that knows of all workers.

use std::collections::BTreeMap;
use std::sync::Mutex;

use ipnet::IpNet;
use secrecy::SecretString;
use tokio::sync::Notify;

use super::names::Role;
use super::scaling::Need;
use super::shape::Shape;
use crate::api::workers::WorkersStatus;
use crate::domain::resource::ResourceKey;
use crate::operator::refusal::Refusal;
use crate::operator::report::Holds;

/// What a resource asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// Nothing: there is no form of it yet that a stage works from.
    Nothing,
    /// Nobody knows, for it cannot be read: what it has stays.
    Unknown,
    /// Workers, and it cannot have any.
    Refused(Refusal),
    /// Workers.
    Workers(Box<Demand>),
}

/// The workers that a resource asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    /// How they are to be; a refusal where the platform does not allow it.
    pub shape: Result<Shape, Refusal>,
    /// Whether it shares one with others of its namespace.
    pub is_shared: bool,
    /// Whether there is anything to do.
    pub has_work: bool,
    /// What is said of their number.
    pub need: Need,
    /// What they need of the resource's Secrets.
    pub secrets: Secrets,
    /// What they have to reach.
    pub reach: Reach,
}

/// A part of a consumer's secrets, each from a Secret of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What signs.
    Signing,
    /// The client of the token endpoint.
    OAuth,
    /// What is shown to the receiver.
    ClientCertificate,
}

/// What a resource's Secrets gave.
#[derive(Clone, Debug)]
pub enum Secrets {
    /// They can be used, but for parts.
    Given {
        /// The content of the worker's file.
        content: SecretString,
        /// What tells it from another, with what is spoilt.
        fingerprint: String,
        /// Parts that are not in it, for they are spoilt: of them what was given last stays.
        spoilt: Vec<Part>,
    },
    /// They are gone, or not meant for this any more.
    Withdrawn,
    /// They are spoilt: what was given last stays.
    Spoilt,
}

impl PartialEq for Secrets {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Given { fingerprint: one, .. }, Self::Given { fingerprint: other, .. }) => one == other,
            (Self::Withdrawn, Self::Withdrawn) | (Self::Spoilt, Self::Spoilt) => true,
            _ => false,
        }
    }
}

/// Whom a worker has to reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// At which ports.
    pub ports: Vec<u16>,
    /// In which private ranges, beside public addresses.
    pub networks: Vec<IpNet>,
}

/// How a resource's workers stand: the makings of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How many there are to be, and how many are ready; none where there are none.
    pub count: Option<Count>,
    /// Whether the resource is served.
    pub holds: Holds,
    /// Stable word.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

/// A number of workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many there are to be.
    pub desired: u32,
    /// How many are ready.
    pub ready: u32,
}

impl Count {
    /// The number in a status.
    pub fn shown(self) -> WorkersStatus {
        let number = |number| i32::try_from(number).unwrap_or(i32::MAX);
        WorkersStatus { desired: number(self.desired), ready: number(self.ready) }
    }
}

impl Standing {
    /// The platform makes no workers.
    pub fn not_provisioned() -> Self {
        let message =
            "the platform makes no workers: others do the work, or the operator's own process does".to_owned();
        Self { count: None, holds: Holds::True, reason: "NotProvisioned", message }
    }

    /// Nothing is known yet.
    pub fn not_started() -> Self {
        let message = "no workers have been made for it yet".to_owned();
        Self { count: None, holds: Holds::Unknown, reason: "NotStarted", message }
    }

    /// Whether the workers have been looked at.
    pub fn is_known(&self) -> bool {
        self.reason != "NotStarted"
    }
}

/// A resource and what is done for it.
pub type Party = (Role, ResourceKey);

/// All wishes, and how the workers of each stand.
#[derive(Debug, Default)]
pub struct Wishes {
    wishes: Mutex<BTreeMap<Party, Wish>>,
    standings: Mutex<BTreeMap<Party, Standing>>,
    /// Rings when something changed.
    pub changed: Notify,
}

impl Wishes {
    /// Takes a wish, and says how the resource's workers stand at present.
    pub fn take(&self, role: Role, of: &ResourceKey, wish: Wish) -> Standing {
        let party = (role, of.clone());
        let old = self.wishes.lock().expect("no holder panics").insert(party.clone(), wish.clone());
        if old.as_ref() != Some(&wish) {
            self.changed.notify_one();
        }
        let standings = self.standings.lock().expect("no holder panics");
        standings.get(&party).cloned().unwrap_or_else(Standing::not_started)
    }

    /// Forgets a resource that is gone.
    pub fn forget(&self, role: Role, of: &ResourceKey) {
        let party = (role, of.clone());
        self.wishes.lock().expect("no holder panics").remove(&party);
        self.standings.lock().expect("no holder panics").remove(&party);
        self.changed.notify_one();
    }

    /// Forgets all, for another time of leading begins.
    pub fn clear(&self) {
        self.wishes.lock().expect("no holder panics").clear();
        self.standings.lock().expect("no holder panics").clear();
    }

    /// All wishes as they are now.
    pub fn all(&self) -> BTreeMap<Party, Wish> {
        self.wishes.lock().expect("no holder panics").clone()
    }

    /// Remembers how a resource's workers stand. Whether that is news.
    pub fn set_standing(&self, party: &Party, standing: Standing) -> bool {
        let mut standings = self.standings.lock().expect("no holder panics");
        standings.insert(party.clone(), standing.clone()).as_ref() != Some(&standing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wished_again_wakes_nobody() {
        let (wishes, key) = (Wishes::default(), ResourceKey::new("a", "b"));
        let woken = || futures::FutureExt::now_or_never(wishes.changed.notified()).is_some();
        assert_eq!(wishes.take(Role::Ingest, &key, Wish::Nothing), Standing::not_started());
        assert!(woken());
        wishes.take(Role::Ingest, &key, Wish::Nothing);
        assert!(!woken());
        wishes.take(Role::Ingest, &key, Wish::Unknown);
        assert!(woken());
        let standing = Standing::not_provisioned();
        assert!(wishes.set_standing(&(Role::Ingest, key.clone()), standing.clone()));
        assert!(!wishes.set_standing(&(Role::Ingest, key.clone()), standing.clone()));
        assert_eq!(wishes.take(Role::Ingest, &key, Wish::Unknown), standing);
        assert!(!woken());
        wishes.forget(Role::Ingest, &key);
        assert!(woken() && wishes.all().is_empty());
    }
}
