//! `migrate`: the schema of a PostgreSQL database, brought up to date by its owner.

use std::path::Path;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::say;
use super::settings::{self, SettingsArgs};
use crate::store::postgres;

/// What is done about the schema.
#[derive(Debug, Subcommand)]
pub enum MigrateCommand {
    /// Bring the schemas of both databases up to date, and grant the roles what they need. Run it as their owner.
    Up(UpArgs),
    /// Print what makes the roles that logins are members of, for whoever may make roles on the server.
    Roles,
}

/// Where the databases are.
#[derive(Debug, Args)]
pub struct UpArgs {
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Does it.
pub async fn run(command: MigrateCommand) -> anyhow::Result<()> {
    match command {
        MigrateCommand::Up(args) => up(&args).await,
        MigrateCommand::Roles => {
            say(postgres::ROLES.trim_end());
            Ok(())
        }
    }
}

async fn up(args: &UpArgs) -> anyhow::Result<()> {
    let database = settings::load(&args.settings)?.database;
    let Some(url) = &database.url_file else {
        bail!("database.url_file is not set: SQLite files are brought up to date when they are opened");
    };
    let keys = database.keys_url_file.as_ref().unwrap_or(url);
    for (what, file, content) in [("key store", keys, &postgres::KEYS), ("main database", url, &postgres::MAIN)] {
        postgres::prepare(&address(file)?, content).await.with_context(|| what.to_owned())?;
        say(&format!("{what}: up to date"));
    }
    Ok(())
}

fn address(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    Ok(text.trim().to_owned())
}
