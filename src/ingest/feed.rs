//! The event feed of a source: which imports are ready, from where to read, and whether the feed is whole.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::calendar;
use crate::domain::compiled::Calendar;
use crate::runtime::clock::danish_date;
use crate::store::cursor::{Cursor, Import};
use crate::store::source::FeedState;

/// What a reading of the notices found.
#[derive(Clone, Debug)]
pub struct Reading<N> {
    /// Notices by import, in the order of their event ids.
    pub imports: BTreeMap<u32, Vec<N>>,
    /// The id of the last event of each import.
    pub last_events: BTreeMap<u32, i64>,
    known: BTreeSet<(u32, i64)>,
}

impl<N> Default for Reading<N> {
    fn default() -> Self {
        Self { imports: BTreeMap::new(), last_events: BTreeMap::new(), known: BTreeSet::new() }
    }
}

impl<N> Reading<N> {
    /// Adds a notice, unless it came before: pages may repeat rows, and counts must not depend on it.
    pub fn add(&mut self, import: u32, event: i64, notice: N) {
        if !self.known.insert((import, event)) {
            return;
        }
        self.imports.entry(import).or_default().push(notice);
        let last = self.last_events.entry(import).or_insert(event);
        *last = (*last).max(event);
    }

    fn notices(&self, import: u32) -> u64 {
        self.imports.get(&import).map_or(0, |notices| notices.len() as u64)
    }
}

/// The event id after which a reading begins: the end of the import before the previous one, so that late rows are seen.
pub fn read_after(cursor: &Cursor) -> i64 {
    let known = &cursor.imports;
    known.get(known.len().saturating_sub(3)).map_or(0, |import| import.last_event)
}

/// The cursor after an import was wholly committed.
pub fn advanced<N>(cursor: &Cursor, import: u32, reading: &Reading<N>) -> Cursor {
    let before = cursor.imports.last().map_or(0, |known| known.last_event);
    let mut imports = cursor.imports.clone();
    imports.push(Import {
        number: import,
        last_event: reading.last_events.get(&import).copied().unwrap_or(before).max(before),
        notices: reading.notices(import),
    });
    let surplus = imports.len().saturating_sub(3);
    Cursor { import, imports: imports.split_off(surplus) }
}

/// Whether notices of an import that was committed before may still be taken: of one whose rows were read, and of one whose
/// rows never came. The first import that is known may be the one before the source's first reading, whose rows are not told.
pub fn takes_late(cursor: &Cursor, import: u32) -> bool {
    let known = cursor.imports.iter().enumerate();
    known.into_iter().any(|(at, known)| known.number == import && (at > 0 || known.notices > 0))
}

/// The cursor after late notices of one of the last two imports were committed. Where each ends for the next reading stays as
/// it was, so that nothing between is passed over. None for the import before those: nothing is counted there any more.
pub fn completed<N>(cursor: &Cursor, import: u32, reading: &Reading<N>) -> Option<Cursor> {
    let mut cursor = cursor.clone();
    let known = cursor.imports.iter_mut().rev().take(2).find(|known| known.number == import)?;
    known.notices = known.notices.max(reading.notices(import));
    Some(cursor)
}

/// What is remembered between readings to judge the feed; lost at a restart, which only delays a verdict.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// When the register's status last changed, by our clock.
    pub changed_at: Option<Timestamp>,
    /// The last import number that the register told.
    pub told: Option<u32>,
    /// Since when events of an import are visible that the status has not reached.
    pub unfinished: Option<(u32, Timestamp)>,
    /// Imports of which a second reading showed fewer events.
    pub shrunk: Option<u32>,
}

impl Watch {
    /// Takes note of the import number that the register tells.
    pub fn note_status(&mut self, told: u32, now: Timestamp) {
        if self.told != Some(told) {
            (self.told, self.changed_at) = (Some(told), Some(now));
        }
    }

