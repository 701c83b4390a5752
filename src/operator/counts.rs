//! Persons covered by each subscription, as last counted: counting reads many rows, so it is not done at each look, and not
//! again for each of many subscriptions to the same places.

use std::collections::HashMap;
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

use super::requeue;
use crate::domain::municipality::Municipality;
use crate::domain::resource::ResourceKey;
use crate::store::{self, Conn, SourceId, SubscriptionId, person};

/// What part of a count's time the count of a place lasts for other subscriptions.
const SHARED: i32 = 20;

/// Municipalities of a source; none means all.
type Area = (SourceId, Option<Vec<Municipality>>);

/// The counts.
#[derive(Debug, Default)]
pub struct Counts {
    subscriptions: Mutex<HashMap<ResourceKey, Counted>>,
    areas: Mutex<HashMap<Area, (Timestamp, u64)>>,
}

/// A subscription's count.
#[derive(Clone, Copy, Debug)]
struct Counted {
    generation: i64,
    at: Timestamp,
    count: i64,
}

/// Whom a subscription has.
pub struct Covered {
    /// The subscription.
    pub id: SubscriptionId,
    /// Its source.
    pub source: SourceId,
    /// Where whom it covers lives; none for everyone.
    pub municipalities: Option<Vec<Municipality>>,
}

impl Counts {
    /// The count for a generation, if it is younger than `lasts`.
    pub fn get(&self, key: &ResourceKey, generation: i64, now: Timestamp, lasts: SignedDuration) -> Option<i64> {
        let counts = self.subscriptions.lock().expect("no holder panics");
        let counted = counts.get(key).filter(|counted| counted.generation == generation)?;
        is_young(counted.at, now, lasts).then_some(counted.count)
    }

    /// When a subscription is to be counted again: when its count is too old, and one that cannot be counted in that time.
    pub fn again(&self, key: &ResourceKey, now: Timestamp, lasts: SignedDuration) -> Option<Timestamp> {
        let counts = self.subscriptions.lock().expect("no holder panics");
        let end = counts.get(key).and_then(|counted| counted.at.checked_add(lasts).ok());
        end.filter(|end| *end > now).or_else(|| now.checked_add(lasts).ok())
    }

    /// Forgets a subscription.
    pub fn forget(&self, key: &ResourceKey) {
        self.subscriptions.lock().expect("no holder panics").remove(key);
    }

    /// Counts. The first count of a subscription lasts for some part of the time only, so that thousands that came at once
    /// are not counted again at once.
    pub async fn count(
        &self,
        conn: &mut Conn,
        (key, generation): (&ResourceKey, i64),
        covered: Covered,
        now: Timestamp,
        lasts: SignedDuration,
    ) -> Result<i64, store::Error> {
        let living = self.living_in(&mut *conn, &covered, now, lasts / SHARED).await?;
        let named = person::count_named(conn, covered.source, covered.municipalities.as_deref(), covered.id).await?;
        let count = i64::try_from(living + named).unwrap_or(i64::MAX);
        let mut counts = self.subscriptions.lock().expect("no holder panics");
        let at = match counts.contains_key(key) {
            true => now,
            false => now - part_of(lasts, requeue::chance()),
        };
        counts.insert(key.clone(), Counted { generation, at, count });
        Ok(count)
    }

    async fn living_in(
        &self,
        conn: &mut Conn,
        covered: &Covered,
        now: Timestamp,
        lasts: SignedDuration,
    ) -> Result<u64, store::Error> {
        let area = (covered.source, covered.municipalities.clone());
        let known = self.areas.lock().expect("no holder panics").get(&area).copied();
        if let Some((_, count)) = known.filter(|(at, _)| is_young(*at, now, lasts)) {
            return Ok(count);
        }
        let count = person::count_living_in(conn, covered.source, covered.municipalities.as_deref()).await?;
        let mut areas = self.areas.lock().expect("no holder panics");
        areas.retain(|_, (at, _)| is_young(*at, now, lasts));
        areas.insert(area, (now, count));
        Ok(count)
    }
}

/// Whether what was counted then still counts; not where the clock was set back.
fn is_young(at: Timestamp, now: Timestamp, lasts: SignedDuration) -> bool {
    at <= now && at.checked_add(lasts).map_or(true, |end| now < end)
}

/// A part of a span.
fn part_of(span: SignedDuration, part: f64) -> SignedDuration {
    SignedDuration::try_from_secs_f64(span.as_secs_f64() * part).unwrap_or(SignedDuration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn a_count_holds_for_its_time_and_its_generation() {
        let (counts, key, lasts) = (Counts::default(), ResourceKey::new("a", "b"), SignedDuration::from_secs(600));
        let counted = Counted { generation: 1, at: at(100), count: 7 };
        counts.subscriptions.lock().expect("no holder panics").insert(key.clone(), counted);
        assert_eq!(counts.get(&key, 1, at(699), lasts), Some(7));
        assert_eq!(counts.get(&key, 1, at(700), lasts), None);
        assert_eq!(counts.get(&key, 2, at(101), lasts), None);
        assert_eq!(counts.get(&key, 1, at(99), lasts), None, "the clock was set back");
        assert_eq!(counts.again(&key, at(101), lasts), Some(at(700)));
        assert_eq!(counts.again(&key, at(701), lasts), Some(at(1301)), "it could not be counted: not again at once");
        counts.forget(&key);
        assert_eq!(counts.again(&key, at(0), lasts), Some(at(600)));
    }
}
