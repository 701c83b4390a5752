//! The command line: one file per subcommand, and the only place that builds pools, clients and servers.

mod all;
mod bridge;
mod consumer;
mod crds;
mod deliveries;
mod demo;
mod doctor;
mod hiding;
mod jobs;
mod migrate;
mod output;
mod persons;
mod plan;
mod process;
mod roles;
mod schemas;
mod secrets;
mod settings;
mod simulate;
mod socket;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::hiding::hide_numbers;

/// Supplies Danish civil-registration data from Kubernetes manifests: registers in, signed webhooks out.
#[derive(Debug, Parser)]
#[command(name = "cpr-operator", version = VERSION, max_term_width = 120)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// The commit that the program was built from.
const COMMIT: &str = env!("CPR_OPERATOR_COMMIT");

/// Version and commit.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("CPR_OPERATOR_COMMIT"), ")");

/// Exit status where the arguments make no sense.
const WRONG_USE: u8 = 2;

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every role in one process: reconcile, read registers, deliver.
    All(all::AllArgs),
    /// Reconcile custom resources. Needs a PostgreSQL database, as the next two.
    Operator(roles::OperatorArgs),
    /// Read one source's register.
    Ingest(roles::IngestArgs),
    /// Deliver to one consumer.
    Deliver(roles::DeliverArgs),
    /// Try a consumer's address.
    #[command(subcommand)]
    Consumer(consumer::ConsumerCommand),
    /// Print the custom resource definitions, for `kubectl apply --server-side -f -`.
    Crds(crds::CrdsArgs),
    /// Say what manifests would disclose, before they are applied.
    Plan(plan::PlanArgs),
    /// Put persons on a subscription's list, take them off, or list them. Numbers are read from standard input only.
    #[command(subcommand)]
    Persons(persons::PersonsCommand),
    /// List what became of a consumer's deliveries; never a body.
    Deliveries(deliveries::DeliveriesArgs),
    /// List, retry or drop what was given up.
    #[command(subcommand, name = "deadletters")]
    DeadLetters(deliveries::DeadLettersCommand),
    /// Have what was sent to a consumer in a time sent once more.
    Replay(jobs::ReplayArgs),
    /// Have a snapshot sent of everyone whom a consumer may hear of.
    Resync(jobs::ResyncArgs),
    /// Look at databases, root key, clock, cluster, registers and every consumer's address, now.
    Doctor(doctor::DoctorArgs),
    /// Gather what somebody who helps from afar needs to know: no person, no secret.
    Report(doctor::ReportArgs),
    /// Print the JSON Schemas of all events that receivers are sent.
    Schemas(schemas::SchemasArgs),
    /// Bring the schema of a PostgreSQL database up to date.
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    /// Print every setting with its default and what it means.
    Settings,
    /// Run a stand-in for a register or for a consumer.
    Simulate(simulate::SimulateArgs),
    /// Show the product at work on this machine, against the cluster of KUBECONFIG.
    Demo(demo::DemoArgs),
}

/// Runs the program with the process's arguments; an error is told on standard error with its causes.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => return refuse(&error),
        Err(help) => help.exit(),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    match runtime.block_on(run(arguments.command)) {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::All(args) => all::run(args).await.map(|()| ExitCode::SUCCESS),
        Command::Operator(args) => roles::operator(args).await.map(|()| ExitCode::SUCCESS),
        Command::Ingest(args) => roles::ingest(args).await.map(|()| ExitCode::SUCCESS),
        Command::Deliver(args) => roles::deliver(args).await.map(|()| ExitCode::SUCCESS),
        Command::Consumer(command) => consumer::run(command).await,
        Command::Crds(args) => crds::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Plan(args) => plan::run(args).await,
        Command::Persons(command) => persons::run(command).await,
        Command::Deliveries(args) => deliveries::run(args).await.map(|()| ExitCode::SUCCESS),
        Command::DeadLetters(command) => deliveries::dead_letters(command).await,
        Command::Replay(args) => jobs::replay(args).await,
        Command::Resync(args) => jobs::resync(args).await,
        Command::Doctor(args) => doctor::run(args).await,
        Command::Report(args) => doctor::report(args).await.map(|()| ExitCode::SUCCESS),
        Command::Schemas(args) => schemas::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Migrate(command) => migrate::run(command).await.map(|()| ExitCode::SUCCESS),
        Command::Settings => {
            say(settings::DEFAULTS.trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Command::Simulate(args) => simulate::run(args).await.map(|()| ExitCode::SUCCESS),
        Command::Demo(args) => demo::run(args).await,
    }
}

/// Says what is wrong with the arguments.
#[expect(clippy::print_stderr, reason = "the command line speaks to people")]
fn refuse(error: &clap::Error) -> ExitCode {
    eprint!("{}", hide_numbers(&error.render().to_string()));
    ExitCode::from(WRONG_USE)
}

#[expect(clippy::print_stderr, reason = "the command line speaks to people")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("cpr-operator: {}", hide_numbers(&format!("{error:#}")));
    ExitCode::FAILURE
}

#[expect(clippy::print_stdout, reason = "the command line speaks to people")]
fn say(line: &str) {
    println!("{line}");
}

/// What is said beside the answer.
#[expect(clippy::print_stderr, reason = "the command line speaks to people")]
fn note(line: &str) {
    eprintln!("{line}");
}
