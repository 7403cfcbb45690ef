//! Reads meters, books what they have made, and sees to payers who run out of money.

use chrono::Duration;
use serde_json::{Value, json};
use tracing::instrument;

use super::end::{hourly, lasts};
use super::{Meter, Metered, Standing, Usage};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::event::{Actor, Event, Subject};
use crate::instance;
use crate::money::Money;
use crate::store::{Store, Tx};
use crate::sweep::each_due;
use crate::user::UserId;
use crate::volume;
use crate::wallet::{
    Account, Basis, Entry, Posting, PostingDraft, PostingKind, Wallet, entries, link,
};

/// No meter goes unread for longer.
pub const EVERY: Duration = Duration::hours(1);

/// What an operator configured about payers who run out of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundsPolicy {
    /// They are warned when it lasts no longer than this.
    pub warn_ahead: Duration,
    /// So long after they ran dry, what they have is deleted.
    pub retention: Duration,
    /// What is to be covered before something new may run: so many hours of all that runs then.
    pub hours_covered: u32,
}

/// Books what meters have made where it is time, warns and stops those who run dry; answers how many
/// payers were billed, each with a fixed number of statements however many meters they have. Safe to
/// run twice, at once, at any moments, and after any pause: what a meter has made does not depend on
/// when it is read.
#[instrument(name = "meter.bill_due", skip_all)]
pub async fn bill_due(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    policy: FundsPolicy,
) -> Result<u32> {
    let due = async |limit| store.reads().payers_to_bill(clock.now(), limit).await;
    let work = async |tx: &dyn Tx, payer_id| {
        bill(tx, random, payer_id, (clock.now(), policy)).await.map(|()| true)
    };
    each_due(store, due, work).await
}

async fn bill(
    tx: &dyn Tx,
    random: &dyn Random,
    payer_id: UserId,
    (now, policy): (Timestamp, FundsPolicy),
) -> Result<()> {
    let wallet = tx.wallet_for_update(payer_id).await?.ok_or(Error::NotFound(Thing::User))?;
    let meters = tx.open_meters(payer_id).await?;
    let (wallet, mut meters) = book(tx, random, wallet, meters, now).await?;
    let before = tx.standing(payer_id).await?;
    let times = (now, policy.warn_ahead, policy.retention);
    let standing = Standing::of(before, &wallet, hourly(&meters), times);
    let mut events = Vec::new();
    if matches!(standing, Some(Standing::Stopped { .. })) {
        // Also where it was dry before: something became ready since.
        events.extend(instance::stop_unpaid(tx, random, payer_id, now).await?);
        for meter in &mut meters {
            if matches!(meter.metered, Metered::Instance(_)) && meter.ended_at.is_none() {
                meter.ended_at = Some(now);
            }
        }
    }
    let next = next_reading(&wallet, &meters, now);
    for meter in &mut meters {
        meter.bill_at = meter.ended_at.is_none().then_some(next);
    }
    tx.save_meters(&meters).await?;
    if standing != before {
        tx.save_standing(payer_id, standing).await?;
        events.extend(told(payer_id, standing, &wallet, now));
        let is_dry = |standing| matches!(standing, Some(Standing::Stopped { .. }));
        if is_dry(before) && !is_dry(standing) {
            instance::charge_stopped(tx, random, payer_id, now).await?;
        }
    }
    tx.record(events).await
}

/// The next hour, or the moment at which the wallet runs dry, if that is sooner.
fn next_reading(wallet: &Wallet, meters: &[Meter], now: Timestamp) -> Timestamp {
    let lasts = lasts(wallet.balance, hourly(meters)).filter(|lasts| *lasts > Duration::zero());
    now + lasts.map_or(EVERY, |lasts| lasts.clamp(Duration::seconds(1), EVERY))
}

fn told(
    payer_id: UserId,
    standing: Option<Standing>,
    wallet: &Wallet,
    now: Timestamp,
) -> Option<Event> {
    let (kind, delete_at) = match standing {
        None => return None,
        Some(Standing::Warned { .. }) => ("wallet.running_dry", None),
        Some(Standing::Stopped { delete_at, .. }) => ("wallet.ran_dry", Some(delete_at)),
    };
    Some(Event {
        kind,
        subject: Subject::Wallet(payer_id),
        actor: Actor::System,
        before: None,
        data: json!({ "balance_e8": wallet.balance, "owed_e8": wallet.owed,
            "deleted_at": delete_at }),
        recipient: Some(payer_id),
        at: now,
    })
}

/// Books what these meters of one payer have made by now, and answers the wallet and the meters after
/// it, which the caller stores. The wallet gives what it has; the rest is owed.
async fn book(
    tx: &dyn Tx,
    random: &dyn Random,
    mut wallet: Wallet,
    meters: Vec<Meter>,
    now: Timestamp,
) -> Result<(Wallet, Vec<Meter>)> {
    let mut links: Vec<(Posting, Vec<Entry>)> = Vec::new();
    let mut read = Vec::with_capacity(meters.len());
    for meter in meters {
        let due = meter.due(now);
        if due == Money::ZERO {
            read.push(meter);
            continue;
        }
        let draft = draft(&meter, &wallet, now);
        let (after, posting) = link(random, wallet, now, &draft)?;
        wallet = after;
        links.push((posting, draft.entries));
        read.push(Meter {
            billed: meter.billed.checked_add(due).ok_or_else(too_much)?,
            bills: meter.bills.saturating_add(1),
            ..meter
        });
    }
    if !links.is_empty() {
        tx.add_postings(&wallet, &links).await?;
    }
    Ok((wallet, read))
}

