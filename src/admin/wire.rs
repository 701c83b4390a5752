//! What goes over the admin socket, in JSON.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::identifier::{CprNumber, exposed};

/// Why a request was not met.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Told {
    /// One word for programs.
    pub reason: String,
    /// What it means and what to do.
    pub message: String,
}

/// How a consumer's address answered a challenge.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tested {
    /// `Proved`, or what is wrong in one word.
    pub verdict: String,
    /// What it means and what to do.
    pub message: String,
    /// The status of the answer, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub millis: u64,
    /// How many secrets signed it.
    pub signatures: usize,
    /// Whether deliveries go out now.
    pub verified: bool,
}

/// How one thing stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What kind of thing.
    pub area: Area,
    /// Which one.
    pub subject: String,
    /// How it stands.
    pub verdict: Verdict,
    /// What was found, and what to do where it is not well.
    pub message: String,
}

/// What kind of thing was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Area {
    /// The databases and their disk.
    Database,
    /// The root key.
    RootKey,
    /// The clock.
    Clock,
    /// The cluster's API server.
    Cluster,
    /// A register.
    Register,
    /// A consumer's address.
    Endpoint,
}

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Well.
    Ok,
    /// It works, but somebody should look.
    Warning,
    /// It does not work.
    Problem,
}

/// A part of a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Page<T> {
    /// What it holds.
    pub items: Vec<T>,
    /// After which the next part begins; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// One delivery.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// When it was committed.
    pub time: Timestamp,
    /// Its id on the wire.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_: String,
    /// The person, as the consumer knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Whether somebody asked for it.
    pub replayed: bool,
    /// Requests made.
    pub attempts: u32,
    /// Status of the last answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Class of the last error, or why it was withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// `Delivered`, `Failed`, `Withdrawn`, `DeadLettered`, `Waiting` or `Parked`.
    pub standing: String,
}

/// One dead letter, or a range of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Its number.
    pub letter: i64,
    /// When it was given up.
    pub given_up_at: Timestamp,
    /// When the event was committed; of a range the oldest.
    pub time: Timestamp,
    /// How many deliveries it stands for.
    pub count: u64,
    /// The delivery's id on the wire; none of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its type; none of a range.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// The person, as the consumer knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Requests made.
    pub attempts: u32,
    /// Class of the last error.
    pub class: String,
}

/// Which dead letters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Letters {
    /// By their numbers.
    #[serde(default)]
    pub letters: Vec<i64>,
    /// All of them.
    #[serde(default)]
    pub all: bool,
    /// Only count.
    #[serde(default)]
    pub dry_run: bool,
}

/// What to send once more.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Replay {
    /// Committed at this time or later.
    pub from: Timestamp,
    /// Committed before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Of this person only, as the consumer knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Only count.
    #[serde(default)]
    pub dry_run: bool,
}

/// A snapshot of everyone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resync {
    /// Only count.
    #[serde(default)]
    pub dry_run: bool,
}

/// A job that was taken on, or only counted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Started {
    /// Its number; none where it was only counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<i64>,
    /// How many deliveries.
    pub deliveries: u64,
    /// Of how many persons.
    pub persons: u64,
    /// When the oldest delivery was committed that could be replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest: Option<Timestamp>,
}

/// How a job stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobState {
    /// Its number.
    pub job: i64,
    /// What it does.
    pub kind: String,
    /// `Waiting`, `Running`, `Done` or `Failed`.
    pub state: String,
    /// How many deliveries it was meant to be.
    pub total: u64,
    /// How many it has asked for.
    pub done: u64,
    /// How many it left out, for the person or the event is gone.
    pub skipped: u64,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Numbers, each with the line on which it stood.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// The lines.
    pub lines: Vec<NumberLine>,
}

/// A number and its line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberLine {
    /// From 1.
    pub line: u32,
    /// Hides itself from people.
    #[serde(with = "exposed")]
    pub number: CprNumber,
}

/// What became of lines.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lines {
    /// Each.
    pub lines: Vec<Line>,
}

/// What became of a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// Its number; of an answer about tickets the position among them.
    pub line: u32,
    /// `Listed`, `Waiting`, `Unknown`, `Failed`, `Removed`, `NotListed` or `Malformed`.
    pub outcome: String,
    /// The person, as the consumer knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// By what to ask again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Class of the error, where the register could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
}

impl Line {
    /// A line of which nothing else is known.
    pub fn new(line: u32, outcome: &str) -> Self {
        Self { line, outcome: outcome.to_owned(), person: None, ticket: None, class: None }
    }
}

/// Lines that waited.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tickets {
    /// By what they are known.
    pub tickets: Vec<String>,
}

/// What became of them, and how the list does.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListState {
    /// In the order of the tickets.
    pub lines: Vec<Line>,
    /// How many lines of the list wait.
    pub waiting: u64,
    /// Until when a limit holds them up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Timestamp>,
    /// How long the rest takes at the register's limit, in seconds.
    pub remaining: u64,
}

/// A part of a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PersonPage {
    /// References.
    pub persons: Vec<String>,
    /// After which the next part begins; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Manifests to plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifests {
    /// Resources of our kinds; others are passed over.
    pub manifests: Vec<serde_json::Value>,
}

/// What would come of a subscription.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// Namespace and name.
    pub subscription: String,
    /// `Begins`, `Changes`, `Unchanged` or `Refused`.
    pub action: String,
    /// Why it would be refused, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What that means and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The source that would tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The consumer that would hear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// For which purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// On which legal bases.
    pub legal_bases: Vec<String>,
    /// Whether everyone would be covered.
    pub everyone: bool,
    /// Whether persons on a list would be.
    pub list: bool,
    /// How much a delivery would say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// What would be given of protected persons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected_persons: Option<String>,
    /// When it would end by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// Municipalities selected.
    pub municipalities: Change,
    /// Groups that a delivery would hold.
    pub groups: Change,
    /// Groups that are granted, so that events may tell of them.
    pub granted: Change,
    /// Types that could be asked for and would be heard.
    pub types: Change,
    /// Known persons whom it would cover.
    pub persons: u64,
    /// Known persons whom it covers now.
    pub persons_now: u64,
    /// Entries that it would need at the register.
    pub registrations: u64,
}

/// What a list would be, and how it differs from what is in force.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Change {
    /// All that it would hold.
    pub all: Vec<String>,
    /// What is new.
    pub added: Vec<String>,
    /// What goes.
    pub removed: Vec<String>,
}
