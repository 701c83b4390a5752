//! Who selects whom: the live subscriptions as an index, and what they selected before, as far as persons still stand by it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::matching::Selectors;
use crate::domain::compiled::Subscription;
use crate::store::selection::Earlier;
use crate::store::subscription::SubscriptionRow;
use crate::store::{Conn, ConsumerId, Error, SubscriptionId, meta, selection, subscription};

/// Live subscriptions with their consumers.
type Live = BTreeMap<SubscriptionId, (ConsumerId, Arc<Subscription>)>;

/// The selections as of one version.
#[derive(Clone)]
pub struct Selections {
    /// The version.
    pub version: i64,
    /// The live subscriptions.
    pub now: Arc<Selectors>,
    live: Arc<Live>,
    earlier: Arc<Vec<Earlier>>,
}

impl Selections {
    /// Reads the present selections, all of them.
    pub async fn load(conn: &mut Conn) -> Result<Self, Error> {
        let version = meta::selectors(conn).await?;
        let live = subscription::all(conn).await?.into_iter().filter_map(live).collect();
        let earlier = selection::all(conn).await?;
        Ok(Self::of(version, live, earlier))
    }

    /// Reads what changed since these were read; all, where that is not known any more.
    pub async fn renew(self, conn: &mut Conn) -> Result<Self, Error> {
        let version = meta::selectors(conn).await?;
        let Some(changed) = selection::between(conn, self.version, version).await? else {
            return Self::load(conn).await;
        };
        let ids: Vec<SubscriptionId> = changed.iter().map(|earlier| earlier.subscription).collect();
        let rows = subscription::some(conn, &ids).await?;
        let kept = selection::lowest(conn).await?.unwrap_or(i64::MAX);
        let mut now = Arc::unwrap_or_clone(self.live);
        ids.iter().for_each(|id| drop(now.remove(id)));
        now.extend(rows.into_iter().filter_map(live));
        let mut earlier = Arc::unwrap_or_clone(self.earlier);
        earlier.extend(changed);
        earlier.retain(|earlier| earlier.until >= kept);
        Ok(Self::of(version, now, earlier))
    }

    fn of(version: i64, live: Live, earlier: Vec<Earlier>) -> Self {
        let now = Arc::new(index(&live));
        Self { version, now, live: Arc::new(live), earlier: Arc::new(earlier) }
    }

    /// The selections as they were at an earlier version.
    pub fn at(&self, version: i64) -> Arc<Selectors> {
        if version >= self.version {
            return self.now.clone();
        }
        let mut forms: HashMap<SubscriptionId, Option<(ConsumerId, Arc<Subscription>)>> =
            self.live.iter().map(|(id, live)| (*id, Some(live.clone()))).collect();
        let mut after: Vec<&Earlier> = self.earlier.iter().filter(|e| e.until > version).collect();
        after.sort_by_key(|earlier| std::cmp::Reverse(earlier.until));
        for earlier in after {
            let form = earlier.form.clone().map(|form| (earlier.consumer, Arc::new(form)));
            forms.insert(earlier.subscription, form);
        }
        Arc::new(index(&forms.into_iter().filter_map(|(id, form)| Some((id, form?))).collect()))
    }
}

fn live(row: SubscriptionRow) -> Option<(SubscriptionId, (ConsumerId, Arc<Subscription>))> {
    let form = row.compiled.filter(|_| row.ended_at.is_none())?;
    Some((row.id, (row.consumer, Arc::new(form))))
}

fn index(live: &Live) -> Selectors {
    Selectors::new(live.iter().map(|(id, (consumer, form))| (*id, *consumer, form.clone())).collect())
}
