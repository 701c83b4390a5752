//! The program: parses its arguments and hands over.

use std::process::ExitCode;

/// What one thread makes another drops, all the time; this one is good at it, and gives back what is not needed.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    cpr_operator::cli::main()
}
