//! What runs, what it costs, and how long the money lasts.

use super::end::{hourly, lasts};
use super::{Meter, Metered, Standing};
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::money::Money;
use crate::store::{Reads, Store};
use crate::token::Permission;
use crate::user::{Caller, UserId};
use crate::wallet::Posting;

/// What a payer's running things cost.
#[derive(Clone, Debug)]
pub struct Burn {
    /// What the wallet holds.
    pub balance: Money,
    /// What was used and is not booked yet.
    pub unbilled: Money,
    /// What an hour of it costs.
    pub per_hour: Money,
    /// When the wallet runs dry at this rate; `None` where nothing runs.
    pub runs_dry_at: Option<Timestamp>,
    /// How they stand, if not well.
    pub standing: Option<Standing>,
    /// What runs.
    pub lines: Vec<MeterLine>,
}

/// A meter, and what it has made by now.
#[derive(Clone, Debug)]
pub struct MeterLine {
    /// The meter.
    pub meter: Meter,
    /// Whole seconds that it has run.
    pub seconds: u64,
    /// What they cost, booked or not.
    pub amount: Money,
}

impl MeterLine {
    pub(super) fn read(meter: Meter, now: Timestamp) -> Self {
        let seconds = meter.seconds(now);
        Self { seconds, amount: meter.rate.of(seconds), meter }
    }
}

/// What the caller's running things cost.
pub async fn burn(store: &dyn Store, clock: &dyn Clock, caller: &Caller) -> Result<Burn> {
    caller.may(Permission::WalletRead)?;
    burn_of(store.reads(), caller.user_id, clock.now()).await
}

/// What a payer's running things cost.
pub(super) async fn burn_of(reads: &dyn Reads, payer_id: UserId, now: Timestamp) -> Result<Burn> {
    let wallet = reads.wallet(payer_id).await?.ok_or(Error::NotFound(Thing::User))?;
    let meters = reads.open_meters(payer_id).await?;
    let per_hour = hourly(&meters);
    let unbilled: Money = meters.iter().map(|meter| meter.due(now)).sum();
    let left = wallet.balance.saturating_sub(unbilled).max(Money::ZERO);
    Ok(Burn {
        balance: wallet.balance,
        unbilled,
        per_hour,
        runs_dry_at: lasts(left, per_hour).map(|lasts| now + lasts),
        standing: reads.standing(payer_id).await?,
        lines: meters.into_iter().map(|meter| MeterLine::read(meter, now)).collect(),
    })
}

/// What one thing has cost so far, by meter, and the postings of it; whoever may see the thing may ask.
pub(crate) async fn charges_of(
    reads: &dyn Reads,
    metered: Metered,
    now: Timestamp,
) -> Result<(Vec<MeterLine>, Vec<Posting>)> {
    let meters = reads.meters_of(metered).await?;
    let ids: Vec<_> = meters.iter().map(|meter| meter.id).collect();
    let postings = reads.postings_of_meters(&ids).await?;
    Ok((meters.into_iter().map(|meter| MeterLine::read(meter, now)).collect(), postings))
}
