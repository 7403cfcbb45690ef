//! Wallets and the ledger: double entry, append-only, one write path ([`post`]).

mod basis;
mod book;
mod chain;
mod checkpoint;
mod explain;
mod ledger;
mod owed;
mod port;
mod show;
mod verify;

use serde::{Deserialize, Serialize};

pub use basis::{Basis, Downtime, EarlyEnd, PaidInterval, WHOLE_BP, commission};
pub use book::{Book, Booked, adjust, deposit};
pub use chain::{KeptHead, LedgerQueries, Link, Links, RentalSums};
pub use checkpoint::{Checkpoint, take_checkpoint};
pub use explain::{Explanation, explain, ledger};
pub(crate) use ledger::link;
pub use ledger::{
    Account, ChainHead, Entry, Posting, PostingDraft, PostingKind, entries, moved, post,
};
pub use owed::{paid_in, taken_back};
pub use port::{TransactionFilter, TransactionSort, WalletQueries, Wallets};
pub use show::{TransactionPage, balance, checkpoints, transaction, transactions};
pub use verify::{Discrepancy, Row, Verified, verify};

use crate::id::entity_id;
use crate::money::Money;
use crate::user::UserId;

entity_id!(
    /// Identifies a posting: what a wallet's owner knows as a transaction.
    PostingId
);

/// A user's money. The balance is the sum of the wallet account's entries, cached on the locked row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// Whose.
    pub user_id: UserId,
    /// What can be spent; never below zero.
    pub balance: Money,
    /// What the user owes since money that they had spent already was taken back; settled first by the
    /// next that is paid in.
    pub owed: Money,
    /// The newest posting in the wallet's chain.
    pub head: ChainHead,
}

impl Wallet {
    /// The wallet of a new account.
    pub fn empty(user_id: UserId) -> Self {
        Self { user_id, balance: Money::ZERO, owed: Money::ZERO, head: ChainHead::genesis(user_id) }
    }
}

/// A charge as its payer sees it again later, kept with what it paid for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The posting.
    pub id: PostingId,
    /// How much, above zero.
    pub amount: Money,
    /// When.
    pub at: crate::clock::Timestamp,
}
