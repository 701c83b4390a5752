//! The demo's verdict: what was committed held against what arrived, and what each act has shown.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::receiver::{Receiver, lateness};
use super::stage::Finding;
use crate::settings::database::DatabaseSettings;
use crate::settings::store::StoreSettings;
use crate::simulate::consumer::Received;
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
    slowest_of_failed: Option<Duration>,
    forged: u64,
    malformed: u64,
    out_of_order: u64,
    duplicates: u64,
    findings: Vec<Finding>,
}

/// Holds the routes of a store whose program has ended against what its receivers got. What was given up and arrived when sent
/// again has arrived.
pub async fn judge(data: &Path, receivers: [&Receiver; 2], findings: Vec<Finding>) -> anyhow::Result<Verdict> {
    let committed = committed(data).await?;
    let accepted: Vec<(&Receiver, Received)> =
        receivers.into_iter().flat_map(|by| by.accepted().into_iter().map(move |one| (by, one))).collect();
    let ids = |(_, one): &(_, Received)| [Some(one.id.clone()), one.body["replayof"].as_str().map(str::to_owned)];
    let arrived: HashSet<String> = accepted.iter().flat_map(ids).flatten().collect();
    let in_time = accepted.iter().filter(|(_, one)| !one.replayed);
    let (failed, well): (Vec<_>, Vec<_>) = in_time.partition(|(by, one)| by.failed_at(one));
    let waits = |all: &[&(&Receiver, Received)]| all.iter().filter_map(|(_, one)| lateness(one)).collect::<Vec<_>>();
    let mut verdict = Verdict {
        committed: committed.len(),
        arrived: committed.iter().filter(|id| arrived.contains(*id)).count(),
        lost: committed.iter().filter(|id| !arrived.contains(*id)).count(),
        unheard: receivers.iter().flat_map(|one| one.missing()).collect(),
        late: waits(&well).into_iter().filter(|wait| *wait > LATE).count(),
        slowest: waits(&well).into_iter().max().unwrap_or_default(),
        slowest_of_failed: waits(&failed).into_iter().max(),
        findings,
        ..Verdict::default()
    };
    for report in receivers.map(|one| one.consumer.report()) {
        verdict.forged += report.forged;
        verdict.malformed += report.malformed;
        verdict.out_of_order += report.out_of_order;
        verdict.duplicates += report.duplicates;
    }
    Ok(verdict)
}

/// The ids of all deliveries of all consumers.
async fn committed(data: &Path) -> anyhow::Result<Vec<String>> {
    let settings =
        StoreSettings { path: data.to_owned(), root_key_file: None, accept_local_root_key: false, readers: 1 };
    let now = Timestamp::now();
    let store = store::open(&settings, &DatabaseSettings::default(), now).await?;
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
    Ok(committed)
}

impl Verdict {
    /// Nothing lost, late, forged or out of order, everything that happened was told, and each act has shown what it should.
    pub fn is_good(&self) -> bool {
        self.committed > 0
            && self.lost == 0
            && self.unheard.is_empty()
            && self.late == 0
            && self.forged + self.malformed + self.out_of_order == 0
            && self.findings.iter().all(|finding| finding.good)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{} deliveries committed, {} arrived, {} lost", self.committed, self.arrived, self.lost)?;
        write!(f, "slowest {:.2} s after its commit, {} later than 30 s", self.slowest.as_secs_f64(), self.late)?;
        match self.slowest_of_failed {
            Some(slowest) => writeln!(f, "; {:.2} s where the receiver failed", slowest.as_secs_f64())?,
            None => writeln!(f)?,
        }
        let (forged, malformed, disorder, twice) = (self.forged, self.malformed, self.out_of_order, self.duplicates);
        writeln!(f, "{disorder} out of order, {twice} twice, {forged} with a wrong signature, {malformed} malformed")?;
        for finding in &self.findings {
            writeln!(f, "{}{}", finding.said, if finding.good { "" } else { ": NOT AS IT SHOULD BE" })?;
        }
        if !self.unheard.is_empty() {
            writeln!(f, "never heard of: {}", self.unheard.join(", "))?;
        }
        f.write_str(if self.is_good() { "The demo succeeded." } else { "THE DEMO FAILED." })
    }
}
