//! `migrate`: the schema of a PostgreSQL database brought up to date, a store copied there, and one that was restored from a backup.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::say;
use super::settings::{self, SettingsArgs};
use crate::audit::{self, Asker, Entry, Outcome};
use crate::settings::store::StoreSettings;
use crate::store::open::address;
use crate::store::{self, copy, postgres, restored};

/// What is done about the schema.
#[derive(Debug, Subcommand)]
pub enum MigrateCommand {
    /// Bring the schemas of both databases up to date, and grant the roles what they need. Run it as their owner.
    Up(UpArgs),
    /// Copy a store from SQLite files to the PostgreSQL server of the settings. Stop the process that runs on the files first.
    Copy(CopyArgs),
    /// After a backup was put back: have all numbers go on where none was given before, and say what is missing. Stop all
    /// processes first.
    Restored(RestoredArgs),
    /// Print what makes the roles that logins are members of, for whoever may make roles on the server.
    Roles(RolesArgs),
}

/// Which roles.
#[derive(Debug, Args)]
pub struct RolesArgs {
    /// Also what lets the operator make a login for each worker (database.login_per_consumer). Run it in each database.
    #[arg(long)]
    logins: bool,
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

/// Which store was put back.
#[derive(Debug, Args)]
pub struct RestoredArgs {
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
        MigrateCommand::Restored(args) => restored(&args).await,
        MigrateCommand::Roles(args) => {
            say(postgres::ROLES.trim_end());
            if args.logins {
                say(postgres::LOGINS.trim_end());
            }
            Ok(())
        }
    }
}

async fn up(args: &UpArgs) -> anyhow::Result<()> {
    let database = settings::load(&args.settings)?.database;
    let Some((main, keys)) = database.files() else {
        bail!("database.url_file is not set: SQLite files are brought up to date when they are opened");
    };
    for (what, file, content) in [("key store", keys, &postgres::KEYS), ("main database", main, &postgres::MAIN)] {
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

async fn restored(args: &RestoredArgs) -> anyhow::Result<()> {
    let (settings, now) = (settings::load(&args.settings)?, Timestamp::now());
    let store = store::open(&settings.store, &settings.database, now).await?;
    let missing = restored::missing(&store).await?;
    restored::move_keys_on(&store).await?;
    store.keys.ensure_period(now).await?;
    let asker = Asker { name: format!("uid {}", rustix::process::getuid()), basis: "OperatingSystem".to_owned() };
    let mut tx = store.main.begin().await?;
    restored::move_on(&mut tx).await?;
    audit::record(&mut tx, &store.keys, &[Entry::command(now, Outcome::Succeeded, "Restored", &asker)]).await?;
    tx.commit().await?;
    store.close().await;
    say("numbers go on where none was given before");
    let restored::Missing { consumers, persons, entries } = missing;
    say(&format!("consumers whose references begin anew: {consumers}"));
    say(&format!("persons who cannot be read and will be removed: {persons}"));
    say(&format!("entries of the record whose private part cannot be read: {entries}"));
    Ok(())
}
