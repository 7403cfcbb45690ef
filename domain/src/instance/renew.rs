//! Renews instances whose term is over, at the price of the day, or ends them.

use chrono::Duration;
use tracing::instrument;

use super::act::what_runs;
use super::charge::charge;
use super::create::event;
use super::sources::of_gpus;
use super::stop::{EXPIRED, remove, with_payer};
use super::{Instance, InstanceId, InstanceTerms, Offered, Phase, Term, Wanted};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Error, Result};
use crate::event::{Actor, Event};
use crate::store::{Store, Tx};
use crate::sweep::each_due;
use crate::wallet::Wallet;

/// Renews every instance whose term is over, or ends it where its owner does not want that, where it costs
/// more by now than they would pay, or where it is not offered any more; answers how many.
#[instrument(name = "instance.renew_due", skip_all)]
pub async fn renew_due(store: &dyn Store, clock: &dyn Clock, random: &dyn Random) -> Result<u32> {
    let now = clock.now();
    let due = async |limit| store.reads().instances_to_renew(now, limit).await;
    each_due(store, due, async |tx: &dyn Tx, id| over(tx, random, id, now).await).await
}

async fn over(tx: &dyn Tx, random: &dyn Random, id: InstanceId, now: Timestamp) -> Result<bool> {
    let (wallet, instance) = with_payer(tx, id).await?;
    let Some(term) = instance.term.filter(|term| term.expires_at <= now) else { return Ok(false) };
    let is_going =
        instance.wanted == Wanted::Deleted || matches!(instance.phase, Phase::Undoing { .. });
    if is_going || !instance.is_live() {
        return Ok(false);
    }
    if let Some((terms, hours)) = offered_again(tx, &instance, term).await? {
        // Each term begins where the last one ended, however late that is noticed.
        let length = Duration::hours(hours.max(1).into());
        let mut expires_at = term.expires_at;
        while expires_at <= now {
            expires_at += length;
        }
        let term = Some(Term { expires_at, ..term });
        renew(tx, random, wallet, (instance, terms, term), now).await?;
    } else {
        let instance = Instance { last_error: Some("its time was over".to_owned()), ..instance };
        remove(tx, random, wallet, instance, ((EXPIRED, Actor::System), now)).await?;
    }
    Ok(true)
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
    if !term.renewal.is_on || !offer.terms.sells(is_machine) {
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
    let price = |terms: &InstanceTerms| terms.hourly().exact();
    let data = serde_json::json!({ "hostname": before.hostname, "plan": terms.code(),
        "price_before": price(&before.terms), "price": price(&terms),
        "expires_at": term.map(|term| term.expires_at) });
    let instance = Instance { terms, term, ..before };
    tx.save_instance(&instance).await?;
    charge(tx, random, wallet, (&instance, costs), now).await?;
    let renewed = event("instance.renewed", &instance, Actor::System, now);
    tx.record(vec![Event { recipient: Some(instance.author), data, ..renewed }]).await
}
