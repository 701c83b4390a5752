//! Grounds: the subscriptions that stand behind an event, and what each may be given of it now.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::{Disclosure, Facts};
use crate::delivery::book::Authority;
use crate::domain::compiled::{PayloadLevel, Subscription};
use crate::domain::event_type::EventType;
use crate::domain::field_group::{FieldGroup, GroupSet};
use crate::domain::grant::{Allowance, Barred};
use crate::domain::pairwise::RecordId;
use crate::domain::protection::{Cut, Reach, Regard, Ruling};
use crate::store::SubscriptionId;
use crate::store::route::Route;
use crate::store::subscription::SubscriptionRow;

/// The subscriptions that an event was routed for, as they stand now.
pub(super) struct Standings(Vec<Arc<SubscriptionRow>>);

/// A subscription for which an event is told.
pub(super) struct Ground {
    pub(super) row: Arc<SubscriptionRow>,
    pub(super) level: PayloadLevel,
    pub(super) granted: GroupSet,
    asked: GroupSet,
    pub(super) ruling: Ruling,
    pub(super) cut: Cut,
}

/// Whether anything of a source may be told the consumer.
pub(super) enum Admitted<'a> {
    /// It may, as far as this allows.
    To(Allowance<'a>),
    /// What the source grants is not known.
    Unknown,
    /// It may not.
    Not(Barred),
}

/// Asks what the source of an event grants the consumer now, whatever its subscriptions were compiled to. An address that is
/// not known bars nothing: then nothing is sent.
pub(super) fn admit<'a>(authority: &'a Authority, facts: &Facts<'_>) -> Admitted<'a> {
    let Some(allowance) = authority.allowance(&facts.consumer.key.namespace) else { return Admitted::Unknown };
    let barred = match &facts.consumer.compiled {
        Some(consumer) => allowance.admits(consumer.sector, &consumer.delivery.url).err(),
        None => (allowance == Allowance::Nothing).then_some(Barred::NotGranted),
    };
    barred.map_or(Admitted::To(allowance), Admitted::Not)
}

/// Whether an event is told.
pub(super) enum Judged {
    Told(Vec<Ground>),
    Held,
    Withdrawn(&'static str),
}

/// What an attempt gave. A later one gives the same, or less.
#[derive(Clone, Debug, Default)]
pub struct Ceiling {
    /// Whether the person counted as protected.
    pub(super) protected: bool,
    /// Related persons who were told by their reference.
    pub(super) referred: HashSet<RecordId>,
    grounds: HashMap<SubscriptionId, (PayloadLevel, GroupSet, GroupSet)>,
}

impl Ceiling {
    pub(super) fn of(grounds: &[Ground], protected: bool, related: &[RecordId], facts: &Facts<'_>) -> Self {
        let grounds = grounds.iter().map(|g| (g.row.id, (g.level, g.granted, g.asked))).collect();
        let before = |record: &RecordId| facts.ceiling.is_none_or(|ceiling| ceiling.referred.contains(record));
        let now = related.iter().copied().filter(|record| facts.claimed.contains(record));
        Self { protected, referred: now.filter(before).collect(), grounds }
    }
}

impl Standings {
    pub(super) fn of(route: &Route, facts: &Facts<'_>) -> Self {
        Self(route.subscriptions.iter().filter_map(|id| facts.book.subscriptions.get(id)).cloned().collect())
    }

    /// What it would have been for.
    pub(super) fn disclosure(&self) -> Disclosure {
        disclosure(self.0.iter().map(AsRef::as_ref), GroupSet::EMPTY)
    }

