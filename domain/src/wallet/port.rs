use async_trait::async_trait;

use super::{ChainHead, Checkpoint, Entry, Posting, PostingId, PostingKind, Wallet};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::rental::RentalId;
use crate::user::UserId;

/// Which of a user's transactions.
#[derive(Clone, Debug, Default)]
pub struct TransactionFilter {
    /// Only these kinds; none given means all.
    pub kinds: Vec<PostingKind>,
    /// Not before this instant.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
}

/// In which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionSort {
    /// By time.
    CreatedAt {
        /// Newest first.
        descending: bool,
    },
    /// By amount, as the wallet's owner sees it: a charge is what was paid, above zero.
    Amount {
        /// Largest first.
        descending: bool,
    },
}

/// Looks at wallets.
#[async_trait]
pub trait WalletQueries {
    /// The user's wallet.
    async fn wallet(&self, user_id: UserId) -> Result<Option<Wallet>>;

    /// One of the user's postings.
    async fn posting_of(&self, user_id: UserId, id: PostingId) -> Result<Option<Posting>>;

    /// Every posting about a rental: charges, refunds, credits, earnings.
    async fn postings_about(&self, rental_id: RentalId) -> Result<Vec<Posting>>;

    /// A part of the user's postings that move their wallet, and how many pass the filter.
    async fn postings_of(
        &self,
        user_id: UserId,
        filter: &TransactionFilter,
        sort: TransactionSort,
        (offset, limit): (u64, u64),
    ) -> Result<(Vec<Posting>, u64)>;
}

/// Changes wallets. Only [`super::post`] writes postings.
#[async_trait]
pub trait Wallets {
    /// Adds an empty wallet.
    async fn add_wallet(&self, wallet: &Wallet) -> Result<()>;

    /// The wallet, locked until the transaction ends.
    async fn wallet_for_update(&self, user_id: UserId) -> Result<Option<Wallet>>;

    /// Adds a checkpoint and its heads; false, and nothing is added, where another process was first.
    async fn add_checkpoint(
        &self,
        checkpoint: &Checkpoint,
        heads: &[(UserId, ChainHead)],
    ) -> Result<bool>;

    /// Adds postings of one chain in its order with their entries, and stores the wallet's new balance
    /// and chain head. A second charge of the same period, or of the same reading of a meter, violates
    /// a unique key and fails.
    async fn add_postings(&self, wallet: &Wallet, links: &[(Posting, Vec<Entry>)]) -> Result<()>;
}
