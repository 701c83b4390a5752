//! `plan`: what manifests would disclose, before they are applied.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Args;
use serde_json::Value;

use super::output::{Output, tell};
use super::say;
use super::socket::{Socket, SocketArgs};
use crate::admin::wire::{Change, Manifests, Planned};

/// Which manifests.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// File with manifests in YAML or JSON; `-` is standard input. May be repeated.
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Namespace of manifests that name none.
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// Form of the answer.
    #[arg(short, long, default_value = "table")]
    output: Output,
    #[command(flatten)]
    socket: SocketArgs,
}

/// Plans. Success: nothing would be refused.
pub async fn run(args: PlanArgs) -> anyhow::Result<ExitCode> {
    let mut manifests = Vec::new();
    for file in &args.files {
        let text = match file.to_str() {
            Some("-") => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).context("standard input")?;
                text
            }
            _ => std::fs::read_to_string(file).with_context(|| file.display().to_string())?,
        };
        // An error says where it is wrong, and does not quote: it may be a list of persons, given by mistake.
        let read: Vec<Value> = serde_saphyr::from_multiple(&text)
            .map_err(|error| anyhow!("{}: {}", file.display(), error.without_snippet()))?;
        manifests.extend(read.into_iter().flat_map(items).map(|manifest| in_namespace(manifest, &args.namespace)));
    }
    let planned: Vec<Planned> = Socket::find(&args.socket)?.post("/v1/plan", &Manifests { manifests }).await?;
    tell(args.output, &planned, |planned| planned.iter().for_each(show))?;
    let refused = planned.iter().any(|one| one.action == "Refused");
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The manifests of a list, or the one.
fn items(mut manifest: Value) -> Vec<Value> {
    match manifest["kind"].as_str() {
        Some("List") => manifest["items"].as_array_mut().map(std::mem::take).unwrap_or_default(),
        _ => vec![manifest],
    }
}

fn in_namespace(mut manifest: Value, namespace: &str) -> Value {
    if let Some(metadata) = manifest["metadata"].as_object_mut() {
        metadata.entry("namespace").or_insert_with(|| namespace.into());
    }
    manifest
}

fn show(planned: &Planned) {
    say(&format!("CprSubscription {}: {}", planned.subscription, planned.action));
    let line = |what: &str, said: &str| {
        if !said.is_empty() {
            say(&format!("  {what:<16} {said}"));
        }
    };
    let text = |said: &Option<String>| said.clone().unwrap_or_default();
    line("refused for", &text(&planned.reason));
    line("because", &text(&planned.message));
    line("source", &text(&planned.source));
    line("consumer", &text(&planned.consumer));
    line("purpose", &text(&planned.purpose));
    line("legal bases", &planned.legal_bases.join(", "));
    line("covers", &covers(planned));
    line("municipalities", &change(&planned.municipalities));
    line("level", &text(&planned.level));
    line("delivers", &change(&planned.groups));
    line("may tell of", &change(&planned.granted));
    line("hears", &change(&planned.types));
    line("protected", &text(&planned.protected_persons));
    line("ends", &planned.ends_at.map(|at| at.to_string()).unwrap_or_default());
    if planned.action != "Refused" {
        line("known persons", &format!("{} (now {})", planned.persons, planned.persons_now));
        line("registrations", &format!("{}: this kind of register keeps no list of ours", planned.registrations));
    }
}

fn covers(planned: &Planned) -> String {
    let parts = [
        planned.everyone.then_some("everyone"),
        (!planned.municipalities.all.is_empty()).then_some("who lives in the municipalities"),
        planned.list.then_some("who is on the list"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", and ")
}

/// The whole, with what is new and what goes marked.
fn change(change: &Change) -> String {
    let marked = change.all.iter().map(|one| if change.added.contains(one) { format!("+{one}") } else { one.clone() });
    marked.chain(change.removed.iter().map(|one| format!("-{one}"))).collect::<Vec<_>>().join(" ")
}
