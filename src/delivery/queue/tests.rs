//! The queues of persons under test.

use super::testing::route;
use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn later(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a small number")
}

fn queues(seqs: &[(i64, u8)]) -> Queues {
    let mut queues = Queues::new(0, Vec::new(), NOW);
    seqs.iter().for_each(|(seq, person)| queues.offer(route(*seq, *person)));
    queues
}

fn key(person: u8) -> Key {
    Key::Person(RecordId([person; 16]))
}

fn wait(first_seq: i64, state: ParkedState, next_at: Timestamp) -> Wait {
    Wait {
        first_seq,
        attempts: 1,
        tries: 1,
        since: NOW,
        failed_at: NOW,
        next_at,
        state,
        class: "Http400".into(),
        held: false,
        accepted_before: 0,
        skipped: false,
    }
}

fn taken(queues: &mut Queues) -> Vec<i64> {
    std::iter::from_fn(|| queues.take()).map(|turn| turn.route.seq).collect()
}

#[test]
fn at_most_one_event_of_a_person_is_under_way() {
    let mut queues = queues(&[(1, 1), (2, 1), (3, 2), (4, 1)]);
    assert_eq!(taken(&mut queues), [1, 3]);
    assert_eq!(queues.finish(key(1), Ending::Delivered, NOW), None);
    assert_eq!(taken(&mut queues), [2]);
    queues.offer(route(5, 2));
    assert_eq!(taken(&mut queues), [] as [i64; 0]);
    queues.finish(key(2), Ending::Withdrawn, NOW);
    assert_eq!(taken(&mut queues), [5]);
}

#[test]
fn a_parked_persons_events_leave_memory_and_are_read_again_when_due() {
    let mut queues = queues(&[(1, 1), (2, 1)]);
    queues.take();
    let Some(RowChange::Write(row)) = queues.park(key(1), wait(1, ParkedState::Retrying, later(10))) else {
        panic!("a row is written")
    };
    assert_eq!((row.first_seq, row.gap), (1, false));
    assert_eq!((queues.load(), queues.watermark(0), queues.parked()), ((0, 0), 2, 1));
    queues.offer(route(3, 1));
    assert_eq!(queues.take_due(later(9)), None);
    assert_eq!(queues.take_due(later(10)), Some(Some(Span { record: RecordId([1; 16]), from: 1, to: 3 })));
    assert_eq!(queues.loaded(RecordId([1; 16]), vec![route(1, 1), route(2, 1), route(3, 1)], later(10)), None);
    for seq in [1, 2, 3] {
        assert_eq!(taken(&mut queues), [seq]);
        let Some(RowChange::Write(row)) = queues.finish(key(1), Ending::Delivered, later(10)) else {
            panic!("the row moves on")
        };
        assert_eq!((row.first_seq, row.attempts), (seq + 1, 0));
    }
    assert_eq!(queues.take_due(later(10)), Some(Some(Span { record: RecordId([1; 16]), from: 4, to: 3 })));
    let unparked = queues.loaded(RecordId([1; 16]), Vec::new(), later(10));
    assert_eq!(unparked, Some(RowChange::Delete(RecordId([1; 16]))));
    assert_eq!(queues.parked(), 0);
}

#[test]
fn who_was_skipped_since_the_reading_began_stays_parked() {
    let mut queues = queues(&[(1, 1)]);
    queues.take();
    queues.park(key(1), wait(1, ParkedState::Retrying, NOW));
    queues.take_due(NOW);
    queues.loaded(RecordId([1; 16]), vec![route(1, 1)], NOW);
    taken(&mut queues);
    queues.finish(key(1), Ending::Delivered, NOW);
    assert!(queues.take_due(NOW).is_some());
    queues.offer(route(2, 1));
    assert_eq!(queues.loaded(RecordId([1; 16]), Vec::new(), NOW), None, "skipped while it was read");
    assert_eq!(queues.take_due(NOW), Some(Some(Span { record: RecordId([1; 16]), from: 2, to: 2 })));
}

