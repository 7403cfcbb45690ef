//! Renews rentals whose renters gave a mandate, and tells them beforehand what will happen.

use serde_json::json;
use tracing::{error, instrument};

use super::extend::{Extension, prolong};
use super::mandate::RENEW_AHEAD;
use super::{Mandate, Rental, RentalId, RentalWithHost, Terms};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Conflict, Error, Forbidden, Result, Unpayable};
use crate::event::{Actor, Event, Subject};
use crate::money::Money;
use crate::store::{Store, Tx, atomically};

const USED_UP: &str = "mandate_used_up";
/// Mandates looked up at a time; each is worked on in a transaction of its own.
const BATCH: u32 = 200;

/// Renews what is due, gives notice where it is, and answers how many rentals were renewed. Safe to
/// run twice, at once, and after any pause: a period is charged once by a unique key, and only if it
/// still begins where the rental ends.
#[instrument(name = "rental.renew_due", skip_all)]
pub async fn renew_due(store: &dyn Store, clock: &dyn Clock, random: &dyn Random) -> Result<u32> {
    let mut renewed = 0;
    loop {
        let now = clock.now();
        let due = store.reads().due_mandates(now, BATCH).await?;
        let mut looked_at = 0;
        for id in &due {
            match look_at(store, random, *id, now).await {
                Ok(is_renewed) => {
                    looked_at += 1;
                    renewed += u32::from(is_renewed);
                }
                // A row that cannot be read must not keep all the others from being renewed.
                Err(error @ Error::Internal(_)) => {
                    error!(rental_id = %id, cause = error.for_the_log(), "a mandate was not looked at");
                }
                Err(error) => return Err(error),
            }
        }
        if looked_at == 0 {
            return Ok(renewed);
        }
    }
}

/// Does for one mandate what is to be done now; answers whether the rental was renewed.
async fn look_at(
    store: &dyn Store,
    random: &dyn Random,
    id: RentalId,
    now: Timestamp,
) -> Result<bool> {
    let outcome = atomically(store, async |tx: &dyn Tx| renew(tx, random, id, now).await).await;
    let refusal = match outcome {
        Ok(Looked::Renewed) => return Ok(true),
        Ok(Looked::Refused(reason)) => Some(reason),
        // Somebody was faster, or the rental has ended.
        Ok(Looked::NotYet)
        | Err(Error::Conflict(Conflict::ExtensionAlreadyApplied | Conflict::RentalEnded)) => None,
        Err(error) => Some(reason(&error).ok_or(error)?),
    };
    atomically(store, async |tx: &dyn Tx| tell(tx, id, refusal, now).await).await?;
    Ok(false)
}

