//! How fast lists of persons may grow.

use serde::Deserialize;

/// Section `lists`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListSettings {
    /// Persons that one subscription's list may gain in an hour.
    pub additions_per_hour: u32,
    /// Numbers of one subscription's list that the register may not know in an hour.
    pub unknown_per_hour: u32,
}
