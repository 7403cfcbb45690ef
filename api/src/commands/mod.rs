//! The command line.

/// Prints a line. Whoever reads no further (`| head`) has seen enough, so the command ends quietly.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::commands::print_line(format_args!($($text)*))
    };
}

mod admin;
mod demo;
mod healthcheck;
mod import;
mod ledger;
mod serve;
mod setup;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;

/// What a command may end with: a sentence that says what to do.
pub(crate) type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The open backend of a server-rental marketplace.
#[derive(Parser)]
#[command(name = "berth", version)]
pub struct Arguments {
    /// A TOML file with configuration; BERTH__… environment variables override it
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve, after filling an empty database with a demo: real servers and plans, users with money
    /// (the default)
    Demo,
    /// Serve
    Serve,
    /// Do jobs and sweeps without serving
    Worker,
    /// Bring the database's schema up to date
    Migrate,
    /// Import a file
    Import {
        #[command(subcommand)]
        what: import::Import,
    },
    /// Run the marketplace from the server itself
    Admin {
        #[command(subcommand)]
        what: admin::Admin,
    },
    /// Check the ledger from its first row to its last
    Ledger {
        #[command(subcommand)]
        what: ledger::Ledger,
    },
    /// Ask the server of this configuration whether it lives; for container health checks
    Healthcheck,
}

/// Runs a command to its end.
pub fn run(arguments: &Arguments) -> ExitCode {
    let outcome = Config::load(arguments.config.as_deref())
        .map_err(Into::into)
        .and_then(|config| actix_web::rt::System::new().block_on(dispatch(arguments, &config)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("berth: {}", in_words(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(arguments: &Arguments, config: &Config) -> Outcome {
    match &arguments.command {
        None | Some(Command::Demo) => demo::run(config).await,
        Some(Command::Serve) => serve::run(config).await,
        Some(Command::Worker) => serve::work(config).await,
        Some(Command::Migrate) => setup::migrate(config).await,
        Some(Command::Import { what }) => import::run(config, what).await,
        Some(Command::Admin { what }) => admin::run(config, what).await,
        Some(Command::Ledger { what }) => ledger::run(config, what).await,
        Some(Command::Healthcheck) => healthcheck::run(config),
    }
}

fn print_line(line: std::fmt::Arguments<'_>) {
    if let Err(error) = writeln!(std::io::stdout(), "{line}") {
        let is_fault = error.kind() != std::io::ErrorKind::BrokenPipe;
        std::process::exit(i32::from(is_fault));
    }
}

/// An error with all its reasons, for the terminal.
fn in_words(error: &(dyn std::error::Error + 'static)) -> String {
    match error.downcast_ref() {
        Some(domain::Error::Invalid(violations)) => {
            let faults = violations.iter();
            let faults = faults
                .map(|fault| format!("{} {}", fault.path.trim_start_matches('/'), fault.message));
            faults.collect::<Vec<_>>().join("; ")
        }
        Some(error) => error.for_the_log(),
        None => error.to_string(),
    }
}
