//! Reading one source's feed: from finished imports to committed batches.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::SignedDuration;

use super::Error;
use super::batch::{Batch, Committed};
use super::commit;
use super::feed::{self, Reading, Watch};
use super::fetch::{self, Fetched};
use super::inquiry;
use super::matching;
use super::metrics::Metrics;
use super::source::Source;
use crate::domain::change::DerivedFrom;
use crate::domain::field_group::GroupSet;
use crate::domain::identifier::PersonId;
use crate::store::cursor::{Cursor, Import};
use crate::store::keys::Identity;
use crate::store::unread::Unread;
use crate::store::{self, cursor, person, unread};
use crate::upstream::datafordeler::{Client, Notice};

/// What one reading did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Imports wholly committed.
    pub imports: u32,
    /// Notices in them.
    pub notices: u64,
    /// Events appended.
    pub events: u64,
}

/// The reader of one source: the client and what is remembered between readings.
pub struct Reader {
    source: std::sync::Arc<Source>,
    metrics: Metrics,
    /// What decides on the feed's health.
    pub watch: Watch,
    tries: HashMap<(u32, PersonId), u32>,
}

/// After how many tries what the register says is taken though it knew more before: rows can be deleted there.
const PATIENCE: u32 = 12;

impl Reader {
    /// A reader that has read nothing yet.
    pub fn new(source: std::sync::Arc<Source>, metrics: Metrics) -> Self {
        Self { source, metrics, watch: Watch::default(), tries: HashMap::new() }
    }

    /// Reads what is finished and commits it, import by import.
    pub async fn run_once(&mut self, client: &Client) -> Result<Progress, Error> {
        let status = client.import_status().await?;
        let told = status.last_sequence_number;
        let now = self.source.clock.now();
        self.watch.note_status(told, now);
        let Some(cursor) = self.cursor().await? else {
            self.begin(client, told).await?;
            return Ok(Progress::default());
        };
        if told < cursor.import {
            return Ok(Progress::default());
        }
        let reading = self.read(client, &cursor, told).await?;
        self.watch.note_reading(&cursor, &reading, told, now);
        self.commit_imports(client, cursor, reading, told).await
    }

    /// Tries again persons that could not be read before. How many were.
    pub async fn read_again(&mut self, client: &Client) -> Result<usize, Error> {
        let source = self.source.clone();
        let (now, latest) = (source.clock.now(), self.next_unread_try());
        let mut conn = source.store.main.read().await?;
        let waiting = unread::due(&mut conn, source.id, now, latest, source.settings.batch).await?;
        drop(conn);
        if waiting.is_empty() {
            return Ok(0);
        }
        let records: Vec<_> = waiting.iter().map(|row| row.record).collect();
        let keys = source.store.keys.person_keys(&records).await?;
        let mut by_id = HashMap::new();
        for row in waiting {
            if let Some(key) = keys.get(&row.record) {
                by_id.insert(row.open(key, source.id)?, row);
            }
        }
        let ids: Vec<PersonId> = by_id.keys().cloned().collect();
        let wanted = self.wanted().await?;
        let fetched = fetch::fetch(&source, client, &ids, wanted).await?;
        let count = fetched.persons.len();
        let (persons, gone, audit) = (fetched.persons, fetched.unknown, fetched.audit);
        let patient = by_id.iter().filter(|(_, row)| row.attempts >= PATIENCE);
        let accepted = patient.map(|(id, _)| id.clone()).collect();
        let batch = Batch { persons, gone, audit, accepted, ..Batch::default() };
        let done = inquiry::commit(&source, client, batch, wanted, DerivedFrom::Comparison).await?;
        self.metrics.committed(&source.key, &done);
        let still: HashSet<&PersonId> = fetched.unreadable.iter().chain(&done.unreadable).collect();
        let read = by_id.iter().filter(|(id, _)| !still.contains(id)).map(|(_, row)| row.record).collect();
        let retry = self.next_unread_try();
        let unread = by_id.iter().filter(|(id, _)| still.contains(id));
        let unread =
            unread.map(|(_, row)| Unread { attempts: row.attempts + 1, next_try: retry, ..row.clone() }).collect();
        commit::commit(&source, Batch { read, unread, ..Batch::default() }, DerivedFrom::Comparison).await?;
        Ok(count)
    }

    async fn cursor(&self) -> Result<Option<Cursor>, store::Error> {
        cursor::read(&mut *self.source.store.main.read().await?, self.source.id).await
    }

