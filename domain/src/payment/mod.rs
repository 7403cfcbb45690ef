//! Deposits by card. A provider takes the money; Berth asks it what became of a payment, and books the
//! difference to what is booked already ([`settle`]). Whatever makes it ask, a webhook, a sweep or a
//! person, is only a hint, so hints may come late, twice, in any order or never.

mod check_out;
mod deposits;
mod hear;
mod port;
mod provider;
mod settle;
mod show;
mod sweep;
mod top_up;

use chrono::Duration;
use serde::{Deserialize, Serialize};

pub use check_out::{CheckOut, PaymentPolicy, check_out};
pub use deposits::{Deposit, DepositMethod, deposits_part};
pub use hear::hear;
pub use port::{PaymentQueries, Payments};
pub use provider::{
    EventReader, Hint, OpenedCheckout, Outcome, PaymentProvider, ProviderError, SavedMethod,
    Snapshot,
};
pub use settle::settle;
pub use show::{all, show};
pub use sweep::settle_due;
pub use top_up::{
    AutoTopUp, SetAutoTopUp, set_auto_top_up, show_auto_top_up, stop_auto_top_up, top_up_due,
};

use crate::clock::{Clock, Random, Timestamp};
use crate::id::entity_id;
use crate::money::Money;
use crate::store::Store;
use crate::user::UserId;
use crate::wallet::PostingId;

entity_id!(
    /// Identifies a payment; the provider knows it by this, too.
    PaymentId
);

/// What working on payments needs.
#[derive(Clone, Copy)]
pub struct PaymentContext<'a> {
    /// Where payments and wallets are.
    pub store: &'a dyn Store,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Randomness.
    pub random: &'a dyn Random,
    /// Who takes the money.
    pub provider: &'a dyn PaymentProvider,
}

/// Why a payment was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The user pays on a page of the provider.
    Checkout(CheckoutPages),
    /// A saved card is charged because the wallet ran low.
    TopUp,
}

/// Where the provider sends the payer afterwards, and whether it keeps the card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckoutPages {
    /// After paying.
    pub success_url: String,
    /// After giving up.
    pub cancel_url: String,
    /// Whether the card may be charged later without the payer.
    pub save_method: bool,
}

/// How far a payment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// Nobody has paid yet.
    Pending,
    /// It was paid and credited.
    Paid,
    /// Nobody paid in time. Should money come all the same, it is credited.
    Expired,
    /// It cannot be paid or credited; [`Payment::failure`] says why.
    Failed,
}

/// A deposit by card, from the wish to whatever became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Identifies the payment, and makes every request to the provider idempotent.
    pub id: PaymentId,
    /// Whose wallet it is for.
    pub user_id: UserId,
    /// Why it was begun.
    pub purpose: Purpose,
    /// How far it has come.
    pub state: PaymentState,
    /// Why it failed, in a word of the provider's or ours.
    pub failure: Option<String>,
    /// What was asked for.
    pub amount: Money,
    /// What was really captured and credited; zero until then.
    pub credited: Money,
    /// How much of it outside has taken back again, by refunds and disputes.
    pub reversed: Money,
    /// The deposit in the ledger.
    pub posting_id: Option<PostingId>,
    /// The payer as the provider knows them.
    pub customer_id: Option<String>,
    /// The saved card that a top-up charges.
    pub method_id: Option<String>,
    /// The provider's checkout session.
    pub session_id: Option<String>,
    /// The page on which to pay.
    pub checkout_url: Option<String>,
    /// The provider's name of the payment itself, as soon as there is one.
    pub provider_payment_id: Option<String>,
    /// Raised by every change and every hint: who asked the provider before it rose has an old answer.
    pub revision: i64,
    /// When to ask the provider again.
    pub check_at: Option<Timestamp>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// Until when it can be paid.
    pub expires_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// How long the page can be paid on, and how long a provider surely knows a repeated request.
pub const LIFETIME: Duration = Duration::hours(23);
/// How long to ask for a payment that its page's end did not settle.
const PENDING_AFTERWARDS: Duration = Duration::days(3);
/// How long to ask whether a payment was refunded or disputed without our hearing of it.
const REVERSIBLE: Duration = Duration::days(180);

impl Payment {
    /// When to ask the provider next, having asked now: soon at first, then ever less often; refunds
    /// and disputes, which are rare, at most daily.
    fn next_check(&self, now: Timestamp) -> Option<Timestamp> {
        let age = now - self.created_at;
        let (wait, until) = match self.state {
            PaymentState::Pending => (
                (age / 2).clamp(Duration::minutes(1), Duration::hours(6)),
                self.expires_at + PENDING_AFTERWARDS,
            ),
            PaymentState::Paid => {
                (age.clamp(Duration::days(1), Duration::days(30)), self.created_at + REVERSIBLE)
            }
            PaymentState::Expired | PaymentState::Failed => return None,
        };
        Some(now + wait).filter(|next| *next <= until)
    }
}
