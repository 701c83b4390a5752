//! The program with nothing to do: how soon it is ready, what memory it holds, what processor time it takes, what it writes.

use std::time::Duration;

use super::program::Program;
use super::site::Site;
use super::subscriptions::{Ground, Kind, settings, subscription};
use super::table::{Goal, Row};
use super::world::World;
use super::{median, runtime};

/// How often it is started.
const RUNS: usize = 3;
/// How long it is left alone before it is looked at.
const ALONE: Duration = Duration::from_secs(10);
/// How long it is looked at.
const LOOK: Duration = Duration::from_secs(30);
const CONSUMERS: u32 = 1_000;

/// Measures without a cluster, and on that of the kubeconfig if there is one.
pub fn measure() -> anyhow::Result<Vec<Row>> {
    runtime()?.block_on(async {
        let mut rows = crowded().await?;
        if std::env::var_os("KUBECONFIG").is_some() {
            rows.extend(on_cluster().await?);
        }
        Ok(rows)
    })
}

/// Many consumers to whom nothing happens, without a cluster.
async fn crowded() -> anyhow::Result<Vec<Row>> {
    let site = Site::new().await?;
    let world = World::open(&site).await?;
    for n in 0..CONSUMERS {
        world.consumer(&format!("consumer-{n}"), "http://127.0.0.1:9/".parse()?).await?;
    }
    world.store.close().await;
    let program = Program::start(&site, &["operator.enabled=false".to_owned()]).await?;
    tokio::time::sleep(ALONE).await;
    let busy = busy(&program, &site).await?;
    let memory = program.memory()?.resident;
    program.stop().await?;
    let mut rows = vec![Row::known("idle with 1,000 consumers: resident memory", memory, "MB")];
    rows.extend(busy.rows("idle with 1,000 consumers"));
    Ok(rows)
}

/// Processor time in percent of a core: the program's, and the database's where that is not a part of it.
struct Busy {
    program: f64,
    database: Option<f64>,
}

impl Busy {
    fn rows(&self, of: &str) -> Vec<Row> {
        let own = Row::new(format!("{of}: processor time"), self.program, "%", Goal::AtMost(2.0));
        let theirs = self.database.map(|spent| Row::known(format!("{of}: the database's"), spent, "%"));
        std::iter::once(own).chain(theirs).collect()
    }
}

/// Over a while in which nothing happens.
async fn busy(program: &Program, site: &Site) -> anyhow::Result<Busy> {
    let before = site.cpu().await?;
    let program = program.cpu_percent(LOOK).await?;
    let spent = (site.cpu().await? - before).as_secs_f64() / LOOK.as_secs_f64() * 100.0;
    Ok(Busy { program, database: site.url().map(|_| spent) })
}

async fn on_cluster() -> anyhow::Result<Vec<Row>> {
    let (ground, site) = (Ground::new().await?, Site::new().await?);
    let (mut ready, mut rows) = (Vec::new(), Vec::new());
    for run in 1..=RUNS {
        let program = Program::start(&site, &settings(&ground)).await?;
        ready.push(program.ready_after.as_secs_f64());
        if run == RUNS {
            tokio::time::sleep(ALONE).await;
            rows = look(&program, &site, "without resources").await?;
            ground.base(1).await?;
            ground.apply(Kind::Subscription, "subscription-0", subscription(0, 1)).await?;
            ground.until_ready(&program, 1).await?;
            tokio::time::sleep(ALONE).await;
            rows.extend(look(&program, &site, "with three Ready resources").await?);
        }
        program.stop().await?;
    }
    ground.end().await?;
    rows.insert(0, Row::new("idle: from exec to ready", median(ready), "s", Goal::AtMost(1.0)));
    Ok(rows)
}

/// Processor time, memory, and what was written in a while in which nothing happens.
async fn look(program: &Program, site: &Site, with: &str) -> anyhow::Result<Vec<Row>> {
    let name = "cpr_operator_status_writes_total";
    let (state, statuses) = (site.state().await?, program.metric(name, &[]).await?);
    let busy = busy(program, site).await?;
    let statuses = program.metric(name, &[]).await? - statuses;
    let is_written = state != site.state().await?;
    let seconds = LOOK.as_secs();
    let memory =
        Row::new(format!("idle {with}: resident memory"), program.memory()?.resident, "MB", Goal::AtMost(60.0));
    let mut rows = vec![memory];
    rows.extend(busy.rows(&format!("idle {with}")));
    rows.extend([
        Row::new(format!("idle {with}: statuses written in {seconds} s"), statuses, "", Goal::AtMost(0.0)),
        Row::new(format!("idle {with}: databases written"), f64::from(is_written), "", Goal::AtMost(0.0)),
    ]);
    Ok(rows)
}
