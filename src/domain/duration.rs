//! Durations as people write them: Go-style texts such as `90s`, `1h30m` or `250ms`.

use std::time::Duration;

use jiff::SignedDuration;

/// A text that is not such a duration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a duration such as 500ms, 30s, 10m, 72h or 1h30m")]
pub struct NotADuration;

/// Reads a duration of one or more whole numbers with the units ms, s, m and h. No sign, no fraction, no blanks.
pub fn parse(text: &str) -> Result<Duration, NotADuration> {
    if !text.bytes().all(|b| b.is_ascii_digit() || b"hms".contains(&b)) {
        return Err(NotADuration);
    }
    let parsed: SignedDuration = text.parse().map_err(|_| NotADuration)?;
    Duration::try_from(parsed).map_err(|_| NotADuration)
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
