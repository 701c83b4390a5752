//! `operator`, `ingest` and `deliver`: one role each, in processes that share a PostgreSQL database.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::process::{Process, admin_socket};
use super::settings::{self, SettingsArgs};
use crate::domain::resource::ResourceKey;
use crate::settings::Settings;

/// Where settings come from.
#[derive(Debug, Args)]
pub struct OperatorArgs {
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Which source is read.
#[derive(Debug, Args)]
pub struct IngestArgs {
    /// A source, as NAMESPACE/NAME. May be repeated.
    #[arg(long = "source", value_name = "NAMESPACE/NAME", required = true, value_parser = key)]
    sources: Vec<ResourceKey>,
    #[command(flatten)]
    worker: WorkerArgs,
}

/// To whom is delivered.
#[derive(Debug, Args)]
pub struct DeliverArgs {
    /// A consumer, as NAMESPACE/NAME. May be repeated.
    #[arg(long = "consumer", value_name = "NAMESPACE/NAME", required = true, value_parser = key)]
    consumers: Vec<ResourceKey>,
    #[command(flatten)]
    worker: WorkerArgs,
}

/// What every worker is given.
#[derive(Debug, Args)]
struct WorkerArgs {
    /// Folder with a file NAMESPACE_NAME.json for each resource, holding its secrets.
    #[arg(long, value_name = "FOLDER", default_value = "/etc/cpr-operator/secrets")]
    secrets: PathBuf,
    #[command(flatten)]
    settings: SettingsArgs,
}

fn key(text: &str) -> Result<ResourceKey, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(ResourceKey::new(namespace, name))
        }
        _ => Err("write it as NAMESPACE/NAME".to_owned()),
    }
}

/// Reconciles custom resources until told to stop.
pub async fn operator(args: OperatorArgs) -> anyhow::Result<()> {
    let mut process = Process::begin(shared(&args.settings)?, "operator").await?;
    let admin = admin_socket(&process)?;
    process.reconcile();
    process.run(admin).await
}

/// Reads sources until told to stop.
pub async fn ingest(args: IngestArgs) -> anyhow::Result<()> {
    let mut process = Process::begin(shared(&args.worker.settings)?, "ingest").await?;
    let admin = admin_socket(&process)?;
    process.read_secrets(args.worker.secrets);
    process.ingest(Some(args.sources));
    process.run(admin).await
}

/// Delivers to consumers until told to stop.
pub async fn deliver(args: DeliverArgs) -> anyhow::Result<()> {
    let mut process = Process::begin(shared(&args.worker.settings)?, "deliver").await?;
    let admin = admin_socket(&process)?;
    process.read_secrets(args.worker.secrets);
    process.deliver(Some(args.consumers));
    process.run(admin).await
}

/// The settings of a process that is one of several.
fn shared(args: &SettingsArgs) -> anyhow::Result<Settings> {
    let settings = settings::load(args)?;
    if settings.database.url_file.is_none() {
        bail!(
            "database.url_file is not set: several processes need a PostgreSQL database; on SQLite run `cpr-operator all`"
        );
    }
    Ok(settings)
}
