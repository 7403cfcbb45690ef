//! Tops wallets up that ran low, with a saved card.

use chrono::{Datelike, Duration, Timelike};
use serde_json::json;
use tracing::{instrument, warn};

use super::check_out::begun;
use super::settle::event;
use super::{Payment, PaymentContext, PaymentId, PaymentPolicy, PaymentState, Purpose, settle};
use crate::clock::{Clock, Timestamp};
use crate::error::{Conflict, Error, Result, Thing};
use crate::event::{Event, Subject};
use crate::money::Money;
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::{Caller, UserId};

/// Wallets looked up at a time.
const BATCH: u32 = 200;

/// A user's wish to be topped up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoTopUp {
    /// Whose wallet.
    pub user_id: UserId,
    /// Below this balance it is topped up.
    pub threshold: Money,
    /// By how much at a time.
    pub amount: Money,
    /// At most so much in a calendar month (UTC).
    pub monthly_max: Money,
    /// Why it stopped; `None` while it is on.
    pub stopped: Option<String>,
    /// When it was first wished.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What is wished.
#[derive(Clone, Debug)]
pub struct SetAutoTopUp {
    /// Whose wallet.
    pub caller: Caller,
    /// Below this balance it is topped up.
    pub threshold: Money,
    /// By how much at a time.
    pub amount: Money,
    /// At most so much in a calendar month (UTC).
    pub monthly_max: Money,
    /// The operator's bounds of one payment.
    pub policy: PaymentPolicy,
}

/// Turns topping up on, or changes it; also after it has stopped.
pub async fn set_auto_top_up(
    store: &dyn Store,
    clock: &dyn Clock,
    request: SetAutoTopUp,
) -> Result<AutoTopUp> {
    request.caller.may(Permission::WalletWrite)?;
    request.policy.check("/amount", request.amount)?;
    if request.threshold <= Money::ZERO || request.threshold > request.policy.maximum {
        let message = format!("must be above 0, at most {}", request.policy.maximum);
        return Err(Error::invalid("/threshold", message));
    }
    if request.monthly_max < request.amount {
        return Err(Error::invalid("/monthly_max", "must be at least the amount of one top-up"));
    }
    let (now, user_id) = (clock.now(), request.caller.user_id);
    atomically(store, async |tx: &dyn Tx| {
        tx.wallet_for_update(user_id).await?.ok_or(Error::NotFound(Thing::User))?;
        tx.saved_method(user_id).await?.ok_or(Error::Conflict(Conflict::NoSavedMethod))?;
        let before = tx.auto_top_up_for_update(user_id).await?;
        let wish = AutoTopUp {
            user_id,
            threshold: request.threshold,
            amount: request.amount,
            monthly_max: request.monthly_max,
            stopped: None,
            created_at: before.map_or(now, |before| before.created_at),
            updated_at: now,
        };
        tx.save_auto_top_up(&wish).await?;
        tx.record(vec![changed("wallet.auto_top_up_set", &request.caller, &wish, now)]).await?;
        Ok(wish)
    })
    .await
}

/// The caller's wish.
pub async fn show_auto_top_up(store: &dyn Store, caller: &Caller) -> Result<AutoTopUp> {
    caller.may(Permission::WalletRead)?;
    let wish = store.reads().auto_top_up(caller.user_id).await?;
    wish.ok_or(Error::NotFound(Thing::AutoTopUp))
}

/// Turns topping up off. A charge that was begun is settled all the same.
pub async fn stop_auto_top_up(store: &dyn Store, clock: &dyn Clock, caller: &Caller) -> Result<()> {
    caller.may(Permission::WalletWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let wish = tx.auto_top_up_for_update(caller.user_id).await?;
        let wish = wish.ok_or(Error::NotFound(Thing::AutoTopUp))?;
        tx.remove_auto_top_up(caller.user_id).await?;
        tx.record(vec![changed("wallet.auto_top_up_removed", caller, &wish, now)]).await
    })
    .await
}

