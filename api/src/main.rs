//! The program `berth`.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

/// The system's allocator keeps what each thread once needed: some log-ins at once, of 19 MiB each, and
/// the server holds 300 MB more for good.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    api::commands::run(&api::commands::Arguments::parse())
}
