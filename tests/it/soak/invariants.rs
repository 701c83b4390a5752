//! The invariants of delivery, each a function that says how it is held against a run.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{HashMap, HashSet};

use cpr_operator::store::Database;
use cpr_operator::store::lane::{self, Lane};

use super::beside::{self, Stretches};
use super::evidence::Evidence;
use super::plan::Plan;
use super::receiver::Arrival;
use super::sample::Sample;
use super::scene::{FLUSH_INTERVAL, IN_FLIGHT, Scene};
use super::watch::Memory;

/// How long after an answer that asked to wait a request may still arrive that had left before, in milliseconds.
pub const UNDER_WAY: i64 = 2_000;
/// Ages at which processes are compared by their memory, in milliseconds.
const YOUNG: (i64, i64) = (2_000, 6_000);
/// How long a request of a process that was killed may be on its way, in milliseconds.
pub const JUST: i64 = 500;
/// How long the slowest receiver takes to accept something, in milliseconds.
pub const SLOWEST: i64 = 3_000;
/// Latencies below this, in milliseconds, say more of the machine than of the program, which is not optimised here and shares
/// its processors with all the others. Whoever is held up by a neighbour waits for seconds.
const NOISE: i64 = 100;
/// The same where there are few samples, or where six processes and a server share the machine.
const LOUD: i64 = 1_000;
/// What a process may hold in memory, in kilobytes: the limit of a pod.
pub const POD: u64 = 512 * 1024;

/// I1: every committed route was accepted under its own id, or is parked, or is a dead letter, or was withdrawn and the
/// audit record says so; and nothing was accepted that was never committed.
pub fn i1_nothing_is_lost(evidence: &Evidence) {
    let mut accepted: HashSet<(i64, &str)> = HashSet::new();
    let about_nobody = evidence.routes.iter().filter(|(_, (route, _))| route.record.is_none());
    let of_nobody: HashSet<_> = about_nobody.map(|(key, (route, _))| (key.0, route.id.as_str())).collect();
    for (place, consumer) in evidence.places() {
        for one in evidence.arrivals[place].iter().filter(|one| one.accepted) {
            let numbered = evidence.routes.get(&(consumer, one.seq)).is_some_and(|(route, _)| route.id == one.id);
            let is_known = numbered || (one.seq == 0 && of_nobody.contains(&(consumer, one.id.as_str())));
            assert!(is_known, "I1: never committed: {one:?}");
            accepted.insert((consumer, one.id.as_str()));
        }
    }
    for (key, (route, _)) in &evidence.routes {
        let withdrawn = || {
            let mut outcomes = evidence.attempts.get(key).into_iter().flatten();
            outcomes.any(|outcome| outcome == "Withdrawn") && evidence.record.withdrawn.contains(&route.id)
        };
        let parked = || route.record.as_ref().is_some_and(|record| evidence.parked.contains(&(key.0, record.clone())));
        let settled = accepted.contains(&(key.0, route.id.as_str()))
            || evidence.dead_letters.contains(key)
            || withdrawn()
            || parked();
        assert!(settled, "I1: lost: {key:?} {route:?}, attempts {:?}", evidence.attempts.get(key));
    }
}

/// I2: by consumer and person, first acceptances come in the order of the commits.
pub fn i2_order_holds(evidence: &Evidence) {
    for (place, _) in evidence.places() {
        let mut last: HashMap<&str, i64> = HashMap::new();
        for one in evidence.arrivals[place].iter().filter(|one| one.accepted && !one.duplicate) {
            let Some(reference) = &one.reference else { continue };
            let before = last.insert(reference, one.seq);
            assert!(before.is_none_or(|before| before < one.seq), "I2: {place}: {one:?} after {before:?}");
        }
    }
}

