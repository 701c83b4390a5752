//! `consumer`: what can be tried of one consumer.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::output::{Output, tell};
use super::say;
use super::socket::{Socket, SocketArgs, path_of};
use crate::admin::wire::Tested;
use crate::domain::resource::ResourceKey;

/// What to do with a consumer.
#[derive(Debug, Subcommand)]
pub enum ConsumerCommand {
    /// Send a signed `endpoint.verify` now and explain the answer. Changes nothing.
    Test(TestArgs),
}

/// Which consumer.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// The consumer, as NAMESPACE/NAME.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    consumer: ResourceKey,
    /// Form of the answer.
    #[arg(short, long, default_value = "table")]
    output: Output,
    #[command(flatten)]
    socket: SocketArgs,
}

/// Runs the command. Success: the address proved itself.
pub async fn run(command: ConsumerCommand) -> anyhow::Result<ExitCode> {
    let ConsumerCommand::Test(args) = command;
    let path = format!("/v1/consumers/{}/test", path_of(&args.consumer));
    let tested: Tested = Socket::find(&args.socket)?.post(&path, &json!({})).await?;
    tell(args.output, &tested, show)?;
    Ok(if tested.verdict == "Proved" { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(tested: &Tested) {
    let status = tested.status.map(|status| format!(", status {status}")).unwrap_or_default();
    say(&format!("{}: {}", tested.verdict, tested.message));
    say(&format!("signed with {} secret(s){status}, {} ms", tested.signatures, tested.millis));
    say(match tested.verified {
        true => "Deliveries go to this address.",
        false => "Deliveries wait until the operator's own challenge is accepted; it asks again by itself.",
    });
}
