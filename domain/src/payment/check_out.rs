//! Opens a page on which a user pays money in.

use serde_json::json;
use tracing::instrument;

use super::settle::{change, event};
use super::{
    CheckoutPages, LIFETIME, Payment, PaymentContext, PaymentId, PaymentState, ProviderError,
    Purpose,
};
use crate::clock::{Random, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::idempotency::{Attempt, IdempotencyKey, once};
use crate::money::Money;
use crate::store::{Tx, atomically};
use crate::token::Permission;
use crate::user::{Caller, UserId};

/// Between which amounts a payment may lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaymentPolicy {
    /// The least, in whole cents.
    pub minimum: Money,
    /// The most.
    pub maximum: Money,
}

impl PaymentPolicy {
    /// Refuses what lies outside, or is not of whole cents.
    pub fn check(&self, path: &str, amount: Money) -> Result<()> {
        let within = self.minimum <= amount && amount <= self.maximum;
        if within && amount.is_whole_cents() {
            return Ok(());
        }
        let message = format!("must be whole cents from {} to {}", self.minimum, self.maximum);
        Err(Error::invalid(path, message))
    }
}

/// A wish to pay money in.
#[derive(Clone, Debug)]
pub struct CheckOut {
    /// Who pays, into their own wallet.
    pub caller: Caller,
    /// How much.
    pub amount: Money,
    /// Where the provider sends them afterwards.
    pub pages: CheckoutPages,
    /// The operator's bounds.
    pub policy: PaymentPolicy,
    /// Opens one page however often it is sent.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// Opens a page at the provider. The payment is committed before the provider hears of it, so no money
/// can come in for one that Berth does not know.
#[instrument(name = "payment.check_out", skip_all)]
pub async fn check_out(context: PaymentContext<'_>, request: CheckOut) -> Result<Payment> {
    request.caller.may(Permission::WalletWrite)?;
    request.policy.check("/amount", request.amount)?;
    let (store, now) = (context.store, context.clock.now());
    let id =
        atomically(store, async |tx: &dyn Tx| begin(tx, &context, &request, now).await).await?;
    let payment = store.reads().payment(id).await?.ok_or(Error::NotFound(Thing::Payment))?;
    if payment.session_id.is_some() {
        return Ok(payment);
    }
    if payment.state != PaymentState::Pending {
        return Err(Error::PaymentProvider("the page was not opened in time".into()));
    }
    let opened = context.provider.open_checkout(&payment).await.map_err(unavailable)?;
    atomically(store, async |tx: &dyn Tx| {
        change(tx, id, context.clock.now(), |payment| {
            payment.session_id = Some(opened.session_id.clone());
            payment.checkout_url = Some(opened.url.clone());
        })
        .await
    })
    .await
}

/// The provider's failure as the caller is told of it.
pub(super) fn unavailable(error: ProviderError) -> Error {
    Error::PaymentProvider(error.into())
}

async fn begin(
    tx: &dyn Tx,
    context: &PaymentContext<'_>,
    request: &CheckOut,
    now: Timestamp,
) -> Result<PaymentId> {
    let (user_id, pages) = (request.caller.user_id, &request.pages);
    let attempt = Attempt {
        key: request.idempotency_key.as_ref(),
        user_id,
        operation: "payment.check_out",
        at: now,
    };
    let asked = json!([request.amount, pages.success_url, pages.cancel_url, pages.save_method]);
    once(tx, attempt, &asked, async || {
        let known = tx.saved_method(user_id).await?;
        let payment = Payment {
            purpose: Purpose::Checkout(pages.clone()),
            customer_id: known.map(|method| method.customer_id),
            ..begun(user_id, request.amount, now, context.random)
        };
        tx.add_payment(&payment).await?;
        tx.record(vec![event("payment.opened", &payment, now)]).await?;
        Ok(payment.id)
    })
    .await
}

/// A top-up that nobody has heard of yet; the base of every new payment.
pub(super) fn begun(
    user_id: UserId,
    amount: Money,
    now: Timestamp,
    random: &dyn Random,
) -> Payment {
    let payment = Payment {
        id: PaymentId::generate(now, random),
        user_id,
        purpose: Purpose::TopUp,
        state: PaymentState::Pending,
        failure: None,
        amount,
        credited: Money::ZERO,
        reversed: Money::ZERO,
        posting_id: None,
        customer_id: None,
        method_id: None,
        session_id: None,
        checkout_url: None,
        provider_payment_id: None,
        revision: 0,
        check_at: None,
        created_at: now,
        expires_at: now + LIFETIME,
        updated_at: now,
    };
    Payment { check_at: payment.next_check(now), ..payment }
}
