use async_trait::async_trait;

use super::{AutoTopUp, Deposit, Hint, Payment, PaymentId, SavedMethod};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::money::Money;
use crate::page::Page;
use crate::user::UserId;

/// Looks at payments.
#[async_trait]
pub trait PaymentQueries {
    /// A payment, whosever it is.
    async fn payment(&self, id: PaymentId) -> Result<Option<Payment>>;

    /// The user's payments, newest first.
    async fn payments_of(&self, user_id: UserId, page: &Page<PaymentId>) -> Result<Vec<Payment>>;

    /// The user's payments, and the deposits in their wallet that are none, newest first: up to `limit` after
    /// the first `skip`.
    async fn deposits_of(&self, user_id: UserId, (skip, limit): (u32, u32))
    -> Result<Vec<Deposit>>;

    /// Payments about which the provider is to be asked by now, the longest due first.
    async fn due_payments(&self, now: Timestamp, limit: u32) -> Result<Vec<PaymentId>>;

    /// The user's saved card.
    async fn saved_method(&self, user_id: UserId) -> Result<Option<SavedMethod>>;

    /// When to top up the user's wallet.
    async fn auto_top_up(&self, user_id: UserId) -> Result<Option<AutoTopUp>>;

    /// Users whose wallet lies below their threshold while no top-up of theirs is pending and none was
    /// begun that would exceed their month.
    async fn users_to_top_up(&self, month: Timestamp, limit: u32) -> Result<Vec<UserId>>;

    /// Whether a top-up of theirs was begun and not settled.
    async fn has_pending_top_up(&self, user_id: UserId) -> Result<bool>;

    /// What top-ups begun since then have taken from the user's card, or may still.
    async fn topped_up_since(&self, user_id: UserId, since: Timestamp) -> Result<Money>;
}

/// Changes payments.
#[async_trait]
pub trait Payments {
    /// Adds a payment. A second pending top-up of one user violates a unique key.
    async fn add_payment(&self, payment: &Payment) -> Result<()>;

    /// A payment, locked until the transaction ends.
    async fn payment_for_update(&self, id: PaymentId) -> Result<Option<Payment>>;

    /// Stores a changed payment and raises its revision, unless somebody else has raised it since
    /// this payment was read: then [`crate::Error::Contention`].
    async fn save_payment(&self, payment: &Payment) -> Result<()>;

    /// Notes that a message of the provider's has come; whether it is the first with its name.
    async fn add_payment_event(&self, event_id: &str, at: Timestamp) -> Result<bool>;

    /// The payment that a hint is about, by our id before the provider's; `None` if it is not ours.
    async fn hinted_payment(&self, hint: &Hint) -> Result<Option<PaymentId>>;

    /// Keeps a card in place of the one kept before.
    async fn keep_method(&self, user_id: UserId, method: &SavedMethod, at: Timestamp)
    -> Result<()>;

    /// The user's wish to be topped up, locked until the transaction ends.
    async fn auto_top_up_for_update(&self, user_id: UserId) -> Result<Option<AutoTopUp>>;

    /// Stores a wish to be topped up in place of the one before.
    async fn save_auto_top_up(&self, wish: &AutoTopUp) -> Result<()>;

    /// Removes it; whether there was one.
    async fn remove_auto_top_up(&self, user_id: UserId) -> Result<bool>;
}
