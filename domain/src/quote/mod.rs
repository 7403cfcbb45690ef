//! Quotes: a price that holds for a while. A quote reserves nothing; renting with it charges exactly
//! its price or is refused.

mod ask;
mod port;

use serde_json::json;

pub use ask::{AskQuote, ask, remove_stale, show};
pub use port::{QuoteQueries, Quotes};

use crate::clock::Timestamp;
use crate::error::{Conflict, Error, Result, Thing};
use crate::host::HostId;
use crate::id::entity_id;
use crate::pool::PoolId;
use crate::rental::{RentServer, RentalId, Terms};
use crate::store::Tx;
use crate::user::UserId;

entity_id!(
    /// Identifies a quote.
    QuoteId
);

/// Terms that were offered to somebody, and hold until they expire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Identifies the quote.
    pub id: QuoteId,
    /// Who may use it.
    pub user_id: UserId,
    /// For which host.
    pub host_id: HostId,
    /// The pool whose members shall see the rental.
    pub pool_id: Option<PoolId>,
    /// The terms of the rental.
    pub terms: Terms,
    /// When it was given.
    pub created_at: Timestamp,
    /// Until when it holds.
    pub expires_at: Timestamp,
    /// Ours, over [`Quote::message`].
    pub signature: Vec<u8>,
    /// The rental that it was used for.
    pub rental_id: Option<RentalId>,
}

/// Signs what Berth promises, with a key from outside the database.
pub trait Signer: Send + Sync {
    /// The signature of a message.
    fn sign(&self, message: &[u8]) -> Vec<u8>;

    /// Whether a signature is ours, compared in constant time.
    fn is_signed(&self, message: &[u8], signature: &[u8]) -> bool;
}

impl Quote {
    /// What is signed: everything that is promised, as JSON in a fixed order.
    pub fn message(&self) -> Vec<u8> {
        let mut terms = json!(self.terms);
        terms.sort_all_objects();
        json!([
            "berth.quote.1",
            self.id,
            self.user_id,
            self.host_id,
            self.pool_id,
            terms,
            self.created_at.timestamp_micros(),
            self.expires_at.timestamp_micros(),
        ])
        .to_string()
        .into_bytes()
    }
}

/// The quote that a wish to rent names, if it may still be used for just that. The user's wallet must
/// be locked, so that nobody uses it at the same moment.
pub(crate) async fn redeemable(
    tx: &dyn Tx,
    signer: &dyn Signer,
    (user_id, id): (UserId, QuoteId),
    request: &RentServer,
    now: Timestamp,
) -> Result<Quote> {
    let quote = tx.quote_of(user_id, id).await?.ok_or(Error::NotFound(Thing::Quote))?;
    if !signer.is_signed(&quote.message(), &quote.signature) {
        return Err(Error::internal(format!("the quote {id} was changed in the database")));
    }
    if quote.host_id != request.host_id {
        return Err(Error::invalid("/quote_id", "is for another server"));
    }
    if request.days.is_some_and(|days| days != quote.terms.days) {
        let message = format!("the quote is for {} days; leave this out", quote.terms.days);
        return Err(Error::invalid("/rental_days", message));
    }
    if request.pool_id.is_some() && request.pool_id != quote.pool_id {
        return Err(Error::invalid("/pool_id", "the quote is for another pool; leave this out"));
    }
    if quote.rental_id.is_some() {
        return Err(Error::Conflict(Conflict::QuoteUsed));
    }
    if quote.expires_at <= now {
        return Err(Error::QuoteExpired);
    }
    Ok(quote)
}