enum Looked {
    Renewed,
    NotYet,
    Refused(&'static str),
}

async fn renew(tx: &dyn Tx, random: &dyn Random, id: RentalId, now: Timestamp) -> Result<Looked> {
    let Some((mandate, seen)) = present(tx, tx.mandate(id).await?, now).await? else {
        return Ok(Looked::NotYet);
    };
    if !seen.rental.is_live() || now < seen.rental.ends_at - RENEW_AHEAD {
        return Ok(Looked::NotYet);
    }
    if !mandate.has_renewals_left() {
        return Ok(Looked::Refused(USED_UP));
    }
    // The wallet's lock, which `prolong` takes first, keeps two sweeps apart; what was read before it
    // may be old, and then `expected_end` refuses.
    let extension = Extension {
        payer_id: mandate.payer_id,
        actor: Actor::System,
        rental_id: id,
        days: mandate.days,
        max_charge: Some(mandate.max_price),
        expected_end: Some(seen.rental.ends_at),
        by_mandate: true,
    };
    let extended = prolong(tx, random, &extension, now).await?;
    // Read again under the locks: it may have been taken back, replaced or used up meanwhile.
    if tx.mandate_for_update(id).await? != Some(mandate) {
        return Err(Error::Contention);
    }
    let mandate = Mandate { renewals: mandate.renewals.saturating_add(1), ..mandate };
    tx.save_mandate(&mandate.planned(&extended.rental, now)).await?;
    Ok(Looked::Renewed)
}

/// The mandate with its rental as it stands now.
async fn present(
    tx: &dyn Tx,
    mandate: Option<Mandate>,
    now: Timestamp,
) -> Result<Option<(Mandate, RentalWithHost)>> {
    let Some(mandate) = mandate else {
        return Ok(None);
    };
    let seen = tx.rental_with_host(mandate.rental_id).await?;
    let seen = seen.map(|seen| RentalWithHost { rental: seen.rental.at(now), host: seen.host });
    Ok(seen.map(|seen| (mandate, seen)))
}

/// Tells the payer, once for each period and each thing to tell, and plans the next look.
async fn tell(
    tx: &dyn Tx,
    id: RentalId,
    refusal: Option<&'static str>,
    now: Timestamp,
) -> Result<()> {
    let found = present(tx, tx.mandate_for_update(id).await?, now).await?;
    let Some((mut mandate, RentalWithHost { rental, host })) = found else {
        return Ok(());
    };
    let ends_at = rental.ends_at;
    let price = Terms::offered(&host, mandate.days, None).ok().map(|terms| terms.price);
    let mut events = Vec::new();
    let is_noticed = mandate.noticed_for == Some(ends_at);
    if rental.is_live() && !is_noticed && now >= mandate.notice_at(ends_at) {
        let doubt = obstacle(tx, &mandate, price, host.is_listed).await?;
        events.push(notice(&mandate, &rental, (price, doubt), now));
        mandate.noticed_for = Some(ends_at);
    }
    if let Some(reason) = refusal.filter(|_| mandate.refused_for != Some(ends_at)) {
        events.push(refused(&mandate, &rental, (price, reason), now));
        mandate.refused_for = Some(ends_at);
    }
    tx.save_mandate(&mandate.planned(&rental, now)).await?;
    tx.record(events).await
}

/// What would stand against a renewal if it were tried now.
async fn obstacle(
    tx: &dyn Tx,
    mandate: &Mandate,
    price: Option<Money>,
    is_listed: bool,
) -> Result<Option<&'static str>> {
    let Some(price) = price else {
        return Ok(Some("price_withdrawn"));
    };
    let wallet = tx.wallet(mandate.payer_id).await?;
    let covered = wallet.is_some_and(|wallet| wallet.balance >= price);
    Ok(match () {
        () if !is_listed => Some("server_withdrawn"),
        () if !mandate.has_renewals_left() => Some(USED_UP),
        () if price > mandate.max_price => Some("price_above_maximum"),
        () if !covered => Some("insufficient_balance"),
        () => None,
    })
}

/// Why a renewal was refused, as the payer is told; `None` for what is not the payer's affair.
const fn reason(error: &Error) -> Option<&'static str> {
    match error {
        Error::Unpayable(Unpayable::InsufficientBalance { .. }) => Some("insufficient_balance"),
        Error::Unpayable(Unpayable::NoPricing | Unpayable::InvalidDuration { .. }) => {
            Some("price_withdrawn")
        }
        Error::Conflict(Conflict::ChargeExceedsMax { .. }) => Some("price_above_maximum"),
        Error::Conflict(Conflict::ServerUnavailable) => Some("server_withdrawn"),
        Error::NotFound(_) | Error::Forbidden(Forbidden::PoolAdminRequired) => {
            Some("payer_may_not")
        }
        _ => None,
    }
}

fn notice(
    mandate: &Mandate,
    rental: &Rental,
    (price, doubt): (Option<Money>, Option<&'static str>),
    now: Timestamp,
) -> Event {
    Event {
        kind: if doubt.is_some() { "rental.renewal_at_risk" } else { "rental.renewal_upcoming" },
        subject: Subject::Rental(rental.id),
        actor: Actor::System,
        before: None,
        data: json!({ "ends_at": rental.ends_at, "days": mandate.days, "price_e8": price,
            "max_price_e8": mandate.max_price, "reason": doubt }),
        recipient: Some(mandate.payer_id),
        at: now,
    }
}

fn refused(
    mandate: &Mandate,
    rental: &Rental,
    (price, reason): (Option<Money>, &'static str),
    now: Timestamp,
) -> Event {
    Event {
        kind: "rental.renewal_refused",
        subject: Subject::Rental(rental.id),
        actor: Actor::System,
        before: None,
        data: json!({ "ends_at": rental.ends_at, "held_until": rental.held_until(),
            "days": mandate.days, "price_e8": price, "max_price_e8": mandate.max_price,
            "reason": reason }),
        recipient: Some(mandate.payer_id),
        at: now,
    }
}
