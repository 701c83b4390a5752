//! What goes over the admin socket, in JSON.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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
