//! `migrate`: the schema of a PostgreSQL database, brought up to date by its owner.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::say;
use super::settings::{self, SettingsArgs};
use crate::settings::store::StoreSettings;
use crate::store::{copy, postgres};

/// What is done about the schema.
#[derive(Debug, Subcommand)]
pub enum MigrateCommand {
    /// Bring the schemas of both databases up to date, and grant the roles what they need. Run it as their owner.
    Up(UpArgs),
    /// Copy a store from SQLite files to the PostgreSQL server of the settings. Stop the process that runs on the files first.
    Copy(CopyArgs),
    /// Print what makes the roles that logins are members of, for whoever may make roles on the server.
    Roles,
}

/// From where to where.
#[derive(Debug, Args)]
pub struct CopyArgs {
    /// Folder of the SQLite files. The root key stays where it is, and is needed by both.
    #[arg(long, value_name = "FOLDER")]
    from: PathBuf,
    #[command(flatten)]
    settings: SettingsArgs,
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
        MigrateCommand::Copy(args) => copy(args).await,
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

async fn copy(args: CopyArgs) -> anyhow::Result<()> {
    let settings = settings::load(&args.settings)?;
    let from = StoreSettings { path: args.from, ..settings.store };
    let tell = |(table, rows): copy::Copied| say(&format!("{table}: {rows}"));
    copy::copy(&from, &settings.database, Timestamp::now(), tell).await?;
    say("done: the files are kept and used no more");
    Ok(())
}

fn address(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    Ok(text.trim().to_owned())
}
