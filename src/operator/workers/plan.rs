//! Which workers there are to be, from all wishes and from what is known to be there. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::names::{self, Role};
use super::scaling::Need;
use super::shape::{self, Shape};
use super::wish::{Demand, Party, Wish};
use crate::domain::resource::ResourceKey;
use crate::operator::fleet::Scope;
use crate::operator::refusal::Refusal;

/// A worker that is to be: one Deployment, and what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Worker {
    /// What it does.
    pub role: Role,
    /// For whom: a resource, or all of a namespace that share.
    pub of: ResourceKey,
    /// The resources that it serves, with what each asks for.
    pub members: BTreeMap<ResourceKey, Demand>,
    /// How it is to be; a refusal leaves it as it is.
    pub shape: Result<Shape, Refusal>,
    /// How many.
    pub replicas: u32,
}

impl Worker {
    /// Name of it and of all that belongs to it.
    pub fn name(&self) -> String {
        names::worker(self.role, &self.of)
    }

    /// What those whom it serves say of its number.
    pub fn need(&self) -> Need {
        self.members.values().map(|demand| demand.need).min().unwrap_or_default()
    }
}

/// The resources that are known to be there.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Where is looked.
    pub scopes: Vec<Scope>,
    /// Whether each place was looked through since the start; before that, absence means nothing.
    pub is_listed: bool,
    /// What is there.
    pub parties: BTreeSet<Party>,
}

impl Seen {
    /// Whether a resource would have been seen, and was not.
    fn is_gone(&self, party: &Party) -> bool {
        self.covers(&party.1) && !self.parties.contains(party)
    }

    /// Whether it is known of a place what is there.
    fn covers(&self, key: &ResourceKey) -> bool {
        self.is_listed && self.scopes.iter().any(|scope| scope.contains(key))
    }
}

/// What is wished, and what is known.
pub struct Plan {
    wishes: BTreeMap<Party, Wish>,
    seen: Seen,
}

impl Plan {
    /// From all wishes and all that is there. A wish of a resource that is gone counts no more: it may have been looked at for the last
    /// time while it was deleted.
    pub fn new(mut wishes: BTreeMap<Party, Wish>, seen: Seen) -> Self {
        wishes.retain(|party, _| !seen.is_gone(party));
        Self { wishes, seen }
    }

    /// The workers that there are to be, in the order of their names.
    pub fn workers(&self) -> Vec<Worker> {
        let mut all: Vec<Worker> = self.demands().filter(|(_, demand)| !demand.is_shared).map(dedicated).collect();
        let sharing = self.demands().filter(|(_, demand)| demand.is_shared);
        let namespaces: BTreeSet<&str> = sharing.map(|((_, key), _)| key.namespace.as_str()).collect();
        let decided = namespaces.into_iter().filter(|namespace| self.is_decided(namespace));
        all.extend(decided.map(|namespace| self.shared(namespace)));
        all.sort_by_key(Worker::name);
        all
    }

    /// Whether a wish is known of everyone who is there.
    pub fn is_complete(&self) -> bool {
        self.seen.is_listed && self.seen.parties.iter().all(|party| self.wishes.contains_key(party))
    }

    /// Those who can have no workers, and why.
    pub fn refused(&self) -> impl Iterator<Item = (&Party, &Refusal)> {
        self.wishes.iter().filter_map(|(party, wish)| match wish {
            Wish::Refused(refusal) => Some((party, refusal)),
            Wish::Nothing | Wish::Unknown | Wish::Workers(_) => None,
        })
    }

    fn demands(&self) -> impl Iterator<Item = (&Party, &Demand)> {
        self.wishes.iter().filter_map(|(party, wish)| match wish {
            Wish::Workers(demand) => Some((party, &**demand)),
            Wish::Nothing | Wish::Unknown | Wish::Refused(_) => None,
        })
    }

    /// Whether it is known of each consumer of a namespace if it shares; otherwise one that does might be left out.
    fn is_decided(&self, namespace: &str) -> bool {
        let here = self.seen.parties.iter().filter(|(role, key)| *role == Role::Deliver && key.namespace == namespace);
        self.seen.is_listed
            && here.into_iter().all(|party| self.wishes.get(party).is_some_and(|wish| *wish != Wish::Unknown))
    }

    fn shared(&self, namespace: &str) -> Worker {
        let here = self.demands().filter(|((_, key), demand)| demand.is_shared && key.namespace == namespace);
        let members: BTreeMap<_, _> = here.map(|((_, key), demand)| (key.clone(), demand.clone())).collect();
        let replicas = u32::from(members.values().any(|demand| demand.has_work));
        Worker { role: Role::Deliver, of: names::shared(namespace), members, shape: Ok(shape::shared()), replicas }
    }

    /// Whether what belongs to a worker that there is not to be may go: its resource is known to be gone, or to want another.
    pub fn may_go(&self, role: Role, of: &ResourceKey) -> bool {
        if !self.seen.covers(of) {
            return false;
        }
        if names::is_shared(of) {
            return self.is_decided(&of.namespace);
        }
        let party = (role, of.clone());
        self.seen.is_gone(&party) || self.wishes.get(&party).is_some_and(|wish| *wish != Wish::Unknown)
    }
}

