//! The program with nothing to do: how soon it is ready, what memory it holds, what processor time it takes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::table::{Goal, Row};
use super::world::World;
use super::{cpu, median, runtime};

const RUNS: usize = 3;
/// How long it is left alone before memory and processor time are read, and over which the latter is read.
const ALONE: Duration = Duration::from_secs(5);
const CONSUMERS: u32 = 1_000;

/// Time to ready, memory and processor time.
pub fn measure() -> anyhow::Result<Vec<Row>> {
    let runs = |folder: Option<&Path>, operator| {
        (0..RUNS).map(|_| run(folder, operator)).collect::<anyhow::Result<Vec<Idle>>>()
    };
    let bare = runs(None, false)?;
    let mut rows = rows("idle", &bare);
    let folder = tempfile::tempdir()?;
    runtime()?.block_on(fill(folder.path()))?;
    let many = run(Some(folder.path()), false)?;
    rows.push(Row::known("idle: memory with 1,000 consumers", many.memory, "MB"));
    rows.push(Row::new("idle: processor time with 1,000 consumers", many.busy, "%", Goal::AtMost(2.0)));
    if std::env::var_os("KUBECONFIG").is_some() {
        rows.extend(self::rows("idle with a cluster", &runs(None, true)?));
    }
    Ok(rows)
}

fn rows(of: &str, runs: &[Idle]) -> Vec<Row> {
    let middle = |what: fn(&Idle) -> f64| median(runs.iter().map(what).collect());
    vec![
        Row::new(format!("{of}: from exec to ready"), middle(|run| run.ready.as_secs_f64()), "s", Goal::AtMost(1.0)),
        Row::new(format!("{of}: resident memory"), middle(|run| run.memory), "MB", Goal::AtMost(60.0)),
        Row::known(format!("{of}: of which its own, not the program file's"), middle(|run| run.own), "MB"),
        Row::new(format!("{of}: processor time"), middle(|run| run.busy), "%", Goal::AtMost(2.0)),
    ]
}

struct Idle {
    ready: Duration,
    memory: f64,
    own: f64,
    busy: f64,
}

async fn fill(folder: &Path) -> anyhow::Result<()> {
    let world = World::open(folder).await?;
    for n in 0..CONSUMERS {
        world.consumer(&format!("consumer-{n}"), "http://127.0.0.1:9/".parse()?).await?;
    }
    world.store.close().await;
    Ok(())
}

/// A process that is killed when it is no longer needed.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended by itself needs no end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(folder: Option<&Path>, operator: bool) -> anyhow::Result<Idle> {
    let own = tempfile::tempdir()?;
    let path = folder.unwrap_or(own.path()).display().to_string();
    let began = Instant::now();
    let mut process = Process(
        Command::new(env!("CARGO_BIN_EXE_cpr-operator"))
            .args(["all", "--set", &format!("store.path={path}"), "--set", "http.listen=127.0.0.1:0"])
            .args(["--set", &format!("operator.enabled={operator}"), "--set", "log.format=json"])
            .stderr(Stdio::piped())
            .spawn()?,
    );
    let mut lines = BufReader::new(process.0.stderr.take().context("its log")?).lines();
    let address = lines.by_ref().map_while(Result::ok).find_map(|line| address(&line)).context("it did not start")?;
    while !is_ready(address) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let ready = began.elapsed();
    std::thread::spawn(move || lines.for_each(drop));
    let id = process.0.id().to_string();
    std::thread::sleep(ALONE);
    let (before, since) = (cpu::of(&id)?, Instant::now());
    std::thread::sleep(ALONE);
    let busy = (cpu::of(&id)? - before).as_secs_f64() / since.elapsed().as_secs_f64() * 100.0;
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    Ok(Idle { ready, memory: megabytes(&status, "VmRSS:")?, own: megabytes(&status, "RssAnon:")?, busy })
}

fn address(line: &str) -> Option<SocketAddr> {
    serde_json::from_str::<serde_json::Value>(line).ok()?.get("address")?.as_str()?.parse().ok()
}

fn is_ready(address: SocketAddr) -> bool {
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    asked().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

fn megabytes(status: &str, field: &str) -> anyhow::Result<f64> {
    let line = status.lines().find(|line| line.starts_with(field)).with_context(|| field.to_owned())?;
    let kilobytes: f64 = line.split_whitespace().nth(1).context("a number")?.parse()?;
    Ok(kilobytes / 1024.0)
}
