//! All that the register's services share.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use serde::Serialize;

use super::book::Book;
use super::dialect::Dialect;
use super::faults::Faults;
use super::faults::Service;
use super::imports::Imports;
use super::register::Options;
use super::tokens::Tokens;
use crate::runtime::clock::Clock;

/// The number of the last package before the simulator began.
const PACKAGES_BEFORE: u32 = 300;

/// A request that reached the register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Request {
    /// What was asked.
    pub service: Service,
    /// By which filter a person was asked for: `person`, `personnummer` or `cprAdresse`.
    pub by: Option<&'static str>,
    /// How many PersonIDs or numbers were asked for.
    pub ids: usize,
    /// The status of the answer; none where the connection was closed without one.
    pub status: Option<u16>,
    /// When, by the register's clock.
    pub at: Timestamp,
}

/// A person who was shown, in the version they had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answered {
    /// The PersonID.
    pub person: String,
    /// [`Citizen::version`](super::Citizen::version) at that moment.
    pub version: u64,
    /// When, by the register's clock.
    pub at: Timestamp,
}

/// The people and what is told about them.
#[derive(Debug)]
pub(super) struct Ledger {
    pub book: Book,
    pub imports: Imports,
}

/// The register without its doors.
#[derive(Debug)]
pub(super) struct World {
    pub clock: Clock,
    pub dialect: Dialect,
    pub tokens: Tokens,
    pub api_key: Option<String>,
    pub faults: Faults,
    ledger: Mutex<Ledger>,
    requests: Mutex<Vec<Request>>,
    answered: Mutex<Vec<Answered>>,
    traces: AtomicU64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(super) fn new(options: Options) -> Arc<Self> {
        let ledger =
            Ledger { book: Book::new(options.seed), imports: Imports::after(PACKAGES_BEFORE, options.clock.now()) };
        Arc::new(Self {
            dialect: Dialect::from(options.names),
            tokens: Tokens::new(options.client_id, options.client_secret, options.token_lifetime, options.seed),
            api_key: options.api_key,
            clock: options.clock,
            faults: Faults::default(),
            ledger: Mutex::new(ledger),
            requests: Mutex::default(),
            answered: Mutex::default(),
            traces: AtomicU64::new(1),
        })
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        locked(&self.ledger)
    }

    pub(super) fn record_request(&self, request: Request) {
        locked(&self.requests).push(request);
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        locked(&self.requests).clone()
    }

    pub(super) fn record_answered(&self, shown: impl Iterator<Item = (String, u64)>) {
        let at = self.clock.now();
        locked(&self.answered).extend(shown.map(|(person, version)| Answered { person, version, at }));
    }

    pub(super) fn answered(&self) -> Vec<Answered> {
        locked(&self.answered).clone()
    }

    /// An identification that support could find a request by.
    pub(super) fn trace_id(&self) -> String {
        let number = self.traces.fetch_add(1, Ordering::Relaxed);
        format!("00-{number:032x}-{number:016x}-01")
    }
}