/// Charges the saved card of everybody whose wallet ran low, and answers how many charges were begun.
/// Each is committed before the provider hears of it, and repeated by [`settle`] under the same
/// idempotency key if its answer is lost.
#[instrument(name = "payment.top_up_due", skip_all)]
pub async fn top_up_due(context: PaymentContext<'_>) -> Result<u32> {
    let mut begun = 0;
    loop {
        let month = month_of(context.clock.now());
        let users = context.store.reads().users_to_top_up(month, BATCH).await?;
        let before = begun;
        for user_id in users {
            let wanted =
                atomically(context.store, async |tx: &dyn Tx| begin(tx, &context, user_id).await);
            let Some(id) = wanted.await? else {
                continue;
            };
            begun += 1;
            match settle(context, id).await {
                Ok(_) | Err(Error::Busy) => {}
                Err(error @ Error::PaymentProvider(_)) => {
                    warn!(payment_id = %id, cause = error.for_the_log(), "a top-up is repeated later");
                }
                Err(error) => return Err(error),
            }
        }
        if begun == before {
            return Ok(begun);
        }
    }
}

/// The charge to be made now, if there is one; decided under the wallet's lock.
async fn begin(
    tx: &dyn Tx,
    context: &PaymentContext<'_>,
    user_id: UserId,
) -> Result<Option<PaymentId>> {
    let now = context.clock.now();
    let wallet = tx.wallet_for_update(user_id).await?.ok_or(Error::NotFound(Thing::User))?;
    let Some(wish) = tx.auto_top_up_for_update(user_id).await? else {
        return Ok(None);
    };
    let Some(method) = tx.saved_method(user_id).await? else {
        return Ok(None);
    };
    let month = month_of(now);
    // Asked again under the lock, which keeps a second charge for the same need away.
    let is_pending = tx.has_pending_top_up(user_id).await?;
    let taken = tx.topped_up_since(user_id, month).await?;
    let total = taken.checked_add(wish.amount);
    let is_within = total.is_some_and(|total| total <= wish.monthly_max);
    if wish.stopped.is_some() || wallet.balance >= wish.threshold || is_pending || !is_within {
        return Ok(None);
    }
    let payment = Payment {
        customer_id: Some(method.customer_id),
        method_id: Some(method.method_id),
        ..begun(user_id, wish.amount, now, context.random)
    };
    tx.add_payment(&payment).await?;
    tx.record(vec![event("payment.opened", &payment, now)]).await?;
    Ok(Some(payment.id))
}

/// Stops topping up when a charge has failed, and says so.
pub(super) async fn stop_after(
    tx: &dyn Tx,
    payment: &Payment,
    now: Timestamp,
) -> Result<Option<Event>> {
    if payment.purpose != Purpose::TopUp || payment.state != PaymentState::Failed {
        return Ok(None);
    }
    let Some(wish) = tx.auto_top_up_for_update(payment.user_id).await? else {
        return Ok(None);
    };
    let stopped = Some(payment.failure.clone().unwrap_or_else(|| "declined".to_owned()));
    tx.save_auto_top_up(&AutoTopUp { stopped, updated_at: now, ..wish }).await?;
    Ok(Some(event("wallet.auto_top_up_stopped", payment, now)))
}

fn changed(kind: &'static str, caller: &Caller, wish: &AutoTopUp, at: Timestamp) -> Event {
    Event {
        kind,
        subject: Subject::Wallet(wish.user_id),
        actor: caller.actor(),
        before: None,
        data: json!({ "threshold_e8": wish.threshold, "amount_e8": wish.amount,
            "monthly_max_e8": wish.monthly_max }),
        recipient: None,
        at,
    }
}

/// The first instant of the calendar month.
fn month_of(now: Timestamp) -> Timestamp {
    let days = Duration::days(i64::from(now.day0()));
    let today = Duration::seconds(i64::from(now.num_seconds_from_midnight()));
    let fraction = Duration::nanoseconds(i64::from(now.nanosecond()));
    now - days - today - fraction
}
