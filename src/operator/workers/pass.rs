//! One look at all workers: what there is to be is compared with what is there, made so, and told to those whom it concerns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{Client, ResourceExt};

use super::apply::{self, Error, Turn};
use super::build::{Ground, deployment};
use super::connections;
use super::ground;
use super::login::{is_mounted, name as login_name};
use super::logins::{Known, Orphans};
use super::names::{self, Role};
use super::plan::{Plan, Seen, Worker};
use super::present::{Part, Present, Shelf};
use super::rollout::{self, Candidate};
use super::scaling::Scales;
use super::standing;
use super::wish::{Count, Party, Standing};
use crate::operator::fleet::{Process, earlier, key_of};
use crate::operator::metrics::WorkerCounts;
use crate::operator::refusal::Refusal;
use crate::runtime::causes;
use crate::store::connections::Demand;
use crate::store::login;
use crate::store::{Database, Store};

/// How often it is looked whether what stood in the way of a worker is gone.
const LOOK_FOR_WAY: SignedDuration = SignedDuration::from_secs(15);

/// How long resources may take to be looked at for the first time.
const LOOKING: Duration = Duration::from_secs(60);

/// What a look needs.
pub struct Pass {
    /// What outlives it.
    pub process: Arc<Process>,
    /// The API server's client.
    pub client: Client,
    /// Where workers run.
    pub namespace: String,
    /// What is there.
    pub present: Present,
    /// When looking began.
    pub began: Instant,
    /// How many workers each consumer has.
    pub scales: Scales,
    /// Logins whose workers are gone.
    pub orphans: Orphans,
    /// What was last demanded of the database's servers.
    pub demands: Vec<Demand>,
}

/// How workers were found by one look.
#[derive(Default)]
struct Found {
    standings: BTreeMap<Party, Standing>,
    counts: BTreeMap<Role, WorkerCounts>,
    /// When the clock alone makes another look necessary.
    next: Option<Timestamp>,
    /// What is to be tried again.
    failed: Vec<String>,
}

impl Pass {
    /// Looks once. When the clock makes another look necessary; an error where something is to be tried again.
    pub async fn run(&mut self) -> Result<Option<Timestamp>, String> {
        if !self.present.is_listed() {
            return Ok(None);
        }
        let plan = Plan::new(self.process.wishes.all(), self.seen());
        let mut found = Found::default();
        let ground = ground::read(&self.process.context, &self.client, &self.namespace).await;
        match ground.map_err(|error| causes::text(&error))? {
            Ok(ground) => self.make(&plan, &ground, &mut found).await,
            Err(refusal) => self.refuse(&plan, &refusal, &mut found),
        }
        self.tell(found)
    }

    /// The resources that are there, wherever is looked.
    fn seen(&self) -> Seen {
        let mut seen = Seen { is_listed: true, ..Seen::default() };
        for fleet in self.process.fleets() {
            seen.is_listed &= fleet.sources.is_listed() && fleet.consumers.is_listed();
            seen.scopes.push(fleet.scope.clone());
            seen.parties.extend(fleet.sources.all().iter().map(|source| (Role::Ingest, key_of(&**source))));
            seen.parties.extend(fleet.consumers.all().iter().map(|consumer| (Role::Deliver, key_of(&**consumer))));
        }
        seen
    }

