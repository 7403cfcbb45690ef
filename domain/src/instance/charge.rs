//! From when on an instance costs what: its price while it runs, the plan's share of that while it keeps its
//! place and does not, that of its disk while it is hibernated, nothing before it is ready or gone.

use std::collections::HashSet;

use super::paid::WHOLE;
use super::{Instance, InstanceId, InstanceTerms, Phase, Wanted};
use crate::clock::{Random, Timestamp};
use crate::error::Result;
use crate::meter::{Meter, MeterId, Metered, Rate, begin, begin_all, close};
use crate::money::Money;
use crate::store::Tx;
use crate::user::UserId;
use crate::wallet::Wallet;

/// What is charged for an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charge {
    /// Its price.
    Running,
    /// The plan's share of that.
    Stopped,
    /// The price of its disk, where that has one of its own: of what is hibernated.
    Kept,
    /// Nothing.
    Nothing,
}

impl Charge {
    /// What one costs that is wanted so and does not run.
    pub(super) const fn idle(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Hibernated => Self::Kept,
            Wanted::Running | Wanted::Stopped { .. } | Wanted::Deleted => Self::Stopped,
        }
    }

    /// How much of paid time it uses.
    fn percent(self, terms: &InstanceTerms) -> u32 {
        match self {
            Self::Running => WHOLE,
            Self::Stopped => terms.stopped_percent,
            Self::Kept | Self::Nothing => 0,
        }
    }
}

impl Instance {
    /// What a meter of it makes.
    pub(super) fn rate(&self, charge: Charge) -> Option<Rate> {
        if self.terms.is_prepaid {
            return None;
        }
        let rate = match charge {
            Charge::Running => self.terms.rate(100),
            Charge::Stopped => self.terms.rate(self.terms.stopped_percent),
            Charge::Kept => self.terms.rate(0),
            Charge::Nothing => return None,
        };
        (rate.price > Money::ZERO).then_some(rate)
    }

    fn meter(&self, id: MeterId, (rate, charge): (Rate, Charge), now: Timestamp) -> Meter {
        let state = match charge {
            Charge::Running | Charge::Nothing => "",
            Charge::Stopped => ", stopped",
            Charge::Kept => ", hibernated",
        };
        Meter {
            id,
            payer_id: self.payer_id,
            pool_id: self.pool_id,
            metered: Metered::Instance(self.id),
            name: format!("instance {} ({}{state})", self.hostname, self.terms.code()),
            rate,
            is_spot: self.terms.is_spot,
            started_at: now,
            ended_at: None,
            billed: Money::ZERO,
            bills: 0,
            bill_at: None,
        }
    }
}

/// The meter that runs for an instance.
pub(super) async fn running_meter(tx: &dyn Tx, id: InstanceId) -> Result<Option<Meter>> {
    let open = tx.open_meters_of(&[Metered::Instance(id)]).await?;
    Ok(open.into_iter().find(|meter| meter.ended_at.is_none()))
}

/// Lets an instance cost this from now on, of its paid time or by a meter; a meter that runs at that price
/// goes on, unless it can be evicted now and could not before, or the other way round. The payer's wallet is
/// locked, and answered as it is after it, with the instance, which the caller stores.
pub(super) async fn charge(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    (instance, charge): (Instance, Charge),
    now: Timestamp,
) -> Result<(Wallet, Instance)> {
    if instance.terms.is_prepaid {
        if instance.successor_id.is_some() {
            // What is left was credited to what takes its place.
            return Ok((wallet, instance));
        }
        let percent = charge.percent(&instance.terms);
        return Ok((wallet, instance.with_paid(|paid| paid.using(percent, now))));
    }
    let rate = instance.rate(charge);
    let open = tx.open_meters_of(&[Metered::Instance(instance.id)]).await?;
    let running = open.iter().find(|meter| meter.ended_at.is_none());
    let is_spot = instance.terms.is_spot;
    if running.map(|meter| (meter.rate, meter.is_spot)) == rate.map(|rate| (rate, is_spot)) {
        return Ok((wallet, instance));
    }
    let wallet = close(tx, random, wallet, (open, now), now).await?;
    if let Some(rate) = rate {
        let id = MeterId::generate(now, random);
        begin(tx, instance.meter(id, (rate, charge), now)).await?;
    }
    Ok((wallet, instance))
}

/// Lets what was stopped for want of money cost what a stopped instance does again, as its payer has paid,
/// whose wallet is locked.
pub(crate) async fn charge_stopped(
    tx: &dyn Tx,
    random: &dyn Random,
    payer_id: UserId,
    now: Timestamp,
) -> Result<()> {
    let mut stopped = tx.live_instances_of_payer(payer_id).await?;
    stopped.retain(|instance| {
        let was_made = !matches!(
            instance.phase,
            Phase::Ordered | Phase::Provisioning { .. } | Phase::Undoing { .. }
        );
        was_made && matches!(instance.wanted, Wanted::Stopped { .. } | Wanted::Hibernated)
    });
    let open = tx.open_meters(payer_id).await?;
    let metered: HashSet<Metered> = open.iter().map(|meter| meter.metered).collect();
    stopped.retain(|instance| !metered.contains(&Metered::Instance(instance.id)));
    let meters = stopped.iter().filter_map(|instance| {
        let charge = Charge::idle(instance.wanted);
        let id = MeterId::generate(now, random);
        Some(instance.meter(id, (instance.rate(charge)?, charge), now))
    });
    begin_all(tx, meters.collect()).await
}
