//! The demo's verdict: what was committed held against what arrived.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use crate::settings::store::StoreSettings;
use crate::simulate::consumer::{Consumer, Received};
use crate::store::{self, route};

/// An arrival later than this after its commit is late.
const LATE: Duration = Duration::from_secs(30);

/// What became of everything.
#[derive(Debug, Default)]
pub struct Verdict {
    committed: usize,
    arrived: usize,
    lost: usize,
    unheard: Vec<String>,
    late: usize,
    slowest: Duration,
    forged: u64,
    malformed: u64,
    out_of_order: u64,
    duplicates: u64,
}

/// How long after its commit a delivery arrived.
pub fn lateness(one: &Received) -> Option<Duration> {
    let committed: Timestamp = one.body["time"].as_str()?.parse().ok()?;
    Duration::try_from(one.at.duration_since(committed)).ok()
}

/// Holds the routes of a store whose program has ended against what arrived.
pub async fn judge(data: &Path, consumer: &Consumer, expected: &[&str]) -> anyhow::Result<Verdict> {
    let settings =
        StoreSettings { path: data.to_owned(), root_key_file: None, accept_local_root_key: false, readers: 1 };
    let now = Timestamp::now();
    let store = store::open(&settings, now).await?;
    let mut committed = Vec::new();
    let mut conn = store.main.read().await?;
    for row in store::consumer::all(&mut conn).await? {
        let key = store.keys.consumer_key(row.id, now).await?;
        let mut after = 0;
        loop {
            let routes = route::read(&mut conn, row.id, after, 1000).await?;
            let Some(last) = routes.last() else { break };
            after = last.seq;
            let id = |route: &route::Route| {
                key.replay_id(route.event, route.type_, route.replay.map(|replay| replay.number))
            };
            committed.extend(routes.iter().map(id));
        }
    }
    let received = consumer.received();
    let first = |one: &&Received| one.accepted && !one.duplicate && one.kind != "endpoint.verify";
    let arrived: HashSet<&str> = received.iter().filter(first).map(|one| one.id.as_str()).collect();
    let waits: Vec<Duration> = received.iter().filter(first).filter(|one| !one.replayed).filter_map(lateness).collect();
    let report = consumer.report();
    Ok(Verdict {
        committed: committed.len(),
        arrived: arrived.len(),
        lost: committed.iter().filter(|id| !arrived.contains(id.as_str())).count(),
        unheard: super::life::missing(consumer, expected),
        late: waits.iter().filter(|wait| **wait > LATE).count(),
        slowest: waits.into_iter().max().unwrap_or_default(),
        forged: report.forged,
        malformed: report.malformed,
        out_of_order: report.out_of_order,
        duplicates: report.duplicates,
    })
}

impl Verdict {
    /// Nothing lost, late, forged or out of order, and everything that happened was told.
    pub fn is_good(&self) -> bool {
        self.committed > 0
            && self.lost == 0
            && self.unheard.is_empty()
            && self.late == 0
            && self.forged + self.malformed + self.out_of_order == 0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{} deliveries committed, {} arrived, {} lost", self.committed, self.arrived, self.lost)?;
        writeln!(f, "slowest {:.2} s after its commit, {} later than 30 s", self.slowest.as_secs_f64(), self.late)?;
        let (forged, malformed, disorder, twice) = (self.forged, self.malformed, self.out_of_order, self.duplicates);
        writeln!(f, "{disorder} out of order, {twice} twice, {forged} with a wrong signature, {malformed} malformed")?;
        if !self.unheard.is_empty() {
            writeln!(f, "never heard of: {}", self.unheard.join(", "))?;
        }
        f.write_str(if self.is_good() { "The demo succeeded." } else { "THE DEMO FAILED." })
    }
}
