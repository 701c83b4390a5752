//! Dates as the register keeps them: a day, and whether it is certain.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// A date of the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RegisterDate {
    /// The day.
    pub date: Date,
    /// Whether the register marks it as uncertain.
    #[serde(default)]
    pub uncertain: bool,
}

impl RegisterDate {
    /// A date without doubt.
    pub fn certain(date: Date) -> Self {
        Self { date, uncertain: false }
    }
}
