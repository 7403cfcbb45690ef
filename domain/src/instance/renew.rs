//! Renews instances whose term is over, at the price of the day, or ends them.

use chrono::Duration;
use tracing::instrument;

use super::act::{park, what_runs};
use super::charge::{Charge, charge};
use super::create::event;
use super::pay::{pay_interval, price_of_interval};
use super::sources::of_gpus;
use super::stop::{EXPIRED, align_later, remove, with_payer_and_host};
use super::{Instance, InstanceId, InstanceTerms, Offered, PaidTime, Phase, Term, Wanted};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Error, Result};
use crate::event::{Actor, Event};
use crate::store::{Store, Tx};
use crate::sweep::each_due;
use crate::wallet::Wallet;

/// Renews every instance whose term is over, or ends it where its owner does not want that, where it costs
/// more by now than they would pay, or where it is not offered any more. One that is paid in advance is frozen
/// instead, also where its payer has too little for the next interval. Answers how many.
#[instrument(name = "instance.renew_due", skip_all)]
pub async fn renew_due(store: &dyn Store, clock: &dyn Clock, random: &dyn Random) -> Result<u32> {
    let now = clock.now();
    let due = async |limit| store.reads().instances_to_renew(now, limit).await;
    each_due(store, due, async |tx: &dyn Tx, id| over(tx, random, id, now).await).await
}

async fn over(tx: &dyn Tx, random: &dyn Random, id: InstanceId, now: Timestamp) -> Result<bool> {
    let (wallet, instance) = with_payer_and_host(tx, id).await?;
    let Some(term) = instance.term.filter(|term| term.is_over(now)) else { return Ok(false) };
    let is_going =
        instance.wanted == Wanted::Deleted || matches!(instance.phase, Phase::Undoing { .. });
    if is_going || !instance.is_live() || instance.successor_id.is_some() {
        return Ok(false);
    }
    if term.paid.is_some() {
        if instance.missing_since.is_some() {
            // Nobody pays again for what may be lost; if so, what is left is counted from when it was missed.
            return Ok(false);
        }
        return used_up(tx, random, wallet, (instance, term), now).await.map(|()| true);
    }
    if let Some((terms, hours)) = offered_again(tx, &instance, term).await? {
        // Each term begins where the last one ended, however late that is noticed.
        let length = Duration::hours(hours.max(1).into());
        let mut expires_at = term.expires_at.unwrap_or(now);
        while expires_at <= now {
            expires_at += length;
        }
        let term = Some(Term { expires_at: Some(expires_at), ..term });
        renew(tx, random, wallet, (instance, terms, term), now).await?;
    } else {
        let instance = Instance { last_error: Some("its time was over".to_owned()), ..instance };
        remove(tx, random, wallet, instance, ((EXPIRED, Actor::System), now)).await?;
    }
    Ok(true)
}

/// Pays for the next interval of one whose paid time is used up, or freezes it where that is not wanted, not
/// sold any more, too dear or not covered.
async fn used_up(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    (instance, term): (Instance, Term),
    now: Timestamp,
) -> Result<()> {
    let today = if term.renews() { price_of_interval(tx, &instance).await? } else { None };
    let today = today.filter(|(_, price)| term.renewal.takes_interval(*price));
    let Some((terms, price)) = today.filter(|(_, price)| *price <= wallet.balance) else {
        return freeze(tx, random, wallet, instance, now).await;
    };
    let before = instance.terms.clone();
    let instance = Instance { terms, ..instance };
    let times = (term.expires_at.unwrap_or(now), now);
    let (_, instance) = pay_interval(tx, random, wallet, (instance, price, None), times).await?;
    tx.save_instance(&instance).await?;
    tell_renewed(tx, &before, &instance, now).await
}

/// Stops one whose paid time is over, and gives back all that it has but its disk.
async fn freeze(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    instance: Instance,
    now: Timestamp,
) -> Result<()> {
    let last_error = Some("frozen: what was paid is used up".to_owned());
    let instance = Instance { last_error, wanted: Wanted::Hibernated, restart: false, ..instance };
    let (_, mut instance) = charge(tx, random, wallet, (instance, Charge::Kept), now).await?;
    // An end that was noticed late leaves no debt.
    instance = instance.with_paid(|paid| PaidTime { left: paid.left.max(0), ..paid });
    if instance.phase == Phase::Stopped {
        instance = park(tx, instance).await?;
    }
    tx.save_instance(&instance).await?;
    align_later(tx, random, &instance, now).await?;
    let frozen = event("instance.frozen", &instance, Actor::System, now);
    tx.record(vec![Event { recipient: Some(instance.author), ..frozen }]).await
}

/// What it costs from now on and for how many hours, if it is to be renewed.
async fn offered_again(
    tx: &dyn Tx,
    instance: &Instance,
    term: Term,
) -> Result<Option<(InstanceTerms, u32)>> {
    let Offered::Gpus { gpu_offer, is_machine, .. } = instance.terms.offered else {
        return Ok(None);
    };
    let Some(offer) = tx.gpu_offer(gpu_offer).await? else { return Ok(None) };
    if !term.renews() || !offer.terms.sells(is_machine) {
        return Ok(None);
    }
    let is_spot = instance.terms.is_spot;
    // For what it has, whatever the host has by now: nobody loses a disk for more memory in a host.
    let terms = match of_gpus(&offer, instance.terms.shape.clone(), (is_spot, is_machine)) {
        Ok(terms) => terms,
        // It has no price any more.
        Err(Error::Unpayable(_)) => return Ok(None),
        Err(fault) => return Err(fault),
    };
    Ok(term.renewal.takes(&instance.terms, &terms).then_some((terms, offer.terms.max_hours)))
}

async fn renew(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    (before, terms, term): (Instance, InstanceTerms, Option<Term>),
    now: Timestamp,
) -> Result<()> {
    let costs = what_runs(tx, &before).await?;
    let instance = Instance { terms, term, ..before.clone() };
    let (_, instance) = charge(tx, random, wallet, (instance, costs), now).await?;
    tx.save_instance(&instance).await?;
    tell_renewed(tx, &before.terms, &instance, now).await
}

async fn tell_renewed(
    tx: &dyn Tx,
    before: &InstanceTerms,
    instance: &Instance,
    now: Timestamp,
) -> Result<()> {
    let price = |terms: &InstanceTerms| terms.hourly().exact();
    let data = serde_json::json!({ "hostname": instance.hostname, "plan": instance.terms.code(),
        "price_before": price(before), "price": price(&instance.terms),
        "expires_at": instance.term.and_then(|term| term.expires_at) });
    let renewed = event("instance.renewed", instance, Actor::System, now);
    tx.record(vec![Event { recipient: Some(instance.author), data, ..renewed }]).await
}