/// I3: what was accepted twice had been refused on the way back, as a recorded attempt says, or was not recorded when the
/// program was killed; and of the latter there are at each kill no more than could be under way, and were accepted within
/// the two intervals (each as long as the setting, and the slowest writing of the run) in which results wait. A program
/// that is asked to end leaves nothing unrecorded.
pub fn i3_duplicates_are_bounded(evidence: &Evidence, samples: &[Sample]) -> (usize, String) {
    let (mut again, mut nearest) = (0, (0, 1));
    for (place, _) in evidence.places() {
        let mut causes = answers_lost(evidence, place, samples);
        let mut last_was_killed = false;
        for sample in samples {
            let (open, allowed) = unwritten(evidence, place, sample, &causes, last_was_killed);
            last_was_killed = sample.killed;
            let at = sample.at;
            assert!(open <= allowed, "I3: {place}: at {at} {open} were unwritten, and {allowed} allowed");
            if open * nearest.1 > nearest.0 * allowed {
                nearest = (open, allowed);
            }
        }
        for seq in samples.iter().flat_map(|sample| &sample.unrecorded[place]) {
            *causes.entry(*seq).or_default() += 1;
        }
        for one in evidence.arrivals[place].iter().filter(|one| one.duplicate && one.seq != 0) {
            let left = causes.get_mut(&one.seq).filter(|left| **left > 0);
            *left.unwrap_or_else(|| panic!("I3: {place}: for no reason: {one:?}")) -= 1;
            again += 1;
        }
    }
    (again, format!("{} of {} allowed", nearest.0, nearest.1))
}

/// How many a process had delivered and not written when it ended, and how many may have been. What an earlier one left and
/// this one had not come to sending again is not this one's; nor is what it held for refused; nor, where the last one was
/// killed, what it had under way and a slow receiver accepted after that.
fn unwritten(
    evidence: &Evidence,
    place: usize,
    sample: &Sample,
    lost: &HashMap<i64, usize>,
    last_was_killed: bool,
) -> (usize, usize) {
    let window = 2 * (FLUSH_INTERVAL + evidence.slowest_flush);
    let life = sample.began..=sample.ended;
    let accepted: Vec<&Arrival> =
        evidence.arrivals[place].iter().filter(|one| one.accepted && life.contains(&one.at)).collect();
    let own: HashSet<i64> = accepted.iter().map(|one| one.seq).collect();
    let open = sample.unrecorded[place].iter().filter(|seq| own.contains(seq) && !lost.contains_key(seq)).count();
    let late = accepted.iter().filter(|one| sample.at - window <= one.at).count();
    let belated = accepted.iter().filter(|one| last_was_killed && one.at <= sample.began + SLOWEST).count();
    let own_allowed = if sample.killed { IN_FLIGHT + late } else { 0 };
    (open, own_allowed + belated.min(IN_FLIGHT))
}

/// Numbers that were accepted though an attempt says that they were not, and how often that may have been: failed attempts
/// less refusals, of which each end of the program may have kept one from being written.
pub fn answers_lost(evidence: &Evidence, place: usize, samples: &[Sample]) -> HashMap<i64, usize> {
    let mut refused: HashMap<i64, Vec<i64>> = HashMap::new();
    for one in evidence.arrivals[place].iter().filter(|one| !one.accepted) {
        refused.entry(one.seq).or_default().push(one.at);
    }
    let mut lost = HashMap::new();
    for ((_, seq), outcomes) in evidence.attempts.iter().filter(|((of, _), _)| *of == evidence.consumers[place]) {
        let failed = outcomes.iter().filter(|outcome| matches!(outcome.as_str(), "Failed" | "DeadLettered")).count();
        let refusals = refused.get(seq).map_or(&[][..], Vec::as_slice);
        let span = refusals.first().copied().unwrap_or(0)..=refusals.last().map_or(0, |last| last + UNDER_WAY);
        let unwritten = samples.iter().filter(|sample| span.contains(&sample.at)).count();
        let known = failed.saturating_sub(refusals.len().saturating_sub(unwritten));
        if known > 0 {
            lost.insert(*seq, known);
        }
    }
    lost
}

/// I4: what the steady consumer waits beside slow, failing and dead ones is at most twice what it waits alone, measured in turns.
/// What is below a machine's noise counts as noise. In the long form of one process by the 99th of a hundred; else by the median, where
/// noise is a second.
pub fn i4_the_steady_consumer_is_not_held_up(evidence: &Evidence, stretches: &Stretches, plan: &Plan) -> String {
    let (alone, beside) = beside::latencies(evidence, stretches);
    let in_one_process = matches!(evidence.store.main, Database::Sqlite(_));
    let (of_hundred, noise) = if plan.is_long() && in_one_process { (99, NOISE) } else { (50, LOUD) };
    let (own, other) = (beside::percentile(&alone, of_hundred), beside::percentile(&beside, of_hundred));
    let ratio = other.max(noise) as f64 / own.max(noise) as f64;
    let said =
        format!("{of_hundred}th: {own} ms of {} alone, {other} ms of {} beside: {ratio:.2}", alone.len(), beside.len());
    let enough = if plan.is_long() { 100 } else { 10 };
    if alone.len().min(beside.len()) < enough {
        assert!(!plan.is_long(), "I4: too few to tell: {said}");
        return format!("too few to tell: {said}");
    }
    assert!(ratio <= 2.0, "I4: {said}");
    said
}

