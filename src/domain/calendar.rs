//! The days on which a register loads: Danish public holidays and the days that are kept like them.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday, date};

use super::compiled::Calendar;

/// Whether a register with this calendar is expected to load new data on `day`.
pub fn is_loading_day(day: Date, calendar: Calendar) -> bool {
    match calendar {
        Calendar::Daily => true,
        Calendar::Weekdays => !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) && !is_quiet_day(day),
    }
}

/// How many loading days lie after `after` and up to `until`, which counts itself; none where `until` is not later.
pub fn loading_days_between(after: Date, until: Date, calendar: Calendar) -> usize {
    after.series(1.day()).skip(1).take_while(|day| *day <= until).filter(|day| is_loading_day(*day, calendar)).count()
}

/// Whether `day` is a Danish public holiday or one of the days on which offices are shut as if it were: Constitution Day,
/// Christmas Eve and New Year's Eve. These three are counted as quiet because an alarm a day late is better than a false
/// one.
pub fn is_quiet_day(day: Date) -> bool {
    let fixed = [(1, 1), (6, 5), (12, 24), (12, 25), (12, 26), (12, 31)];
    fixed.contains(&(day.month(), day.day())) || is_movable_holiday(day)
}

/// Days counted from Easter Sunday: Maundy Thursday, Good Friday, Easter, Easter Monday, Ascension, Whitsun, Whit Monday;
/// and, to 2023, the Great Prayer Day.
fn is_movable_holiday(day: Date) -> bool {
    const GREAT_PRAYER_DAY: i32 = 26;
    let since_easter = days_since_easter(day);
    [-3, -2, 0, 1, 39, 49, 50].contains(&since_easter) || (since_easter == GREAT_PRAYER_DAY && day.year() < 2024)
}

fn days_since_easter(day: Date) -> i32 {
    i32::from(day.day_of_year()) - i32::from(easter_sunday(day.year()).day_of_year())
}

/// Easter Sunday of a year of the Gregorian calendar, by its golden number, century corrections and the Sunday letter.
fn easter_sunday(year: i16) -> Date {
    let year = i32::from(year);
    let (golden, century, of_century) = (year.rem_euclid(19), year.div_euclid(100), year.rem_euclid(100));
    let solar = (century - (century + 8) / 25 + 1) / 3;
    let epact = (19 * golden + century - century / 4 - solar + 15).rem_euclid(30);
    let weekday = (32 + 2 * (century % 4) + 2 * (of_century / 4) - epact - of_century % 4).rem_euclid(7);
    let shift = (golden + 11 * epact + 22 * weekday) / 451;
    let days_after_22_march = epact + weekday - 7 * shift;
    date(i16::try_from(year).unwrap_or(i16::MAX), 3, 22).saturating_add(days_after_22_march.days())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn easter_falls_where_the_almanac_has_it() {
        for (year, month, day) in [
            (1954, 4, 18),
            (2008, 3, 23),
            (2019, 4, 21),
            (2022, 4, 17),
            (2023, 4, 9),
            (2024, 3, 31),
            (2025, 4, 20),
            (2026, 4, 5),
            (2027, 3, 28),
            (2030, 4, 21),
            (2038, 4, 25),
            (2049, 4, 18),
        ] {
            assert_eq!(easter_sunday(year), date(year, month, day));
        }
    }

    #[test]
    fn holidays_are_quiet_and_the_days_beside_them_are_not() {
        for quiet in [
            date(2026, 1, 1),
            date(2026, 4, 2),
            date(2026, 4, 3),
            date(2026, 4, 6),
            date(2026, 5, 14),
            date(2026, 5, 25),
            date(2026, 6, 5),
            date(2026, 12, 24),
            date(2026, 12, 25),
            date(2026, 12, 31),
            date(2025, 4, 17),
            date(2025, 5, 29),
            date(2025, 6, 9),
            date(2023, 5, 5),
        ] {
            assert!(!is_loading_day(quiet, Calendar::Weekdays), "{quiet}");
            assert!(is_loading_day(quiet, Calendar::Daily), "{quiet}");
        }
        for loading in [date(2026, 1, 2), date(2026, 4, 1), date(2026, 4, 7), date(2026, 5, 15), date(2026, 12, 23)] {
            assert!(is_loading_day(loading, Calendar::Weekdays), "{loading}");
        }
    }

    #[test]
    fn great_prayer_day_is_a_loading_day_from_2024() {
        assert!(!is_loading_day(date(2023, 5, 5), Calendar::Weekdays));
        assert!(is_loading_day(date(2024, 4, 26), Calendar::Weekdays));
        assert!(is_loading_day(date(2026, 5, 1), Calendar::Weekdays));
    }

    #[test]
    fn weekends_and_easter_count_no_loading_days() {
        let cases = [
            (date(2026, 11, 20), date(2026, 11, 22), 0, 2),
            (date(2026, 11, 20), date(2026, 11, 23), 1, 3),
            (date(2026, 4, 1), date(2026, 4, 6), 0, 5),
            (date(2026, 4, 1), date(2026, 4, 7), 1, 6),
            (date(2026, 4, 7), date(2026, 4, 7), 0, 0),
            (date(2026, 4, 8), date(2026, 4, 7), 0, 0),
        ];
        for (after, until, weekdays, daily) in cases {
            assert_eq!(loading_days_between(after, until, Calendar::Weekdays), weekdays, "{after} {until}");
            assert_eq!(loading_days_between(after, until, Calendar::Daily), daily, "{after} {until}");
        }
    }
}
