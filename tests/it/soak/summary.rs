//! What a run says of itself: how far it is, and at the end a table.
#![expect(clippy::print_stdout, reason = "a long run is watched at a terminal")]

use std::collections::HashSet;
use std::time::Instant;

use super::evidence::Evidence;
use super::plan::Plan;
use super::scene::Scene;

/// Says something with the time that has passed.
pub fn say(began: Instant, words: &str) {
    println!("{:>5} s  {words}", began.elapsed().as_secs());
}

/// Says how far a run is.
pub fn progress(scene: &Scene, number: u32, plan: &Plan, began: Instant) {
    let arrived: u64 = scene.watch.receivers.iter().map(|receiver| receiver.consumer.report().accepted).sum();
    let (routes, parked, dead) =
        scene.samples.last().map_or((0, 0, 0), |sample| (sample.routes, sample.parked, sample.dead_letters));
    let megabytes = scene.watch.memory().last().map_or(0, |one| one.kilobytes / 1024);
    let happened = scene.lives.happenings;
    let words = format!(
        "{number} of {} faults; {happened} happenings, {arrived} accepted; at the last end of the program {routes} routes, \
         {parked} persons parked, {dead} dead letters; {megabytes} MB",
        plan.faults
    );
    say(began, &words);
}

/// The sum of a run.
pub struct Summary<'a> {
    pub scene: &'a Scene,
    pub evidence: &'a Evidence,
    pub duplicates: usize,
    pub unwritten: String,
    pub asked: usize,
    pub gaps: usize,
    pub latency: String,
    pub memory: String,
}

impl Summary<'_> {
    /// Prints it as a table.
    pub fn print(&self, began: Instant) {
        let (scene, evidence) = (self.scene, self.evidence);
        println!("\n| What | How many |\n| --- | --- |");
        let row = |what: &str, count: String| println!("| {what} | {count} |");
        for (kind, count) in &scene.counts {
            row(&format!("fault: {kind:?}"), count.to_string());
        }
        let lives = &scene.lives;
        let persons: HashSet<_> = evidence.routes.values().filter_map(|(route, _)| route.record.as_ref()).collect();
        row("happenings, merges, splits", format!("{}, {}, {}", lives.happenings, lives.merges, lives.splits));
        row("persons with events", persons.len().to_string());
        row("routes committed", evidence.routes.len().to_string());
        let all = || evidence.arrivals.iter().flatten();
        row("requests that arrived", all().count().to_string());
        row("accepted", all().filter(|one| one.accepted).count().to_string());
        row("duplicates, each with its cause", self.duplicates.to_string());
        row("results unwritten at the worst kill", self.unwritten.clone());
        row("most persons parked at an end", scene.samples.iter().map(|s| s.parked).max().unwrap_or(0).to_string());
        let withdrawn = evidence.attempts.values().flatten().filter(|one| *one == "Withdrawn").count();
        row("withdrawn", withdrawn.to_string());
        row("dead letters, gaps announced", format!("{}, {}", evidence.dead_letters.len(), self.gaps));
        row("answers that asked to wait", self.asked.to_string());
        row("audit entries, all verified", evidence.record.entries.to_string());
        row("slowest writing of results", format!("{} ms", evidence.slowest_flush));
        row("steady consumer", self.latency.clone());
        row("resident memory", self.memory.clone());
        row("time", format!("{} s", began.elapsed().as_secs()));
    }
}
