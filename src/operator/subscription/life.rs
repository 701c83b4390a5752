//! The life of a subscription by the clock: when it is to be reviewed, and when it ends by itself.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use crate::api::subscription::CprSubscriptionSpec;
use crate::api::text::When;
use crate::operator::refusal::Refusal;
use crate::runtime::clock::{copenhagen, danish_date};
use crate::store::subscription::EndReason;

/// How many years ahead a review may lie.
const FURTHEST_REVIEW: i64 = 2;

/// Days between a missed review and the end.
const PATIENCE_DAYS: i64 = 30;

/// When a subscription is to be reviewed and when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// From when on the review is due.
    pub review_due: Timestamp,
    /// When it ends by itself.
    pub ends_at: Timestamp,
    /// Why it ends then.
    pub end_reason: EndReason,
}

/// Reads the times of a spec.
pub fn life(spec: &CprSubscriptionSpec) -> Result<Life, Refusal> {
    let review_due = match spec.review_by.parse() {
        Ok(When::Day(day)) => end_of(day).ok_or_else(|| invalid("reviewBy"))?,
        Ok(When::Instant(instant)) => instant,
        Err(_) => return Err(invalid("reviewBy")),
    };
    let overdue = days_after(review_due, PATIENCE_DAYS).ok_or_else(|| invalid("reviewBy"))?;
    let expires = spec.expires_at.as_ref().map(|at| at.parse().map_err(|_| invalid("expiresAt"))).transpose()?;
    Ok(match expires {
        Some(expires) if expires <= overdue => Life { review_due, ends_at: expires, end_reason: EndReason::Expired },
        _ => Life { review_due, ends_at: overdue, end_reason: EndReason::ReviewOverdue },
    })
}

/// Refuses a review that lies too far ahead, and names the latest date allowed.
pub fn check_review(life: &Life, now: Timestamp) -> Result<(), Refusal> {
    let latest = danish_date(now).saturating_add(FURTHEST_REVIEW.years());
    match end_of(latest) {
        Some(end) if life.review_due <= end => Ok(()),
        _ => {
            let message = format!("reviewBy must be at most two years ahead: set it to {latest} or earlier");
            Err(Refusal::by_author("ReviewTooLate", message))
        }
    }
}

/// The instant at which a day is over in Denmark.
fn end_of(day: Date) -> Option<Timestamp> {
    Some(day.tomorrow().ok()?.to_zoned(copenhagen()).ok()?.timestamp())
}

fn days_after(at: Timestamp, days: i64) -> Option<Timestamp> {
    Some(at.to_zoned(copenhagen()).checked_add(days.days()).ok()?.timestamp())
}

fn invalid(field: &str) -> Refusal {
    Refusal::by_author(
        "InvalidSpec",
        format!("{field} must be a date such as 2027-06-01 or a time such as 2027-06-01T00:00:00Z: correct it"),
    )
}

impl Life {
    /// The next time at which something changes by the clock.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        [self.review_due, self.ends_at].into_iter().filter(|at| *at > now).min()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::operator::subscription::validate::tests::subscription;

    fn life_of(review_by: &str, expires_at: Option<&str>) -> Result<Life, Refusal> {
        let expires = expires_at.map(|at| ("/expiresAt", serde_json::json!(at)));
        let replaced: Vec<_> = [("/reviewBy", serde_json::json!(review_by))].into_iter().chain(expires).collect();
        life(&subscription(&replaced).spec)
    }

    #[test]
    fn a_day_lasts_until_its_end_in_denmark_and_thirty_days_are_given() {
        let life = life_of("2027-06-01", None).unwrap();
        assert_eq!(life.review_due.to_string(), "2027-06-01T22:00:00Z");
        assert_eq!(life.ends_at.to_string(), "2027-07-01T22:00:00Z");
        assert_eq!(life.end_reason, EndReason::ReviewOverdue);
        assert_eq!(life.next("2027-01-01T00:00:00Z".parse().unwrap()), Some(life.review_due));
        assert_eq!(life.next(life.review_due), Some(life.ends_at));
        assert_eq!(life.next(life.ends_at), None);
    }

    #[test]
    fn the_earlier_end_counts() {
        let life = life_of("2027-06-01", Some("2027-05-01T00:00:00Z")).unwrap();
        assert_eq!((life.ends_at.to_string().as_str(), life.end_reason), ("2027-05-01T00:00:00Z", EndReason::Expired));
        let life = life_of("2027-06-01", Some("2028-01-01T00:00:00Z")).unwrap();
        assert_eq!(life.end_reason, EndReason::ReviewOverdue);
        assert_eq!(life_of("2027-02-30", None).unwrap_err().reason, "InvalidSpec");
        assert_eq!(life_of("2027-06-01", Some("soon")).unwrap_err().reason, "InvalidSpec");
    }

    #[test]
    fn a_review_beyond_two_years_names_the_latest_date() {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        assert!(check_review(&life_of("2028-11-22", None).unwrap(), now).is_ok());
        let refusal = check_review(&life_of("2028-11-23", None).unwrap(), now).unwrap_err();
        assert_eq!(refusal.reason, "ReviewTooLate");
        assert!(refusal.message.contains("2028-11-22"));
    }
}