    /// A new source begins with the import that is complete now: what came before is not told.
    async fn begin(&self, client: &Client, told: u32) -> Result<(), Error> {
        let start = client.find_event_before_import(told).await?;
        let begun = Import { number: told.saturating_sub(1), last_event: start, notices: 0 };
        let mut tx = self.source.begin().await?;
        cursor::write(&mut tx, self.source.id, &Cursor { import: told, imports: vec![begun] }).await?;
        tx.commit().await?;
        tracing::info!(source = %self.source.key, import = told, "reading begins");
        Ok(())
    }

    /// Reads all notices after the last import but one, page by page.
    async fn read(&self, client: &Client, cursor: &Cursor, told: u32) -> Result<Reading<Notice>, Error> {
        let mut reading = Reading::default();
        let mut after = feed::read_after(cursor);
        loop {
            let page = client.notices(after).await?;
            self.metrics.skipped_notices(&self.source.key, u64::from(page.skipped));
            let beyond = page.notices.iter().any(|notice| notice.import > told);
            for notice in page.notices {
                reading.add(notice.import, notice.event_id, notice);
            }
            match page.last_event_id {
                Some(last) if page.more && last > after && !beyond => after = last,
                _ => return Ok(reading),
            }
        }
    }

    async fn commit_imports(
        &mut self,
        client: &Client,
        mut cursor: Cursor,
        mut reading: Reading<Notice>,
        told: u32,
    ) -> Result<Progress, Error> {
        let mut progress = Progress::default();
        let late: Vec<u32> = reading.imports.keys().copied().filter(|import| *import <= cursor.import).collect();
        for import in late {
            if !feed::takes_late(&cursor, import) {
                continue;
            }
            let notices = self.unseen(reading.imports.get(&import).map_or(&[], Vec::as_slice)).await?;
            if notices.is_empty() {
                continue;
            }
            let next = feed::completed(&cursor, import, &reading);
            if let Some(done) = self.commit_import(client, import, notices, next.clone()).await? {
                cursor = next.unwrap_or(cursor);
                progress.events += done.events;
            }
        }
        for import in cursor.import + 1..=told {
            let next = feed::advanced(&cursor, import, &reading);
            let notices = self.unseen(&reading.imports.remove(&import).unwrap_or_default()).await?;
            let count = notices.len() as u64;
            let Some(done) = self.commit_import(client, import, notices, Some(next.clone())).await? else {
                break;
            };
            cursor = next;
            progress.imports += 1;
            progress.notices += count;
            progress.events += done.events;
            self.metrics.import(&self.source.key, import, count);
            if count == 0 {
                tracing::warn!(source = %self.source.key, import, "an import came without a single new notice");
            }
            tracing::info!(source = %self.source.key, import, notices = count, events = done.events, routes = done.routes, stored = done.stored, uncovered = done.uncovered, "import committed");
        }
        Ok(progress)
    }

    async fn unseen(&self, notices: &[Notice]) -> Result<Vec<Notice>, store::Error> {
        let ids: Vec<(u32, i64)> = notices.iter().map(|notice| (notice.import, notice.event_id)).collect();
        let mut conn = self.source.store.main.read().await?;
        let unseen: HashSet<(u32, i64)> = cursor::unseen(&mut conn, self.source.id, &ids).await?.into_iter().collect();
        let mut taken = HashSet::new();
        let new = |notice: &&Notice| {
            let id = (notice.import, notice.event_id);
            unseen.contains(&id) && taken.insert(id)
        };
        Ok(notices.iter().filter(new).cloned().collect())
    }

    /// Commits one import in batches, the cursor with the last. None: somebody could not be read and is to be tried again
    /// before the feed goes on.
    async fn commit_import(
        &mut self,
        client: &Client,
        import: u32,
        notices: Vec<Notice>,
        next: Option<Cursor>,
    ) -> Result<Option<Committed>, Error> {
        let source = self.source.clone();
        let seen: Vec<(u32, i64)> = notices.iter().map(|notice| (notice.import, notice.event_id)).collect();
        let mut waiting = self.to_fetch(notices).await?;
        let wanted = self.wanted().await?;
        let (mut done, mut unreadable) = (Committed::default(), Vec::new());
        while !waiting.is_empty() {
            let rest = waiting.split_off(waiting.len().min(source.settings.batch as usize));
            let ids = std::mem::replace(&mut waiting, rest);
            let fetched = fetch::fetch(&source, client, &ids, wanted).await?;
            self.metrics.fetched(&source.key, &fetched);
            unreadable.extend(fetched.unreadable);
            let (persons, gone, audit) = (fetched.persons, fetched.unknown, fetched.audit);
            let batch = Batch { persons, gone, audit, ..Batch::default() };
            let mut part = inquiry::commit(&source, client, batch, wanted, DerivedFrom::Comparison).await?;
            self.metrics.committed(&source.key, &part);
            unreadable.append(&mut part.unreadable);
            let again = std::mem::take(&mut part.again);
            done.add(part);
            if !again.is_empty() {
                super::janitor::remove_leaving(&source.store).await?;
                waiting.extend(again);
            }
        }
        let Some(unread) = self.give_up_or_wait(import, unreadable).await? else { return Ok(None) };
        let last = Batch { cursor: next, seen, unread, ..Batch::default() };
        done.add(commit::commit(&source, last, DerivedFrom::Comparison).await?);
        self.tries.retain(|(of, _), _| *of > import);
        Ok(Some(done))
    }

