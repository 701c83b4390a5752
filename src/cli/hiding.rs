//! What is said of arguments and input that were wrong: without the CPR numbers that may stand in them.

/// Digits of a number, and those before its hyphen.
const DIGITS: usize = 10;
const BEFORE_HYPHEN: usize = 6;

/// The text with `(number)` for whatever has the form of a CPR number, alone or within a longer one.
pub fn hide_numbers(text: &str) -> String {
    let mut hidden = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, found) = rest.split_at(start);
        let (run, after) = found.split_at(run_of(found));
        let is_number = run.bytes().filter(u8::is_ascii_digit).count() >= DIGITS;
        hidden.extend([before, if is_number { "(number)" } else { run }]);
        rest = after;
    }
    hidden + rest
}

/// The length of a run of digits, over one hyphen or blank where six stand before it and four after.
fn run_of(text: &str) -> usize {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let first = digits(text);
    let joined = text[first..].strip_prefix(['-', ' ']).map_or(0, digits);
    if first >= BEFORE_HYPHEN && joined >= DIGITS - BEFORE_HYPHEN { first + 1 + joined } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_has_the_form_of_a_number_is_hidden_and_all_else_is_kept() {
        for (text, expected) in [
            ("unexpected argument '6101800001' found", "unexpected argument '(number)' found"),
            ("'610180-0001', 610180 0001;", "'(number)', (number);"),
            ("æ61018000011x", "æ(number)x"),
            (
                "2026-11-22T08:00:00Z letter 999999 at 127.0.0.1:65535",
                "2026-11-22T08:00:00Z letter 999999 at 127.0.0.1:65535",
            ),
            ("", ""),
        ] {
            assert_eq!(hide_numbers(text), expected);
        }
    }
}
