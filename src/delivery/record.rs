//! What goes into the audit record: an entry for each body that left, and one for each event withdrawn. Pure.

use jiff::Timestamp;

use super::build::Disclosure;
use crate::audit::{Entry, Outcome};
use crate::store::consumer::ConsumerRow;
use crate::store::route::Route;

/// A body left in this attempt; with the class of the error where it was not accepted.
pub fn left(
    consumer: &ConsumerRow,
    route: &Route,
    (delivery, attempt): (String, u32),
    disclosure: Disclosure,
    at: Timestamp,
    class: Option<String>,
) -> Entry {
    let outcome = if class.is_none() { Outcome::Succeeded } else { Outcome::Failed };
    let entry = Entry::disclosure(at, outcome, consumer.key.clone(), cvr(consumer), delivery, attempt);
    Entry { class, ..about(entry, consumer, route, disclosure) }
}

/// An event was withdrawn; `possibly_sent`: an earlier process may have sent it without recording that.
pub fn withdrawn(
    consumer: &ConsumerRow,
    route: &Route,
    delivery: String,
    disclosure: Disclosure,
    (at, class, possibly_sent): (Timestamp, &str, bool),
) -> Entry {
    let outcome = if possibly_sent { Outcome::Unknown } else { Outcome::Succeeded };
    let entry = Entry::withdrawn(at, outcome, consumer.key.clone(), cvr(consumer), delivery, class);
    about(entry, consumer, route, disclosure)
}

fn about(entry: Entry, consumer: &ConsumerRow, route: &Route, disclosure: Disclosure) -> Entry {
    Entry {
        cvr: entry.cvr.filter(|_| consumer.compiled.is_some()),
        purposes: disclosure.purposes,
        bases: disclosure.bases,
        groups: disclosure.groups,
        persons: Some(u64::from(route.record.is_some())),
        subjects: route.audit.iter().cloned().collect(),
        ..entry
    }
}

fn cvr(consumer: &ConsumerRow) -> String {
    consumer.compiled.as_ref().map(|compiled| compiled.cvr.clone()).unwrap_or_default()
}