#[test]
fn a_gap_stays_until_a_later_event_is_delivered() {
    let mut queues = queues(&[(1, 1)]);
    taken(&mut queues);
    let Some(RowChange::Write(row)) = queues.finish(key(1), Ending::GivenUp, NOW) else { panic!("a row is written") };
    assert_eq!((row.state, row.gap, queues.parked()), (ParkedState::GapOnly, true, 0));
    queues.offer(route(2, 1));
    assert!(queues.take().is_some_and(|turn| turn.gap));
    assert_eq!(queues.finish(key(1), Ending::Withdrawn, NOW), None, "nothing was said");
    queues.offer(route(3, 1));
    assert!(queues.take().is_some_and(|turn| turn.gap));
    assert_eq!(queues.finish(key(1), Ending::Delivered, NOW), Some(RowChange::Delete(RecordId([1; 16]))));
    queues.offer(route(4, 1));
    assert!(queues.take().is_some_and(|turn| !turn.gap));
}

#[test]
fn an_event_without_a_person_waits_in_memory_and_holds_the_watermark() {
    let mut loose = route(1, 0);
    loose.record = None;
    let mut queues = queues(&[(2, 0x10)]);
    queues.offer(loose);
    queues.offer(route(3, 0x01));
    assert_eq!(taken(&mut queues).len(), 3);
    queues.finish(key(0x10), Ending::Delivered, NOW);
    queues.finish(key(0x01), Ending::Delivered, NOW);
    assert_eq!(queues.park(Key::Loose(1), wait(1, ParkedState::Retrying, later(5))), None);
    assert_eq!((queues.watermark(0), queues.watermark(1)), (0, 3));
    assert_eq!(queues.take_due(later(5)), Some(None));
    assert_eq!(taken(&mut queues), [1]);
    queues.finish(Key::Loose(1), Ending::Delivered, NOW);
    assert_eq!(queues.watermark(0), 3);
}

#[test]
fn the_end_of_an_outage_releases_those_who_waited_for_it_and_no_others() {
    let mut queues = queues(&[(1, 1), (2, 2), (3, 3)]);
    taken(&mut queues);
    queues.park(key(1), wait(1, ParkedState::Outage, later(1000)));
    queues.park(key(2), wait(2, ParkedState::Retrying, later(1000)));
    queues.park(key(3), Wait { held: true, ..wait(3, ParkedState::Outage, later(1000)) });
    assert_eq!(queues.parked(), 2, "who is held failed at nothing");
    queues.release(false, NOW);
    assert!(matches!(queues.take_due(NOW), Some(Some(Span { from: 1, .. }))));
    assert_eq!(queues.take_due(NOW), None);
    queues.release(true, NOW);
    assert!(matches!(queues.take_due(NOW), Some(Some(Span { from: 3, .. }))));
}

#[test]
fn waits_that_are_not_the_persons_fault_spend_no_budget() {
    let own = wait(1, ParkedState::Retrying, later(10));
    assert_eq!(own.since_with_waits(later(10)), NOW, "its own wait counts");
    assert_eq!(own.since_with_waits(later(100)), later(90), "what came after it does not");
    let outage = wait(1, ParkedState::Outage, later(10));
    assert_eq!(outage.since_with_waits(later(100)), later(100), "an outage does not count at all");
}

#[test]
fn parked_persons_are_taken_over_from_the_process_before() {
    let parked = |person, state| Parked {
        record: RecordId([person; 16]),
        first_seq: 5,
        attempts: 3,
        since: NOW,
        next_at: later(50),
        state,
        class: String::new(),
        gap: state == ParkedState::GapOnly,
    };
    let rows = vec![parked(1, ParkedState::Retrying), parked(2, ParkedState::GapOnly)];
    let mut queues = Queues::new(9, rows, later(20));
    queues.offer(route(10, 1));
    queues.offer(route(11, 2));
    assert!(queues.take().is_some_and(|turn| turn.gap && turn.route.seq == 11));
    assert_eq!(queues.take_due(later(50)), Some(Some(Span { record: RecordId([1; 16]), from: 5, to: 11 })));
}
