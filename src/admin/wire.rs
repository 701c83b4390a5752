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
