//! `berth ledger`: checks the ledger, and takes checkpoints of it.

use clap::Subcommand;
use domain::id::hex;
use domain::wallet::{take_checkpoint, verify};

use super::{Outcome, setup};
use crate::config::Config;

#[derive(Subcommand)]
pub enum Ledger {
    /// Recompute every chain, sum, cached balance and checkpoint; name the first row that is wrong
    Verify,
    /// Write down the heads of all chains now, and print the hash to keep elsewhere
    Checkpoint,
}

/// Runs a command about the ledger.
pub async fn run(config: &Config, what: &Ledger) -> Outcome {
    let database = setup::database(config).await?;
    match what {
        Ledger::Verify => {
            let seen = verify(&database).await?;
            say!(
                "Checked {} wallets, {} postings, {} rentals, {} suppliers, {} checkpoints.",
                seen.wallets,
                seen.postings,
                seen.rentals,
                seen.suppliers,
                seen.checkpoints
            );
            if let Some(discrepancy) = seen.discrepancy {
                return Err(format!("the ledger is wrong at {discrepancy}").into());
            }
            for (kind, sum) in seen.totals {
                say!("{kind:>14}  {} {}", sum.to_decimal(), config.settings.currency);
            }
            say!("The ledger is whole.");
        }
        Ledger::Checkpoint => {
            let clock = setup::clock(config, &database).await?;
            let taken = take_checkpoint(&database, clock.as_ref(), true).await?;
            let taken = taken.ok_or("another process took a checkpoint at the same moment")?;
            say!("Checkpoint {}: {}", taken.number, hex(&taken.hash));
        }
    }
    Ok(())
}
