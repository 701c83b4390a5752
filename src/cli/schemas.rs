//! `schemas`: the JSON Schemas of all events, printed as one document or written to a folder.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::say;
use crate::delivery::schema;

/// Where they go.
#[derive(Debug, Args)]
pub struct SchemasArgs {
    /// Folder to write one file per event type into, and what they share; without it one document with all is printed.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Prints or writes them.
pub fn run(args: &SchemasArgs) -> anyhow::Result<()> {
    let Some(folder) = &args.out else {
        say(&serde_json::to_string_pretty(&schema::bundle()).context("schemas")?);
        return Ok(());
    };
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for (name, document) in schema::documents() {
        let path = folder.join(name);
        let text = serde_json::to_string_pretty(&document).context("schemas")?;
        std::fs::write(&path, text + "\n").with_context(|| path.display().to_string())?;
    }
    Ok(())
}
