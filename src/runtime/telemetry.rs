//! Logs: text on a terminal and JSON otherwise, filtered as the settings or `RUST_LOG` say.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::settings::log::{LogFormat, LogSettings};

/// What is left out unless the filter names it: the API server's client logs each request that failed as an error of its own,
/// of which our lines tell once.
const QUIET: &str = "kube_client::client::builder=off";

/// Sends log lines to standard error from now on. A filter that cannot be read is an error that names it.
pub fn start(settings: &LogSettings) -> Result<(), String> {
    let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| settings.filter.clone());
    let filter = filter(&wanted).map_err(|error| format!("log filter {wanted:?}: {error}"))?;
    let json = match settings.format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    // A line that cannot be written is lost. To complain of it on standard error, which takes nothing, would end a task.
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    let started = if json {
        lines.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    } else {
        lines.with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    started.map_err(|error| error.to_string())
}

fn filter(wanted: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    EnvFilter::try_new(format!("{QUIET},{wanted}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_clients_own_lines_come_only_when_they_are_asked_for() {
        let client = "kube_client::client::builder";
        assert!(filter("info").unwrap().to_string().contains(&format!("{client}=off")));
        let asked = filter(&format!("info,{client}=debug")).unwrap().to_string();
        assert!(asked.contains(&format!("{client}=debug")) && !asked.contains("off"), "{asked}");
        assert!(filter("cpr_operator=loud").is_err());
    }
}
