//! `berth import`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use domain::fleet::{self, ImportFleet};
use domain::host::{self, Change, HostDraft};
use outbound::simulated_instances::SimulatedInstances;

use super::{Outcome, setup};
use crate::config::Config;
use crate::import::gpu_hosts::{self, GpuHosts};
use crate::import::instance_types::{self, InstanceTypes};
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
    /// Plans of instances from CSV, with simulated servers that carry them; the same file twice changes
    /// nothing
    InstanceTypes {
        /// The file
        file: PathBuf,
        /// List what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Simulated servers whose graphics processors are sold one by one, from CSV; the same file twice changes
    /// nothing
    GpuHosts {
        /// The file
        file: PathBuf,
        /// List what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// Imports a file.
pub async fn run(config: &Config, what: &Import) -> Outcome {
    match what {
        Import::Servers { file, dry_run, skip_bad } => {
            servers(config, file, *dry_run, *skip_bad).await
        }
        Import::InstanceTypes { file, dry_run } => {
            let InstanceTypes { fleet, bad_rows } = instance_types::read(file)?;
            let request = ImportFleet { fleet, dry_run: *dry_run };
            fleet_of(config, file, (request, instance_types::CURRENCY), &bad_rows).await
        }
        Import::GpuHosts { file, dry_run } => {
            let GpuHosts { fleet, bad_rows } = gpu_hosts::read(file)?;
            let request = ImportFleet { fleet, dry_run: *dry_run };
            fleet_of(config, file, (request, gpu_hosts::CURRENCY), &bad_rows).await
        }
    }
}

async fn servers(config: &Config, file: &Path, dry_run: bool, skip_bad: bool) -> Outcome {
    let (drafts, bad) = sorted(files::read(file)?);
    tell(file, &bad);
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
    let imported = host::import(&database, clock, random, drafts, dry_run).await?;
    database.optimize().await?;
    if dry_run {
        list("", &imported.changes);
    }
    let (done, counts) = (done(dry_run), counts(&imported.changes));
    say!("{done}: {counts}, {} bad rows skipped.", bad.len());
    Ok(())
}

async fn fleet_of(
    config: &Config,
    file: &Path,
    (request, theirs): (ImportFleet, &str),
    bad_rows: &[BadRow],
) -> Outcome {
    tell(file, bad_rows);
    if !bad_rows.is_empty() {
        return Err(format!("bad rows: {}, so nothing was imported", bad_rows.len()).into());
    }
    let ours = &config.settings.currency;
    if ours != theirs {
        return Err(
            format!("the prices are in {theirs} and not in {ours}, and are not converted").into()
        );
    }
    let database = setup::database(config).await?;
    let clock = setup::clock(config, &database).await?;
    let driver = SimulatedInstances::default();
    let dry_run = request.dry_run;
    let imported =
        fleet::import(&database, clock.as_ref(), &SystemRandom, &driver, request).await?;
    database.optimize().await?;
    for (things, kind, changes) in [
        ("Locations", "location ", &imported.locations),
        ("Servers", "server ", &imported.hosts),
        ("Plans", "plan ", &imported.plans),
        ("GPU offers", "GPU offer of ", &imported.gpu_offers),
    ] {
        if changes.is_empty() {
            continue;
        }
        if dry_run {
            list(kind, changes);
        }
        say!("{}: {things}: {}.", done(dry_run), counts(changes));
    }
    Ok(())
}

fn list(kind: &str, changes: &[(String, Change)]) {
    for (name, change) in changes.iter().filter(|(_, change)| *change != Change::Nothing) {
        say!("{} {kind}{name}", if *change == Change::Add { "add   " } else { "update" });
    }
}

const fn done(dry_run: bool) -> &'static str {
    if dry_run { "To do" } else { "Done" }
}

fn counts(changes: &[(String, Change)]) -> String {
    let count = |wanted| changes.iter().filter(|(_, change)| *change == wanted).count();
    let (added, updated) = (count(Change::Add), count(Change::Update));
    format!("{added} added, {updated} updated, {} left as they are", count(Change::Nothing))
}

type BadRow = (usize, Vec<String>);

fn tell(file: &Path, bad: &[BadRow]) {
    for (line, reasons) in bad {
        eprintln!("{}:{line}: {}", file.display(), reasons.join("; "));
    }
}

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
