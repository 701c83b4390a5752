//! `simulate`: a stand-in for a register or for a consumer, as a process of its own.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::say;
use crate::runtime::clock::Clock;
use crate::runtime::shutdown;
use crate::simulate::{consumer, datafordeler};

/// Which stand-in.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A register that speaks Datafordeler's documented protocol, with people of its own.
    Datafordeler(RegisterArgs),
    /// A receiver that verifies every webhook with the official Standard Webhooks library.
    Consumer(ConsumerArgs),
}

/// A register.
#[derive(Debug, Args)]
struct RegisterArgs {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:9400")]
    listen: SocketAddr,
    /// Decides who lives there; the same seed makes the same people.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The client that gets tokens; the samples' unless told otherwise.
    #[arg(long, default_value = "trial-client")]
    client_id: String,
    /// Its secret.
    #[arg(long, default_value = "trial-client-secret", env = "CPR_SIMULATE_CLIENT_SECRET", hide_env_values = true)]
    client_secret: String,
    /// How many people live there, beside one for every oddity of the register.
    #[arg(long, default_value_t = 1000)]
    people: usize,
    /// How many things happen in each import, every `--every`; 0: only what is told through /simulator/life.
    #[arg(long, default_value_t = 0)]
    happenings: usize,
    /// Time between two imports.
    #[arg(long, default_value = "60", value_name = "SECONDS")]
    every: u64,
}

/// A consumer.
#[derive(Debug, Args)]
struct ConsumerArgs {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:9500")]
    listen: SocketAddr,
    /// A signing secret, `whsec_` and base64. May be repeated.
    #[arg(long = "secret", required = true, env = "CPR_SIMULATE_SECRET", hide_env_values = true)]
    secrets: Vec<String>,
}

/// Runs it until told to stop.
pub async fn run(args: SimulateArgs) -> anyhow::Result<()> {
    match args.what {
        What::Datafordeler(args) => register(args).await,
        What::Consumer(args) => receiver(args).await,
    }
}

async fn register(args: RegisterArgs) -> anyhow::Result<()> {
    let stop = shutdown::on_signal()?;
    let options = datafordeler::Options {
        people: args.people,
        cases: true,
        client_id: args.client_id,
        client_secret: args.client_secret,
        ..datafordeler::Options::new(Clock::system(), args.seed)
    };
    let client = options.client_id.clone();
    let register = datafordeler::Register::start(options, args.listen).await.context("register")?;
    say(&format!("register at {} for client {client}; people and faults below {0}/simulator/", register.url()));
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(Duration::from_secs(args.every)), if args.happenings > 0 => {
                register.live(args.happenings);
                say(&format!("import {} loaded", register.load()));
            }
        }
    }
    register.stop().await;
    Ok(())
}

async fn receiver(args: ConsumerArgs) -> anyhow::Result<()> {
    let stop = shutdown::on_signal()?;
    let options = consumer::Options { listen: args.listen, secrets: args.secrets };
    let consumer = consumer::Consumer::start(options).await.context("consumer")?;
    say(&format!("consumer at {}; what arrived is at /simulator/report and /simulator/received", consumer.url()));
    let mut arrivals = consumer.subscribe();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            arrival = arrivals.recv() => if let Ok(arrival) = arrival {
                let sequence = arrival.sequence.map(|number| number.to_string()).unwrap_or_default();
                say(&format!("{:28} {:28} {sequence}", arrival.kind, arrival.reference.as_deref().unwrap_or("")));
            }
        }
    }
    consumer.stop().await;
    Ok(())
}
