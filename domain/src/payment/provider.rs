//! The provider's side: what Berth asks of it, and what it tells.

use async_trait::async_trait;

use super::{Payment, PaymentId};
use crate::clock::Timestamp;
use crate::money::Money;

/// Takes payments by card. Every request carries the payment's id as its idempotency key, so that
/// repeating one after a lost answer has no second effect.
#[async_trait]
pub trait PaymentProvider: Send + Sync {
    /// The ISO 4217 code in which it is asked to take money.
    fn currency(&self) -> &str;

    /// Opens a page on which this payment can be paid. Repeated for the same payment, it answers the
    /// same page.
    async fn open_checkout(&self, payment: &Payment) -> Result<OpenedCheckout, ProviderError>;

    /// What became of a payment of which at least one of the provider's ids is known.
    async fn look(&self, payment: &Payment) -> Result<Snapshot, ProviderError>;

    /// Charges the payment's saved card without the payer. Repeated for the same payment, it does not
    /// charge again. A declined card is no error but an [`Outcome::Failed`].
    async fn charge(&self, payment: &Payment) -> Result<Snapshot, ProviderError>;
}

/// Reads what the provider sends by itself.
pub trait EventReader: Send + Sync {
    /// The hint in a message, if its signature is the provider's and not too old or too far ahead.
    fn read(&self, signature: &str, body: &[u8], now: Timestamp) -> Option<Hint>;
}

/// Why the provider did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// No answer, or one of its own failing; whether it had an effect is not known.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// It understood and refused; repeating does not help.
    #[error("refused: {0}")]
    Refused(String),
}

/// A page on which to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedCheckout {
    /// The provider's name of it.
    pub session_id: String,
    /// Where it is.
    pub url: String,
}

/// How far a payment has come at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody has paid yet.
    Pending,
    /// The money was captured.
    Paid,
    /// The page is closed and nobody has paid.
    Expired,
    /// It was declined for good; why, in a word.
    Failed(String),
}

/// A payment at one moment, as the provider knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// How far it has come.
    pub outcome: Outcome,
    /// What was captured.
    pub captured: Money,
    /// Of which currency, as an ISO 4217 code in capitals.
    pub currency: String,
    /// How much of it was given back.
    pub refunded: Money,
    /// How much of it is withdrawn by disputes that are open or lost.
    pub disputed: Money,
    /// The provider's name of the payment.
    pub provider_payment_id: Option<String>,
    /// The card that was kept, if it was.
    pub saved: Option<SavedMethod>,
}

/// A card that can be charged without its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedMethod {
    /// The payer as the provider knows them.
    pub customer_id: String,
    /// The card as the provider knows it.
    pub method_id: String,
}

/// What a message of the provider's is taken for: a reason to ask about a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The message's own name, by which a repetition is known.
    pub event_id: String,
    /// The payment, where the message carries our id.
    pub payment_id: Option<PaymentId>,
    /// The provider's name of the payment.
    pub provider_payment_id: Option<String>,
    /// The provider's name of the page.
    pub session_id: Option<String>,
}
