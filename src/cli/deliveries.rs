//! `deliveries` and `deadletters`: what became of what a consumer was to be sent.

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::jobs::{self, Follow};
use super::output::{Output, columns, tell};
use super::say;
use super::socket::{Socket, SocketArgs, path_of, query};
use crate::admin::wire::{DeadLetter, Delivery, Letters, Page};
use crate::domain::resource::ResourceKey;

/// Which deliveries.
#[derive(Debug, Args)]
pub struct DeliveriesArgs {
    /// The consumer, as NAMESPACE/NAME.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    consumer: ResourceKey,
    /// Of this person only: the reference that the consumer was told.
    #[arg(long, value_name = "p_…")]
    person: Option<String>,
    /// Committed at this time or later, such as 2026-11-22T08:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// At most so many, the oldest first.
    #[arg(long, default_value_t = 1_000)]
    limit: usize,
    /// Form of the answer.
    #[arg(short, long, default_value = "table")]
    output: Output,
    #[command(flatten)]
    socket: SocketArgs,
}

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadLettersCommand {
    /// List what was given up.
    List(ListArgs),
    /// Have them sent once more.
    Retry(DecideArgs),
    /// Delete them.
    Drop(DecideArgs),
}

/// Whose dead letters.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The consumer, as NAMESPACE/NAME.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    consumer: ResourceKey,
    /// Form of the answer.
    #[arg(short, long, default_value = "table")]
    output: Output,
    #[command(flatten)]
    socket: SocketArgs,
}

/// Which dead letters.
#[derive(Debug, Args)]
pub struct DecideArgs {
    /// The consumer, as NAMESPACE/NAME.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    consumer: ResourceKey,
    /// Numbers from the column LETTER of `deadletters list`.
    #[arg(value_name = "LETTER")]
    letters: Vec<i64>,
    /// All that the consumer has now.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    follow: Follow,
    #[command(flatten)]
    socket: SocketArgs,
}

/// Lists deliveries.
pub async fn run(args: DeliveriesArgs) -> anyhow::Result<()> {
    let socket = Socket::find(&args.socket)?;
    let since = args.since.map(|since| since.to_string());
    let asked = [("person", args.person.as_deref()), ("since", since.as_deref())];
    let path = format!("/v1/consumers/{}/deliveries", path_of(&args.consumer));
    let found: Vec<Delivery> = pages(&socket, &path, &asked, args.limit).await?;
    tell(args.output, &found, |found| show(found))
}

/// Every item of a list, page by page, at most `limit`.
async fn pages<T: DeserializeOwned>(
    socket: &Socket,
    path: &str,
    asked: &[(&str, Option<&str>)],
    limit: usize,
) -> anyhow::Result<Vec<T>> {
    let (mut found, mut after) = (Vec::new(), Some(0));
    while let Some(from) = after.filter(|_| found.len() < limit) {
        let from = from.to_string();
        let page: Page<T> = socket.get(&query(path, &[asked, &[("after", Some(&from))]].concat())).await?;
        found.extend(page.items);
        after = page.next;
    }
    found.truncate(limit);
    Ok(found)
}

fn show(found: &[Delivery]) {
    let row = |one: &Delivery| {
        [
            one.time.to_string(),
            one.type_.clone(),
            or_dash(&one.person),
            one.standing.clone(),
            one.attempts.to_string(),
            or_dash(&one.status),
            or_dash(&one.class),
            one.id.clone(),
            if one.replayed { "replayed".to_owned() } else { String::new() },
        ]
    };
    let headings = ["TIME", "TYPE", "PERSON", "STANDING", "ATTEMPTS", "STATUS", "CLASS", "ID", ""];
    columns(headings, &found.iter().map(row).collect::<Vec<_>>());
}

fn or_dash<T: ToString>(value: &Option<T>) -> String {
    value.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)
}

/// Lists, retries or drops dead letters.
pub async fn dead_letters(command: DeadLettersCommand) -> anyhow::Result<ExitCode> {
    let (args, what) = match command {
        DeadLettersCommand::List(args) => return list(args).await.map(|()| ExitCode::SUCCESS),
        DeadLettersCommand::Retry(args) => (args, "retry"),
        DeadLettersCommand::Drop(args) => (args, "drop"),
    };
    if args.all == !args.letters.is_empty() {
        bail!("name dead letters by their numbers, or say --all: one of the two");
    }
    let letters = Letters { letters: args.letters, all: args.all, dry_run: args.follow.dry_run };
    start(&args.consumer, &format!("deadletters/{what}"), &letters, &args.follow, &args.socket).await
}

async fn start(
    consumer: &ResourceKey,
    what: &str,
    asked: &impl Serialize,
    follow: &Follow,
    socket: &SocketArgs,
) -> anyhow::Result<ExitCode> {
    jobs::start(&Socket::find(socket)?, consumer, what, asked, follow).await
}

async fn list(args: ListArgs) -> anyhow::Result<()> {
    let path = format!("/v1/consumers/{}/deadletters", path_of(&args.consumer));
    let found: Vec<DeadLetter> = pages(&Socket::find(&args.socket)?, &path, &[], usize::MAX).await?;
    tell(args.output, &found, |found| match found.is_empty() {
        true => say("There are no dead letters."),
        false => show_letters(found),
    })
}

fn show_letters(found: &[DeadLetter]) {
    let row = |one: &DeadLetter| {
        [
            one.letter.to_string(),
            one.given_up_at.to_string(),
            one.type_.clone().unwrap_or_else(|| format!("{} that were not taken in time", one.count)),
            or_dash(&one.person),
            one.attempts.to_string(),
            one.class.clone(),
            or_dash(&one.id),
        ]
    };
    let headings = ["LETTER", "GIVEN UP", "TYPE", "PERSON", "ATTEMPTS", "CLASS", "ID"];
    columns(headings, &found.iter().map(row).collect::<Vec<_>>());
}
