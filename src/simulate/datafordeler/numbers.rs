//! Civil-registration numbers for people who do not exist.

use jiff::civil::Date;

use super::chance::Chance;
use super::people::Sex;

const WEIGHTS: [u32; 10] = [4, 3, 2, 7, 6, 5, 4, 3, 2, 1];

/// Whether a number satisfies the modulus 11 rule of before 2007.
pub(super) fn has_modulus(number: &str) -> bool {
    let digits = number.chars().filter_map(|digit| digit.to_digit(10));
    digits.zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum::<u32>().is_multiple_of(11)
}

/// A number for somebody born on `born` that `taken` does not know: day plus sixty, century in the seventh digit,
/// sex in the tenth. With `modulus` it satisfies the old check, without it fails. None when all are taken.
pub(super) fn assign(
    chance: &mut Chance,
    born: Date,
    sex: Sex,
    modulus: bool,
    taken: impl Fn(&str) -> bool,
) -> Option<String> {
    let centuries = century_digits(born.year());
    let serials = usize::try_from(centuries.end() - centuries.start() + 1).unwrap_or(1) * 1000;
    let start = chance.below(serials);
    (0..serials)
        .map(|step| 1000 * centuries.start() + u32::try_from((start + step) % serials).unwrap_or(0))
        .filter(|serial| serial % 2 == sex.last_digit_parity())
        .map(|serial| format!("{:02}{:02}{:02}{serial:04}", born.day() + 60, born.month(), born.year().rem_euclid(100)))
        .find(|number| has_modulus(number) == modulus && !taken(number))
}

/// Which seventh digits stand for the year's century.
fn century_digits(year: i16) -> std::ops::RangeInclusive<u32> {
    match year {
        2000..=2036 => 4..=9,
        2037..=2057 | 1858..=1899 => 5..=8,
        1937..=1999 => 0..=4,
        _ => 0..=3,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use jiff::civil::date;

    use super::*;

    #[test]
    fn numbers_tell_birth_sex_and_that_they_are_invented() {
        let mut chance = Chance::new(1);
        let woman = assign(&mut chance, date(1980, 1, 1), Sex::Woman, true, |_| false).unwrap();
        assert!(woman.starts_with("610180") && has_modulus(&woman), "{woman}");
        assert_eq!(woman.as_bytes()[9] % 2, 0);
        let boy = assign(&mut chance, date(2026, 12, 31), Sex::Man, false, |_| false).unwrap();
        assert!(boy.starts_with("911226") && boy.as_bytes()[6] >= b'4' && !has_modulus(&boy), "{boy}");
    }

    #[test]
    fn a_taken_number_is_not_given_again() {
        let first = assign(&mut Chance::new(7), date(1990, 5, 5), Sex::Man, true, |_| false).unwrap();
        let second = assign(&mut Chance::new(7), date(1990, 5, 5), Sex::Man, true, |number| number == first).unwrap();
        assert_ne!(first, second);
        assert_eq!(assign(&mut Chance::new(7), date(1990, 5, 5), Sex::Man, true, |_| true), None);
    }
}
