//! `crds`: the custom resource definitions, printed or written to a folder.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::say;
use crate::api;

/// Where they go.
#[derive(Debug, Args)]
pub struct CrdsArgs {
    /// Folder to write one file per kind into, instead of printing them.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Prints or writes them.
pub fn run(args: &CrdsArgs) -> anyhow::Result<()> {
    for (name, yaml) in api::crds::yaml().context("custom resource definitions")? {
        match &args.out {
            Some(folder) => {
                let path = folder.join(name);
                std::fs::write(&path, yaml).with_context(|| path.display().to_string())?;
            }
            None => say(&format!("---\n{}", yaml.trim_end())),
        }
    }
    Ok(())
}
