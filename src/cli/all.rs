//! `all`: every role in one process.

use clap::Args;

use super::process::{Process, admin_socket};
use super::settings::{self, SettingsArgs};

/// Where settings come from.
#[derive(Debug, Args)]
pub struct AllArgs {
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Runs until told to stop; what is in flight is finished and written before it ends.
pub async fn run(args: AllArgs) -> anyhow::Result<()> {
    let mut settings = settings::load(&args.settings)?;
    // Their work is done here.
    settings.workers = settings.workers.without();
    let mut process = Process::begin(settings, "all").await?;
    let admin = admin_socket(&process)?;
    process.ingest(None);
    process.deliver(None);
    process.reconcile();
    process.run(admin).await
}