    async fn make(&mut self, plan: &Plan, ground: &Ground, found: &mut Found) {
        let mut workers = plan.workers();
        self.scale(&mut workers, found);
        let candidates = self.candidates(&workers, ground);
        let turns = rollout::turns(&candidates, self.free(plan, ground, found));
        let store = self.process.context.store.clone();
        let known = self.known(&store, ground).await;
        for worker in &workers {
            let candidate = candidates.iter().find(|candidate| candidate.name == worker.name());
            let has_turn = candidate.is_none_or(|c| !c.is_outdated || turns.contains(&c.name));
            let is_changing = candidate.is_some_and(|c| c.is_outdated || c.is_rolling);
            let turn = Turn { has_it: has_turn, is_changing };
            let problem = match apply::apply(worker, ground, &self.present, &known, turn).await {
                Ok(()) => None,
                Err(Error::Refused(refusal)) => Some(refusal),
                Err(again) => {
                    found.failed.push(again.to_string());
                    None
                }
            };
            self.find(worker, problem.as_ref(), candidate.filter(|_| !has_turn).is_some(), found);
        }
        for (party, refusal) in plan.refused() {
            found.standings.insert(party.clone(), standing::refused(refusal, None));
        }
        self.sweep(plan, &workers, found).await;
        self.sweep_logins(&workers, ground, &known, found).await;
        self.count_connections(&workers, found).await;
    }

    async fn count_connections(&mut self, workers: &[Worker], found: &mut Found) {
        match connections::look(&self.process.context, workers).await {
            Ok(demands) => {
                connections::say(&demands, &self.demands);
                self.process.context.metrics.set_connections(&demands);
                self.demands = demands;
            }
            Err(error) => found.failed.push(error.to_string()),
        }
    }

