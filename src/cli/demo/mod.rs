//! `demo`: the whole product at work on this machine: register, operator, receiver, and what arrived.

mod cluster;
mod life;
mod verdict;

use std::io::IsTerminal;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::say;
use crate::runtime::clock::{Clock, copenhagen};
use crate::runtime::shutdown;
use crate::simulate::consumer::{self, Consumer, Received};
use crate::simulate::datafordeler::{self, Register};

/// How the demo ends.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// End by itself with a summary, also on a terminal.
    #[arg(long)]
    once: bool,
}

/// How long anything may take before the demo calls itself failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs the demo. Success: nothing was lost, late or out of order.
pub async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let stop = shutdown::on_signal()?;
    let stays = std::io::stdout().is_terminal() && !args.once;
    let folder = std::env::temp_dir().join(format!("cpr-operator-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let outcome = tokio::select! {
        outcome = show(&folder, stays, &stop) => outcome,
        () = async { stop.cancelled().await; tokio::time::sleep(Duration::from_secs(20)).await } => bail!("interrupted"),
    };
    match &outcome {
        Ok(_) => std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?,
        Err(_) => say(&format!("Databases and log of this run are kept in {}", folder.display())),
    }
    outcome
}

async fn show(folder: &Path, stays: bool, stop: &CancellationToken) -> anyhow::Result<ExitCode> {
    let cluster = cluster::Cluster::prepare().await?;
    let register = register().await?;
    let cast = life::Cast::settle(&register)?;
    let secret = cluster::signing_secret();
    let listen = "127.0.0.1:0".parse().context("an address")?;
    let consumer = Consumer::start(consumer::Options { listen, secrets: vec![secret] }).await.context("consumer")?;
    say(&format!("A simulated register is at {}, a simulated consumer at {}", register.url(), consumer.url()));
    cluster.apply_samples(&register.url(), &consumer.url()).await?;
    say("Applied config/samples: secrets, source, consumer, subscription");
    let mut operator = start_operator(folder, cluster.namespace())?;
    cluster.until_ready(PATIENCE, &mut operator).await?;
    say("The operator is ready: the register was read, the consumer's address has proved itself\n");

    say(&format!(
        "{:<13} {:>9}  {:<20} {:<30} {:>8}  signature",
        "arrived", "latency", "type", "reference", "sequence"
    ));
    let printing = tokio::spawn(print(consumer.subscribe()));
    let expected = life::live(&register, &consumer, &cast, PATIENCE, stop).await?;
    if stays {
        stay(&cluster, stop).await;
    }
    end(&mut operator).await?;
    printing.abort();
    let verdict = verdict::judge(&folder.join("data"), &consumer, &expected).await?;
    say(&verdict.to_string());
    register.stop().await;
    cluster.clean().await;
    Ok(if verdict.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn register() -> anyhow::Result<Register> {
    let options = datafordeler::Options {
        people: 300,
        cases: true,
        client_id: "trial-client".to_owned(),
        client_secret: "trial-client-secret".to_owned(),
        ..datafordeler::Options::new(Clock::system(), 2026)
    };
    Register::start(options, "127.0.0.1:0".parse()?).await.context("register")
}

/// The operator as a process of its own, its log beside its databases.
fn start_operator(folder: &Path, namespace: &str) -> anyhow::Result<Child> {
    let log = std::fs::File::create(folder.join("log"))?;
    let settings = [
        format!("store.path={}", folder.join("data").display()),
        format!("operator.namespaces=[\"{namespace}\"]"),
        format!("operator.lease_namespace={namespace}"),
        "network.allowed_networks=[\"127.0.0.0/8\"]".to_owned(),
        "http.listen=127.0.0.1:0".to_owned(),
    ];
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("all").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
    command.process_group(0);
    settings.iter().for_each(|pair| {
        command.args(["--set", pair]);
    });
    command.spawn().context("starting the operator")
}

/// Ends the operator as a cluster would: SIGTERM, and time to finish.
async fn end(operator: &mut Child) -> anyhow::Result<()> {
    if let Some(pid) = operator.id() {
        Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
    }
    let status = tokio::time::timeout(PATIENCE, operator.wait()).await.context("the operator did not end")??;
    if !status.success() {
        bail!("the operator ended with {status}");
    }
    Ok(())
}

async fn print(mut arrivals: tokio::sync::broadcast::Receiver<Received>) {
    while let Ok(one) = arrivals.recv().await {
        if one.kind == "endpoint.verify" {
            continue;
        }
        let after =
            verdict::lateness(&one).map(|late| format!("{:.0} ms", late.as_secs_f64() * 1000.0)).unwrap_or_default();
        let at = one.at.to_zoned(copenhagen()).strftime("%H:%M:%S%.3f").to_string();
        let reference = one.reference.as_deref().unwrap_or("-");
        let sequence = one.sequence.map(|number| number.to_string()).unwrap_or_default();
        let signature = if one.signature_valid { "valid" } else { "INVALID" };
        say(&format!("{at:<13} {after:>9}  {:<20} {reference:<30} {sequence:>8}  {signature}", one.kind));
    }
}

async fn stay(cluster: &cluster::Cluster, stop: &CancellationToken) {
    let config = std::env::var("KUBECONFIG").unwrap_or_else(|_| "~/.kube/config".to_owned());
    let namespace = cluster.namespace();
    say(&format!(
        "\nTry, in another terminal:\n  build/kubectl --kubeconfig {config} -n {namespace} get cpr\n  \
         build/kubectl --kubeconfig {config} -n {namespace} describe cprsub\n  \
         build/kubectl --kubeconfig {config} -n {namespace} edit consumersystem casework\nCtrl-C ends the demo."
    ));
    stop.cancelled().await;
}
