//! The program: parses its arguments and hands over.

use std::process::ExitCode;

fn main() -> ExitCode {
    cpr_operator::cli::main()
}
