//! Who selects whom: the live subscriptions as an index, and what they selected before, as far as persons still stand by it.

use std::collections::HashMap;
use std::sync::Arc;

use super::matching::Selectors;
use crate::domain::compiled::Subscription;
use crate::store::{self, Conn, ConsumerId, Error, SubscriptionId, meta, selection, subscription};

/// The selections as of one version.
#[derive(Clone)]
pub struct Selections {
    /// The version.
    pub version: i64,
    /// The live subscriptions.
    pub now: Arc<Selectors>,
    live: Arc<Vec<(SubscriptionId, ConsumerId, Subscription)>>,
    earlier: Arc<Vec<selection::Earlier>>,
}

impl Selections {
    /// Reads the present selections in one view.
    pub async fn load(conn: &mut Conn) -> Result<Self, Error> {
        let version = meta::selectors(conn).await?;
        let live = subscription::all(conn).await?.into_iter().filter(|row| row.ended_at.is_none());
        let live: Vec<_> = live.filter_map(|row| row.compiled.map(|form| (row.id, row.consumer, form))).collect();
        let earlier = selection::all(conn).await?;
        let now = Arc::new(Selectors::new(live.clone()));
        Ok(Self { version, now, live: Arc::new(live), earlier: Arc::new(earlier) })
    }

    /// The selections as they were at an earlier version.
    pub fn at(&self, version: i64) -> Arc<Selectors> {
        if version >= self.version {
            return self.now.clone();
        }
        let mut forms: HashMap<SubscriptionId, (ConsumerId, Option<Subscription>)> =
            self.live.iter().map(|(id, consumer, form)| (*id, (*consumer, Some(form.clone())))).collect();
        let mut after: Vec<&store::selection::Earlier> = self.earlier.iter().filter(|e| e.until > version).collect();
        after.sort_by_key(|earlier| std::cmp::Reverse(earlier.until));
        for earlier in after {
            forms.insert(earlier.subscription, (earlier.consumer, earlier.form.clone()));
        }
        let then = forms.into_iter().filter_map(|(id, (consumer, form))| form.map(|form| (id, consumer, form)));
        Arc::new(Selectors::new(then.collect()))
    }
}
