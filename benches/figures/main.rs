//! What the product costs: figures of one run on one machine, as a table. Nothing here passes or fails.

mod backlog;
mod bare;
mod cpu;
mod drain;
mod held;
mod idle;
mod ingest;
mod latency;
mod list;
mod machine;
mod neighbours;
mod other;
mod persons;
mod program;
mod receiver;
mod recorder;
mod site;
mod sizes;
mod steps;
mod subscriptions;
mod table;
mod takeover;
mod world;

use std::process::ExitCode;

use table::Row;

/// As the product's.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A figure: a name for `FIGURE=`, and what measures it.
struct Figure {
    name: &'static str,
    measure: fn() -> anyhow::Result<Vec<Row>>,
}

const FIGURES: &[Figure] = &[
    Figure { name: "drain", measure: drain::measure },
    Figure { name: "steps", measure: steps::measure },
    Figure { name: "latency", measure: latency::measure },
    Figure { name: "ingest", measure: ingest::measure },
    Figure { name: "persons", measure: persons::measure },
    Figure { name: "sizes", measure: sizes::measure },
    Figure { name: "held", measure: held::measure },
    Figure { name: "takeover", measure: takeover::measure },
    Figure { name: "backlog", measure: backlog::measure },
    Figure { name: "neighbours", measure: neighbours::measure },
    Figure { name: "other", measure: other::measure },
    Figure { name: "idle", measure: idle::measure },
    Figure { name: "subscriptions", measure: subscriptions::measure },
    Figure { name: "list", measure: list::measure },
];

#[expect(clippy::print_stderr, reason = "a benchmark speaks to people")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|argument| argument == receiver::ARGUMENT) {
        return receiver::main();
    }
    match run(&arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            eprintln!("bench: {failed} of the figures could not be measured");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures these, or all. How many could not be measured.
#[expect(clippy::print_stderr, reason = "a benchmark speaks to people")]
fn run(wanted: &[String]) -> anyhow::Result<usize> {
    let known: Vec<&str> = FIGURES.iter().map(|figure| figure.name).collect();
    if let Some(unknown) = wanted.iter().find(|name| !known.contains(&name.as_str())) {
        anyhow::bail!("there is no figure {unknown:?}; there are {}", known.join(", "));
    }
    // The product's own log lines are made as in a real process, and go nowhere.
    tracing_subscriber::fmt().json().with_env_filter("info").with_writer(std::io::sink).init();
    let (mut rows, mut failed) = (Vec::new(), 0);
    for figure in FIGURES {
        if wanted.is_empty() || wanted.iter().any(|name| name == figure.name) {
            eprintln!("measuring {} …", figure.name);
            match (figure.measure)() {
                Ok(measured) => {
                    table::progress(&measured);
                    rows.extend(measured);
                }
                Err(error) => {
                    eprintln!("{}: {error:#}", figure.name);
                    failed += 1;
                }
            }
        }
    }
    table::print(&rows);
    Ok(failed)
}

/// A runtime like that of the product.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// The middle one.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
