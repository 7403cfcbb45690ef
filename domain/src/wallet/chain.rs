//! The ledger as those see it who check it: chains of postings with their entries.

use async_trait::async_trait;

use super::{ChainHead, Checkpoint, Entry, Posting, PostingId, Wallet};
use crate::error::Result;
use crate::money::Money;
use crate::rental::RentalId;
use crate::supplier::Supplier;
use crate::user::UserId;

/// A posting with all its entries, in the order in which they were hashed.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// The posting.
    pub posting: Posting,
    /// Its entries.
    pub entries: Vec<Entry>,
}

/// Part of some chains: of users from one to another, behind a link that was seen already.
#[derive(Clone, Copy, Debug)]
pub struct Links {
    /// The first user.
    pub from: UserId,
    /// The last user.
    pub until: UserId,
    /// The last link seen.
    pub after: Option<(UserId, i64)>,
    /// How many links.
    pub limit: u32,
}

/// What a rental has cached, and the sums in the ledger that it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RentalSums {
    /// Which rental.
    pub id: RentalId,
    /// All rent so far, as cached.
    pub amount: Money,
    /// All that was given back, as cached.
    pub refunded: Money,
    /// What sits in escrow, as cached.
    pub escrow: Money,
    /// The sum of its charges.
    pub charged: Money,
    /// The sum of its refunds and credits.
    pub returned: Money,
}

/// A chain's head as a checkpoint found it, beside the hash of that posting today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptHead {
    /// Whose chain.
    pub user_id: UserId,
    /// Its head then.
    pub head: ChainHead,
    /// The hash of the posting at that place now; `None` where it is gone.
    pub present: Option<Vec<u8>>,
}

/// Looks at the whole ledger, a bounded part at a time.
#[async_trait]
pub trait LedgerQueries {
    /// Wallets by user, behind one that was seen already.
    async fn wallets(&self, after: Option<UserId>, limit: u32) -> Result<Vec<Wallet>>;

    /// Links by user and place in the chain.
    async fn links(&self, wanted: &Links) -> Result<Vec<Link>>;

    /// A posting with its entries, whoever asks.
    async fn link(&self, id: PostingId) -> Result<Option<Link>>;

    /// Rentals by id, behind one that was seen already, with their sums in the ledger.
    async fn rental_sums(&self, after: Option<RentalId>, limit: u32) -> Result<Vec<RentalSums>>;

    /// Every supplier.
    async fn every_supplier(&self) -> Result<Vec<Supplier>>;

    /// The sum of the entries of each kind of account, by its name.
    async fn account_totals(&self) -> Result<Vec<(String, Money)>>;

    /// Checkpoints by number, ascending, behind one that was seen already.
    async fn checkpoints(&self, after: i64, limit: u32) -> Result<Vec<Checkpoint>>;

    /// The newest checkpoint.
    async fn latest_checkpoint(&self) -> Result<Option<Checkpoint>>;

    /// Heads of a checkpoint by user, behind one that was seen already.
    async fn kept_heads(
        &self,
        number: i64,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<KeptHead>>;

    /// The heads of chains that moved since the last checkpoint, by user.
    async fn moved_heads(&self) -> Result<Vec<(UserId, ChainHead)>>;
}
