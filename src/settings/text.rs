//! Settings that are written as text: durations such as `30s` or `72h`.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de::Error};

/// Reads a duration with the units ms, s, m and h, none of them negative.
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let parsed = text.parse::<SignedDuration>().ok().and_then(|d| Duration::try_from(d).ok());
    parsed.ok_or_else(|| {
        D::Error::custom(format!("{text:?} is no duration: write it like 500ms, 30s, 10m, 72h or 1h30m"))
    })
}
