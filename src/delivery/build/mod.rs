//! Building: what one consumer may be told of one event now, as bytes. Pure.
//!
//! Payload = snapshot ∩ what the live subscriptions ask ∩ what consumer and purpose may have ∩ what protection, as it is
//! now, leaves. What leaves nobody to tell it to is withdrawn.

mod content;
mod ground;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;

pub use self::content::{named_records, related_records};
pub use self::ground::Ceiling;
use self::ground::{Admitted, Ground, Standings};
use super::book::Book;
use super::payload::{CloudEvent, Data, DeliveryId, GroundSaid, Subject};
use super::queue::Turn;
use crate::domain::change::Snapshot;
use crate::domain::field_group::GroupSet;
use crate::domain::pairwise::{ConsumerKey, RecordId};
use crate::domain::subject::Subjects;
use crate::store::consumer::ConsumerRow;
use crate::store::event::Detail;

/// What an event is built from, beside itself.
pub struct Facts<'a> {
    /// The consumer.
    pub consumer: &'a ConsumerRow,
    /// The present configuration.
    pub book: &'a Book,
    /// By which the consumer knows persons and events.
    pub key: &'a ConsumerKey,
    /// The opened snapshot; none where the person was erased, or there is no person.
    pub snapshot: Option<&'a Snapshot>,
    /// Whether name and address are protected now.
    pub protected: bool,
    /// Which subscriptions have the person by name now.
    pub subjects: &'a Subjects,
    /// Which related persons the consumer has a claim on.
    pub claimed: &'a HashSet<RecordId>,
    /// What an earlier attempt gave; never more is given after it.
    pub ceiling: Option<&'a Ceiling>,
    /// The present time.
    pub now: Timestamp,
}

/// What became of an event.
#[derive(Debug)]
pub enum Built {
    /// It goes out.
    Delivery(Box<Delivery>),
    /// It may not go out any more.
    Withdrawn(Withdrawal),
    /// Every subscription of it is suspended, or what their source grants is not known: it waits.
    Held,
    /// Something of ours is missing.
    Unbuildable(&'static str),
}

/// An event as it goes out to one consumer. Its body is hidden from Debug.
pub struct Delivery {
    /// Whose turn it is.
    pub turn: Turn,
    /// The delivery's id, the same in every attempt.
    pub id: String,
    /// The body.
    pub body: Bytes,
    /// What is disclosed, and why.
    pub disclosure: Disclosure,
    /// What further attempts may give.
    pub ceiling: Ceiling,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What is disclosed, and why: for the record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Disclosure {
    /// Ids of the purposes.
    pub purposes: Vec<String>,
    /// Their legal bases.
    pub bases: Vec<String>,
    /// The groups whose content is given.
    pub groups: GroupSet,
}

/// An event that is not sent any more.
#[derive(Debug)]
pub struct Withdrawal {
    /// The delivery's id.
    pub id: String,
    /// Why: `ConsumerEnded`, `SubscriptionEnded`, `Protected`, `Erased`; `NotGranted`, and where a grant of another namespace
    /// bars it `HostNotGranted`, `SectorNotGranted` or `MunicipalityNotGranted`.
    pub class: &'static str,
    /// For which purposes it would have been.
    pub disclosure: Disclosure,
}

/// Builds one event for one consumer.
pub fn build(turn: Turn, facts: &Facts<'_>) -> Built {
    let id = DeliveryId::of(facts.key, &turn.route);
    let standings = Standings::of(&turn.route, facts);
    let withdrawn = |class, disclosure| Built::Withdrawn(Withdrawal { id: id.id.clone(), class, disclosure });
    if facts.consumer.ended_at.is_some() {
        return withdrawn("ConsumerEnded", standings.disclosure());
    }
    let Some(authority) = facts.book.sources.get(&turn.route.source) else { return Built::Unbuildable("source") };
    let admitted = ground::admit(authority, facts);
    if let Some(detail) = &turn.route.detail {
        return match admitted {
            Admitted::To(_) => ended(turn.clone(), detail, id, &standings, facts),
            Admitted::Unknown => Built::Held,
            Admitted::Not(barred) => withdrawn(barred.reason(), standings.disclosure()),
        };
    }
    let Some(snapshot) = facts.snapshot else { return withdrawn("Erased", standings.disclosure()) };
    let protected = facts.protected || facts.ceiling.is_some_and(|ceiling| ceiling.protected);
    let allowance = match admitted {
        Admitted::To(allowance) => allowance,
        Admitted::Unknown => return Built::Held,
        Admitted::Not(barred) => return withdrawn(barred.reason(), standings.disclosure()),
    };
    match standings.judge(&turn.route, protected, allowance, facts) {
        ground::Judged::Told(grounds) => told(turn, snapshot, protected, &grounds, id, facts),
        ground::Judged::Held => Built::Held,
        ground::Judged::Withdrawn(class) => withdrawn(class, standings.disclosure()),
    }
}

fn told(
    turn: Turn,
    snapshot: &Snapshot,
    protected: bool,
    grounds: &[Ground],
    id: DeliveryId,
    facts: &Facts<'_>,
) -> Built {
    let (Some(record), Some(source)) = (turn.route.record, source(&turn, facts)) else {
        return Built::Unbuildable("source");
    };
    let reference = facts.key.reference(record);
    let (data, groups) = content::data(turn.route.type_, snapshot, protected, grounds, facts);
    let subject = Subject { reference: &reference, sequence: turn.route.sequence(), gap_before: turn.gap };
    let event = CloudEvent::new(&id, &source, turn.route.type_, Some(subject), turn.route.event_at, data);
    let body = event.into_bytes();
    let disclosure = ground::disclosure(grounds.iter().map(|g| g.row.as_ref()), groups);
    let ceiling = Ceiling::of(grounds, protected, &named_records(snapshot), facts);
    Built::Delivery(Box::new(Delivery { turn, id: id.id, body, disclosure, ceiling }))
}

fn ended(turn: Turn, detail: &Detail, id: DeliveryId, standings: &Standings, facts: &Facts<'_>) -> Built {
    let Detail::SubscriptionEnded { subscription, purpose, reason } = detail;
    let Some(source) = source(&turn, facts) else { return Built::Unbuildable("source") };
    let ground = GroundSaid { subscription: subscription.clone(), purpose: purpose.clone(), groups: None };
    let data = Data { grounds: vec![ground], reason: Some(format!("{reason:?}")), ..Data::default() };
    let body = CloudEvent::new(&id, &source, turn.route.type_, None, turn.route.event_at, data).into_bytes();
    let mut disclosure = standings.disclosure();
    disclosure.purposes = vec![purpose.clone()];
    Built::Delivery(Box::new(Delivery { turn, id: id.id, body, disclosure, ceiling: Ceiling::default() }))
}

fn source(turn: &Turn, facts: &Facts<'_>) -> Option<String> {
    let key = &facts.book.sources.get(&turn.route.source)?.key;
    Some(format!("/{}/{}", key.namespace, key.name))
}
