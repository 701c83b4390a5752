//! Packages of notices: queued as life happens, visible once loaded, announced by the status row.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

/// Something that the register will tell in its next package.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    pub entity: &'static str,
    /// `i`, `u` or `d`.
    pub action: &'static str,
    pub person: String,
    pub status: Option<&'static str>,
    pub from: Option<Date>,
    pub to: Option<Date>,
    pub municipality_now: Option<String>,
    pub municipality_before: Option<String>,
}

/// A notice that can be read.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub id: i64,
    pub sequence: u32,
    pub at: Timestamp,
    pub from_failed_import: bool,
    pub notice: Notice,
}

/// The register's status row.
#[derive(Clone, Copy, Debug)]
pub(super) struct ImportStatus {
    pub last_sequence: u32,
    pub last_event: i64,
    pub updated: Timestamp,
}

/// All that was loaded and all that waits to be.
#[derive(Debug)]
pub(super) struct Imports {
    queue: Vec<Notice>,
    /// In ascending order of id, without holes.
    events: Vec<Event>,
    status: ImportStatus,
    /// The number and first event of a package that is being loaded.
    open: Option<(u32, usize)>,
}

impl Imports {
    /// An empty register whose last package had this number.
    pub(super) fn after(last_sequence: u32, at: Timestamp) -> Self {
        let status = ImportStatus { last_sequence, last_event: 0, updated: at };
        Self { queue: Vec::new(), events: Vec::new(), status, open: None }
    }

    pub(super) fn queue(&mut self, notices: Vec<Notice>) {
        self.queue.extend(notices);
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn status(&self) -> ImportStatus {
        self.status
    }

    /// Events whose id is above `id`, in ascending order.
    pub(super) fn after_event(&self, id: i64) -> &[Event] {
        let start = self.events.partition_point(|event| event.id <= id);
        &self.events[start..]
    }

    /// Makes what is queued readable under the next number, or the one of a package already begun. The status
    /// row stays as it is.
    pub(super) fn publish(&mut self, at: Timestamp) -> u32 {
        let first = self.events.len();
        let (sequence, _) = *self.open.get_or_insert((self.status.last_sequence + 1, first));
        for notice in std::mem::take(&mut self.queue) {
            let id = self.next_id();
            let at = at + Duration::from_millis(u64::try_from(id % 997).unwrap_or(0));
            self.events.push(Event { id, sequence, at, from_failed_import: false, notice });
        }
        sequence
    }

    /// Ends a package: what is still queued comes with it, then the status row says that it is whole.
    pub(super) fn finish(&mut self, at: Timestamp) -> u32 {
        let sequence = self.publish(at);
        self.open = None;
        self.announce(sequence, at);
        sequence
    }

    /// The package breaks off: what it brought stays readable with a mark, and waits to be loaded again under
    /// new ids. Gives how many events got the mark.
    pub(super) fn fail(&mut self, at: Timestamp) -> usize {
        self.publish(at);
        let Some((_, first)) = self.open.take() else { return 0 };
        let failed = &mut self.events[first..];
        failed.iter_mut().for_each(|event| event.from_failed_import = true);
        self.queue = failed.iter().map(|event| event.notice.clone()).collect();
        failed.len()
    }

    /// The status row moves past a package whose notices never come. Gives its number.
    pub(super) fn lose(&mut self, at: Timestamp) -> u32 {
        self.queue.clear();
        let sequence = self.status.last_sequence + 1;
        self.announce(sequence, at);
        sequence
    }

    /// The status row shows another number, also a lower one. No event changes.
    pub(super) fn pretend(&mut self, sequence: u32, at: Timestamp) {
        self.announce(sequence, at);
    }

    fn announce(&mut self, sequence: u32, at: Timestamp) {
        self.status = ImportStatus { last_sequence: sequence, last_event: self.next_id() - 1, updated: at };
    }

    fn next_id(&self) -> i64 {
        i64::try_from(self.events.len()).unwrap_or(i64::MAX - 1) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(person: &str) -> Notice {
        Notice {
            entity: "Cprhaendelse",
            action: "i",
            person: person.to_owned(),
            status: None,
            from: None,
            to: None,
            municipality_now: None,
            municipality_before: None,
        }
    }

    fn imports(people: &[&str]) -> Imports {
        let mut imports = Imports::after(300, Timestamp::UNIX_EPOCH);
        imports.queue(people.iter().map(|person| notice(person)).collect());
        imports
    }

    #[test]
    fn an_unfinished_package_is_readable_before_the_status_row_moves() {
        let mut imports = imports(&["a", "b"]);
        assert_eq!(imports.publish(Timestamp::UNIX_EPOCH), 301);
        assert_eq!((imports.after_event(0).len(), imports.status().last_sequence), (2, 300));
        imports.queue(vec![notice("late")]);
        assert_eq!(imports.finish(Timestamp::UNIX_EPOCH), 301);
        assert!(imports.after_event(0).iter().all(|event| event.sequence == 301));
        assert_eq!((imports.after_event(0).len(), imports.status().last_sequence), (3, 301));
        assert_eq!(imports.status().last_event, 3);
    }

    #[test]
    fn a_failed_package_is_marked_and_comes_again_with_new_ids() {
        let mut imports = imports(&["a", "b"]);
        imports.publish(Timestamp::UNIX_EPOCH);
        assert_eq!(imports.fail(Timestamp::UNIX_EPOCH), 2);
        assert_eq!(imports.status().last_sequence, 300);
        assert!(imports.after_event(0).iter().all(|event| event.from_failed_import));
        imports.finish(Timestamp::UNIX_EPOCH);
        let again: Vec<_> = imports.after_event(2).iter().map(|event| (event.id, event.from_failed_import)).collect();
        assert_eq!(again, [(3, false), (4, false)]);
        assert_eq!(imports.status().last_sequence, 301);
    }

    #[test]
    fn a_lost_package_moves_the_status_row_and_leaves_no_events() {
        let mut imports = imports(&["a"]);
        assert_eq!(imports.lose(Timestamp::UNIX_EPOCH), 301);
        assert_eq!((imports.after_event(0).len(), imports.status().last_sequence), (0, 301));
        imports.queue(vec![notice("b")]);
        assert_eq!(imports.finish(Timestamp::UNIX_EPOCH), 302);
        imports.pretend(200, Timestamp::UNIX_EPOCH);
        assert_eq!(imports.status().last_sequence, 200);
    }
}
