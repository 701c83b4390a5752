//! Logs: text on a terminal and JSON otherwise, filtered as the settings or `RUST_LOG` say.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::settings::log::{LogFormat, LogSettings};

/// Sends log lines to standard error from now on. A filter that cannot be read is an error that names it.
pub fn start(settings: &LogSettings) -> Result<(), String> {
    let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| settings.filter.clone());
    let filter = EnvFilter::try_new(&wanted).map_err(|error| format!("log filter {wanted:?}: {error}"))?;
    let json = match settings.format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if json {
        lines.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    } else {
        lines.with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    started.map_err(|error| error.to_string())
}