/// I5: a person about whom an answer asked to wait is not sent before, also by another process, unless the wait may have
/// been lost with a kill before it was written; and the same process sends that receiver nothing at all but what had left
/// already. A change of the consumer's spec ends waits.
pub fn i5_retry_after_is_obeyed(evidence: &Evidence, scene: &Scene) -> usize {
    let mut asked = 0;
    for (place, _) in evidence.places() {
        let arrivals = &evidence.arrivals[place];
        for (at, one) in arrivals.iter().enumerate() {
            let Some(until) = one.not_before else { continue };
            asked += 1;
            // They stand in the order of the answers, and no answer takes longer than this.
            let later = arrivals[at + 1..].iter().take_while(|next| next.at < until + 5 * UNDER_WAY);
            let later: Vec<&Arrival> = later.filter(|next| one.at < next.at).collect();
            let early = later.iter().filter(|next| next.at < until && !excused(scene, one.at, next.at));
            for next in early {
                let same = next.reference == one.reference && !may_be_lost(evidence, scene, one.at);
                let running = !scene.samples.iter().any(|sample| (one.at..=next.at).contains(&sample.began));
                let is_late = next.at - one.at > UNDER_WAY;
                assert!(!same, "I5: {place}: {} ms early, of the same person: {next:?} after {one:?}", until - next.at);
                assert!(!(running && is_late), "I5: {place}: {} ms early: {next:?} after {one:?}", until - next.at);
            }
        }
    }
    asked
}

fn excused(scene: &Scene, from: i64, to: i64) -> bool {
    let changed = scene.changes.iter().any(|at| (from..=to + UNDER_WAY).contains(at));
    changed || scene.still.iter().chain(&scene.stepped).any(|(began, ended)| *began <= to && from <= *ended)
}

/// Whether a kill came before what was answered at `at` was certainly written.
fn may_be_lost(evidence: &Evidence, scene: &Scene, at: i64) -> bool {
    let written = at + UNDER_WAY + 2 * (FLUSH_INTERVAL + evidence.slowest_flush);
    scene.samples.iter().any(|sample| sample.killed && (at - JUST..=written).contains(&sample.at))
}

/// I6: at every end of the program, read from the database it left: nothing below a watermark is without a result, a parked
/// person or a dead letter; what is recorded as delivered was accepted; and nothing was sent beyond what was durably taken.
pub fn i6_watermarks_pass_nothing_unrecorded(sample: &Sample) {
    assert_eq!(sample.passed, [], "I6: passed without a result");
    assert!(sample.invented.iter().all(Vec::is_empty), "I6: recorded and never accepted: {:?}", sample.invented);
    let ahead: Vec<_> = sample.sent.iter().filter(|(highest, taken)| highest > taken).collect();
    assert!(ahead.is_empty(), "I6: sent (left) beyond what was taken (right): {ahead:?}");
}

/// I7, the first half: while a process has the files, running or standing still, no other begins.
pub fn i7_a_second_process_is_refused(code: Option<i32>, said: &str) {
    assert_ne!(code, Some(0), "I7: a second process ended well");
    assert!(said.contains("another process"), "I7: {said}");
}

/// I7, the second half: each process took lanes of a higher epoch than the one before, and a writing under the last process's
/// epoch changes nothing once another has taken the lanes.
pub async fn i7_a_stale_flush_changes_nothing(evidence: &Evidence, samples: &[Sample]) {
    let epochs: Vec<i64> = samples.iter().map(|sample| sample.epochs).collect();
    assert!(epochs.is_sorted_by(|before, after| before <= after), "I7: an epoch went back: {epochs:?}");
    assert!(epochs.last() > epochs.first() || epochs.len() < 2, "I7: no process took lanes anew: {epochs:?}");
    a_stale_writing_changes_nothing(evidence).await;
}