    /// One fetch per person and import, for those whom somebody may cover or whom we hold.
    async fn to_fetch(&self, notices: Vec<Notice>) -> Result<Vec<PersonId>, store::Error> {
        let selections = self.source.selections().await?;
        let now = self.source.clock.now();
        let mut persons: BTreeMap<PersonId, bool> = BTreeMap::new();
        for notice in notices {
            let may = matching::could_cover(
                &selections.now,
                &self.source.key,
                notice.municipality_now,
                notice.municipality_before,
                now,
            );
            *persons.entry(notice.person).or_default() |= may;
        }
        let all = persons.len();
        let (mut wanted, doubtful): (Vec<_>, Vec<_>) = persons.into_iter().partition(|(_, may)| *may);
        let doubtful: Vec<PersonId> = doubtful.into_iter().map(|(id, _)| id).collect();
        for ids in doubtful.chunks(1000) {
            let records = self.source.store.keys.find(&self.source.realm, ids).await?;
            let known: Vec<_> = records.iter().copied().flatten().collect();
            let held = person::find(&mut *self.source.store.main.read().await?, self.source.id, &known).await?;
            let ours =
                ids.iter().zip(records).filter(|(_, record)| record.is_some_and(|record| held.contains_key(&record)));
            wanted.extend(ours.map(|(id, _)| (id.clone(), true)));
        }
        self.metrics.skipped_persons(&self.source.key, (all - wanted.len()) as u64);
        Ok(wanted.into_iter().map(|(id, _)| id).collect())
    }

    /// The groups to ask of the register.
    pub async fn wanted(&self) -> Result<GroupSet, store::Error> {
        let selections = self.source.selections().await?;
        Ok(matching::groups_wanted(&selections.now, &self.source.key, self.source.clock.now()))
    }

    /// Rows for those who could not be read often enough; none while somebody is still to be tried.
    async fn give_up_or_wait(
        &mut self,
        import: u32,
        unreadable: Vec<PersonId>,
    ) -> Result<Option<Vec<Unread>>, store::Error> {
        let tries = self.source.settings.tries;
        let mut waits = false;
        for id in &unreadable {
            let tried = self.tries.entry((import, id.clone())).or_default();
            *tried += 1;
            waits |= *tried < tries;
        }
        if waits {
            tracing::warn!(source = %self.source.key, import, persons = unreadable.len(), "persons could not be read; the import waits for them");
            return Ok(None);
        }
        let now = self.source.clock.now();
        let identities: Vec<Identity> =
            unreadable.iter().map(|id| Identity { id: id.clone(), numbers: Vec::new() }).collect();
        let ensured = self.source.store.keys.ensure_persons(&self.source.realm, &identities, now).await?;
        let next_try = self.next_unread_try();
        let rows = unreadable.iter().zip(&ensured);
        let rows = rows.map(|(id, ensured)| Unread::seal(&ensured.key, self.source.id, id, import, tries, next_try));
        rows.collect::<Result<Vec<_>, _>>().map(Some)
    }

    fn next_unread_try(&self) -> jiff::Timestamp {
        let now = self.source.clock.now();
        let wait = SignedDuration::try_from(self.source.settings.unread_retry).unwrap_or(SignedDuration::from_hours(1));
        now.checked_add(wait).unwrap_or(now)
    }
}

impl Metrics {
    /// Takes note of whose identity turned out otherwise.
    fn committed(&self, source: &crate::domain::resource::ResourceKey, done: &Committed) {
        self.identities(source, done.merged, done.doubtful, done.vanished);
        if done.doubtful > 0 {
            tracing::warn!(%source, persons = done.doubtful, "persons are kept apart from other entries that claim the same number");
        }
        if done.vanished > 0 {
            tracing::warn!(%source, persons = done.vanished, "persons whom we hold are not known to the register any more");
        }
    }

    /// Takes note of what was fetched.
    fn fetched(&self, source: &crate::domain::resource::ResourceKey, fetched: &Fetched) {
        self.persons(source, fetched.persons.len(), fetched.unknown.len(), fetched.unreadable.len(), fetched.oddities);
    }
}