fn too_much() -> Error {
    Error::internal("what a meter has made does not fit")
}

fn draft(meter: &Meter, wallet: &Wallet, now: Timestamp) -> PostingDraft {
    let due = meter.due(now);
    let given = if due > Money::ZERO {
        wallet.balance.min(due)
    } else {
        // What was too much settles a debt first.
        due.saturating_sub(wallet.owed.min(due.negated()).negated())
    };
    let owed = due.saturating_sub(given);
    let usage: Usage = meter.reading(now, owed);
    let kind = if due > Money::ZERO { PostingKind::Charge } else { PostingKind::Refund };
    PostingDraft {
        kind,
        entries: entries([
            (Account::Wallet(meter.payer_id), given.negated()),
            (Account::Receivable(meter.payer_id), owed.negated()),
            (Account::Revenue, due),
        ]),
        reason: format!("Use of {}", meter.name),
        author: None,
        period: None,
        metadata: about(meter),
        basis: Some(Basis::Usage(usage)),
        corrects: None,
    }
}

fn about(meter: &Meter) -> Value {
    match meter.metered {
        Metered::Instance(id) => json!({ "instance_id": id, "pool_id": meter.pool_id }),
        Metered::Volume(id) => json!({ "volume_id": id, "pool_id": meter.pool_id }),
    }
}

/// Lets a meter run from its start on. The payer's wallet is locked.
pub(crate) async fn begin(tx: &dyn Tx, meter: Meter) -> Result<()> {
    begin_all(tx, vec![meter]).await
}

/// The same for several of one payer.
pub(crate) async fn begin_all(tx: &dyn Tx, meters: Vec<Meter>) -> Result<()> {
    // Read at once, so that the moment at which the wallet runs dry is known.
    let read_at_once = |meter: Meter| Meter { bill_at: Some(meter.started_at), ..meter };
    let meters: Vec<Meter> = meters.into_iter().map(read_at_once).collect();
    tx.save_meters(&meters).await
}

/// Ends whatever meters run for these things of one payer, and books them to their end. Answers the
/// wallet after it.
pub(crate) async fn finish(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    metered: &[Metered],
    now: Timestamp,
) -> Result<Wallet> {
    finish_by(tx, random, wallet, (metered, now), now).await
}

/// The same where they had to end by an instant before now.
pub(crate) async fn finish_by(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    (metered, until): (&[Metered], Timestamp),
    now: Timestamp,
) -> Result<Wallet> {
    let open = tx.open_meters_of(metered).await?;
    close(tx, random, wallet, (open, until), now).await
}

/// The same for meters that were read already.
pub(crate) async fn close(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    (open, until): (Vec<Meter>, Timestamp),
    now: Timestamp,
) -> Result<Wallet> {
    let ending: Vec<Meter> = open
        .into_iter()
        .map(|meter| Meter {
            // What had to end earlier may have begun anew since.
            ended_at: Some(meter.ended_at.unwrap_or(until.max(meter.started_at))),
            ..meter
        })
        .collect();
    if ending.is_empty() {
        return Ok(wallet);
    }
    let (wallet, ended) = book(tx, random, wallet, ending, now).await?;
    let ended: Vec<Meter> =
        ended.into_iter().map(|meter| Meter { bill_at: None, ..meter }).collect();
    tx.save_meters(&ended).await?;
    Ok(wallet)
}

/// Deletes what those have who did not pay within the retention time; answers how many payers.
#[instrument(name = "meter.delete_unpaid", skip_all)]
pub async fn delete_unpaid(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<u32> {
    let now = clock.now();
    let due = async |limit| store.reads().payers_to_delete(now, limit).await;
    each_due(store, due, async |tx: &dyn Tx, id| delete_all(tx, random, id, now).await).await
}

async fn delete_all(
    tx: &dyn Tx,
    random: &dyn Random,
    payer_id: UserId,
    now: Timestamp,
) -> Result<bool> {
    let wallet = tx.wallet_for_update(payer_id).await?.ok_or(Error::NotFound(Thing::User))?;
    let Some(Standing::Stopped { delete_at, .. }) = tx.standing(payer_id).await? else {
        return Ok(false);
    };
    if delete_at > now {
        return Ok(false);
    }
    tx.save_standing(payer_id, None).await?;
    if wallet.balance > Money::ZERO {
        return Ok(false);
    }
    let wallet = instance::delete_unpaid(tx, random, wallet, now).await?;
    volume::delete_unpaid(tx, random, wallet, now).await?;
    Ok(true)
}
