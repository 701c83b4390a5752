//! A list of 100,000 numbers: how long its import takes beside what the register's limit allows, what is said of that
//! meanwhile, and what memory it needs.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;

use super::program::{self, PATIENCE, Program};
use super::receiver::Receiver;
use super::site::Site;
use super::subscriptions::{Ground, Kind, settings, subscription};
use super::table::{Goal, Row};

/// Numbers on the list.
const NUMBERS: usize = 100_000;
/// Numbers that the register's limit allows a second by default: 20 requests with 100 numbers each.
const LIMIT: f64 = 2_000.0;
/// After so long the remaining time is held against what it then took.
const SETTLED: Duration = Duration::from_secs(10);

/// Measures on the cluster of the kubeconfig; nothing where there is none.
pub fn measure() -> anyhow::Result<Vec<Row>> {
    super::runtime()?.block_on(figures())
}

async fn figures() -> anyhow::Result<Vec<Row>> {
    if std::env::var_os("KUBECONFIG").is_none() {
        return Ok(vec![]);
    }
    let (ground, site, receiver) = (Ground::new().await?, Site::new().await?, Receiver::start()?);
    let numbers = ground.settle(NUMBERS)?;
    let program = Program::start(&site, &settings(&ground)).await?;
    ground.base(0).await?;
    let mut consumer = super::subscriptions::consumer(receiver.url("instant")?.as_str());
    consumer["delivery"]["verification"] = json!("Status");
    ground.apply(Kind::Consumer, "consumer-0", consumer).await?;
    let mut list = subscription(0, 1);
    list["select"] = json!({ "persons": "Managed" });
    ground.apply(Kind::Subscription, "list", list).await?;
    ground.until_ready(&program, 1).await?;

    let before = program.memory()?.resident;
    let began = Instant::now();
    let mut import = Import::start(&site, &format!("{}/list", ground.namespace()), numbers)?;
    let watched = watch(&program, &mut import, began).await?;
    let took = began.elapsed().as_secs_f64();
    let delivered = delivered(&program, began).await?;
    program.stop().await?;
    ground.end().await?;
    Ok(vec![
        Row::known("list: 100,000 numbers imported", took, "s"),
        Row::known("list: part of the rate that the register's limit allows", NUMBERS as f64 / took / LIMIT, ""),
        Row::known("list: until scope.entered of each was delivered", delivered, "s"),
        Row::known("list: remaining time said, to what it then took, worst after the first 10 s", watched.worst, ""),
        Row::known("list: resident before", before, "MB"),
        Row::known("list: resident when a quarter was met", watched.early, "MB"),
        Row::known("list: most resident", watched.highest, "MB"),
        Row::new(
            "list: most after a quarter to that at a quarter",
            watched.highest / watched.early,
            "",
            Goal::AtMost(1.2),
        ),
    ])
}

/// What was seen during an import.
struct Watched {
    early: f64,
    highest: f64,
    worst: f64,
}

async fn watch(program: &Program, import: &mut Import, began: Instant) -> anyhow::Result<Watched> {
    let (mut early, mut highest) = (None, 0.0_f64);
    while import.child.try_wait()?.is_none() {
        anyhow::ensure!(began.elapsed() < PATIENCE, "the import does not end");
        let memory = program.memory()?.resident;
        if import.met() >= NUMBERS / 4 {
            early.get_or_insert(memory);
            highest = highest.max(memory);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let ended = Instant::now();
    anyhow::ensure!(import.met() == NUMBERS, "{} of {NUMBERS} numbers were met", import.met());
    Ok(Watched { early: early.context("the import was not seen")?, highest, worst: import.worst(began, ended)? })
}

async fn delivered(program: &Program, began: Instant) -> anyhow::Result<f64> {
    program::until("all deliveries", async || {
        let accepted = program.metric("cpr_delivery_attempts_total", &["outcome=\"Accepted\""]).await.ok()?;
        (accepted >= NUMBERS as f64).then_some(())
    })
    .await?;
    Ok(began.elapsed().as_secs_f64())
}

/// The tool at work.
struct Import {
    child: Child,
    met: Arc<AtomicUsize>,
    said: Arc<Mutex<Vec<(Instant, f64)>>>,
}

impl Import {
    /// Starts it, with these numbers as its input.
    fn start(site: &Site, list: &str, numbers: Vec<String>) -> anyhow::Result<Self> {
        let mut child = Command::new(program::program())
            .args(["persons", "import", "--subscription", list, "--socket"])
            .arg(site.store().join("admin.sock"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (met, said) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<(Instant, f64)>>>::default());
        let mut input = child.stdin.take().context("its input")?;
        // One that ends early is seen by its end.
        std::thread::spawn(move || numbers.iter().try_for_each(|number| writeln!(input, "{number}")).ok());
        let (output, count) = (BufReader::new(child.stdout.take().context("its output")?), met.clone());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                count.fetch_add(usize::from(line.contains("Listed")), Ordering::Relaxed);
            }
        });
        let (notes, heard) = (BufReader::new(child.stderr.take().context("its notes")?), said.clone());
        std::thread::spawn(move || {
            for line in notes.lines().map_while(Result::ok) {
                if let Some(seconds) = seconds(&line) {
                    heard.lock().expect("no holder panics").push((Instant::now(), seconds));
                }
            }
        });
        Ok(Self { child, met, said })
    }

    /// Numbers that are on the list.
    fn met(&self) -> usize {
        self.met.load(Ordering::Relaxed)
    }

    /// Of what was said of the remaining time, the furthest from what it then was, as a ratio above one.
    fn worst(&self, began: Instant, ended: Instant) -> anyhow::Result<f64> {
        let said = self.said.lock().expect("no holder panics");
        let later = said.iter().filter(|(at, _)| at.duration_since(began) >= SETTLED);
        let ratios = later.map(|(at, said)| said.max(1.0) / ended.duration_since(*at).as_secs_f64().max(1.0));
        ratios.map(|ratio| ratio.max(1.0 / ratio)).max_by(f64::total_cmp).context("nothing was said of the time")
    }
}

/// The remaining time that a note tells.
fn seconds(note: &str) -> Option<f64> {
    note.split_once("about ")?.1.split_once(" s")?.0.parse().ok()
}
