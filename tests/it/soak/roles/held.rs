//! The invariants that are held in another way where several processes share the work: no process has an end at which all could be
//! counted, so the database is looked at while they run, and what came twice is held against the stretches in which something was
//! wrong.
#![expect(clippy::print_stdout, reason = "a long run is watched at a terminal")]

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use cpr_operator::store::{self, Store, sql};

use super::fault::Kind;
use super::site::{Site, Struck};
use crate::soak::evidence::Evidence;
use crate::soak::invariants::{JUST, POD, SLOWEST, UNDER_WAY, a_stale_writing_changes_nothing, answers_lost, median};
use crate::soak::receiver::Arrival;
use crate::soak::scene::FLUSH_INTERVAL;
use crate::soak::watch::Watch;

/// How long after a fault its consequences may be seen, in milliseconds: lanes are taken over after six seconds, and a connection on
/// which nothing is answered is given up later.
const AFTERMATH: i64 = 12_000;

/// Asks until the server answers.
pub async fn patiently<T>(mut ask: impl AsyncFnMut() -> Result<T, store::Error>) -> T {
    for _ in 0..200 {
        match ask().await {
            Ok(found) => return found,
            Err(error) => assert!(error.is_passing(), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the server never answered");
}

/// Consumer and number of what a watermark has passed without a result, a parked person or a dead letter.
const PASSED: &str = "SELECT r.consumer, r.seq FROM route r
    JOIN lane l ON l.consumer = r.consumer AND l.shard = r.shard AND r.seq <= l.watermark
    WHERE NOT EXISTS (SELECT 1 FROM attempt a WHERE a.consumer = r.consumer AND a.seq = r.seq
                      AND a.outcome IN ('Delivered', 'Withdrawn', 'DeadLettered'))
    AND NOT EXISTS (SELECT 1 FROM parked p WHERE p.consumer = r.consumer AND p.record = r.record AND p.first_seq <= r.seq)
    AND NOT EXISTS (SELECT 1 FROM dead_letter d WHERE d.consumer = r.consumer AND r.seq BETWEEN d.seq AND d.to_seq)";

/// I6, at any moment: nothing below a watermark is without a result; what is recorded as delivered was accepted; and nothing has
/// arrived beyond what it is durable of that it may be sent. The sum of all epochs.
pub async fn i6_watermarks_pass_nothing_unrecorded(store: &Store, watch: &Watch) -> i64 {
    watch.drain();
    let highest: Vec<(&str, Vec<i64>)> =
        watch.receivers.iter().map(|one| (one.name, one.arrivals().iter().map(|one| one.seq).collect())).collect();
    let read = async || {
        let mut conn = store.main.read().await?;
        let passed: Vec<(i64, i64)> = sql::query_as(PASSED).fetch_all(&mut conn).await?;
        let beyond: Vec<(String, i64)> = sql::query_as(
            "SELECT c.name, r.seq FROM route r JOIN consumer c ON c.id = r.consumer
             LEFT JOIN lane l ON l.consumer = r.consumer AND l.shard = r.shard WHERE r.seq > coalesce(l.taken, 0)",
        )
        .fetch_all(&mut conn)
        .await?;
        let recorded: Vec<(String, i64)> = sql::query_as(
            "SELECT c.name, a.seq FROM attempt a JOIN consumer c ON c.id = a.consumer JOIN route r ON r.seq = a.seq
             WHERE a.outcome = 'Delivered' AND r.record IS NOT NULL",
        )
        .fetch_all(&mut conn)
        .await?;
        let epochs: i64 =
            sql::query_scalar("SELECT CAST(coalesce(sum(epoch), 0) AS BIGINT) FROM lane").fetch_one(&mut conn).await?;
        Ok::<_, store::Error>((passed, beyond, recorded, epochs))
    };
    let (passed, beyond, recorded, epochs) = patiently(read).await;
    assert_eq!(passed, [], "I6: passed without a result");
    watch.drain();
    for (receiver, (name, arrived)) in watch.receivers.iter().zip(&highest) {
        let arrived: HashSet<i64> = arrived.iter().copied().collect();
        let ahead: Vec<i64> =
            beyond.iter().filter(|(of, seq)| of == name && arrived.contains(seq)).map(|(_, seq)| *seq).collect();
        assert!(ahead.is_empty(), "I6: {name}: sent beyond what was taken: {ahead:?}");
        let recorded: HashSet<i64> = recorded.iter().filter(|(of, _)| of == name).map(|(_, seq)| *seq).collect();
        let invented = receiver.never_accepted(&recorded);
        assert!(invented.is_empty(), "I6: {name}: recorded and never accepted: {invented:?}");
    }
    epochs
}

/// Whether for this results may be lost before they are written: a process, a wire, or the server fails. A wrong clock, a slow disk and
/// those outside are no reason.
fn is_ours(kind: Kind) -> bool {
    use Kind::*;
    let outside = matches!(kind, ClusterAway | Import | Receiver | ReceiverCut | Register | RegisterCut | Storm);
    !outside && !matches!(kind, NameMoved | NameGone | ClockStep | DiskSlow)
}

/// Whether what was accepted at that time may be unwritten for a fault: it waited for its writing when that struck, or came after.
fn may_be_unwritten(struck: &[Struck], at: i64, slowest: i64) -> bool {
    let before = 2 * (FLUSH_INTERVAL + slowest) + SLOWEST;
    let mut struck = struck.iter().filter(|(.., kind)| is_ours(*kind));
    struck.any(|(from, to, _)| (from - before..=to + AFTERMATH).contains(&at))
}

/// I3: what was accepted twice had been refused on the way back, as a recorded attempt says, or its first acceptance waited for its
/// writing when a process, a wire or the server failed. How often.
pub fn i3_nothing_is_sent_twice_without_a_cause(evidence: &Evidence, struck: &[Struck]) -> usize {
    let mut again = 0;
    for (place, _) in evidence.places() {
        let mut lost = answers_lost(evidence, place, &[]);
        let mut last: HashMap<i64, &Arrival> = HashMap::new();
        for one in evidence.arrivals[place].iter().filter(|one| one.accepted && one.seq != 0) {
            let before = last.insert(one.seq, one);
            let Some(before) = before.filter(|_| one.duplicate) else { continue };
            again += 1;
            if may_be_unwritten(struck, before.at, evidence.slowest_flush) {
                continue;
            }
            let left = lost.get_mut(&one.seq).filter(|left| **left > 0);
            *left.unwrap_or_else(|| panic!("I3: {place}: for no reason: {one:?} after {before:?}")) -= 1;
        }
    }
    again
}

/// Whether some process went by a wrong clock then.
fn was_a_clock_wrong(struck: &[Struck], from: i64, to: i64) -> bool {
    struck.iter().any(|(began, ended, kind)| *kind == Kind::ClockStep && *began <= to && from <= *ended)
}

/// I5: a person about whom an answer asked to wait is not sent before, by any process, unless the wait may have been lost before it
/// was written, or a clock was wrong. How many asked.
pub fn i5_a_waiting_person_waits(evidence: &Evidence, struck: &[Struck]) -> usize {
    let mut asked = 0;
    for (place, _) in evidence.places() {
        let arrivals = &evidence.arrivals[place];
        for (at, one) in arrivals.iter().enumerate() {
            let Some(until) = one.not_before else { continue };
            asked += 1;
            let later = arrivals[at + 1..].iter().take_while(|next| next.at < until + 5 * UNDER_WAY);
            let mut later = later.filter(|next| one.at < next.at && next.reference.is_some());
            let early = later.find(|next| next.at < until && next.reference == one.reference);
            let excused = may_be_unwritten(struck, one.at - JUST, evidence.slowest_flush);
            let is_misdated = early.is_some_and(|early| was_a_clock_wrong(struck, one.at, early.at));
            assert!(early.is_none() || excused || is_misdated, "I5: {place}: {early:?} after {one:?}");
        }
    }
    asked
}

/// I7: epochs only rise, and a writing under an old one changes nothing.
pub async fn i7_a_stale_flush_changes_nothing(evidence: &Evidence, epochs: &[i64]) {
    assert!(epochs.is_sorted(), "I7: an epoch went back: {epochs:?}");
    a_stale_writing_changes_nothing(evidence).await;
}

/// I8: no process holds more than a pod may; and in the long form none grows by more than a quarter within the calm stretch.
pub fn i8_memory_is_flat(weights: &[Vec<u64>], is_long: bool) -> String {
    let of = |weights: &Vec<u64>| {
        assert!(weights.iter().all(|kilobytes| *kilobytes <= POD), "I8: {weights:?}");
        let third = weights.len() / 3;
        let (first, last) = (median(&weights[third..2 * third]), median(&weights[2 * third..]));
        assert!(!is_long || last * 4 <= first * 5, "I8: {weights:?}");
        format!("{} and {} MB", first / 1024, last / 1024)
    };
    weights.iter().map(of).collect::<Vec<_>>().join(", ")
}

/// Prints the sum of a run as a table.
pub fn print(site: &Site, evidence: &Evidence, more: &[(&str, String)]) {
    println!("\n| What | How many |\n| --- | --- |");
    let row = |what: &str, count: String| println!("| {what} | {count} |");
    for (kind, count) in &site.counts {
        row(&format!("fault: {kind:?}"), count.to_string());
    }
    row("happenings", site.lives.happenings.to_string());
    row("routes committed", evidence.routes.len().to_string());
    let accepted = evidence.arrivals.iter().flatten().filter(|one| one.accepted).count();
    row("accepted", accepted.to_string());
    row("lanes taken, in all", site.epochs.last().copied().unwrap_or(0).to_string());
    row("audit entries, all verified", evidence.record.entries.to_string());
    row("slowest writing of results", format!("{} ms", evidence.slowest_flush));
    more.iter().for_each(|(what, count)| row(what, count.clone()));
}
