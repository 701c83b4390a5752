//! `replay` and `resync`, and how a job of the running process is followed to its end.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::output::{Output, tell};
use super::say;
use super::socket::{Socket, SocketArgs, path_of};
use crate::admin::wire::{JobState, Replay, Resync, Started};
use crate::domain::resource::ResourceKey;

/// How often is asked how a job stands.
const LOOK: Duration = Duration::from_millis(200);

/// How a job is started and followed.
#[derive(Debug, Args)]
pub struct Follow {
    /// Only count: how many deliveries, of how many persons.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not wait for its end.
    #[arg(long)]
    pub no_wait: bool,
    /// Form of the answer.
    #[arg(short, long, default_value = "table")]
    pub output: Output,
}

/// What to send once more.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The consumer, as NAMESPACE/NAME.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    consumer: ResourceKey,
    /// Committed at this time or later, such as 2026-11-22T08:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Timestamp,
    /// Committed before this time; without it up to the present.
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// Of this person only: the reference that the consumer was told.
    #[arg(long, value_name = "p_…")]
    person: Option<String>,
    #[command(flatten)]
    follow: Follow,
    #[command(flatten)]
    socket: SocketArgs,
}

/// Whom to tell everything anew.
#[derive(Debug, Args)]
pub struct ResyncArgs {
    /// The consumer, as NAMESPACE/NAME.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    consumer: ResourceKey,
    #[command(flatten)]
    follow: Follow,
    #[command(flatten)]
    socket: SocketArgs,
}

/// Has a time sent once more.
pub async fn replay(args: ReplayArgs) -> anyhow::Result<ExitCode> {
    let asked = Replay { from: args.from, to: args.to, person: args.person, dry_run: args.follow.dry_run };
    start(&Socket::find(&args.socket)?, &args.consumer, "replay", &asked, &args.follow).await
}

/// Has a snapshot of everyone sent.
pub async fn resync(args: ResyncArgs) -> anyhow::Result<ExitCode> {
    let asked = Resync { dry_run: args.follow.dry_run };
    start(&Socket::find(&args.socket)?, &args.consumer, "resync", &asked, &args.follow).await
}

/// Starts a job, says how much it is, and waits for its end. Success: it did not fail.
pub(super) async fn start(
    socket: &Socket,
    consumer: &ResourceKey,
    what: &str,
    asked: &impl Serialize,
    follow: &Follow,
) -> anyhow::Result<ExitCode> {
    let base = format!("/v1/consumers/{}", path_of(consumer));
    let started: Started = socket.post(&format!("{base}/{what}"), asked).await?;
    match started.job.filter(|_| !follow.no_wait) {
        None => {
            tell(follow.output, &started, show_started)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(job) => {
            let ended = until_ended(socket, &format!("{base}/jobs/{job}")).await?;
            tell(follow.output, &ended, show_ended)?;
            Ok(if ended.state == "Done" { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

async fn until_ended(socket: &Socket, path: &str) -> anyhow::Result<JobState> {
    loop {
        let state: JobState = socket.get(path).await?;
        if matches!(state.state.as_str(), "Done" | "Failed") {
            return Ok(state);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn show_started(started: &Started) {
    let job = started.job.map_or_else(|| "Nothing was done".to_owned(), |job| format!("Job {job} was taken on"));
    say(&format!("{job}: {} deliveries of {} persons.", started.deliveries, started.persons));
    if let Some(earliest) = started.earliest {
        say(&format!("What was committed before {earliest} is not kept any more."));
    }
}

fn show_ended(job: &JobState) {
    let problem = job.problem.as_ref().map(|problem| format!(": {problem}")).unwrap_or_default();
    say(&format!("Job {} ({}): {}{problem}.", job.job, job.kind, job.state));
    say(&format!(
        "{} of {} done, {} left out because the person or the event is gone.",
        job.done, job.total, job.skipped
    ));
}
