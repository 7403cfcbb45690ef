use async_trait::async_trait;

use super::{Quote, QuoteId};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::user::UserId;

/// Looks at quotes.
#[async_trait]
pub trait QuoteQueries {
    /// A quote that was given to this user.
    async fn quote_of(&self, user_id: UserId, id: QuoteId) -> Result<Option<Quote>>;
}

/// Changes quotes.
#[async_trait]
pub trait Quotes {
    /// Adds a quote.
    async fn add_quote(&self, quote: &Quote) -> Result<()>;

    /// Stores what a quote was used for. A second rental of one quote violates a unique key.
    async fn save_quote(&self, quote: &Quote) -> Result<()>;

    /// Removes up to `limit` quotes that expired before `before` and were not used; answers how many.
    async fn remove_stale_quotes(&self, before: Timestamp, limit: u32) -> Result<u64>;
}
