//! The program as a process of its own: started, asked, measured, ended.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use cpr_operator::store::open::ROOT_KEY_FILE;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tokio::process::{Child, Command};

use super::site::Site;
use super::{cpu, world};

/// How long anything is waited for; a bound for giving up.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// `cpr-operator`, running.
pub struct Program {
    child: Child,
    address: String,
    /// From its start until `/readyz` agreed.
    pub ready_after: Duration,
}

/// Memory of a process, in megabytes of a million bytes.
#[derive(Clone, Copy)]
pub struct Memory {
    /// At present.
    pub resident: f64,
    /// The most so far.
    pub highest: f64,
}

impl Program {
    /// Starts `cpr-operator all` on the store at this place and waits until it is ready.
    pub async fn start(site: &Site, settings: &[String]) -> anyhow::Result<Self> {
        Self::play(site, &site.store(), &["all"], settings).await
    }

    /// Starts `cpr-operator deliver` for a consumer of the [`World`](super::world::World) at this place.
    pub async fn deliver(site: &Site, consumer: &str) -> anyhow::Result<Self> {
        let own = site.path().join(uuid::Uuid::new_v4().simple().to_string());
        let secrets = site.path().join("secrets");
        std::fs::create_dir_all(&secrets)?;
        let key = world::key(consumer);
        let file = secrets.join(format!("{}_{}.json", key.namespace, key.name));
        std::fs::write(file, json!({ "signing": [world::secret()] }).to_string())?;
        let (secrets, key) = (secrets.display().to_string(), key.to_string());
        let settings = [
            format!("store.root_key_file={}", site.store().join(ROOT_KEY_FILE).display()),
            "network.allowed_networks=[\"127.0.0.0/8\"]".to_owned(),
        ];
        Self::play(site, &own, &["deliver", "--consumer", &key, "--secrets", &secrets], &settings).await
    }

    async fn play(site: &Site, folder: &Path, words: &[&str], settings: &[String]) -> anyhow::Result<Self> {
        let log = site.path().join(format!("log-{}", uuid::Uuid::new_v4().simple()));
        let mut command = Command::new(program());
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        command.stderr(std::fs::File::create(&log)?);
        let own = [
            format!("store.path={}", folder.display()),
            "http.listen=127.0.0.1:0".to_owned(),
            "log.format=json".to_owned(),
        ];
        let database = site.url_file().map(|file| format!("database.url_file={}", file.display()));
        own.iter().chain(&database).chain(settings).for_each(|pair| {
            command.args(["--set", pair]);
        });
        let began = Instant::now();
        let child = command.spawn()?;
        let address = until("the address in its log", async || address(&log)).await?;
        let mut program = Self { child, address, ready_after: Duration::ZERO };
        until("ready", async || program.get("/readyz").await.ok().filter(|(status, _)| *status == 200)).await?;
        program.ready_after = began.elapsed();
        Ok(program)
    }

    async fn get(&self, path: &str) -> anyhow::Result<(u16, String)> {
        let client: Client<_, Empty<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let answer = client.get(format!("http://{}{path}", self.address).parse()?).await?;
        let status = answer.status().as_u16();
        Ok((status, String::from_utf8(answer.into_body().collect().await?.to_bytes().to_vec())?))
    }

    /// The sum over the series of a metric whose labels hold all of these texts.
    pub async fn metric(&self, name: &str, labels: &[&str]) -> anyhow::Result<f64> {
        let (_, text) = self.get("/metrics").await?;
        let of_name = text.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
        let series = of_name.filter(|(rest, _)| labels.iter().all(|label| rest.contains(label)));
        Ok(series.filter_map(|(_, value)| value.parse::<f64>().ok()).sum())
    }

    /// Requests to the API server that may change something.
    pub async fn api_writes(&self) -> anyhow::Result<f64> {
        let name = "rest_client_requests_total";
        Ok(self.metric(name, &[]).await? - self.metric(name, &["method=\"GET\""]).await?)
    }

    /// Memory now.
    pub fn memory(&self) -> anyhow::Result<Memory> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches(" kB").parse::<f64>().ok()
        };
        let megabytes = |name: &str| field(name).map(|kb| kb * 1024.0 / 1e6).context("/proc status");
        Ok(Memory { resident: megabytes("VmRSS:")?, highest: megabytes("VmHWM:")? })
    }

    /// Processor time until now.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        cpu::of(&self.pid()?.to_string())
    }

    /// Processor time in percent of one core over `time`.
    pub async fn cpu_percent(&self, time: Duration) -> anyhow::Result<f64> {
        let before = self.cpu()?;
        tokio::time::sleep(time).await;
        Ok((self.cpu()? - before).as_secs_f64() / time.as_secs_f64() * 100.0)
    }

    fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("the program has ended")
    }

    /// Ends it as `kill -9` does.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks it to end and waits until it has.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        Command::new("kill").args(["-TERM", &self.pid()?.to_string()]).status().await?;
        tokio::time::timeout(PATIENCE, self.child.wait()).await.context("it does not end")??;
        Ok(())
    }
}

fn address(log: &PathBuf) -> Option<String> {
    let text = std::fs::read_to_string(log).ok()?;
    let line = text.lines().find(|line| line.contains("probes and metrics"))?;
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    Some(line["address"].as_str()?.to_owned())
}

/// The program; where the variable says so another one, to compare with.
pub fn program() -> std::ffi::OsString {
    std::env::var_os("CPR_OPERATOR").unwrap_or_else(|| env!("CARGO_BIN_EXE_cpr-operator").into())
}

/// Asks again and again until there is an answer.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> anyhow::Result<T> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(answer) = ask().await {
            return Ok(answer);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    anyhow::bail!("{what}: never came")
}
