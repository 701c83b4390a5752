//! The task of one source: one unit of work after another, and what it found told to status.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Error;
use super::credentials::{CredentialBook, SourceCredentials};
use super::jobs::{Office, Progress};
use super::lists::Meeting;
use super::metrics::Metrics;
use super::reader::Reader;
use super::source::Source;
use super::{announce, due, feed, lists, settle, state};
use crate::domain::compiled;
use crate::store::doubt::{self, Kind};
use crate::store::lease::Lease;
use crate::store::listing::{self, State};
use crate::store::source::SourceState;
use crate::store::{self, cursor, unread};
use crate::upstream::datafordeler::{Client, Retry};

/// The task's memory.
pub struct Task {
    source: Arc<Source>,
    form: compiled::Source,
    reader: Reader,
    client: Option<Client>,
    metrics: Metrics,
    state: SourceState,
    has_recalled: bool,
    credentials: CredentialBook,
    /// When the register was last asked, and when it may be asked again.
    pause: Option<(Timestamp, Timestamp)>,
    failures: u32,
    /// Whether more persons are due than were looked at.
    behind: bool,
    meeting: Meeting,
    /// When lines of lists may be met again.
    lists_pause: Option<(Timestamp, Timestamp)>,
}

/// What a round did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Something: go on at once.
    Worked,
    /// Nothing: wait this long, or for a bell.
    Idle(Duration),
}

impl Task {
    /// A task for a source as it is compiled now; without a client it reads nothing.
    pub fn new(
        source: Arc<Source>,
        form: compiled::Source,
        client: Option<Client>,
        credentials: CredentialBook,
        metrics: Metrics,
    ) -> Self {
        let reader = Reader::new(source.clone(), metrics.clone());
        Self {
            source,
            form,
            reader,
            client,
            metrics,
            state: SourceState::default(),
            has_recalled: false,
            credentials,
            pause: None,
            failures: 0,
            behind: false,
            meeting: Meeting::default(),
            lists_pause: None,
        }
    }

    /// Does one round.
    pub async fn run_once(&mut self) -> Result<Round, Error> {
        self.recall().await?;
        let worked = settle::run_once(&self.source).await?
            + announce::begun(&self.source).await?
            + announce::resumed(&self.source).await?
            + announce::snapshots(&self.source).await?;
        // What people ask for comes after what is owed: then everyone is settled.
        let asked = if worked == 0 { self.carry_out().await? } else { Progress::Worked };
        let due = self.remaining().is_zero();
        let read = match (due, self.form.suspended) {
            (true, false) => self.read().await?,
            (true, true) => self.keep_time().await?,
            (false, false) if self.behind => self.catch_up().await?,
            (false, _) => false,
        };
        let listed = self.change_lists().await?;
        if due || self.are_lists_news().await? {
            self.tell().await?;
        }
        Ok(match asked {
            Progress::Worked => Round::Worked,
            _ if read || listed > 0 => Round::Worked,
            Progress::Paused => Round::Idle(self.remaining().min(Duration::from_millis(50))),
            Progress::Nothing => Round::Idle(self.remaining().min(Duration::from_secs(1))),
        })
    }

    /// What was found before this task began holds until something else is found: a restart is no news.
    async fn recall(&mut self) -> Result<(), store::Error> {
        if !self.has_recalled {
            let stored = store::source::state(&mut *self.source.store.main.read().await?, self.source.id).await?;
            self.state = stored.unwrap_or_default();
            self.has_recalled = true;
        }
        Ok(())
    }

    async fn carry_out(&self) -> Result<Progress, Error> {
        let Source { store, clock, bells, .. } = &*self.source;
        let office = Office { store, bells, now: clock.now(), source: Some(&self.source) };
        office.run_once(&self.metrics).await
    }

    /// Takes persons off lists, and meets a batch of those to be put on them.
    async fn change_lists(&mut self) -> Result<usize, Error> {
        let mut conn = self.source.store.main.read().await?;
        let is_leaving = listing::are_any(&mut conn, self.source.id, State::Leaving).await?;
        let is_waiting = listing::are_any(&mut conn, self.source.id, State::Waiting).await?;
        drop(conn);
        let left = if is_leaving { lists::leave::run_once(&self.source).await? } else { 0 };
        Ok(left + if is_waiting { self.meet().await? } else { 0 })
    }