    /// Takes note of what a reading showed beyond what the status has reached, and of imports that became smaller.
    pub fn note_reading<N>(&mut self, cursor: &Cursor, reading: &Reading<N>, told: u32, now: Timestamp) {
        self.unfinished = match (reading.imports.keys().find(|import| **import > told), self.unfinished) {
            (Some(import), Some((known, since))) if known == *import => Some((known, since)),
            (Some(import), _) => Some((*import, now)),
            (None, _) => None,
        };
        let start = read_after(cursor);
        let whole = cursor.imports.iter().filter(|known| known.last_event > start && known.notices > 0);
        self.shrunk =
            whole.filter(|known| reading.notices(known.number) < known.notices).map(|known| known.number).next();
    }
}

/// How many persons are not as they should be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Persons {
    /// Could not be read.
    pub unread: u64,
    /// Are kept apart from another entry that claims the same number.
    pub apart: u64,
    /// Are held here, and not known to the register any more.
    pub vanished: u64,
}

/// The verdict on a feed.
pub fn judge(
    cursor: &Cursor,
    watch: &Watch,
    persons: Persons,
    calendar: Calendar,
    unfinished_after: Duration,
    now: Timestamp,
) -> FeedState {
    let verdict = |reason: &str, message: String| FeedState { reason: reason.to_owned(), message };
    if let Some(told) = watch.told.filter(|told| *told < cursor.import) {
        return verdict(
            "Backwards",
            format!(
                "the register tells of import {told}, but {} was already read: ask the register whether data was restored",
                cursor.import
            ),
        );
    }
    if let Some(gap) = gap(cursor) {
        return verdict(
            "Gap",
            format!("import {gap} came without a single notice: ask the register whether events were lost"),
        );
    }
    if let Some(import) = watch.shrunk {
        return verdict(
            "Shrunk",
            format!(
                "a second reading of import {import} showed fewer events than the first: ask the register whether events were withdrawn"
            ),
        );
    }
    let long = |since: Timestamp| {
        now.duration_since(since)
            >= jiff::SignedDuration::try_from(unfinished_after).unwrap_or(jiff::SignedDuration::MAX)
    };
    if let Some((import, _)) = watch.unfinished.filter(|(_, since)| long(*since)) {
        return verdict(
            "UnfinishedImport",
            format!(
                "import {import} has been unfinished for a long time: its events wait until the register reports it complete"
            ),
        );
    }
    let Persons { unread, apart, vanished } = persons;
    if unread > 0 {
        return verdict("PersonsUnread", format!("{unread} persons could not be read and are tried again"));
    }
    if apart > 0 {
        return verdict(
            "IdentitiesDoubtful",
            format!(
                "{apart} persons are kept apart from other entries that claim the same number: ask the register which entry is right"
            ),
        );
    }
    if watch.changed_at.is_some_and(|since| is_stale(since, now, calendar)) {
        return verdict("Stale", "no new import on a day on which the register loads".to_owned());
    }
    if vanished > 0 {
        return verdict(
            "PersonsVanished",
            format!(
                "the register does not know {vanished} persons any more; they stay as they were and are asked for daily: ask the register what became of them"
            ),
        );
    }
    verdict("Healthy", "every import was read".to_owned())
}

/// An import among the last three that the status jumped past and whose notices never came.
fn gap(cursor: &Cursor) -> Option<u32> {
    cursor.imports.iter().skip(1).find(|import| import.notices == 0).map(|import| import.number)
}

