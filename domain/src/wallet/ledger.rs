//! The ledger's one write path.
//!
//! A posting moves money between accounts; its entries sum to zero. Each posting on a wallet carries
//! the hash of the one before it, so that a changed, missing or inserted row shows. The last row of a
//! chain is guarded by the wallet, which names it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Basis, PostingId, Wallet};
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
    /// What a user owes since money that they had spent already was taken back: below zero by that.
    Receivable(UserId),
    /// Rent of a supplier's server that was paid and is not earned yet.
    Escrow(RentalId),
    /// What a supplier has earned and was not paid out yet.
    Payable(UserId),
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
            Self::Receivable(_) => "receivable",
            Self::Escrow(_) => "escrow",
            Self::Payable(_) => "payable",
            Self::Revenue => "revenue",
            Self::CashClearing => "cash_clearing",
            Self::WriteOff => "write_off",
        }
    }

    /// The user or the rental that the account belongs to, if it belongs to one.
    pub const fn owner(self) -> Option<Uuid> {
        match self {
            Self::Wallet(id) | Self::Receivable(id) | Self::Payable(id) => Some(id.uuid()),
            Self::Escrow(id) => Some(id.uuid()),
            Self::Revenue | Self::CashClearing | Self::WriteOff => None,
        }
    }

    /// The account that was stored under this kind and owner.
    pub fn from_stored(kind: &str, owner: Option<Uuid>) -> Option<Self> {
        match (kind, owner) {
            ("wallet", Some(id)) => Some(Self::Wallet(UserId::from_uuid(id))),
            ("receivable", Some(id)) => Some(Self::Receivable(UserId::from_uuid(id))),
            ("escrow", Some(id)) => Some(Self::Escrow(RentalId::from_uuid(id))),
            ("payable", Some(id)) => Some(Self::Payable(UserId::from_uuid(id))),
            ("revenue", None) => Some(Self::Revenue),
            ("cash_clearing", None) => Some(Self::CashClearing),
            ("write_off", None) => Some(Self::WriteOff),
            _ => None,
        }
    }

    /// The hexadecimal spelling of the owner, as hashed.
    fn owner_text(self) -> String {
        self.owner().map(|id| PostingId::from_uuid(id).to_string()).unwrap_or_default()
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
    /// Rent given back for downtime.
    Credit,
    /// Money paid in.
    Deposit,
    /// Money paid in that was taken back: a refund or a dispute of the payment.
    Reversal,
    /// A correction by an operator.
    Adjustment,
    /// Rent that a supplier has earned.
    Earning,
    /// Money paid out to a supplier.
    Payout,
}

impl PostingKind {
    /// The kind, as stored and hashed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Refund => "refund",
            Self::Credit => "credit",
            Self::Deposit => "deposit",
            Self::Reversal => "reversal",
            Self::Adjustment => "adjustment",
            Self::Earning => "earning",
            Self::Payout => "payout",
        }
    }

    /// The kinds that move a wallet; the others move what is payable to a supplier.
    pub const OF_WALLETS: [Self; 6] =
        [Self::Charge, Self::Refund, Self::Credit, Self::Deposit, Self::Reversal, Self::Adjustment];

    /// The account of the chain's owner that the posting's amount is about.
    pub const fn account_of(self, owner: UserId) -> Account {
        match self {
            Self::Earning | Self::Payout => Account::Payable(owner),
            Self::Charge
            | Self::Refund
            | Self::Credit
            | Self::Deposit
            | Self::Reversal
            | Self::Adjustment => Account::Wallet(owner),
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

/// A movement of money that is to happen.
#[derive(Clone, Debug)]
pub struct PostingDraft {
    /// Why.
    pub kind: PostingKind,
    /// Its sides, which sum to zero. The posting's amount is what the chain's owner gains by them.
    pub entries: Vec<Entry>,
    /// In the words of who did it, or of the system.
    pub reason: String,
    /// Who did it; `None` for the system itself and the operator's console.
    pub author: Option<UserId>,
    /// The rental and the start of the period that it pays for: charged once (unique).
    pub period: Option<(RentalId, Timestamp)>,
    /// Further facts for the wallet's owner.
    pub metadata: Value,
    /// What the amount was made from, where it was computed.
    pub basis: Option<Basis>,
    /// The posting that this one corrects.
    pub corrects: Option<PostingId>,
}

/// The sides of a movement of money, without those where nothing moves.
pub fn entries(sides: impl IntoIterator<Item = (Account, Money)>) -> Vec<Entry> {
    let sides = sides.into_iter().filter(|(_, amount)| *amount != Money::ZERO);
    sides.map(|(account, amount)| Entry { account, amount }).collect()
}

/// The two sides of a movement between two accounts; none where nothing moves.
pub fn moved(amount: Money, from: Account, to: Account) -> Vec<Entry> {
    entries([(to, amount), (from, amount.negated())])
}

/// A movement of money that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Posting {
    /// Identifies the posting.
    pub id: PostingId,
    /// Whose chain it belongs to.
    pub user_id: UserId,
    /// Why.
    pub kind: PostingKind,
    /// How much the wallet gained or lost, or what is payable to the supplier
    /// ([`PostingKind::account_of`]).
    pub amount: Money,
    /// In words.
    pub reason: String,
    /// Who did it.
    pub author: Option<UserId>,
    /// What it paid for.
    pub period: Option<(RentalId, Timestamp)>,
    /// Further facts.
    pub metadata: Value,
    /// What the amount was made from.
    pub basis: Option<Basis>,
    /// The posting that this one corrects.
    pub corrects: Option<PostingId>,
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
        // Tagged, and left out where there is none, as in postings from before there were any.
        if let Some(basis) = self.basis {
            let mut basis = serde_json::to_value(basis).unwrap_or_default();
            basis.sort_all_objects();
            field(b"basis");
            field(basis.to_string().as_bytes());
        }
        if let Some(corrects) = self.corrects {
            field(b"corrects");
            field(corrects.to_string().as_bytes());
        }
        for entry in entries {
            field(entry.account.kind().as_bytes());
            field(entry.account.owner_text().as_bytes());
            field(&entry.amount.e8().to_be_bytes());
        }
        hash.finalize().to_vec()
    }
}