/// A writing under an epoch that was good until now changes nothing once another has taken the lanes.
pub async fn a_stale_writing_changes_nothing(evidence: &Evidence) {
    for (_, consumer) in evidence.places() {
        let mut tx = evidence.store.main.begin().await.unwrap();
        let held = lane::read(&mut tx, consumer).await.unwrap();
        let taken = lane::take(&mut tx, consumer, "another").await.unwrap();
        let stale: Vec<Lane> = held.iter().map(|lane| Lane { watermark: lane.watermark + 1, ..*lane }).collect();
        assert!(!lane::advance(&mut tx, consumer, &stale).await.unwrap(), "I7: a stale epoch was good enough");
        assert_eq!(lane::read(&mut tx, consumer).await.unwrap(), taken, "I7: a stale writing changed a lane");
        drop(tx);
    }
}

/// I8: resident memory, weighed every second, does not grow: neither from life to life, where weighings of young processes
/// in the second half of the faults are held against those in the first; nor within the life of the calm stretch, where the
/// last third is held against the middle one, the first being left to caches to fill. A quarter is allowed to the medians. That in
/// the long form; in every run no process holds more than a pod may.
pub fn i8_memory_is_flat(memory: &[Memory], calm: (i64, i64), plan: &Plan) -> String {
    let of =
        |holds: &dyn Fn(&&Memory) -> bool| memory.iter().filter(holds).map(|one| one.kilobytes).collect::<Vec<_>>();
    let young = of(&|one| one.at < calm.0 && (YOUNG.0..YOUNG.1).contains(&one.age));
    let (first, second) = young.split_at(young.len() / 2);
    let lives = (median(first), median(second));
    let steady = of(&|one| (calm.0..calm.1).contains(&one.at));
    let third = steady.len() / 3;
    let stretch = (median(&steady[third..2 * third]), median(&steady[2 * third..]));
    let most = memory.iter().map(|one| one.kilobytes).max().unwrap_or(0);
    let megabytes = |pair: (u64, u64)| format!("{} MB, then {} MB", pair.0 / 1024, pair.1 / 1024);
    let said =
        format!("young processes {}; a calm one {}; at most {} MB", megabytes(lives), megabytes(stretch), most / 1024);
    let course: Vec<u64> = steady.iter().step_by(10).map(|kilobytes| kilobytes / 1024).collect();
    assert!(most <= POD, "I8: {said}");
    for (before, after) in [lives, stretch] {
        assert!(!plan.is_long() || after * 4 <= before * 5, "I8: {said}; in the calm every ten seconds {course:?}");
    }
    said
}

/// The middle one; 0 of none.
pub fn median(values: &[u64]) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

/// Beside the eight: whoever gets an event after one that was given up is told of the gap.
pub fn gaps_are_announced(evidence: &Evidence) -> usize {
    let mut announced = 0;
    for (place, consumer) in evidence.places() {
        let mut accepted: HashMap<&[u8], Vec<&Arrival>> = HashMap::new();
        for one in evidence.arrivals[place].iter().filter(|one| one.accepted) {
            let record = evidence.routes.get(&(consumer, one.seq)).and_then(|(route, _)| route.record.as_deref());
            if let Some(record) = record {
                accepted.entry(record).or_default().push(one);
            }
        }
        for (_, seq) in evidence.dead_letters.iter().filter(|(of, _)| *of == consumer) {
            let Some((route, _)) = evidence.routes.get(&(consumer, *seq)) else { continue };
            let of_person = route.record.as_deref().and_then(|record| accepted.get(record));
            let next = of_person.into_iter().flatten().find(|one| one.seq > *seq);
            assert!(next.is_none_or(|next| next.gap), "an unannounced gap: {next:?} after {seq}");
            announced += usize::from(next.is_some());
        }
    }
    announced
}

/// Beside the eight: no entry of the audit record is missing or changed, and there is one for each body that was accepted.
pub fn the_record_holds(evidence: &Evidence) {
    let record = &evidence.record;
    assert!(record.broken.is_empty(), "the audit record is broken at {:?}", record.broken);
    let accepted = evidence.arrivals.iter().flatten().filter(|one| one.accepted);
    let untold: Vec<_> = accepted.filter(|one| !record.disclosed.contains(&one.id)).collect();
    assert!(untold.is_empty(), "accepted, and not in the audit record: {untold:?}");
}
