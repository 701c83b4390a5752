//! The delivery sequence as a small model, explored in every order in which its steps can happen.
//!
//! It speaks of `store::event` (writers), `store::lane`, and `delivery::{worker, queue, lanes, flush}`, in their words: writers
//! take numbers and commit ([`database`]); a worker reads, offers, sends, parks, reads again and flushes ([`worker`]); around
//! them workers crash, are too slow and lose the lane to another, and the consumer refuses ([`sequence`], with what must hold).
//!
//! It asks more of the rules than this program does, which has one process, one writing transaction at a time (`BEGIN
//! IMMEDIATE` is the lock, and a number that was rolled back is given again) and reads a waiting person's routes in one step.
//! Left out are what stops or spaces requests (circuit, rate, times), what ends an event otherwise (withdrawn, given up), and
//! that a consumer has sixteen lanes. Bounds: three routes of two persons by two writers, two epochs, one refusal; that is about
//! 230,000 states.

mod database;
mod sequence;
mod worker;

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model};

use sequence::{FENCE, LOST, REPEATED, Sequence, TAKEN, WATERMARK};

/// The rules, or all but one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    AsBuilt,
    /// Writers take no lock.
    NoLock,
    LockAfterNumber,
    /// A flush does not look at the epoch.
    UnfencedFlush,
    /// A reading that finds nothing ends the wait, although a route was skipped since it began.
    UnparkTooEarly,
    /// Routes are offered before it is durable that they may be sent.
    TakenAfterSending,
    /// A worker goes on starting requests after its lease ran out. That loses nothing and keeps the order; it repeats.
    LeaseIgnored,
    /// What is under way counts as settled.
    WatermarkOverInFlight,
}

fn assert_breaks(variant: Variant, property: &'static str) {
    let found = HasDiscoveries::AnyOf(BTreeSet::from([property]));
    Sequence(variant).checker().finish_when(found).spawn_bfs().join().assert_any_discovery(property);
}

#[test]
fn as_built_everything_holds() {
    let failed = HasDiscoveries::AnyFailures;
    Sequence(Variant::AsBuilt).checker().finish_when(failed).spawn_bfs().join().assert_properties();
}

#[test]
fn without_a_lock_who_commits_late_is_passed_over() {
    assert_breaks(Variant::NoLock, LOST);
}

#[test]
fn a_lock_that_is_taken_after_the_number_helps_nobody() {
    assert_breaks(Variant::LockAfterNumber, LOST);
}

#[test]
fn without_a_fence_a_stale_owner_writes() {
    assert_breaks(Variant::UnfencedFlush, FENCE);
}

#[test]
fn unparked_too_early_a_skipped_route_is_never_sent() {
    assert_breaks(Variant::UnparkTooEarly, LOST);
}

#[test]
fn taken_that_is_written_after_sending_hides_what_was_sent() {
    assert_breaks(Variant::TakenAfterSending, TAKEN);
}

#[test]
fn who_ignores_that_its_lease_ran_out_repeats_what_is_recorded() {
    assert_breaks(Variant::LeaseIgnored, REPEATED);
}

#[test]
fn a_watermark_over_what_is_under_way_passes_a_missing_result() {
    assert_breaks(Variant::WatermarkOverInFlight, WATERMARK);
}
