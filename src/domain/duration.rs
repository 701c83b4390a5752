//! Durations as people write them: Go-style texts such as `90s`, `1h30m` or `250ms`.

use std::time::Duration;

/// A text that is not such a duration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a duration such as 500ms, 30s, 10m, 72h or 1h30m")]
pub struct NotADuration;

/// Reads a duration of one or more numbers with the units ms, s, m and h. No sign, no fraction.
pub fn parse(text: &str) -> Result<Duration, NotADuration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(NotADuration);
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| NotADuration)?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = match &rest[..letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(NotADuration),
        };
        rest = &rest[letters..];
        let millis = number.checked_mul(unit).ok_or(NotADuration)?;
        total = total.checked_add(Duration::from_millis(millis)).ok_or(NotADuration)?;
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_style_texts_are_read_and_others_refused() {
        for (text, seconds) in [("60s", 60), ("1h30m", 5_400), ("2160h", 7_776_000), ("0s", 0)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("250ms"), Ok(Duration::from_millis(250)));
        for bad in ["", "5", "s", "-5s", "1.5h", "5 s", "1d", "99999999999999999999h", "9999999999999999h"] {
            assert_eq!(parse(bad), Err(NotADuration), "{bad}");
        }
    }
}
