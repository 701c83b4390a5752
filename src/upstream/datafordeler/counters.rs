//! What the client counts, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use super::error::Error;

/// Counters of one source's client, since it was made.
#[derive(Debug, Default)]
pub struct Counters {
    answered: AtomicU64,
    unauthorised: AtomicU64,
    refused: AtomicU64,
    busy: AtomicU64,
    down: AtomicU64,
    not_understood: AtomicU64,
    tokens: AtomicU64,
    persons: AtomicU64,
    notices: AtomicU64,
    skipped_notices: AtomicU64,
    persons_not_understood: AtomicU64,
    dropped_rows: AtomicU64,
    unknown_fields: AtomicU64,
    unknown_values: AtomicU64,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were answered as asked.
    pub answered: u64,
    /// Requests that were not accepted for credentials, address or grant.
    pub unauthorised: u64,
    /// Queries that were refused, and services that are not there.
    pub refused: u64,
    /// Requests that were told to wait.
    pub busy: u64,
    /// Requests without a usable answer.
    pub down: u64,
    /// Answers that were not understood.
    pub not_understood: u64,
    /// Tokens fetched.
    pub tokens: u64,
    /// Persons read.
    pub persons: u64,
    /// Notices read.
    pub notices: u64,
    /// Rows among the notices that were left out.
    pub skipped_notices: u64,
    /// Persons that were not understood.
    pub persons_not_understood: u64,
    /// Rows of persons that were left out.
    pub dropped_rows: u64,
    /// Members that we do not know.
    pub unknown_fields: u64,
    /// Values that we do not know.
    pub unknown_values: u64,
}

fn add(counter: &AtomicU64, by: impl Into<u64>) {
    counter.fetch_add(by.into(), Ordering::Relaxed);
}

impl Counters {
    /// Counts a request by how it ended.
    pub(super) fn request<T>(&self, outcome: &Result<T, Error>) {
        let counter = match outcome {
            Ok(_) => &self.answered,
            Err(Error::CredentialsWrong { .. } | Error::AddressNotWhiteListed { .. } | Error::NotGranted { .. }) => {
                &self.unauthorised
            }
            Err(Error::Busy { .. }) => &self.busy,
            Err(Error::Down { .. } | Error::Guarded { .. } | Error::Proxy { .. }) => &self.down,
            Err(Error::NotUnderstood { .. }) => &self.not_understood,
            Err(Error::Paused { .. }) => return,
            Err(_) => &self.refused,
        };
        add(counter, 1_u64);
    }

    /// Counts a token.
    pub(super) fn token(&self) {
        add(&self.tokens, 1_u64);
    }

    /// Counts a page of notices.
    pub(super) fn page(&self, page: &super::NoticePage) {
        add(&self.notices, page.notices.len() as u64);
        add(&self.skipped_notices, page.skipped);
    }

    /// Counts an answer about persons.
    pub(super) fn persons(&self, persons: &super::Persons) {
        add(&self.persons, persons.found.len() as u64);
        add(&self.persons_not_understood, persons.not_understood);
        add(&self.dropped_rows, persons.dropped_rows);
        add(&self.unknown_fields, persons.unknown_fields);
        add(&self.unknown_values, persons.unknown_values);
    }

    /// The counters now.
    pub fn read(&self) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            answered: get(&self.answered),
            unauthorised: get(&self.unauthorised),
            refused: get(&self.refused),
            busy: get(&self.busy),
            down: get(&self.down),
            not_understood: get(&self.not_understood),
            tokens: get(&self.tokens),
            persons: get(&self.persons),
            notices: get(&self.notices),
            skipped_notices: get(&self.skipped_notices),
            persons_not_understood: get(&self.persons_not_understood),
            dropped_rows: get(&self.dropped_rows),
            unknown_fields: get(&self.unknown_fields),
            unknown_values: get(&self.unknown_values),
        }
    }
}
