//! `berth admin server`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use domain::host::{self, EditHost, Host, HostDraft, HostId, Occupancy, Pricing, Specs, Tier};
use domain::money::Money;
use domain::page::Page;
use domain::user::Operator;

use crate::commands::{Outcome, setup};
use crate::config::Config;
use crate::import::{self, Row};
use crate::system::SystemRandom;

#[derive(Subcommand)]
pub enum Server {
    /// List all servers
    List,
    /// Offer the one server in a file, in the format of `berth import servers`
    Enlist {
        /// JSON or CSV with one row
        file: PathBuf,
    },
    /// Change a server to the one row of a file: its description and prices
    Edit {
        /// As `list` shows it
        id: String,
        /// JSON or CSV with one row
        file: PathBuf,
    },
    /// Set a server's prices, in place of the old ones
    Price {
        /// As `list` shows it
        id: String,
        /// `DAYS=PRICE:HOLD_DAYS`, such as 7=70.00:2; several may be given
        #[arg(long = "tier", required = true)]
        tiers: Vec<String>,
    },
    /// Take a server off the marketplace; a rental that runs goes on to its end
    Retire {
        /// As `list` shows it
        id: String,
    },
}

/// What a command asks for, read before the database is opened.
enum Wish {
    Enlist(HostDraft),
    Edit(EditHost),
}

/// Runs a command about servers.
pub async fn run(config: &Config, what: &Server) -> Outcome {
    let operator = Operator::Console;
    let wish = match what {
        Server::List => return list(config).await,
        Server::Enlist { file } => Wish::Enlist(one_row(file)?),
        Server::Edit { id, file } => {
            let HostDraft { specs, pricing, .. } = one_row(file)?;
            Wish::Edit(edit(id, Some(specs), Some(pricing), None)?)
        }
        Server::Price { id, tiers } => Wish::Edit(edit(id, None, Some(pricing(tiers)?), None)?),
        Server::Retire { id } => Wish::Edit(edit(id, None, None, Some(false))?),
    };
    let database = setup::database(config).await?;
    let clock = setup::clock(config, &database).await?;
    let (clock, random) = (clock.as_ref(), &SystemRandom);
    let host = match wish {
        Wish::Enlist(draft) => host::enlist(&database, clock, random, &operator, draft).await?,
        Wish::Edit(request) => host::edit(&database, clock, &operator, request).await?,
    };
    print_row(&host);
    Ok(())
}

fn edit(
    id: &str,
    specs: Option<Specs>,
    pricing: Option<Pricing>,
    is_listed: Option<bool>,
) -> Result<EditHost, &'static str> {
    let id = HostId::parse(id).ok_or("a server's id is 24 hexadecimal characters")?;
    Ok(EditHost { specs, pricing, is_listed, ..EditHost::nothing(id) })
}

fn pricing(tiers: &[String]) -> Result<Pricing, String> {
    let parse = |text: &String| {
        let (days, rest) = text.split_once('=')?;
        let (price, hold) = rest.split_once(':')?;
        let tier = Tier { price: Money::parse(price)?, hold_days: hold.parse().ok()? };
        Some((days.parse().ok()?, tier))
    };
    let tiers = tiers.iter().map(|text| {
        parse(text)
            .ok_or_else(|| format!("`{text}` is not DAYS=PRICE:HOLD_DAYS, such as 7=70.00:2"))
    });
    Pricing::parse(tiers.collect::<Result<_, _>>()?)
}

fn one_row(file: &Path) -> Result<HostDraft, Box<dyn std::error::Error>> {
    let mut rows = import::read(file)?;
    match (rows.pop(), rows.is_empty()) {
        (Some(Row { outcome: Ok(draft), .. }), true) => Ok(draft),
        (Some(Row { outcome: Err(reasons), line }), true) => {
            Err(format!("{}:{line}: {}", file.display(), reasons.join("; ")).into())
        }
        _ => Err("the file must have exactly one row; for more there is `berth import`".into()),
    }
}

async fn list(config: &Config) -> Outcome {
    let database = setup::database(config).await?;
    let mut page = Page { after: None, limit: Some(500) };
    loop {
        let hosts = host::all(&database, &Operator::Console, page).await?;
        hosts.rows.iter().for_each(print_row);
        let Some(next) = hosts.next else {
            return Ok(());
        };
        page = Page { after: Some(next), limit: Some(500) };
    }
}

fn print_row(host: &Host) {
    let state = match (host.is_listed, host.occupancy) {
        (_, Occupancy::Rented(_)) => "rented",
        (_, Occupancy::Cleaning(_)) => "cleaning",
        (true, Occupancy::Free) => "offered",
        (false, Occupancy::Free) => "retired",
    };
    let prices = host.pricing.tiers().map(|(days, tier)| format!("{days}d={}", tier.price));
    let prices: Vec<String> = prices.collect();
    let external = host.external_id.as_deref().unwrap_or("-");
    say!("{}  {external}  {state}  {}  {}", host.id, host.specs.name, prices.join(" "));
}