    /// Whether numbers have begun or ceased to wait since status was told.
    async fn are_lists_news(&mut self) -> Result<bool, store::Error> {
        let mut conn = self.source.store.main.read().await?;
        let waits = listing::are_any(&mut conn, self.source.id, State::Waiting).await?;
        Ok(std::mem::replace(&mut self.state.lists_waiting, waits) != waits)
    }

    /// Meets a batch of lines, after the feed: one that could not be read is not asked for persons either.
    async fn meet(&mut self) -> Result<usize, Error> {
        let Some(client) = self.client.clone().filter(|_| !self.form.suspended && self.failures == 0) else {
            return Ok(0);
        };
        if !self.left(self.lists_pause).is_zero() {
            return Ok(0);
        }
        match self.meeting.run_once(&self.source, &client, &self.metrics).await {
            Err(Error::Register(error)) => {
                let wait = wait(&error.retry(), 1, self.form.poll_interval);
                tracing::warn!(source = %self.source.key, %error, again_in = ?wait, "numbers of a list not met");
                let now = self.source.clock.now();
                self.lists_pause = now.checked_add(wait).ok().map(|until| (now, until));
                Ok(0)
            }
            met => met,
        }
    }

    /// How long the register is still to be left alone. A clock that was set back ends the pause.
    fn remaining(&self) -> Duration {
        self.left(self.pause)
    }

    fn left(&self, pause: Option<(Timestamp, Timestamp)>) -> Duration {
        let now = self.source.clock.now();
        let pause = pause.filter(|(from, until)| *from <= now && now < *until);
        pause.and_then(|(_, until)| Duration::try_from(until.duration_since(now)).ok()).unwrap_or_default()
    }

    fn rest(&mut self, wait: Duration) {
        let now = self.source.clock.now();
        self.pause = now.checked_add(wait).ok().map(|until| (now, until));
    }

    /// Asks the register. Whether anything came of it.
    async fn read(&mut self) -> Result<bool, Error> {
        let Some(client) = self.client.clone() else {
            if self.credentials.is_known(&self.source.key) || self.state.contact.is_none() {
                self.state.contact = Some(state::without_credentials());
            }
            return self.keep_time().await;
        };
        let began = Instant::now();
        let outcome = self.converse(&client).await;
        self.judge(outcome, began).await
    }

    /// Goes on with persons who are due when there were more of them than one batch.
    async fn catch_up(&mut self) -> Result<bool, Error> {
        let Some(client) = self.client.clone() else { return Ok(false) };
        let began = Instant::now();
        match self.due(Some(&client)).await {
            Ok(done) => Ok(done > 0),
            Err(error) => self.judge(Err(error), began).await,
        }
    }

    /// What follows from a conversation with the register: when the next one is due, and what status says of this one.
    async fn judge(&mut self, outcome: Result<u64, Error>, began: Instant) -> Result<bool, Error> {
        match outcome {
            Ok(events) => {
                self.failures = 0;
                self.state.contact = Some(state::succeeded());
                self.metrics.reading(&self.source.key, "success", events);
                tracing::debug!(source = %self.source.key, events, millis = began.elapsed().as_millis() as u64, "register read");
                self.rest(self.form.poll_interval);
                Ok(events > 0)
            }
            Err(Error::Register(error)) => {
                self.failures += 1;
                let wait = wait(&error.retry(), self.failures, self.form.poll_interval);
                self.metrics.reading(&self.source.key, "failure", 0);
                tracing::warn!(source = %self.source.key, %error, again_in = ?wait, "register not read");
                self.rest(wait);
                if let Some(contact) = state::failed(&error) {
                    self.state.contact = Some(contact);
                }
                self.keep_dates().await
            }
            Err(error) => Err(error),
        }
    }

    async fn converse(&mut self, client: &Client) -> Result<u64, Error> {
        let understanding = client.learn().await?;
        self.source.set_offered(understanding.offered);
        self.state.schema = Some(state::schema(&understanding));
        self.state.lookup_by_person_id = Some(understanding.lookup_by_id.is_some());
        let progress = self.reader.run_once(client).await?;
        let again = self.reader.read_again(client).await?;
        let due = self.due(Some(client)).await?;
        Ok(progress.events + u64::from(progress.imports) + (again + due) as u64)
    }

