//! Runs the steps of the journey and tells of each what was found and how long it took.
#![expect(clippy::print_stdout, reason = "whoever runs the test follows it")]

use std::time::Instant;

use anyhow::{Context, Result};

/// Runs a step.
pub async fn step(what: &str, run: impl Future<Output = Result<String>>) -> Result<()> {
    let began = Instant::now();
    let outcome = run.await;
    let took = began.elapsed().as_secs_f64();
    match outcome {
        Ok(found) => {
            println!("ok   {took:6.1} s  {what}: {found}");
            Ok(())
        }
        Err(error) => {
            println!("FAIL {took:6.1} s  {what}: {error:#}");
            Err(error).with_context(|| what.to_owned())
        }
    }
}
