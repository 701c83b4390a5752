//! Answers for people, as a table, and for programs, as JSON.

use clap::ValueEnum;
use serde::Serialize;

use super::say;

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Columns for people.
    #[default]
    Table,
    /// JSON for programs.
    Json,
}

/// Says an answer in the form that is wanted: as JSON, or as `table` says it.
pub fn tell<T: Serialize>(output: Output, answer: &T, table: impl FnOnce(&T)) -> anyhow::Result<()> {
    match output {
        Output::Table => table(answer),
        Output::Json => say(&serde_json::to_string_pretty(answer)?),
    }
    Ok(())
}

/// Says rows under their headings, each column as wide as its widest cell.
pub fn columns<const N: usize>(headings: [&str; N], rows: &[[String; N]]) {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).chain([headings[at].len()]).max();
    let widths: Vec<usize> = (0..N).map(|at| width(at).unwrap_or(0)).collect();
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        say(padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    line(headings);
    rows.iter().for_each(|row| line(row.each_ref().map(String::as_str)));
}
