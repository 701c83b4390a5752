//! Settings that are written as text: durations such as `30s` or `72h`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};

/// Reads a duration of one or more numbers with the units ms, s, m, h and d.
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || D::Error::custom(format!("{text:?} is no duration: write it like 500ms, 30s, 10m, 72h or 1h30m"));
    let mut rest = text.as_str();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = match &rest[..letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        rest = &rest[letters..];
        total += Duration::from_millis(number.checked_mul(unit).ok_or_else(wrong)?);
    }
    Ok(total)
}