    /// The logins that are there; none are looked for where none are wanted and none were left.
    async fn known<'a>(&self, store: &'a Store, ground: &Ground) -> Known<'a> {
        let is_idle = ground.logins.is_none() && self.orphans.are_none;
        match store.main {
            Database::Postgres(_) if !is_idle => Known::read(store, &login::prefix(&store.id)).await,
            _ => Known::none(store),
        }
    }

    /// Removes the logins of workers that are gone, and of those that go by a shared one again.
    async fn sweep_logins(&mut self, workers: &[Worker], ground: &Ground, known: &Known<'_>, found: &mut Found) {
        let live = self.present.deployments.all();
        let uses = |one: &Deployment| ground.logins.is_some() || is_mounted(one) || rollout::is_rolling(one);
        let by_pods = live.iter().filter(|one| uses(one)).map(|one| one.name_any());
        let wanted = workers.iter().filter(|_| ground.logins.is_some()).map(Worker::name);
        let prefix = login::prefix(&self.process.context.store.id);
        let kept: BTreeSet<String> = by_pods.chain(wanted).map(|worker| login_name(&prefix, &worker)).collect();
        let (failed, next) = known.sweep(&kept, &mut self.orphans, self.process.context.clock.now()).await;
        found.failed.extend(failed);
        found.next = earlier(found.next, next);
        self.orphans.are_none = ground.logins.is_none() && known.is_empty();
    }

    /// Decides how many there are to be of those that have work and a range.
    fn scale(&mut self, workers: &mut [Worker], found: &mut Found) {
        let now = self.process.context.clock.now();
        for worker in workers.iter_mut().filter(|worker| worker.replicas > 0) {
            let Ok(range) = worker.shape.as_ref().map(|shape| (shape.min, shape.max)) else { continue };
            let live = self.present.deployments.get(&worker.name());
            let present = live.and_then(|live| u32::try_from(live.spec.replicas?).ok()).unwrap_or(worker.replicas);
            let (replicas, again) = self.scales.decide(&worker.name(), present, worker.need(), range, now);
            worker.replicas = replicas;
            found.next = earlier(found.next, again);
        }
        let names: BTreeSet<String> = workers.iter().filter(|worker| worker.replicas > 0).map(Worker::name).collect();
        self.scales.retain(|name| names.contains(name));
    }

    /// How many more may be replaced now. None while resources that are there have not been looked at since the start, so that the
    /// order does not depend on which of them was first; but one that cannot be looked at holds up nobody for long.
    fn free(&self, plan: &Plan, ground: &Ground, found: &mut Found) -> usize {
        if !plan.is_complete() && self.began.elapsed() < LOOKING {
            found.next = earlier(found.next, Some(self.process.context.clock.now() + LOOK_FOR_WAY));
            return 0;
        }
        rollout::free(&self.present.deployments.all(), ground.settings.max_rolling)
    }

    /// The workers that are there, as far as turns are concerned.
    fn candidates(&self, workers: &[Worker], ground: &Ground) -> Vec<Candidate> {
        let candidate = |worker: &Worker| {
            let live = self.present.deployments.get(&worker.name())?;
            let (template, hash) = deployment::template(worker, worker.shape.as_ref().ok()?, ground);
            Some(Candidate::new(&worker.name(), &live, &template, &hash))
        };
        workers.iter().filter_map(candidate).collect()
    }

    /// Says how a worker stands, to each whom it serves.
    fn find(&self, worker: &Worker, problem: Option<&Refusal>, waits: bool, found: &mut Found) {
        let live = self.present.deployments.get(&worker.name());
        let now = self.process.context.clock.now();
        let (standing, next) = standing::of(worker, live.as_deref(), problem, now);
        let Count { desired, ready } = standing.count.unwrap_or_default();
        found.counts.entry(worker.role).or_default().add(WorkerCounts {
            desired,
            ready,
            rolling: u32::from(live.as_deref().is_some_and(rollout::is_rolling)),
            waiting: u32::from(waits),
        });
        // Nobody tells when what stands in the way is gone.
        let next = earlier(next, problem.map(|_| now + LOOK_FOR_WAY));
        found.next = earlier(found.next, next);
        let of = worker.members.keys().map(|key| ((worker.role, key.clone()), standing.clone()));
        found.standings.extend(of);
    }

    /// Without ground there are no workers to make; those that are there stay.
    fn refuse(&self, plan: &Plan, refusal: &Refusal, found: &mut Found) {
        for worker in plan.workers() {
            self.find(&worker, Some(refusal), false, found);
        }
    }

    /// Deletes what belongs to workers that there are not to be.
    async fn sweep(&self, plan: &Plan, workers: &[Worker], found: &mut Found) {
        let kept: BTreeSet<String> = workers.iter().map(Worker::name).collect();
        let with_budget: BTreeSet<String> =
            workers.iter().filter(|worker| worker.replicas > 1 || worker.shape.is_err()).map(Worker::name).collect();
        let Present { accounts, secrets, policies, deployments, budgets } = &self.present;
        // The pods end before what they use goes.
        sweep(deployments, plan, &kept, found).await;
        sweep(budgets, plan, &kept, found).await;
        sweep(policies, plan, &kept, found).await;
        sweep(secrets, plan, &kept, found).await;
        sweep(accounts, plan, &kept, found).await;
        for budget in budgets.all().iter().filter(|budget| kept.contains(&budget.name_any())) {
            if !with_budget.contains(&budget.name_any()) {
                found.failed.extend(apply::remove(budgets, &**budget).await.err().map(|error| error.to_string()));
            }
        }
    }

    /// Tells those whose workers stand otherwise than before.
    fn tell(&self, found: Found) -> Result<Option<Timestamp>, String> {
        for ((role, key), standing) in found.standings {
            if self.process.wishes.set_standing(&(role, key.clone()), standing) {
                self.process.wake(role, &key);
            }
        }
        for role in [Role::Ingest, Role::Deliver] {
            let counts = found.counts.get(&role).copied().unwrap_or_default();
            self.process.context.metrics.set_workers(role.name(), counts);
        }
        if !found.failed.is_empty() {
            return Err(found.failed.join("; "));
        }
        Ok(found.next)
    }
}

/// Deletes those of one kind that are not to be kept and may go.
async fn sweep<K: Part>(shelf: &Shelf<K>, plan: &Plan, kept: &BTreeSet<String>, found: &mut Found) {
    for live in shelf.all() {
        let may_go = names::owner(&*live).is_some_and(|(role, of)| plan.may_go(role, &of));
        if may_go && !kept.contains(&live.name_any()) {
            found.failed.extend(apply::remove(shelf, &*live).await.err().map(|error| error.to_string()));
        }
    }
}
