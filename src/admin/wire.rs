//! What goes over the admin socket, in JSON.

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
