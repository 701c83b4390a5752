//! The whole: who may do what when, what goes wrong, and what must hold in every state.

use std::collections::BTreeSet;

use stateright::{Model, Property};

use super::Variant;
use super::database::{BATCHES, Database, PERSONS, Person, Seq, Write, Writer};
use super::worker::{Work, Worker};

/// How often the lane is taken, and how often the consumer refuses.
const EPOCHS: u8 = 2;
const REFUSALS: u8 = 1;

/// Places of the worker that has the lane, and of the one before, which may be slow rather than dead.
const HOLDER: usize = 0;
const FORMER: usize = 1;

pub const LOST: &str = "nothing is lost";
pub const ORDER: &str = "first deliveries are in the order of commits";
pub const WATERMARK: &str = "the watermark passes no unrecorded result";
pub const FENCE: &str = "a stale owner's flush changes nothing";
pub const TAKEN: &str = "nothing is sent above the durable taken";
pub const REPEATED: &str = "what is recorded as delivered is not sent again";
/// There is something to check.
const RECOVERED: &str = "after a refusal and a change of owner all comes to rest";

pub struct Sequence(pub Variant);

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    database: Database,
    writers: [Writer; BATCHES.len()],
    workers: [Option<Worker>; 2],
    refusals: u8,
    seen: Seen,
}

/// What the properties have to know of the past; no step depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Seen {
    /// Routes that the consumer accepted.
    accepted: BTreeSet<Seq>,
    /// The highest route for which a request was started.
    sent: Seq,
    repeated: bool,
    stale_flush: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Write(usize, Write),
    Work(usize, Work),
    TakeLane,
    Crash(usize),
}

impl Model for Sequence {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::default()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.go_on(state, actions);
        state.go_wrong(actions);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        let State { database, writers, workers, .. } = &mut state;
        match action {
            Action::Write(id, write) => database.write(id, &mut writers[id], write),
            Action::Work(id, work) => self.work(&mut state, id, work)?,
            Action::TakeLane => {
                let former = workers[HOLDER].replace(Worker::take(database));
                workers[FORMER] = former.or(workers[FORMER].take());
            }
            Action::Crash(id) => workers[id] = None,
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let (always, sometimes) = (Property::<Self>::always, Property::<Self>::sometimes);
        vec![
            always(LOST, |model, state| state.is_all_accepted() || !model.is_at_rest(state)),
            always(ORDER, |_, state| (0..PERSONS).all(|person| state.is_in_order(person))),
            always(WATERMARK, |_, state| state.database.accounts_for_passed()),
            always(FENCE, |_, state| !state.seen.stale_flush),
            always(TAKEN, |_, state| state.seen.sent <= state.database.lane.taken),
            always(REPEATED, |_, state| !state.seen.repeated),
            sometimes(RECOVERED, |model, state| state.has_been_through_all() && model.is_at_rest(state)),
        ]
    }
}

impl Sequence {
    /// What happens by itself, sooner or later.
    fn go_on(&self, state: &State, actions: &mut Vec<Action>) {
        for (id, writer) in state.writers.iter().enumerate() {
            let writes = state.database.writes(id, *writer, self.0);
            actions.extend(writes.iter().map(|write| Action::Write(id, *write)));
        }
        for (id, worker) in state.running() {
            let works = worker.works(&state.database, self.0);
            actions.extend(works.into_iter().map(|work| Action::Work(id, work)));
        }
        if state.workers[HOLDER].is_none() {
            actions.push(Action::TakeLane);
        }
    }

    /// Every step uses something up, so rest is always reached.
    fn is_at_rest(&self, state: &State) -> bool {
        let mut actions = Vec::new();
        self.go_on(state, &mut actions);
        actions.is_empty()
    }

    fn work(&self, state: &mut State, id: usize, work: Work) -> Option<()> {
        let State { database, workers, refusals, seen, .. } = state;
        let worker = workers[id].as_mut()?;
        let first = |person: Person| worker.lines[person].routes[0];
        match work {
            Work::Send(person) => {
                seen.sent = seen.sent.max(first(person));
                seen.repeated |= database.delivered.contains(&first(person));
            }
            Work::Accepted(person) => seen.accepted.extend([first(person)]),
            Work::Refused(_) => *refusals += 1,
            _ => {}
        }
        let before = worker.is_stale(database).then(|| database.clone());
        let goes_on = worker.work(work, database, self.0);
        seen.stale_flush |= before.is_some_and(|before| before != *database);
        workers[id].take_if(|_| !goes_on);
        Some(())
    }
}

impl State {
    fn running(&self) -> impl Iterator<Item = (usize, &Worker)> {
        self.workers.iter().enumerate().filter_map(|(id, worker)| Some((id, worker.as_ref()?)))
    }

    /// What may happen, but need not: a refusal, a crash as long as another worker can follow, and a lane that is taken from
    /// one that is only slow.
    fn go_wrong(&self, actions: &mut Vec<Action>) {
        let can_follow = self.database.lane.epoch < EPOCHS;
        if can_follow && self.workers[HOLDER].is_some() {
            actions.push(Action::TakeLane);
        }
        for (id, worker) in self.running() {
            if can_follow || id == FORMER {
                actions.push(Action::Crash(id));
            }
            let busy = (0..PERSONS).filter(|person| worker.lines[*person].busy && self.refusals < REFUSALS);
            actions.extend(busy.map(|person| Action::Work(id, Work::Refused(person))));
        }
    }

    fn has_been_through_all(&self) -> bool {
        let written: usize = BATCHES.iter().map(|batch| batch.len()).sum();
        let went_wrong = (self.database.lane.epoch, self.refusals) == (EPOCHS, REFUSALS);
        went_wrong && self.database.routes.len() == written
    }

    fn is_all_accepted(&self) -> bool {
        self.database.routes.iter().all(|(seq, _)| self.seen.accepted.contains(seq))
    }

    /// What was accepted of a person's routes is what was committed first.
    fn is_in_order(&self, person: Person) -> bool {
        let routes = self.database.routes.iter().filter(|route| route.1 == person);
        routes.map(|(seq, _)| !self.seen.accepted.contains(seq)).is_sorted()
    }
}
