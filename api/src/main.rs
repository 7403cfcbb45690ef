//! The program `berth`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    api::commands::run(&api::commands::Arguments::parse())
}