/// Whether a whole loading day has gone by without an import: loads run into the night after it.
fn is_stale(since: Timestamp, now: Timestamp, calendar: Calendar) -> bool {
    let yesterday = danish_date(now).yesterday();
    yesterday.is_ok_and(|yesterday| calendar::loading_days_between(danish_date(since), yesterday, calendar) > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn cursor(imports: &[(u32, i64, u64)]) -> Cursor {
        let imports: Vec<Import> = imports
            .iter()
            .map(|(number, last_event, notices)| Import { number: *number, last_event: *last_event, notices: *notices })
            .collect();
        Cursor { import: imports.last().map_or(0, |i| i.number), imports }
    }

    fn reading(notices: &[(u32, i64)]) -> Reading<()> {
        let mut reading = Reading::default();
        notices.iter().for_each(|(import, event)| reading.add(*import, *event, ()));
        reading
    }

    const SIX_HOURS: Duration = Duration::from_secs(6 * 3600);

    fn verdict(cursor: &Cursor, watch: &Watch, now: &str) -> String {
        judge(cursor, watch, Persons::default(), Calendar::Weekdays, SIX_HOURS, at(now)).reason
    }

    #[test]
    fn a_reading_begins_before_the_previous_import() {
        assert_eq!(read_after(&cursor(&[])), 0);
        assert_eq!(read_after(&cursor(&[(7, 70, 1)])), 70);
        assert_eq!(read_after(&cursor(&[(7, 70, 1), (8, 80, 1), (9, 90, 1)])), 70);
    }

    #[test]
    fn the_cursor_keeps_three_imports_and_never_goes_back() {
        let next = advanced(&cursor(&[(7, 70, 1), (8, 80, 1), (9, 90, 1)]), 10, &reading(&[(10, 95), (10, 99)]));
        assert_eq!(next, cursor(&[(8, 80, 1), (9, 90, 1), (10, 99, 2)]));
        assert_eq!(advanced(&next, 11, &reading(&[])).imports.last().map(|i| (i.last_event, i.notices)), Some((99, 0)));
    }

    #[test]
    fn an_import_without_notices_is_a_gap_until_two_more_are_read() {
        let read = cursor(&[(7, 70, 1), (8, 70, 0), (9, 90, 1)]);
        assert_eq!(verdict(&read, &Watch::default(), "2026-11-20T12:00:00Z"), "Gap");
        let later = advanced(&read, 10, &reading(&[(10, 100)]));
        assert_eq!(verdict(&later, &Watch::default(), "2026-11-20T12:00:00Z"), "Healthy");
    }

    #[test]
    fn fewer_events_at_the_second_reading_are_noticed() {
        let read = cursor(&[(7, 70, 1), (8, 80, 2)]);
        let mut watch = Watch::default();
        watch.note_reading(&read, &reading(&[(8, 79), (8, 80)]), 8, at("2026-11-20T12:00:00Z"));
        assert_eq!(watch.shrunk, None);
        watch.note_reading(&read, &reading(&[(8, 80)]), 8, at("2026-11-20T12:00:00Z"));
        assert_eq!(verdict(&read, &watch, "2026-11-20T12:00:00Z"), "Shrunk");
    }

    #[test]
    fn an_import_may_be_unfinished_for_six_hours() {
        let read = cursor(&[(8, 80, 2)]);
        let mut watch = Watch::default();
        watch.note_reading(&read, &reading(&[(9, 81)]), 8, at("2026-11-20T20:00:00Z"));
        watch.note_reading(&read, &reading(&[(9, 81), (9, 82)]), 8, at("2026-11-21T01:00:00Z"));
        assert_eq!(verdict(&read, &watch, "2026-11-21T01:59:00Z"), "Healthy");
        assert_eq!(verdict(&read, &watch, "2026-11-21T02:00:00Z"), "UnfinishedImport");
        watch.note_reading(&read, &reading(&[(9, 81), (9, 82)]), 9, at("2026-11-21T02:10:00Z"));
        assert_eq!(verdict(&read, &watch, "2026-11-21T09:00:00Z"), "Healthy");
    }

    #[test]
    fn a_status_that_goes_back_is_not_followed() {
        let read = cursor(&[(8, 80, 2)]);
        let mut watch = Watch::default();
        watch.note_status(7, at("2026-11-20T12:00:00Z"));
        assert_eq!(verdict(&read, &watch, "2026-11-20T12:00:00Z"), "Backwards");
    }

    #[test]
    fn weekend_silence_is_no_alarm_and_a_silent_weekday_is() {
        let read = cursor(&[(8, 80, 2)]);
        let mut watch = Watch::default();
        watch.note_status(8, at("2026-11-20T21:00:00Z"));
        assert_eq!(verdict(&read, &watch, "2026-11-23T20:00:00Z"), "Healthy", "Friday evening to Monday evening");
        assert_eq!(verdict(&read, &watch, "2026-11-24T12:00:00Z"), "Stale", "nothing came on Monday");
    }
}