    async fn due(&mut self, client: Option<&Client>) -> Result<usize, Error> {
        self.behind = false;
        let done = due::run_once(&self.source, client).await?;
        self.behind = client.is_some() && done >= self.source.settings.batch as usize;
        Ok(done)
    }

    /// What the clock alone asks for, while the register may not be asked.
    async fn keep_time(&mut self) -> Result<bool, Error> {
        self.rest(self.form.poll_interval);
        self.keep_dates().await
    }

    /// Dates come whether or not the register answers: a protection begins on its day.
    async fn keep_dates(&mut self) -> Result<bool, Error> {
        let mut worked = false;
        while self.due(None).await? > 0 {
            worked = true;
        }
        Ok(worked)
    }

    /// Measures the lists.
    async fn count_lists(&mut self) -> Result<(), store::Error> {
        let selections = self.source.selections().await?;
        let mut conn = self.source.store.main.read().await?;
        for entry in selections.now.of_source(&self.source.key, self.source.clock.now()) {
            let key = &entry.subscription.key;
            match entry.subscription.selector.listed {
                true => self.metrics.list(key, lists::counts(&mut conn, entry.id).await?),
                false => self.metrics.forget_list(key),
            }
        }
        Ok(())
    }

    /// Tells status what was found, if it differs from what was told.
    async fn tell(&mut self) -> Result<(), store::Error> {
        self.count_lists().await?;
        let mut conn = self.source.store.main.read().await?;
        let read = cursor::read(&mut conn, self.source.id).await?;
        self.state.unread = unread::count(&mut conn, self.source.id).await?;
        self.state.apart = doubt::count(&mut conn, self.source.id, Kind::Apart).await?;
        self.state.vanished = doubt::count(&mut conn, self.source.id, Kind::Vanished).await?;
        drop(conn);
        self.state.import = read.as_ref().map(|cursor| cursor.import);
        self.state.feed = read.map(|cursor| {
            let settings = &self.source.settings;
            let now = self.source.clock.now();
            let watch = &self.reader.watch;
            let state = &self.state;
            let persons = feed::Persons { unread: state.unread, apart: state.apart, vanished: state.vanished };
            feed::judge(&cursor, watch, persons, self.form.calendar, settings.unfinished_after, now)
        });
        let healthy = self.state.feed.as_ref().is_some_and(|feed| feed.reason == "Healthy");
        self.metrics.feed(&self.source.key, healthy, self.reader.watch.changed_at);
        let mut tx = self.source.begin().await?;
        let changed = store::source::write_state(&mut tx, self.source.id, &self.state).await?;
        tx.commit().await?;
        if changed {
            self.source.bells.status.ring();
        }
        Ok(())
    }
}

/// How long to leave the register alone after an error, with jitter upwards.
fn wait(retry: &Retry, failures: u32, poll: Duration) -> Duration {
    let base = match retry {
        Retry::After(wait) => *wait,
        Retry::Backoff => Duration::from_secs(1 << failures.min(8)).min(poll.max(Duration::from_secs(1)) * 5),
        Retry::EveryFiveMinutes => Duration::from_secs(300),
        Retry::Hourly => Duration::from_secs(3600),
    };
    let mut byte = [0];
    let chance = aws_lc_rs::rand::fill(&mut byte).map_or(0, |()| byte[0]);
    base + base.mul_f64(f64::from(chance) / 1280.0)
}

/// What a client is built from; a change of any of it builds another.
#[derive(Clone, Debug)]
pub struct Basis {
    /// The source as compiled.
    pub form: compiled::Source,
    /// Its credentials, if they are there.
    pub credentials: Option<SourceCredentials>,
    /// That this process works on it and no other does; none where there is no other.
    pub lease: Option<Lease>,
}

impl PartialEq for Basis {
    fn eq(&self, other: &Self) -> bool {
        let print = |basis: &Self| basis.credentials.as_ref().map(|c| c.fingerprint.clone());
        self.form == other.form && self.lease == other.lease && print(self) == print(other)
    }
}
