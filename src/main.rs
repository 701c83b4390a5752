//! The program: parses its arguments and hands over.

use std::process::ExitCode;

/// Events are made in one thread and dropped in another, for which the C library's allocator is slow.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cpr_operator::cli::main()
}