    pub(super) fn judge(&self, route: &Route, protected: bool, allowance: Allowance<'_>, facts: &Facts<'_>) -> Judged {
        // A subscription of the same name may have been made anew for another source.
        let of_source = self.0.iter().filter(|row| row.source == route.source);
        let live: Vec<_> = of_source.filter_map(|row| Some((row, live(row, facts.now)?))).collect();
        if live.is_empty() {
            return Judged::Withdrawn("SubscriptionEnded");
        }
        let awake: Vec<_> = live.into_iter().filter(|(_, compiled)| !compiled.suspended).collect();
        if awake.is_empty() {
            return Judged::Held;
        }
        let is_within = facts.snapshot.is_none_or(|snapshot| allowance.covers_any(&snapshot.places));
        // That somebody is no longer covered may be told of whom nothing else may be.
        if !is_within && route.type_ != EventType::ScopeLeft {
            return Judged::Withdrawn("MunicipalityNotGranted");
        }
        let rights = Rights { allowance, is_within };
        let granted: Vec<Ground> = awake
            .into_iter()
            .filter_map(|(row, compiled)| Ground::of(row, compiled, route.type_, protected, rights, facts))
            .filter(|ground| route.type_.may_be_heard_with(ground.granted))
            .collect();
        if granted.is_empty() {
            return Judged::Withdrawn("NotGranted");
        }
        let told: Vec<Ground> = granted.into_iter().filter(|ground| ground.ruling != Ruling::Withhold).collect();
        if told.is_empty() { Judged::Withdrawn("Protected") } else { Judged::Told(told) }
    }
}

fn live(row: &SubscriptionRow, now: Timestamp) -> Option<&Subscription> {
    let compiled = row.compiled.as_ref().filter(|_| row.ended_at.is_none())?;
    compiled.ends_at.is_none_or(|end| now < end).then_some(compiled)
}

/// What the source's grant leaves of one event.
#[derive(Clone, Copy)]
struct Rights<'a> {
    allowance: Allowance<'a>,
    /// Whether the person lived where the grant reaches.
    is_within: bool,
}

impl Rights<'_> {
    fn groups(self, groups: GroupSet) -> GroupSet {
        if self.is_within { self.allowance.groups(groups) } else { GroupSet::EMPTY }
    }
}

impl Ground {
    /// None where the consumer has no compiled form, or an earlier attempt did not name this subscription.
    fn of(
        row: &Arc<SubscriptionRow>,
        compiled: &Subscription,
        type_: EventType,
        protected: bool,
        rights: Rights<'_>,
        facts: &Facts<'_>,
    ) -> Option<Self> {
        let consumer = facts.consumer.compiled.as_ref()?;
        let mut level = if rights.is_within { compiled.level } else { PayloadLevel::Reference };
        let mut granted = rights.groups(compiled.granted.intersection(consumer.fields));
        let mut asked = asked(compiled, type_);
        if let Some(ceiling) = facts.ceiling {
            let before = ceiling.grounds.get(&row.id)?;
            level = level.min(before.0);
            granted = granted.intersection(before.1);
            asked = asked.intersection(before.2);
        }
        if level < PayloadLevel::Fields {
            asked = GroupSet::EMPTY;
        }
        let protected_persons = rights.allowance.protected_persons(consumer.protected_persons);
        let reach = Reach::of(compiled, facts.subjects.get(row.id));
        let regard = Regard { sector: consumer.sector, protected_persons, reach };
        let cut = regard.cut(asked, granted, protected);
        Some(Self { row: row.clone(), level, granted, asked, ruling: regard.rule(protected, type_), cut })
    }
}

/// A snapshot holds all that is granted; a change of number or a merge both numbers, where that group is granted.
fn asked(compiled: &Subscription, type_: EventType) -> GroupSet {
    match type_ {
        EventType::Snapshot => compiled.granted,
        EventType::NumberChanged | EventType::PersonMerged => compiled.fields.with(FieldGroup::Number),
        _ => compiled.fields,
    }
}

pub(super) fn disclosure<'a>(rows: impl Iterator<Item = &'a SubscriptionRow>, groups: GroupSet) -> Disclosure {
    let (mut purposes, mut bases) = (BTreeSet::new(), BTreeSet::new());
    for compiled in rows.filter_map(|row| row.compiled.as_ref()) {
        purposes.insert(compiled.purpose.clone());
        bases.extend(compiled.legal_bases.iter().cloned());
    }
    Disclosure { purposes: purposes.into_iter().collect(), bases: bases.into_iter().collect(), groups }
}
