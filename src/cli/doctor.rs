//! `doctor` and `report`: how an installation is, for who runs it and for who helps from afar.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use super::output::{Output, columns, tell};
use super::say;
use super::socket::{Socket, SocketArgs};
use crate::admin::wire::{Check, Verdict};

/// Where the process is.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Form of the answer.
    #[arg(short, long, default_value = "table")]
    output: Output,
    #[command(flatten)]
    socket: SocketArgs,
}

/// Where the report goes.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// File to write; without it the report is printed.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    socket: SocketArgs,
}

/// Looks at everything. Success: nothing is a problem.
pub async fn run(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let checks: Vec<Check> = Socket::find(&args.socket)?.get("/v1/doctor").await?;
    tell(args.output, &checks, |checks| show(checks))?;
    let well = checks.iter().all(|check| check.verdict != Verdict::Problem);
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(checks: &[Check]) {
    let row = |check: &Check| {
        let verdict = format!("{:?}", check.verdict);
        [verdict, format!("{:?}", check.area), check.subject.clone(), check.message.clone()]
    };
    columns(["VERDICT", "AREA", "WHAT", "FOUND"], &checks.iter().map(row).collect::<Vec<_>>());
}

/// Writes the report.
pub async fn report(args: ReportArgs) -> anyhow::Result<()> {
    let report: Value = Socket::find(&args.socket)?.get("/v1/report").await?;
    let text = serde_json::to_string_pretty(&report)?;
    match args.out {
        None => say(&text),
        Some(path) => {
            std::fs::write(&path, text + "\n").with_context(|| path.display().to_string())?;
            say(&format!(
                "Written to {}. It holds no person and no secret; read it before you pass it on.",
                path.display()
            ));
        }
    }
    Ok(())
}