/// Books a movement of money in a locked wallet's chain: the posting, its entries, and what the wallet
/// holds and owes afterwards, in this transaction. Refuses with [`Unpayable::InsufficientBalance`]
/// what the wallet cannot give. The caller stores what it cached of other accounts (a rental's escrow,
/// a supplier's payable), locked as well.
pub async fn post(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    at: Timestamp,
    draft: PostingDraft,
) -> Result<(Wallet, Posting)> {
    let (wallet, posting) = link(random, wallet, at, &draft)?;
    let links = [(posting, draft.entries)];
    tx.add_postings(&wallet, &links).await?;
    let [(posting, _)] = links;
    Ok((wallet, posting))
}

/// The next link of a locked wallet's chain and the wallet after it, to be stored with
/// [`super::Wallets::add_postings`]. Refuses as [`post`] does.
pub(crate) fn link(
    random: &dyn Random,
    wallet: Wallet,
    at: Timestamp,
    draft: &PostingDraft,
) -> Result<(Wallet, Posting)> {
    let gain = |account| total(&draft.entries, |entry| entry.account == account);
    if draft.entries.is_empty() || total(&draft.entries, |_| true) != Some(Money::ZERO) {
        return Err(Error::internal("a posting's entries must sum to zero"));
    }
    let overflow = || Error::invalid("/amount", "the balance would not fit; use a smaller amount");
    let gained = gain(Account::Wallet(wallet.user_id)).ok_or_else(overflow)?;
    let balance = wallet.balance.checked_add(gained).ok_or_else(overflow)?;
    if balance < Money::ZERO {
        return Err(Error::Unpayable(Unpayable::InsufficientBalance {
            required: gained.negated(),
            available: wallet.balance,
        }));
    }
    let settled = gain(Account::Receivable(wallet.user_id)).ok_or_else(overflow)?;
    let amount = gain(draft.kind.account_of(wallet.user_id)).ok_or_else(overflow)?;
    let mut posting = Posting {
        id: PostingId::generate(at, random),
        user_id: wallet.user_id,
        kind: draft.kind,
        amount,
        reason: draft.reason.clone(),
        author: draft.author,
        period: draft.period,
        metadata: draft.metadata.clone(),
        basis: draft.basis,
        corrects: draft.corrects,
        at,
        sequence: wallet.head.sequence.saturating_add(1),
        previous_hash: wallet.head.hash,
        hash: Vec::new(),
    };
    posting.hash = posting.digest(&draft.entries);
    let head = ChainHead { sequence: posting.sequence, hash: posting.hash.clone() };
    let owed = wallet.owed.checked_add(settled.negated()).ok_or_else(overflow)?;
    Ok((Wallet { user_id: wallet.user_id, balance, owed, head }, posting))
}

/// The sum of the entries wanted; `None` where it does not fit.
fn total(entries: &[Entry], wanted: impl Fn(&Entry) -> bool) -> Option<Money> {
    let amounts = entries.iter().filter(|entry| wanted(entry)).map(|entry| entry.amount);
    amounts.into_iter().try_fold(Money::ZERO, Money::checked_add)
}
