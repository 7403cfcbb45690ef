//! The ledger's one write path.
//!
//! A posting moves money between accounts; its entries sum to zero. Each posting on a wallet carries
//! the hash of the one before it, so that a changed, missing or inserted row shows. The last row of a
//! chain is guarded by the wallet, which names it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{PostingId, Wallet};
use crate::clock::{Random, Timestamp};
use crate::error::{Error, Result, Unpayable};
use crate::money::Money;
use crate::rental::RentalId;
use crate::store::Tx;
use crate::user::UserId;

/// Where money is. An entry above zero puts money there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Account {
    /// A user's wallet.
    Wallet(UserId),
    /// What the deployment earned.
    Revenue,
    /// The world outside: money paid in shows here as a debt of the cash box.
    CashClearing,
    /// Corrections by an operator, each with its reason.
    WriteOff,
}

impl Account {
    /// The account's kind, as stored and hashed.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Wallet(_) => "wallet",
            Self::Revenue => "revenue",
            Self::CashClearing => "cash_clearing",
            Self::WriteOff => "write_off",
        }
    }

    /// Whose account it is, if it is somebody's.
    pub const fn owner(self) -> Option<UserId> {
        match self {
            Self::Wallet(user_id) => Some(user_id),
            Self::Revenue | Self::CashClearing | Self::WriteOff => None,
        }
    }
}

/// One side of a posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which account.
    pub account: Account,
    /// How much it gains (above zero) or loses; never zero.
    pub amount: Money,
}

/// Why money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostingKind {
    /// Rent for a period.
    Charge,
    /// Rent given back.
    Refund,
    /// Money paid in.
    Deposit,
    /// A correction by an operator.
    Adjustment,
}

impl PostingKind {
    /// The kind, as stored and hashed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Refund => "refund",
            Self::Deposit => "deposit",
            Self::Adjustment => "adjustment",
        }
    }
}

/// The newest link of a wallet's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// How many postings the chain has.
    pub sequence: i64,
    /// SHA-256 of the newest posting.
    pub hash: Vec<u8>,
}

impl ChainHead {
    /// The head of a chain without postings: bound to its owner, so that chains cannot be swapped.
    pub fn genesis(user_id: UserId) -> Self {
        Self { sequence: 0, hash: Sha256::digest(user_id.uuid().as_bytes()).to_vec() }
    }
}

/// A movement of money between one wallet and one other account.
#[derive(Clone, Debug)]
pub struct PostingDraft {
    /// Why.
    pub kind: PostingKind,
    /// How much the wallet gains (above zero) or loses.
    pub amount: Money,
    /// The account on the other side.
    pub against: Account,
    /// In the words of who did it, or of the system.
    pub reason: String,
    /// Who did it; `None` for the system itself and the operator's console.
    pub author: Option<UserId>,
    /// The rental and the start of the period that it pays for: charged once (unique).
    pub period: Option<(RentalId, Timestamp)>,
    /// Further facts for the wallet's owner.
    pub metadata: Value,
}

/// A movement of money that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Posting {
    /// Identifies the posting.
    pub id: PostingId,
    /// Whose wallet's chain it belongs to.
    pub user_id: UserId,
    /// Why.
    pub kind: PostingKind,
    /// How much the wallet gained or lost.
    pub amount: Money,
    /// In words.
    pub reason: String,
    /// Who did it.
    pub author: Option<UserId>,
    /// What it paid for.
    pub period: Option<(RentalId, Timestamp)>,
    /// Further facts.
    pub metadata: Value,
    /// When.
    pub at: Timestamp,
    /// Its place in the wallet's chain, from 1.
    pub sequence: i64,
    /// The hash of the posting before it.
    pub previous_hash: Vec<u8>,
    /// Its own hash.
    pub hash: Vec<u8>,
}

impl Posting {
    /// What the hash covers, recomputed from the posting and its entries.
    pub fn digest(&self, entries: &[Entry]) -> Vec<u8> {
        let mut hash = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(bytes);
        };
        field(&self.previous_hash);
        field(&self.sequence.to_be_bytes());
        field(self.id.uuid().as_bytes());
        field(self.user_id.uuid().as_bytes());
        field(self.kind.as_str().as_bytes());
        field(&self.amount.e8().to_be_bytes());
        field(self.reason.as_bytes());
        field(self.author.map(|id| id.to_string()).unwrap_or_default().as_bytes());
        let period = self.period.map(|(id, at)| format!("{id} {}", at.timestamp_micros()));
        field(period.unwrap_or_default().as_bytes());
        field(&self.at.timestamp_micros().to_be_bytes());
        // PostgreSQL does not keep the order of keys.
        let mut metadata = self.metadata.clone();
        metadata.sort_all_objects();
        field(metadata.to_string().as_bytes());
        for entry in entries {
            field(entry.account.kind().as_bytes());
            field(entry.account.owner().map(|id| id.to_string()).unwrap_or_default().as_bytes());
            field(&entry.amount.e8().to_be_bytes());
        }
        hash.finalize().to_vec()
    }
}

/// Books a movement of money on a locked wallet: the posting, its entries and the new balance, in
/// this transaction. Refuses with [`Unpayable::InsufficientBalance`] what the wallet cannot give.
pub async fn post(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    at: Timestamp,
    draft: PostingDraft,
) -> Result<(Wallet, Posting)> {
    let overflow = || Error::invalid("/amount", "the balance would not fit; use a smaller amount");
    let balance = wallet.balance.checked_add(draft.amount).ok_or_else(overflow)?;
    if balance < Money::ZERO {
        return Err(Error::Unpayable(Unpayable::InsufficientBalance {
            required: draft.amount.negated(),
            available: wallet.balance,
        }));
    }
    let entries = [
        Entry { account: Account::Wallet(wallet.user_id), amount: draft.amount },
        Entry { account: draft.against, amount: draft.amount.negated() },
    ];
    let mut posting = Posting {
        id: PostingId::generate(at, random),
        user_id: wallet.user_id,
        kind: draft.kind,
        amount: draft.amount,
        reason: draft.reason,
        author: draft.author,
        period: draft.period,
        metadata: draft.metadata,
        at,
        sequence: wallet.head.sequence.saturating_add(1),
        previous_hash: wallet.head.hash,
        hash: Vec::new(),
    };
    posting.hash = posting.digest(&entries);
    let head = ChainHead { sequence: posting.sequence, hash: posting.hash.clone() };
    let wallet = Wallet { user_id: wallet.user_id, balance, head };
    tx.add_posting(&wallet, &posting, &entries).await?;
    Ok((wallet, posting))
}
