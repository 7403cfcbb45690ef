//! `berth import`.

use std::path::PathBuf;

use clap::Subcommand;
use domain::host::{self, Change, HostDraft};

use super::{Outcome, setup};
use crate::config::Config;
use crate::import::{self as files, Row};
use crate::system::SystemRandom;

#[derive(Subcommand)]
pub enum Import {
    /// Servers with their prices, from JSON or CSV; the same file twice changes nothing
    Servers {
        /// The file; its ending tells its format
        file: PathBuf,
        /// List what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Import the good rows although there are bad ones
        #[arg(long)]
        skip_bad: bool,
    },
}

/// Imports a file.
pub async fn run(config: &Config, what: &Import) -> Outcome {
    let Import::Servers { file, dry_run, skip_bad } = what;
    let (drafts, bad) = sorted(files::read(file)?);
    for (line, reasons) in &bad {
        eprintln!("{}:{line}: {}", file.display(), reasons.join("; "));
    }
    if !bad.is_empty() && !skip_bad {
        let count = bad.len();
        return Err(format!(
            "{count} of {} rows are bad, so nothing was imported. Mend them, or import the others \
             with --skip-bad",
            count + drafts.len()
        )
        .into());
    }
    let database = setup::database(config).await?;
    let clock = setup::clock(config, &database).await?;
    let (clock, random) = (clock.as_ref(), &SystemRandom);
    let imported = host::import(&database, clock, random, drafts, *dry_run).await?;
    database.optimize().await?;
    let count = |wanted| imported.changes.iter().filter(|(_, change)| *change == wanted).count();
    let (added, updated) = (count(Change::Add), count(Change::Update));
    if *dry_run {
        for (id, change) in imported.changes.iter().filter(|(_, change)| *change != Change::Nothing)
        {
            say!("{} {id}", if *change == Change::Add { "add   " } else { "update" });
        }
    }
    let done = if *dry_run { "To do" } else { "Done" };
    let unchanged = count(Change::Nothing);
    say!(
        "{done}: {added} added, {updated} updated, {unchanged} left as they are, {} bad rows skipped.",
        bad.len()
    );
    Ok(())
}

type BadRow = (usize, Vec<String>);

fn sorted(rows: Vec<Row>) -> (Vec<HostDraft>, Vec<BadRow>) {
    let (mut drafts, mut bad) = (Vec::new(), Vec::new());
    for row in rows {
        match row.outcome {
            Ok(draft) => drafts.push(draft),
            Err(reasons) => bad.push((row.line, reasons)),
        }
    }
    (drafts, bad)
}
