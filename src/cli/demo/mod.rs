//! `demo`: the whole product at work on this machine: register, operator, two teams' receivers, and what arrived.
//!
//! `stage` holds what there is, `acts` what happens, `verdict` what came of it.

mod acts;
mod cluster;
mod manifests;
mod operator;
mod receiver;
mod stage;
mod verdict;

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio_util::sync::CancellationToken;

use self::cluster::Cluster;
use self::stage::{Finding, Stage};
use self::verdict::Verdict;
use super::say;
use crate::runtime::shutdown;

/// How the demo ends.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// End by itself with a summary, also on a terminal.
    #[arg(long)]
    once: bool,
}

/// How long anything may take before the demo calls itself failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs the demo. Success: nothing was lost, late or out of order, and each act has shown what it should.
pub async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let stop = shutdown::on_signal()?;
    let stays = std::io::stdout().is_terminal() && !args.once;
    let folder = std::env::temp_dir().join(format!("cpr-operator-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let mut cluster = Cluster::prepare().await?;
    let outcome = in_namespaces(&mut cluster, &folder, stays, &stop).await;
    cluster.clean().await;
    match &outcome {
        Ok(_) => std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?,
        Err(_) => say(&format!("Databases and log of this run are kept in {}", folder.display())),
    }
    Ok(match outcome? {
        Some(verdict) if verdict.is_good() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Shows everything in namespaces that are made for it. No verdict: it was interrupted.
async fn in_namespaces(
    cluster: &mut Cluster,
    folder: &Path,
    stays: bool,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Verdict>> {
    let own = cluster.add_namespace("cpr-demo-").await?;
    let theirs = cluster.add_namespace("cpr-demo-schools-").await?;
    say(&format!("Installed the definitions, made the namespaces {own} and {theirs}"));
    tokio::select! {
        played = play(cluster, &own, &theirs, folder) => {
            let (stage, findings) = played?;
            end(stage, findings, folder, stays.then_some(stop)).await.map(Some)
        }
        () = stop.cancelled() => {
            say("Interrupted: no verdict.");
            Ok(None)
        }
    }
}

async fn play<'a>(
    cluster: &'a Cluster,
    own: &str,
    theirs: &str,
    folder: &Path,
) -> anyhow::Result<(Stage<'a>, Vec<Finding>)> {
    let mut stage = Stage::set(cluster, own, theirs, folder).await?;
    receiver::show_headings();
    let findings = acts::play(&mut stage).await?;
    Ok((stage, findings))
}

/// Ends the operator, after `stop` where that is given, and says the verdict.
async fn end(
    mut stage: Stage<'_>,
    findings: Vec<Finding>,
    folder: &Path,
    stop: Option<&CancellationToken>,
) -> anyhow::Result<Verdict> {
    if let Some(stop) = stop {
        stay(&mut stage, stop).await;
    }
    let Stage { operator, register, casework, schools, .. } = stage;
    operator.end().await?;
    let verdict = verdict::judge(&folder.join("data"), [&casework, &schools], findings).await?;
    say(&verdict.to_string());
    register.stop().await;
    Ok(verdict)
}

async fn stay(stage: &mut Stage<'_>, stop: &CancellationToken) {
    let config = std::env::var("KUBECONFIG").unwrap_or_else(|_| "~/.kube/config".to_owned());
    let (own, theirs) = (&stage.places.own, &stage.places.theirs);
    let program = std::env::args().next().unwrap_or_default();
    let socket = stage.operator.socket();
    say(&format!(
        "\nTry, in another terminal:\n  build/kubectl --kubeconfig {config} -n {own} get cpr\n  \
         build/kubectl --kubeconfig {config} -n {theirs} describe cprsub\n  \
         build/kubectl --kubeconfig {config} -n {own} edit consumersystem casework\n  \
         {program} deliveries --socket {socket} --consumer {own}/casework\n  \
         {program} doctor --socket {socket}\nCtrl-C ends the demo."
    ));
    while !stop.is_cancelled() {
        stage.show();
        tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(Duration::from_millis(200)) => {} }
    }
}