fn dedicated(((role, key), demand): (&Party, &Demand)) -> Worker {
    let fewest = demand.shape.as_ref().map_or(1, |shape| shape.min);
    Worker {
        role: *role,
        of: key.clone(),
        members: [(key.clone(), demand.clone())].into(),
        shape: demand.shape.clone(),
        replicas: if demand.has_work { fewest } else { 0 },
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::operator::workers::testing::demand;

    fn key(name: &str) -> ResourceKey {
        ResourceKey::new("tenant", name)
    }

    fn consumer(name: &str) -> Party {
        (Role::Deliver, key(name))
    }

    /// Consumers that are there, each with its wish; none where it was not looked at yet.
    fn plan(consumers: &[(&str, Option<Wish>)]) -> Plan {
        let parties = consumers.iter().map(|(name, _)| consumer(name)).collect();
        let wishes = consumers.iter().filter_map(|(name, wish)| Some((consumer(name), wish.clone()?))).collect();
        Plan::new(wishes, Seen { scopes: vec![Scope::Namespace("tenant".into())], is_listed: true, parties })
    }

    fn workers(of: Demand) -> Option<Wish> {
        Some(Wish::Workers(Box::new(of)))
    }

    fn sharing(has_work: bool) -> Option<Wish> {
        workers(Demand { is_shared: true, has_work, ..demand() })
    }

    fn found(plan: &Plan) -> Vec<(String, u32, usize)> {
        plan.workers().iter().map(|worker| (worker.of.to_string(), worker.replicas, worker.members.len())).collect()
    }

    #[test]
    fn a_wish_of_a_resource_that_is_gone_makes_no_worker() {
        let wishes = BTreeMap::from([(consumer("late"), Wish::Workers(Box::new(demand())))]);
        let scopes = vec![Scope::Namespace("tenant".into())];
        let plan = |seen: Seen| Plan::new(wishes.clone(), Seen { scopes: scopes.clone(), ..seen });
        assert!(plan(Seen { is_listed: true, ..Seen::default() }).workers().is_empty());
        assert_eq!(plan(Seen::default()).workers().len(), 1, "nothing is known yet");
        let there = Seen { is_listed: true, parties: [consumer("late")].into(), ..Seen::default() };
        assert_eq!(plan(there).workers().len(), 1);
    }

    #[test]
    fn without_work_there_is_no_replica_and_without_a_form_no_worker() {
        let idle = workers(Demand { has_work: false, ..demand() });
        let all = plan(&[("busy", workers(demand())), ("idle", idle), ("new", Some(Wish::Nothing)), ("unseen", None)]);
        assert_eq!(found(&all), [("tenant/busy".to_owned(), 1, 1), ("tenant/idle".to_owned(), 0, 1)]);
    }

    #[test]
    fn quiet_consumers_of_a_namespace_share_one() {
        let all = plan(&[("a", sharing(false)), ("b", sharing(true)), ("own", workers(demand()))]);
        assert_eq!(found(&all), [("tenant/own".to_owned(), 1, 1), ("tenant/".to_owned(), 1, 2)]);
        assert_eq!(found(&plan(&[("a", sharing(false))])), [("tenant/".to_owned(), 0, 1)]);
    }

    #[test]
    fn nobody_is_left_out_of_a_shared_worker_because_nobody_knows_of_them_yet() {
        for unknown in [None, Some(Wish::Unknown)] {
            let some = plan(&[("a", sharing(true)), ("b", unknown)]);
            assert!(found(&some).is_empty());
            assert!(!some.may_go(Role::Deliver, &names::shared("tenant")));
        }
        assert!(plan(&[("a", workers(demand()))]).may_go(Role::Deliver, &names::shared("tenant")));
    }

    #[test]
    fn only_what_is_known_to_be_unwanted_goes() {
        let all = plan(&[("unseen", None), ("unreadable", Some(Wish::Unknown)), ("shares", sharing(true))]);
        assert!(all.may_go(Role::Deliver, &key("gone")));
        assert!(all.may_go(Role::Ingest, &key("shares")), "a source of that name is not there");
        assert!(all.may_go(Role::Deliver, &key("shares")), "it has left its own");
        assert!(!all.may_go(Role::Deliver, &key("unseen")));
        assert!(!all.may_go(Role::Deliver, &key("unreadable")));
        assert!(!all.may_go(Role::Deliver, &ResourceKey::new("elsewhere", "gone")), "nobody looks there");
        let unlisted = Plan::new(BTreeMap::new(), Seen { is_listed: false, ..all.seen.clone() });
        assert!(!unlisted.may_go(Role::Deliver, &key("gone")));
    }

    #[test]
    fn a_plan_is_complete_when_everyone_was_looked_at() {
        assert!(plan(&[("a", workers(demand())), ("b", Some(Wish::Unknown))]).is_complete());
        assert!(!plan(&[("a", workers(demand())), ("b", None)]).is_complete());
    }

    #[test]
    fn what_a_ceiling_refuses_stays_wanted() {
        let refused = Demand { shape: Err(Refusal::by_author("CeilingExceeded", "")), ..demand() };
        let all = plan(&[("greedy", workers(refused))]);
        assert_eq!(all.workers().first().unwrap().shape.as_ref().unwrap_err().reason, "CeilingExceeded");
    }
}
